"""A run held against the theorems: what is promised of each restart, how far the restarts agree, and whether that fits."""

from dataclasses import dataclass

from stabaudit.theory.agreement import Agreement, Degree
from stabaudit.theory.facts import ModelFacts
from stabaudit.theory.promise import Promise


@dataclass(frozen=True)
class Diagnosis:
    """Of a run, or of one of its restarts.

    Args:
        run: its name.
        facts: what was measured of each restart, by number.
        promises: what theorems promise of it, by number.
        measured: the class up to which its restarts agree, None where that is undecided.
        agreement: whether that is what was promised of all of them.
        said: what was measured, in words without a full stop.
        warnings: of the comparison.
    """

    run: str
    facts: dict[int, ModelFacts]
    promises: dict[int, Promise]
    measured: Degree | None
    agreement: Agreement
    said: tuple[str, ...]
    warnings: tuple[str, ...]

"""Measured scores beside numbers that others have reported."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from stabaudit.comparison.gating.find_score import find_measured
from stabaudit.comparison.records import Comparison
from stabaudit.errors import UsageError
from stabaudit.statistics.gate import parse_score


@dataclass(frozen=True)
class Reference:
    """A number that somebody reported.

    Args:
        run: name of the run that it belongs to.
        score: as typed: "strong_mcc.out".
        value: the number.
        source: where it stands.
        remark: what to know of it, or "".
    """

    run: str
    score: str
    value: float
    source: str
    remark: str


@dataclass(frozen=True)
class Held:
    """One run's score beside a reported number.

    Args:
        run: the run.
        score: as typed: "strong_mcc.out".
        mean: measured, over pairs (or restarts); None where the run has no such score.
        ci_low, ci_high: its interval, or None.
        reference: the reported number.
        source: where it stands.
        remark: what to know of it, or "".
        verdict: whether the interval holds the number, lies above or below it; "not measured" without a score or an interval.
    """

    run: str
    score: str
    mean: float | None
    ci_low: float | None
    ci_high: float | None
    reference: float
    source: str
    remark: str
    verdict: Literal["holds it", "above it", "below it", "not measured"]


def hold(reference: Reference, comparison: Comparison) -> Held:
    """Hold the score of a run against a reported number."""
    key = parse_score(reference.score)
    name, mean, low, high = reference.score, None, None, None
    with suppress(UsageError):  # a run that could not be scored, or has no sources
        found = find_measured(comparison, reference.run, key)
        name, mean = found.name, found.value
        low, high = found.interval or (None, None)
    return Held(
        run=reference.run,
        score=name,
        mean=mean,
        ci_low=low,
        ci_high=high,
        reference=reference.value,
        source=reference.source,
        remark=reference.remark,
        verdict=_verdict(low, high, reference.value),
    )


def _verdict(low: float | None, high: float | None, value: float) -> Literal["holds it", "above it", "below it", "not measured"]:
    if low is None or high is None:
        return "not measured"
    return "above it" if low > value else "below it" if high < value else "holds it"


def held(found: Iterable[Held]) -> dict[str, int]:
    """How many numbers there are of each verdict."""
    counts: dict[str, int] = {}
    for one in found:
        counts[one.verdict] = counts.get(one.verdict, 0) + 1
    return counts

"""Conditions of theorems, and claims that rest on them.

A condition *holds* where the model's construction or its weights prove it, *fails* where a counterexample or a number refutes
it, is *not refuted* where a search for counterexamples found none, and *undecided* where nothing that is measured speaks for
or against it. A claim is as good as the worst condition that it needs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

State = Literal["holds", "not refuted", "undecided", "fails"]
Class = Literal["none", "affine", "orthogonal", "permutation"]
STATES: tuple[State, ...] = ("holds", "not refuted", "undecided", "fails")  # best first
CLASSES: tuple[Class, ...] = ("none", "affine", "orthogonal", "permutation")  # weakest first
MEANING: dict[Class, str] = {
    "none": "nothing",
    "affine": "up to an affine map",
    "orthogonal": "up to a rotation or reflection",
    "permutation": "up to order, sign, scale and shift",
}
Of = Literal["latents", "prior"]


@dataclass(frozen=True)
class Condition:
    """A condition, decided for one restart.

    Args:
        name: as its source calls it: "F2".
        source: where it is stated: "Kivva 2022".
        meaning: what it asks, in a few words.
        state: what is known of it.
        evidence: the numbers that say so.
        amount: the number itself, None where there is none.
    """

    name: str
    source: str
    meaning: str
    state: State
    evidence: str
    amount: float | None = None


@dataclass(frozen=True)
class Claim:
    """That something is identified up to a class of maps.

    Args:
        identified: the class.
        theorem: which says so.
        needs: names of its conditions.
        of: what is identified: the latent of every x, or p(z) alone.
    """

    identified: Class
    theorem: str
    needs: tuple[str, ...]
    of: Of = "latents"

    def state(self, conditions: Mapping[str, Condition]) -> State:
        """The worst state of the conditions that it needs."""
        return max((conditions[name].state for name in self.needs), key=STATES.index)

    def missing(self, conditions: Mapping[str, Condition]) -> tuple[Condition, ...]:
        """The conditions that fail or are undecided, the worst first."""
        open_ones = [conditions[name] for name in self.needs if conditions[name].state in {"fails", "undecided"}]
        return tuple(sorted(open_ones, key=lambda one: -STATES.index(one.state)))


def strongest(claims: Iterable[Claim], conditions: Mapping[str, Condition], states: Iterable[State]) -> Claim | None:
    """The claim of the strongest class whose state is one of these, the first of several; None where there is none.

    >>> known = {"A": Condition("A", "", "", "holds", ""), "B": Condition("B", "", "", "fails", "")}
    >>> claims = [Claim("affine", "1", ("A",)), Claim("permutation", "2", ("A", "B"))]
    >>> strongest(claims, known, ("holds",)).theorem, strongest(claims, known, ("undecided",))
    ('1', None)
    """
    allowed = set(states)
    fitting = [claim for claim in claims if claim.state(conditions) in allowed]
    return max(fitting, key=lambda claim: CLASSES.index(claim.identified), default=None)

"""Conditions that several theorems share: the noise of x, and an injective decoder.

Kivva et al. 2022 (arXiv:2206.10044) call f *weakly injective* (F2) where some ball of x has one preimage each and almost no x
has infinitely many, *observably injective* (F3) where almost every x has one, and *injective* (F4) where every x has. A second
preimage of a point refutes F4; second preimages of a positive share of points refute F3; of all points, F2. A Jacobian whose
rank is below d everywhere gives every x infinitely many. That no second preimage is found proves nothing, and counts as *not
refuted*; a proof is what the layers give (`DecoderFacts.proof`).
"""

from collections.abc import Callable

from stabaudit.theory.conditions import Condition, State
from stabaudit.theory.facts import DecoderFacts, ModelFacts

KIVVA = "Kivva 2022"
Make = Callable[..., Condition]
ROUNDING = 1e-7  # of a second difference in double precision, as a part of the first
FEWEST_TARGETS = 20  # points x that speak for all


def noise(facts: ModelFacts) -> Condition:
    """Additive noise of a known distribution, whose characteristic function has no zeros."""
    said: dict[str, tuple[State, str]] = {
        "known": ("holds", "Gaussian of fixed variance"),
        "learned": ("undecided", "the variance of the Gaussian is learned, theorems suppose it known"),
        "other": ("undecided", "x is not a function of z plus noise of one distribution, as theorems suppose"),
    }
    state, evidence = said[facts.noise]
    return Condition("noise", "Khemakhem 2019, Theorem 1 (i)", "x is f(z) and known noise", state, evidence)


def injectivity(decoder: DecoderFacts | None) -> list[Condition]:
    """F2, F3 and F4, weakest first."""
    meanings = {"F2": "some x have one z, none a continuum", "F3": "almost every x has one z", "F4": "every x has one z"}

    def condition(name: str, state: State, evidence: str, amount: float | None = None) -> Condition:
        return Condition(name, KIVVA, meanings[name], state, evidence, amount)

    if decoder is None:
        return [condition(name, "undecided", "x does not follow from a vector z") for name in meanings]
    if decoder.dimensions > decoder.outputs:
        said = f"z has {decoder.dimensions} dimensions and x only {decoder.outputs}"
        return [condition(name, "fails", said, float(decoder.dimensions - decoder.outputs)) for name in meanings]
    if decoder.proof is not None:
        return [condition(name, "holds", decoder.proof) for name in meanings]
    if decoder.rank < decoder.dimensions:
        lost = decoder.dimensions - decoder.rank
        said = f"the Jacobian has rank {decoder.rank} of {decoder.dimensions} at every one of {decoder.points} points"
        return [condition(name, "fails", said, float(lost)) for name in meanings]
    return _searched(decoder, condition)


def _searched(decoder: DecoderFacts, condition: Make) -> list[Condition]:
    """What the search for second preimages says."""
    if not decoder.targets:
        return [condition(name, "undecided", "no second preimage was searched for") for name in ("F2", "F3", "F4")]
    share = decoder.doubled / decoder.targets
    found = f"{decoder.doubled} of {decoder.targets} x = f(z) have a second preimage"
    none = f"no second preimage of {decoder.targets} x = f(z) found"
    flat = f"; the Jacobian is singular at {decoder.singular:.1%} of points" if decoder.singular else ""
    every = share == 1 and decoder.targets >= FEWEST_TARGETS
    weakly: State = "fails" if every else "not refuted"
    observably: State = "fails" if decoder.doubled else "not refuted"
    fully: State = "fails" if decoder.doubled or decoder.singular else "not refuted"
    if decoder.weighty is not None and decoder.doubled:
        found += f", {decoder.weighty} of them one with a hundredth or more of the posterior"
    said = found if decoder.doubled else none
    return [
        condition("F2", weakly, said, share),
        condition("F3", observably, said, share),
        condition("F4", fully, said + flat, max(share, decoder.singular)),
    ]


def piecewise_affine(decoder: DecoderFacts | None) -> Condition:
    """F1."""
    meaning = "f is piecewise affine"
    if decoder is None:
        return Condition("F1", KIVVA, meaning, "undecided", "x does not follow from a vector z")
    bend = f"second differences are {decoder.curvature:.1g} of the first"
    if decoder.curvature > ROUNDING:
        return Condition("F1", KIVVA, meaning, "fails", f"f bends: {bend}", decoder.curvature)
    seen = "f is affine" if decoder.pieces == 1 else f"{decoder.pieces} pieces seen at {decoder.points} points"
    return Condition("F1", KIVVA, meaning, "holds", f"{seen}; {bend}", decoder.curvature)

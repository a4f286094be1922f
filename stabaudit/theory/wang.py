"""Posterior collapse is latent variable non-identifiability (Wang, Blei & Cunningham 2021, Theorem 1, arXiv:2301.00537).

The posterior of z is its prior if and only if p(x|z) does not depend on z; by dimension, z_k is collapsed where f does not
change along it. That is a singular direction of the Jacobian. A decoder that is injective for all weights (LIDVAE, Proposition
2) has none. Trained decoders come near to collapse rather than reach it: a dimension counts as collapsed where x tells less
than 0.05 nats of it, ½ log(1 + signal/noise), as elsewhere in stabaudit.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.theory.conditions import Condition
from stabaudit.theory.facts import ModelFacts

Array = NDArray[Any]
LEAST_NATS = 0.05  # of a dimension that is not collapsed
NEGLIGIBLE = 1e-6  # slope of f along a dimension, as a part of the largest


def collapsed(slopes: Array, information: Array | None) -> tuple[int, ...]:
    """Dimensions on which x does not depend, ascending.

    Args:
        slopes: of f along each dimension, in units of the dimension's spread, shape (d,).
        information: of each dimension about x in nats, shape (d,), or None where the noise is not known.

    >>> collapsed(np.array([2.0, 0.0, 1.0]), None), collapsed(np.array([2.0, 0.1, 1.0]), np.array([3.0, 0.01, 2.0]))
    ((1,), (1,))
    """
    flat = slopes <= NEGLIGIBLE * slopes.max(initial=0.0)
    if information is not None:
        flat = flat | (information < LEAST_NATS)
    return tuple(np.flatnonzero(flat).tolist())


def injective_likelihood(facts: ModelFacts) -> Condition:
    """Whether x depends on every dimension of z."""
    source, meaning = "Wang 2021, Theorem 1", "x depends on every dimension"
    if facts.slopes is None:
        return Condition("collapse", source, meaning, "undecided", "x does not follow from a vector z")
    lost = collapsed(facts.slopes, facts.information)
    least = "" if facts.information is None else f"; the least known dimension has {facts.information.min():.2g} nats"
    if lost:
        named = ", ".join(f"z{k}" for k in lost)
        said = f"{len(lost)} of {facts.dimensions} dimensions are collapsed: {named}{least}"
        return Condition("collapse", source, meaning, "fails", said, float(len(lost)))
    return Condition("collapse", source, meaning, "holds", f"none of {facts.dimensions} dimensions is collapsed{least}", 0.0)

"""Whether a run keeps what was promised: the class up to which its restarts agree, against that of the theorem.

Measured are the verdicts of the anatomy and the affine R² of the run. *permutation*: every dimension that is not inactive is
the same axis in every restart. *affine*: not that, but all that is active is shared and the space is the same up to a linear
map. *part*: some of it is shared. *none*: nothing is. Where nothing but the number of restarts keeps dimensions from being
shown to be axes, or there is one restart, it is undecided. A rotation or reflection is an affine map too; among encoder means
it is not told from others, as they shrink towards the prior by amounts of their own.

A theorem speaks of the maximum of the likelihood, of data that the model could have made, and of infinitely many of them. A
promise that is not kept says that one of these is far away; more agreement than was promised, that something else holds the
latents where they are: the data, the start, the encoder's diagonal posterior.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stabaudit.theory.conditions import Class

Degree = Literal["none", "part", "affine", "permutation"]
Agreement = Literal["kept", "more", "not kept", "nothing promised", "undecided"]
_LEAST: dict[Class, Degree] = {"none": "none", "affine": "affine", "orthogonal": "affine", "permutation": "permutation"}
_DEGREES: tuple[Degree, ...] = ("none", "part", "affine", "permutation")


@dataclass(frozen=True)
class Dimension:
    """A dimension of a run.

    Args:
        verdict: axis, subspace, not_shared or inactive.
        may_be_axis: whether it is an axis, or nothing but the number of restarts keeps it from being shown to be one.
    """

    verdict: Literal["axis", "subspace", "not_shared", "inactive"]
    may_be_axis: bool


def degree(dimensions: Sequence[Dimension], *, same_space: bool | None) -> Degree | None:
    """How far the restarts of a run agree; None where that is undecided.

    Args:
        dimensions: those of the run; empty for one restart.
        same_space: whether the space is the same up to a linear map; None where that is not settled.

    >>> axis, turned = Dimension("axis", True), Dimension("subspace", False)
    >>> degree([axis, axis], same_space=True), degree([turned, turned], same_space=True), degree([], same_space=None)
    ('permutation', 'affine', None)
    """
    active = [one for one in dimensions if one.verdict != "inactive"]
    if not active:
        return None
    if all(one.verdict == "axis" for one in active):
        return "permutation"
    if all(one.may_be_axis for one in active):
        return None
    shared = [one for one in active if one.verdict in {"axis", "subspace"}]
    if not shared:
        return "none"
    if len(shared) < len(active) or same_space is False:
        return "part"
    return None if same_space is None else "affine"


def agreement(promised: Class, measured: Degree | None) -> Agreement:
    """Whether what was measured is what was promised.

    >>> agreement("orthogonal", "affine"), agreement("permutation", "affine"), agreement("affine", "permutation")
    ('kept', 'not kept', 'more')
    """
    if measured is None:
        return "undecided"
    apart = _DEGREES.index(measured) - _DEGREES.index(_LEAST[promised])
    if promised == "none":
        return "nothing promised" if measured in {"none", "part"} else "more"
    return "kept" if apart == 0 else "more" if apart > 0 else "not kept"

"""Two families over configurations: the exact Wilcoxon signed-rank test, ties and zeros included.

Each configuration gives one difference. The |differences| are ranked, ties sharing their mean rank, and W⁺ sums the ranks of
the positive ones. If the families do not differ, every rank is as likely to stand on either side, so W⁺ is a sum of independent
draws of 0 or rank: its distribution follows by dynamic programming over doubled (hence whole) midranks. The usual normal
approximation prints p = 0.0397 where 0.0388 is exact. (Demšar 2006; Willetts 2021, §4.1.1; zeros: Pratt 1959.)

Configurations that share an architecture and a dataset are not independent; `block_p` flips them together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from stabaudit.registry import unknown

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Zeros = Literal["pratt", "drop", "split"]

DIGITS = 9  # that count: 0.3 − 0.2 and 0.2 − 0.1 must tie


def rounded(values: FloatArray, size: float | None = None) -> FloatArray:
    """Numbers without the noise of floating point: to nine digits of the largest that they come from.

    Args:
        values: differences of scores, or scores, of any shape.
        size: of the largest score; None: of the largest of `values`.

    >>> rounded(np.array([0.3 - 0.2, 0.2 - 0.1])).tolist(), rounded(np.array([1e-10, 3e-10])).tolist()
    ([0.1, 0.1], [1e-10, 3e-10])
    """
    largest = float(np.abs(values).max(initial=0.0)) if size is None else size
    if largest == 0 or not math.isfinite(largest):
        return values
    decimals = DIGITS - 1 - math.floor(math.log10(largest))
    near: FloatArray = np.round(values, decimals) if decimals < _MOST_DECIMALS else values
    return near


_MOST_DECIMALS = 300  # that a power of ten has room for


@dataclass(frozen=True)
class SignedRank:
    """What the signed-rank test of n paired differences says.

    Args:
        n: how many differences, zeros included unless dropped.
        statistic: T, the smaller of the rank sums of either sign.
        p: two-sided, exact given the ranks.
        min_p: the smallest p that n nonzero differences can give: 2^(1−n). Five give 0.0625: 0.05 is out of reach below six.
        rank_biserial: (W⁺ − W⁻)/(W⁺ + W⁻), in [−1, 1]: matched-pairs effect size, positive where the first family is higher.
        hodges_lehmann: median of the mean of every two differences (and of each with itself), in units of the score.
        interval: of that shift, at least 95%; None where n is too small for one.
    """

    n: int
    statistic: float
    p: float
    min_p: float
    rank_biserial: float
    hodges_lehmann: float
    interval: tuple[float, float] | None


def signed_rank(differences: FloatArray, *, zeros: Zeros = "pratt", level: float = 0.95, size: float | None = None) -> SignedRank:
    """Test whether paired differences are centred on 0.

    Args:
        differences: shape (n,), n ≥ 1, rounded here so that floating-point noise makes no false ranks (see `rounded`).
        zeros: "pratt" ranks zeros but counts them for neither side; "drop" leaves them out before ranking; "split" gives half of
            their ranks to each side, and treats their signs as random too.
        level: of the interval.
        size: of the largest score that was subtracted; None: of the largest difference.

    Raises:
        UsageError: an unknown way with zeros.

    Example:
        >>> signed_rank(np.array([0.3, 0.1, 0.2, 0.5, 0.4])).p
        0.0625
    """
    if zeros not in get_args(Zeros):
        raise unknown("way with zeros", str(zeros), get_args(Zeros))
    d = rounded(differences, size)
    if zeros == "drop":
        d = d[d != 0]
    twice = doubled_midranks(np.abs(d))
    free = twice if zeros == "split" else twice[d != 0]
    shared = int(twice[d == 0].sum()) if zeros == "split" else 0
    plus, minus = (float(twice[side].sum()) + shared / 2 for side in (d > 0, d < 0))
    null = subset_sums(free)
    smaller = min(plus, minus)
    every = rounded(differences, size)
    return SignedRank(
        n=len(d),
        statistic=smaller / 2,
        p=min(1.0, 2 * float(null[: int(smaller) + 1].sum())),
        min_p=min(1.0, 2 * float(null[: shared // 2 + 1].sum())),  # every difference that is not zero on one side
        rank_biserial=(plus - minus) / (plus + minus) if len(free) else 0.0,
        hodges_lehmann=float(np.median(walsh_averages(every))),
        interval=_shift_interval(every, level),
    )


def block_p(differences: FloatArray, blocks: Sequence[object], *, size: float | None = None) -> tuple[float, float]:
    """Signed-rank test in which all differences of a block change sign together.

    Args:
        differences: shape (n,).
        blocks: which block each belongs to, length n: here architecture and dataset.
        size: as of `signed_rank`.

    Returns:
        Two-sided p, exact, and the smallest p that these blocks can give.
    """
    d = rounded(differences, size)
    signed = doubled_midranks(np.abs(d)) * np.sign(d).astype(np.int64)
    sums: dict[object, int] = {}
    for block, rank in zip(blocks, signed, strict=True):
        sums[block] = sums.get(block, 0) + int(rank)
    weights = np.array([abs(s) for s in sums.values() if s], dtype=np.int64)
    # A sum Σ ±w at least as far from 0 as the one seen is a subset sum at most (Σw − |seen|)/2.
    smaller = (int(weights.sum()) - abs(sum(sums.values()))) // 2
    null = subset_sums(weights)
    return min(1.0, 2 * float(null[: smaller + 1].sum())), min(1.0, 2 * 0.5 ** len(weights))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment of p-values, in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p)
    largest = 0.0
    for rank, position in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - rank) * p[position]))
        adjusted[position] = largest
    return adjusted


def doubled_midranks(values: FloatArray) -> IntArray:
    """Twice the rank of each value, shape (n,), whole because ties share their mean rank.

    >>> doubled_midranks(np.array([5.0, 1.0, 5.0])).tolist()
    [5, 2, 5]
    """
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    doubled: IntArray = (2 * last - counts + 1)[where]
    return doubled


def subset_sums(weights: IntArray) -> FloatArray:
    """Distribution of the sum of a random subset of whole numbers: P(sum = s) at position s.

    >>> subset_sums(np.array([1, 2])).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    distribution = np.ones(1)
    for weight in weights:
        taken = np.zeros(len(distribution) + int(weight))
        taken[: len(distribution)] = distribution
        taken[int(weight) :] += distribution
        distribution = taken / 2
    return distribution


def walsh_averages(differences: FloatArray) -> FloatArray:
    """Mean of every two differences and of each with itself, ascending, shape (n(n+1)/2,)."""
    i, j = np.triu_indices(len(differences))
    averages: FloatArray = np.sort((differences[i] + differences[j]) / 2)
    return averages


def _shift_interval(differences: FloatArray, level: float) -> tuple[float, float] | None:
    """The shifts that the test without ties would not reject: the Walsh averages between two order statistics."""
    tail = np.cumsum(subset_sums(np.arange(1, len(differences) + 1)))
    outside = int(np.searchsorted(tail, (1 - level) / 2, side="right"))  # averages that are cut off at either end
    if outside == 0:
        return None
    averages = walsh_averages(differences)
    return float(averages[outside - 1]), float(averages[-outside])

"""Which clusters of one restart are found again in another, and which are split or merged there.

A cluster A is found again as the cluster B with the largest Jaccard index |A ∩ B| / |A ∪ B|; the mean over other clusterings is
how reproducible A is (Hennig 2007, doi:10.1016/j.csda.2006.11.025, over bootstrap samples; here over restarts of all rows). His
usual reading of it: 0.85 and more highly stable, 0.75 stable, 0.6 there is a pattern but not which rows belong to it, below
unstable. It holds where chance gives less: a cluster of 95% of the rows has 0.90 in any clustering that has such a one too.

How far B lies in A, beyond chance, is

    c(B, A) = (|A ∩ B| / |B| − |A| / n) / (1 − |A| / n),

1 where A holds all of B and 0 where B is drawn at random. A is *split* into the clusters B with c(B, A) ≥ 0.7 that hold a fifth
of A or more each, where there are two or more and together they hold 0.7 of it; *merged* is the same with the restarts exchanged.
Parts of fewer than five rows do not count. Both thresholds are ours.
"""

from typing import Literal, NamedTuple

import numpy as np

from stabaudit.metrics.pair_scores import Array

CONTAINED = 0.7  # c(B, A) from which B is a part of A, and the share of A that its parts hold together
PART = 0.2  # of A, that each part holds at least
_FEWEST = 5  # rows of a part
HIGHLY_STABLE, STABLE, PATTERN = 0.85, 0.75, 0.6

Reading = Literal["highly stable", "stable", "pattern", "unstable", "chance"]


class Found(NamedTuple):
    """Clusters of one restart in another.

    Args:
        jaccard: of each cluster with its best partner, in [0, 1], shape (K,).
        partner: position of that one, shape (K,).
    """

    jaccard: Array
    partner: Array


class Parts(NamedTuple):
    """A cluster and the clusters of the other restart that are its parts, by position; rows of the one that they hold."""

    whole: int
    parts: tuple[int, ...]
    rows: int


def found_again(counts: Array) -> Found:
    """The best partner of every cluster.

    Args:
        counts: rows in each cluster of the one and of the other restart, shape (K, K'), no row empty.

    >>> found_again(np.array([[30, 0], [10, 60]])).jaccard.round(2).tolist()
    [0.75, 0.86]
    """
    union = counts.sum(axis=1, keepdims=True) + counts.sum(axis=0) - counts
    index = counts / union
    partner = index.argmax(axis=1)
    return Found(index[np.arange(len(index)), partner], partner)


def splits(counts: Array) -> list[Parts]:
    """Clusters of the one restart that the other splits; those that it merges are `splits(counts.T)`.

    Args:
        counts: rows in each cluster of the one and of the other restart, shape (K, K').

    >>> splits(np.array([[50, 40, 0], [0, 0, 90]]))
    [Parts(whole=0, parts=(0, 1), rows=90)]
    """
    n, sizes, others = counts.sum(), counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):  # clusters without rows, and one that holds all
        chance = (sizes / n)[:, None]
        within = (counts / others - chance) / (1 - chance)
        part = (within >= CONTAINED) & (counts >= PART * sizes[:, None]) & (counts >= _FEWEST)
    held = (counts * part).sum(axis=1)
    chosen = np.flatnonzero((part.sum(axis=1) > 1) & (held >= CONTAINED * sizes))
    return [Parts(int(a), tuple(int(b) for b in np.flatnonzero(part[a])), int(held[a])) for a in chosen]


def reading(jaccard: float, draws: Array) -> Reading | None:
    """How reproducible a cluster is in the usual reading; None where chance alone reaches what is read as a pattern.

    Args:
        jaccard: mean over restarts.
        draws: of the same with rows shuffled, shape (K,); a mean that does not exceed all of them is "chance".

    >>> reading(0.8, np.array([0.1, 0.12])), reading(0.1, np.array([0.1, 0.12])), reading(0.95, np.array([0.9, 0.91]))
    ('stable', 'chance', None)
    """
    if jaccard <= draws.max():
        return "chance"
    if draws.mean() >= PATTERN:
        return None
    steps: tuple[tuple[float, Reading], ...] = ((HIGHLY_STABLE, "highly stable"), (STABLE, "stable"), (PATTERN, "pattern"))
    return next((word for least, word in steps if jaccard >= least), "unstable")

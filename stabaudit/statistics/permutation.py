"""Is the difference of two runs' stability larger than relabelling their restarts gives?

If both runs' restarts came from one population, every way of dealing them into two groups of N would be equally likely. The
statistic is |U_a − U_b|, the difference of the mean scores over the pairs within each group. The groups must be of one size: with
5 against 15 restarts of populations that are as stable, but not the same, such a test rejects far more often than it should.
"""

from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

EXACT_LIMIT = 20_000  # deals that are enumerated rather than drawn: up to 8 against 8 restarts, which have 12,870
DRAWS = 9_999


def permutation_p(scores: FloatArray, *, rng: np.random.Generator) -> float:
    """Two-sided p-value of |U_a − U_b|, exact where there are at most 20,000 deals, else from 9,999 random ones.

    Args:
        scores: symmetric, shape (2N, 2N), over the restarts of two runs of N ≥ 2 each, the first run's first; the diagonal is
            ignored.
        rng: draws the deals where they are too many to enumerate.

    Returns:
        In (0, 1]: with 2 against 2 restarts never below 1/3, with 5 against 5 never below 1/126.
    """
    n, first = len(scores), len(scores) // 2
    observed = _separation(scores, _memberships(n, [range(first)]))[0]
    if comb(n, first) <= EXACT_LIMIT:
        separations = _separation(scores, _memberships(n, combinations(range(n), first)))
        return float((separations >= observed - 1e-12).mean())
    deals = rng.permuted(np.tile(np.arange(n) < first, (DRAWS, 1)), axis=1)
    at_least = int((_separation(scores, deals.astype(float)) >= observed - 1e-12).sum())
    return (1 + at_least) / (1 + DRAWS)


def _memberships(n: int, groups: "combinations[tuple[int, ...]] | list[range]") -> FloatArray:
    """Rows of 0 and 1 that say who is in each group, shape (groups, n)."""
    members = np.array(list(groups))
    rows = np.zeros((len(members), n))
    np.put_along_axis(rows, members, 1.0, axis=1)
    return rows


def _separation(scores: FloatArray, in_a: FloatArray) -> FloatArray:
    """|U_a − U_b| of each deal, shape (deals,)."""
    off_diagonal = np.where(np.eye(len(scores), dtype=bool), 0.0, scores)
    means = []
    for group in (in_a, 1 - in_a):
        size = group[0].sum()
        means.append(np.einsum("ij,ij->i", group @ off_diagonal, group) / (size * (size - 1)))
    separation: FloatArray = np.abs(means[0] - means[1])
    return separation

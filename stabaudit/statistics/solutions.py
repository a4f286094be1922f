"""Solutions: whether the restarts of a run fall into groups that agree among themselves and not across.

Restarts of different quality agree to different degrees without being different solutions: where all of them are noisy views of
one truth, with correlations r_i to it, scores are s_ij = r_i r_j. So log s_ij = α_i + α_j + e_ij is what restarts that are alike
give, and a split into groups is what this leaves unexplained.

1. A candidate split: average linkage on the scores, cut at the largest gap between successive merges.
2. Its size: mean scores within are at least 0.1 above those across, 0.25 where a restart stands apart; and a quarter of that lies
   between the worst pair within and the best across, or restarts would be spread out rather than in groups.
3. Its test. With x_ij = 1 within groups, t of β in log s_ij = α_i + α_j + βx_ij, by least squares on N(N − 1)/2 − N − 1 degrees
   of freedom. As the split was chosen by the same scores, p is multiplied by the number of all splits there are (Bell's number).
   Of one restart that stands apart β is not known, as α_i says the same: its α_i is tested against those of the others (Grubbs
   1969: an outlier among normal effects, N − 2 degrees of freedom, p multiplied by N).

From three restarts no split follows. Of four, two and two are seen only where scores within groups hardly differ. Simulated error
rates: `python tests/benchmarks/worlds.py --solutions`.
"""

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.special import stdtr

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.integer]
LEVEL = 0.05
LEAST_GAP = 0.1  # between scores within and across groups
LEAST_GAP_OF_ONE = 0.25  # of a restart that stands apart: a mediocre one is not another solution
LEAST_SEPARATION = 0.25  # of that gap, between the worst pair within and the best across
_LEAST_SCORE = 0.01  # what lower scores count as, so that their logarithms are not far apart


@dataclass(frozen=True)
class Solutions:
    """The groups that restarts fall into.

    Args:
        groups: positions of restarts, the largest group first; a single group where no split is real.
        within: mean score over the pairs within each group; None for a restart that stands apart.
        across: mean score over pairs of different groups; None for a single group.
        p: of the most visible split, accepted or not; None where N is too small to test it, or its size is not enough to.
        order: positions of all restarts, groups together, in each the most central first; for heatmaps.
    """

    groups: tuple[tuple[int, ...], ...]
    within: tuple[float | None, ...]
    across: float | None
    p: float | None
    order: tuple[int, ...]


def solutions(scores: FloatArray, *, level: float = LEVEL) -> Solutions:
    """Find the groups that restarts fall into.

    Args:
        scores: of pairs, symmetric, in [0, 1], shape (N, N), N ≥ 2; the diagonal is not looked at.
        level: at which a split is accepted.

    Example:
        >>> scores = np.full((6, 6), 0.41)
        >>> scores[np.ix_([0, 2, 5], [0, 2, 5])] = 0.95
        >>> scores[np.ix_([1, 3, 4], [1, 3, 4])] = 0.94
        >>> found = solutions(scores)
        >>> found.groups, found.across
        (((0, 2, 5), (1, 3, 4)), 0.41)
    """
    n = len(scores)
    candidate = _candidate(scores)
    p = _p_value(scores, candidate) if n > 3 and _is_material(scores, candidate) else None
    labels = candidate if p is not None and p <= level else np.zeros(n, dtype=int)
    found = [_by_agreement(scores, np.flatnonzero(labels == label)) for label in np.unique(labels)]
    members = sorted(found, key=lambda group: (-len(group), min(group)))
    same = labels[:, None] == labels
    return Solutions(
        groups=tuple(tuple(sorted(group)) for group in members),
        within=tuple(_mean_within(scores, np.array(group)) for group in members),
        across=float(scores[~same].mean()) if len(members) > 1 else None,
        p=p,
        order=tuple(restart for group in members for restart in group),
    )


def unseen_share(n: int, level: float = 0.95) -> float:
    """The largest share of trainings that can end elsewhere though n restarts agree: 1 − (1 − level)^(1/n).

    With that share, n restarts all end in the same solution with probability 1 − level.

    >>> [round(unseen_share(n), 2) for n in (3, 5, 10, 20)]
    [0.63, 0.45, 0.26, 0.14]
    """
    return float(1.0 - (1.0 - level) ** (1.0 / n))


def _candidate(scores: FloatArray) -> IntArray:
    """Labels of the groups that the largest gap between merges leaves, shape (N,)."""
    if len(scores) < 3:
        return np.zeros(len(scores), dtype=int)
    distances = 1.0 - scores.clip(0.0, 1.0)
    np.fill_diagonal(distances, 0.0)
    tree = linkage(squareform(distances, checks=False), method="average")
    heights = tree[:, 2]
    below = int(np.diff(heights).argmax())
    labels: IntArray = fcluster(tree, (heights[below] + heights[below + 1]) / 2, criterion="distance")
    return labels


def _is_material(scores: FloatArray, labels: IntArray) -> bool:
    """Whether groups are far enough apart to speak of them."""
    groups, sizes = np.unique(labels, return_counts=True)
    if len(groups) < 2:
        return False
    upper = np.triu(np.ones(scores.shape, dtype=bool), 1)
    same = labels[:, None] == labels
    within, across = scores[same & upper], scores[~same & upper]
    least = LEAST_GAP_OF_ONE if sizes.min() == 1 else LEAST_GAP
    gap = within.mean() - across.mean()
    return bool(gap >= least and within.min() - across.max() >= LEAST_SEPARATION * gap)


def _p_value(scores: FloatArray, labels: IntArray) -> float:
    """P-value of a split, corrected for its choice."""
    n = len(scores)
    logs = np.log(scores.clip(min=_LEAST_SCORE))
    effects = _effects(logs)
    _, sizes = np.unique(labels, return_counts=True)
    if sorted(sizes) == [1, n - 1]:
        lone = labels == np.unique(labels)[sizes.argmin()]
        others = effects[~lone]
        spread = others.std(ddof=1) * np.sqrt(1 + 1 / (n - 1))
        t = (others.mean() - effects[lone][0]) / max(spread, 1e-12)
        return float(min(1.0, n * stdtr(n - 2, -t)))
    same = (labels[:, None] == labels).astype(float)
    pairs = np.triu_indices(n, 1)
    x, y = (values[pairs] - _additive(_effects(values), values)[pairs] for values in (same, logs))
    beta = (x @ y) / (x @ x)
    df = len(x) - n - 1
    residual = ((y - beta * x) ** 2).sum() / df
    t = beta / np.sqrt(max(residual, 1e-24) / (x @ x))
    return float(np.exp(min(0.0, _log_tail(t, df) + _log_bell(n))))


def _log_tail(t: float, df: int) -> float:
    """Logarithm of P(T ≥ t) of Student's t; where that is below the smallest number, of its bound (1 + t²/df)^(−df/2) / 2."""
    tail = float(stdtr(df, -t))
    return log(tail) if tail > 0 else -df / 2 * float(np.log1p(t**2 / df)) - log(2)


def _effects(values: FloatArray) -> FloatArray:
    """Least-squares α_i of α_i + α_j on the pairs of a symmetric matrix, about their mean, shape (N,)."""
    n = len(values)
    sums = values.sum(axis=1) - values.diagonal()
    effects: FloatArray = (sums - sums.mean()) / (n - 2)
    return effects


def _additive(effects: FloatArray, values: FloatArray) -> FloatArray:
    """What they predict, shape (N, N)."""
    n = len(values)
    mean = (values.sum() - values.trace()) / (n * (n - 1))
    fitted: FloatArray = mean + effects[:, None] + effects
    return fitted


def _log_bell(n: int) -> float:
    """Logarithm of the number of ways to split n restarts into groups, by Bell's triangle.

    >>> round(np.exp(_log_bell(4)))
    15
    """
    row = [1]
    for _ in range(n - 1):
        following = [row[-1]]
        for number in row:
            following.append(following[-1] + number)
        row = following
    return log(row[-1])


def _by_agreement(scores: FloatArray, group: IntArray) -> list[int]:
    """A group's restarts, the one that agrees best with the rest of it first."""
    own = scores[np.ix_(group, group)]
    agreement = own.sum(axis=1) - own.diagonal()
    ordered: list[int] = group[np.argsort(-agreement, kind="stable")].tolist()
    return ordered


def _mean_within(scores: FloatArray, group: IntArray) -> float | None:
    if len(group) < 2:
        return None
    own = scores[np.ix_(group, group)]
    return float((own.sum() - own.trace()) / (len(group) * (len(group) - 1)))

"""Means over pairs of restarts, with intervals in which the restart is the unit (delete-one jackknife; Arvesen 1969).

The N(N−1)/2 pairs of N restarts share restarts, so they are not independent: an interval from their standard deviation alone
covers the true mean 48% of the time instead of 95%. Leaving out one restart at a time, U₍₋ᵢ₎, gives

    se² = (N−1)/N Σᵢ (U₍₋ᵢ₎ − U)²,   interval U ± t_{N−1} · se.

Between two runs each side is left out in turn and the two variances add; a side of one restart is taken as given. Degrees of
freedom of a sum of variances are Welch's. Two restarts make one pair, from which no interval follows: it is None, never a guess.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean and how sure it is.

    Args:
        mean: the mean over pairs (or over restarts).
        sd: standard deviation over the same values; None for one value.
        se: standard error of the mean; None where it cannot be known.
        df: degrees of freedom of `se`; 0 where there is none.
        count: how many values were averaged.
    """

    mean: float
    sd: float | None
    se: float | None
    df: float
    count: int

    def interval(self, level: float = 0.95) -> tuple[float, float] | None:
        """Limits that hold the true mean in a fraction `level` of repetitions, or None where no standard error is known."""
        if self.se is None:
            return None
        half = float(stdtrit(self.df, 0.5 + level / 2)) * self.se
        return self.mean - half, self.mean + half


def over_restarts(values: FloatArray) -> Estimate:
    """Mean of one value per restart, shape (N,); the interval is Student's.

    >>> over_restarts(np.array([1.0, 2.0, 3.0]))
    Estimate(mean=2.0, sd=1.0, se=0.5773502691896258, df=2, count=3)
    """
    n = len(values)
    sd = _sd(values)
    return Estimate(float(values.mean()), sd, None if sd is None else sd / math.sqrt(n), n - 1, n)


def within(scores: FloatArray) -> Estimate:
    """Mean over the pairs of one run.

    Args:
        scores: symmetric, shape (N, N), N ≥ 2; the diagonal is not looked at.

    >>> within(np.array([[1.0, 0.5], [0.5, 1.0]])).interval() is None
    True
    """
    n = len(scores)
    pairs = scores[np.triu_indices(n, k=1)]
    if n < 3:
        return Estimate(float(pairs.mean()), None, None, 0, len(pairs))
    without = _leave_one_out(scores)
    se = math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))
    return Estimate(float(pairs.mean()), _sd(pairs), se, n - 1, len(pairs))


def between(scores: FloatArray) -> Estimate:
    """Mean over the pairs of a restart of one run and a restart of another.

    Args:
        scores: shape (N_a, N_b); NaN for pairs that are left out.
    """
    present = ~np.isnan(scores)
    pairs = scores[present]
    mean, sd = float(pairs.mean()), _sd(pairs)
    sides = [scores[present.any(axis=1)], scores.T[present.any(axis=0)]]
    known = [(v, len(side) - 1.0) for side in sides if (v := _without_each_row(side)) is not None]
    if not known:
        return Estimate(mean, sd, None, 0, len(pairs))
    return Estimate(mean, sd, math.sqrt(sum(v for v, _ in known)), _welch(known), len(pairs))


def difference(a: Estimate, b: Estimate) -> Estimate:
    """Difference a − b of means from different restarts, with Welch's degrees of freedom.

    For two within-run means this is Welch's t on jackknife pseudo-values θᵢ = N·U − (N−1)·U₍₋ᵢ₎: their mean is U and their
    variance over N is se².
    """
    mean = a.mean - b.mean
    if a.se is None or b.se is None:
        return Estimate(mean, None, None, 0, a.count + b.count)
    parts = [(a.se**2, a.df), (b.se**2, b.df)]
    return Estimate(mean, None, math.hypot(a.se, b.se), _welch(parts), a.count + b.count)


def standard_error(half_width: float, df: float, level: float = 0.95) -> float:
    """The standard error behind an interval of the given half width; undoes `Estimate.interval`."""
    return half_width / float(stdtrit(df, 0.5 + level / 2))


def two_sided_p(estimate: Estimate) -> float | None:
    """Probability, were the true mean 0, of one at least as far from 0; None without a standard error.

    >>> two_sided_p(Estimate(0.0, None, 0.1, 4, 10))
    1.0
    """
    if estimate.se is None:
        return None
    if estimate.se == 0:
        return 1.0 if estimate.mean == 0 else 0.0
    return 2 * float(stdtr(estimate.df, -abs(estimate.mean) / estimate.se))


def _leave_one_out(scores: FloatArray) -> FloatArray:
    """U₍₋ᵢ₎ of a symmetric score matrix, shape (N,)."""
    n = len(scores)
    off_diagonal = np.where(np.eye(n, dtype=bool), 0.0, scores)
    rows = off_diagonal.sum(axis=1)
    without: FloatArray = (rows.sum() / 2 - rows) / ((n - 1) * (n - 2) / 2)
    return without


def _sd(values: FloatArray) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None


def _without_each_row(scores: FloatArray) -> float | None:
    """Squared standard error from leaving out one row at a time, each of which holds a pair; None for a single row."""
    n = len(scores)
    if n < 2:
        return None
    sums, counts = np.nansum(scores, axis=1), (~np.isnan(scores)).sum(axis=1)
    without = (sums.sum() - sums) / (counts.sum() - counts)
    return (n - 1) / n * float(((without - without.mean()) ** 2).sum())


def _welch(parts: list[tuple[float, float]]) -> float:
    total = sum(v for v, _ in parts)
    if total == 0:
        return min(df for _, df in parts)
    return total**2 / sum(v**2 / df for v, df in parts)

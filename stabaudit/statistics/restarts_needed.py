"""How many restarts a wanted half-width asks for.

Scores of pairs are taken for μ + aᵢ + aⱼ + eᵢⱼ, with restart effects of variance σₐ² and pair effects of variance σₑ². The mean
over the pairs of N restarts then has the jackknifed variance (expected)

    V(N) = 4σₐ²/N + 4σₑ²/(N(N − 2)),

and the variance of the scores over pairs is about 2σₐ² + σₑ². Both are known of the N₀ restarts that there are, which gives σₐ²
and σₑ². The interval at N is t(N − 1)·√V(N) wide on either side, on the scale of the score.

A variance from a few restarts is uncertain, and so is that of the run to come. When a run of N₀ is extended to N, the variance
that will be found relates to the one now as

    [(N₀ − 1) + (N − N₀)·F] / (N − 1),   F of Fisher's distribution with N − N₀ and N₀ − 1 degrees of freedom,

so the half-width that is kept with probability π takes the π-quantile of F (in the manner of Kupper and Hafner 1989,
doi:10.1080/00031305.1989.10475628, for samples of independent values). σₐ² is not seen by itself but beside σₑ², which costs some
of the N₀ − 1: with the part s of V(N₀) that is the restarts', max(1, (N₀ − 1)√s − 0.6) are counted on. That form is found by
simulation: all of N₀ − 1 keep too few, these 92% and more (`tests/benchmarks/restarts.py`).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri

from stabaudit.errors import UsageError
from stabaudit.statistics.jackknife import Estimate, within
from stabaudit.statistics.jackknife import Scale as ScaleOfScore

FloatArray = NDArray[np.float64]
MOST = 100_000  # restarts; a wanted half-width that asks for more is not reached
FEWEST = 3  # restarts, without which there is no interval
SURELY = 0.9  # probability that a half-width asked for is kept
_TOLD_APART = 0.6  # degrees of freedom that telling two variances apart takes


@dataclass(frozen=True)
class Spread:
    """How the scores of a run's pairs vary.

    Args:
        estimate: their mean with its standard error.
        restarts: N₀, at least 3.
        of_restarts: σₐ².
        of_pairs: σₑ².
    """

    estimate: Estimate
    restarts: int
    of_restarts: float
    of_pairs: float

    def half_width(self, restarts: int, probability: float = 0.5) -> float:
        """The half-width of the 95% interval that this run, extended to so many restarts, keeps with a probability.

        Half the length of the interval, in units of the score; of intervals on another scale the ends lie unevenly.

        Args:
            restarts: in all; below the present number as if the run had been that small, then the spread is taken for known.
            probability: that the interval is no wider.

        Raises:
            UsageError: fewer than three restarts, which have no interval.
        """
        if restarts < FEWEST:
            raise UsageError(f"{restarts} restarts have no interval; expected {FEWEST} or more")
        if restarts == self.restarts:
            return self._present()
        variance = 4 * self.of_restarts / restarts + 4 * self.of_pairs / (restarts * (restarts - 2))
        variance *= self._growth(restarts, probability)
        found = replace(self.estimate, se=math.sqrt(variance), df=restarts - 1).interval()
        assert found is not None  # noqa: S101 -- its standard error is given
        return (found[1] - found[0]) / 2

    def needed(self, half_width: float, probability: float = SURELY) -> int | None:
        """Fewest restarts, those that there are included, whose interval is no wider; None where that is more than 100,000.

        Args:
            half_width: wanted, in units of the score.
            probability: that it is kept.

        Raises:
            UsageError: a half-width that is not positive, or infinite.
        """
        if not 0 < half_width < math.inf:
            raise UsageError(f"half-width {half_width:g}: expected a number above 0, such as 0.02")
        if self._present() <= half_width:
            return self.restarts
        low = high = self.restarts
        while self.half_width(high, probability) > half_width:
            low, high = high, 2 * high
            if high > 2 * MOST:
                return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.half_width(middle, probability) <= half_width else (middle, high)
        return high if high <= MOST else None

    def _present(self) -> float:
        found = self.estimate.interval()
        return math.inf if found is None else (found[1] - found[0]) / 2

    def _growth(self, restarts: int, probability: float) -> float:
        """By how much the variance over restarts, once there are more, lies above the present one at most."""
        more = restarts - self.restarts
        if more <= 0:
            return 1.0
        of_restarts, of_pairs = self.of_restarts * (self.restarts - 2), self.of_pairs  # parts of V(N₀)
        share = of_restarts / (of_restarts + of_pairs) if of_restarts + of_pairs > 0 else 1.0
        freedom = max(1.0, (self.restarts - 1) * math.sqrt(share) - _TOLD_APART)
        quantile = float(fdtri(more, freedom, probability))
        return ((self.restarts - 1) + more * quantile) / (restarts - 1)


def spread_of(scores: FloatArray, *, scale: ScaleOfScore = "identity") -> Spread | None:
    """The spread of the scores of a run's pairs; None of fewer than three restarts.

    Args:
        scores: symmetric, shape (N, N); the diagonal is not looked at.
        scale: of the interval.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> effects = 0.05 * rng.standard_normal(10)
        >>> found = spread_of(0.5 + effects[:, None] + effects)
        >>> found.restarts, found.needed(0.01) > found.needed(0.05)
        (10, True)
    """
    n = len(scores)
    if n < FEWEST:
        return None
    estimate = within(scores, scale=scale)
    pairs = scores[np.triu_indices(n, k=1)]
    count = len(pairs)
    off_diagonal = np.where(np.eye(n, dtype=bool), 0.0, scores)
    rows = off_diagonal.sum(axis=1) / (n - 1)
    jackknifed = (n - 1) / n * 4 / (n - 2) ** 2 * float(((rows - rows.mean()) ** 2).sum())
    # Expected: jackknifed = 4A/n + 4E/(n(n−2)), over pairs = count/(count−1)·[A(2 − 4/n) + E(1 − 2/(n(n−1)))].
    over_pairs = float(pairs.var(ddof=1)) if count > 1 else 0.0
    equations = np.array(
        [
            [4 / n, 4 / (n * (n - 2))],
            [count / (count - 1) * (2 - 4 / n), count / (count - 1) * (1 - 2 / (n * (n - 1)))],
        ]
    )
    of_restarts, of_pairs = (max(0.0, float(x)) for x in _solved(equations, np.array([jackknifed, over_pairs])))
    # Where one comes out below 0, the other alone makes what is known best: pairs their variance, restarts that of the mean.
    if of_restarts == 0.0:
        of_pairs = over_pairs / equations[1, 1]
    elif of_pairs == 0.0:
        of_restarts = jackknifed * n / 4
    return Spread(estimate, n, of_restarts, of_pairs)


def _solved(equations: FloatArray, right: FloatArray) -> FloatArray:
    try:
        found: FloatArray = np.linalg.solve(equations, right).astype(np.float64)
    except np.linalg.LinAlgError:  # three restarts have as many pairs: their two equations are one
        found = np.array([float(right[0] / equations[0, 0]), 0.0])
    return found

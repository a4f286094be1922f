"""Profiles of a negative log-likelihood along one number: is the truth its only minimiser, as far as n rows can tell?

With ℓ(v) the mean negative log-likelihood in nats per row when the number is v and all others stay, the deviance is

    D(v) = 2 n (ℓ(v) − min ℓ),

and D at the truth is about χ² with one degree of freedom (Wilks 1938), so the v with D(v) ≤ q, a quantile of it, are those that
the rows do not rule out. The truth is the only minimiser where they are one interval that holds the truth and ends on both sides.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, chdtri

Array = NDArray[np.float64]
Verdict = Literal["only", "elsewhere", "another", "flat"]

STEPS = 32  # of the grid on either side of the truth
_ZOOMS, _WITHIN = 3, 5  # how often a local minimum is looked at more closely, and at how many values


@dataclass(frozen=True)
class Profile:
    """A negative log-likelihood along one number.

    Args:
        truth: its true value.
        values: where the likelihood was evaluated, ascending, the truth among them, shape (k,).
        loss: mean negative log-likelihood there, in nats per row, shape (k,).
        rows: n.
    """

    truth: float
    values: Array
    loss: Array
    rows: int

    @property
    def deviance(self) -> Array:
        """2 n (ℓ − min ℓ), at least 0, shape (k,)."""
        return np.asarray(2 * self.rows * (self.loss - self.loss.min()))

    @property
    def minimiser(self) -> float:
        """The value with the smallest loss."""
        return float(self.values[self.loss.argmin()])

    @property
    def at_truth(self) -> float:
        """The deviance of the truth."""
        return float(self.deviance[self.values == self.truth][0])

    def verdict(self, limit: float) -> Verdict:
        """What the values with a deviance of at most `limit` say.

        Returns:
            "only": the truth is the only minimiser; "elsewhere": the truth is ruled out; "another": values apart from those
            around the truth are as good; "flat": those around the truth reach an end of the range.

        >>> v = np.linspace(-2, 2, 41)
        >>> Profile(0, v, v**2, 100).verdict(10), Profile(1, v, v**2, 100).verdict(10)
        ('only', 'elsewhere')
        >>> Profile(1, v, (v**2 - 1) ** 2, 100).verdict(10), Profile(0, v, np.maximum(v, 0), 100).verdict(10)
        ('another', 'flat')
        """
        allowed = self.deviance <= limit
        if self.at_truth > limit:
            return "elsewhere"
        if np.count_nonzero(np.diff(allowed.astype(int), prepend=0) == 1) > 1:
            return "another"
        return "flat" if allowed[0] or allowed[-1] else "only"


def trace(evaluate: Callable[[Array], Array], truth: float, reach: float, rows: int) -> Profile:
    """Evaluate a likelihood on a grid around the truth, then more closely around every local minimum on it.

    Args:
        evaluate: mean negative log-likelihood in nats per row at some values, shapes (k,) and (k,).
        truth: the middle of the grid.
        reach: how far it goes on either side.
        rows: n.
    """
    grid = truth + reach * np.arange(-STEPS, STEPS + 1) / STEPS
    points, losses = [grid], [evaluate(grid)]
    for place in _local_minima(losses[0]):
        low, high = grid[max(place - 1, 0)], grid[min(place + 1, 2 * STEPS)]
        for _ in range(_ZOOMS):
            points.append(np.linspace(low, high, _WITHIN + 2)[1:-1])
            losses.append(evaluate(points[-1]))
            best, step = points[-1][losses[-1].argmin()], points[-1][1] - points[-1][0]
            low, high = best - step, best + step
    values, first = np.unique(np.concatenate(points), return_index=True)
    return Profile(float(grid[STEPS]), values, np.concatenate(losses)[first], rows)


def deviance_limit(level: float) -> float:
    """The deviance that the truth exceeds with probability `level`, in (0, 1): a quantile of χ² with one degree of freedom.

    >>> round(deviance_limit(0.05), 2)
    3.84
    """
    return float(chdtri(1, level))


def share_interval(successes: int, trials: int, level: float = 0.05) -> tuple[float, float]:
    """The exact interval of a share (Clopper & Pearson 1934), of confidence 1 − `level`.

    Args:
        successes: at most as many as trials.
        trials: at least 1.
        level: probability of missing the share, at most.

    >>> [round(limit, 3) for limit in share_interval(50, 50)]
    [0.929, 1.0]
    """
    failures = trials - successes
    low = float(betaincinv(successes, failures + 1, level / 2)) if successes else 0.0
    high = float(betaincinv(successes + 1, failures, 1 - level / 2)) if failures else 1.0
    return low, high


def _local_minima(loss: Array) -> list[int]:
    """Places with no smaller neighbour, the ends included; of a level stretch its first."""
    around = np.concatenate([[np.inf], loss, [np.inf]])
    lowest = (loss < around[:-2]) & (loss <= around[2:])
    return [int(place) for place in np.flatnonzero(lowest)]

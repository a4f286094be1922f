"""Intervals of a statistic over rows: how much would it change had other rows been drawn?

The statistic is computed again on random halves of the rows, each without a row twice (McCarthy 1969,
doi:10.2307/1402116; as a bootstrap: Saigo, Shao and Sitter 2001, Survey Methodology 27:189-196). The mean of n/2 of n rows lies
from that of all n as far as that of all n does from the truth, so the standard deviation over halves is the standard error.
Unlike rows that are drawn with replacement, a half has no two equal rows, which would be each other's nearest neighbours. Rows
are the unit: nothing is said of what another training would give.
"""

import numpy as np
from numpy.typing import NDArray

from stabaudit.statistics.jackknife import Estimate, Scale

FloatArray = NDArray[np.float64]
FEWEST = 10  # draws


def half_sample(fit: NDArray[np.bool_], *, rng: np.random.Generator) -> NDArray[np.intp]:
    """Row numbers of a random half of the rows of *fit* and of a random half of the others, ascending.

    >>> rows = half_sample(np.arange(8) < 4, rng=np.random.default_rng(0))
    >>> len(rows), int((rows < 4).sum())
    (4, 2)
    """
    halves = [np.flatnonzero(fit), np.flatnonzero(~fit)]
    return np.sort(np.concatenate([rng.choice(half, len(half) // 2, replace=False) for half in halves]))


def over_rows(value: float, draws: FloatArray, scale: Scale = "identity") -> Estimate:
    """A statistic of all rows with its interval.

    Args:
        value: of all rows.
        draws: of half-samples, shape (B,).
        scale: on which the interval is symmetric.

    >>> over_rows(0.5, np.array([0.4, 0.6, 0.5])).se
    0.1
    """
    return Estimate(value, None, round(float(draws.std(ddof=1)), 15), len(draws) - 1, len(draws), scale)

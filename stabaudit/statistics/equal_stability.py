"""Are two runs equally stable? A studentised permutation test on jackknife pseudo-values.

The mean over the pairs of a run, U, is about the mean of one number per restart,

    θᵢ = N·U − (N−1)·U₍₋ᵢ₎,

U₍₋ᵢ₎ being the mean without restart i. If two runs are equally stable, these have the same mean in both. The statistic is
Welch's, |θ̄_a − θ̄_b| / √(s²_a/N_a + s²_b/N_b), and every way of dealing the numbers into groups of N_a and N_b gives a value to
hold it against. Dividing by the standard error keeps the level in large runs even where the two spread differently (Janssen 1997,
doi:10.1016/S0167-7152(97)00043-6; Chung & Romano 2013, doi:10.1214/13-AOS1090).

Only scores within each run enter. Dealing out the *restarts* instead, and scoring the mixed groups, tests whether the two runs
are one population: it rejects runs that are equally stable but learned different things, whose cross pairs are lower. `python
tests/benchmarks/coverage.py` prints how often either rejects at 5%:

    restarts                                         4, 4     5, 5   10, 10    5, 10    10, 5
    one population: restarts dealt anew              3.0%     4.7%
      pseudo-values                                  2.5%     4.3%     4.8%     5.0%     5.5%
    as stable, another solution: dealt anew         31.8%    36.7%
      pseudo-values                                  2.8%     4.0%     4.5%     4.5%     5.2%
    the same, second run spreads three times as far
      pseudo-values                                  5.2%     6.7%     5.9%     3.9%     8.5%
    scores lower by 0.2, four standard deviations of a restart's effect
      pseudo-values                                 47.0%    75.8%    98.6%    89.9%    89.0%

So it rejects too often, if not by much, where the smaller run spreads more.
"""

from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from stabaudit.statistics.jackknife import leave_one_out

FloatArray = NDArray[np.float64]

EXACT_LIMIT = 20_000  # deals that are enumerated rather than drawn: up to 8 against 8 restarts, which have 12,870
DRAWS = 9_999
RESOLUTION = 1e-9  # of a score: what differs by less is equal


def permutation_p(a: FloatArray, b: FloatArray, *, rng: np.random.Generator) -> float | None:
    """Two-sided p-value of equal stability, exact where there are at most 20,000 deals, else from 9,999 random ones.

    Args:
        a: scores within the first run, symmetric, shape (N_a, N_a); the diagonal is not looked at.
        b: the same of the second run, shape (N_b, N_b).
        rng: draws the deals where they are too many to enumerate.

    Returns:
        In [`smallest_p(N_a, N_b)`, 1]; None where a run has fewer than three restarts, and so no pseudo-values.

    >>> steady, shaky = np.full((5, 5), 0.9), np.full((5, 5), 0.5)
    >>> round(permutation_p(steady, shaky, rng=np.random.default_rng(0)), 4)
    0.0079
    """
    if min(len(a), len(b)) < 3:
        return None
    values = np.concatenate([pseudo_values(a), pseudo_values(b)])
    values = np.round((values - values.mean()) / RESOLUTION)
    n, first = len(values), len(a)
    observed = _separation(values, np.arange(first)[None])[0]
    threshold = observed * (1 - 1e-9)  # a deal that gives the same value in another order of summation counts
    if comb(n, first) <= EXACT_LIMIT:
        return float((_separation(values, np.array(list(combinations(range(n), first)))) >= threshold).mean())
    deals = rng.permuted(np.tile(np.arange(n), (DRAWS, 1)), axis=1)[:, :first]
    return float((1 + (_separation(values, deals) >= threshold).sum()) / (1 + DRAWS))


def smallest_p(n_a: int, n_b: int) -> float:
    """The smallest p that n_a against n_b restarts can give; 1 below three restarts, where there is no test.

    Of two runs of one size, every deal has a mirror image that is as extreme. Three against three cannot reach 0.05.

    >>> [round(smallest_p(*sizes), 4) for sizes in ((3, 3), (3, 4), (4, 4), (5, 5), (20, 20))]
    [0.1, 0.0286, 0.0286, 0.0079, 0.0001]
    """
    if min(n_a, n_b) < 3:
        return 1.0
    deals = comb(n_a + n_b, n_a)
    if deals > EXACT_LIMIT:
        return 1 / (1 + DRAWS)
    return (2 if n_a == n_b else 1) / deals


def pseudo_values(scores: FloatArray) -> FloatArray:
    """θᵢ = N·U − (N−1)·U₍₋ᵢ₎ of one run; their mean is U.

    Args:
        scores: symmetric, shape (N, N), N ≥ 3; the diagonal is not looked at.

    Returns:
        In units of the score, shape (N,).
    """
    without = leave_one_out(scores)
    n = len(without)
    values: FloatArray = n * without.mean() - (n - 1) * without
    return values


def _separation(values: FloatArray, in_a: NDArray[np.int64]) -> FloatArray:
    """Welch's |t| of each deal, shape (deals,).

    Args:
        values: whole numbers that sum to about 0, shape (n,).
        in_a: positions of the values that are dealt to the first group, shape (deals, N_a).
    """
    n, first = len(values), in_a.shape[1]
    dealt = np.ones((len(in_a), n), dtype=bool)
    np.put_along_axis(dealt, in_a, values=False, axis=1)
    in_b = np.nonzero(dealt)[1].reshape(len(in_a), n - first)
    groups = values[in_a], values[in_b]
    variance = sum(group.var(axis=1, ddof=1) / group.shape[1] for group in groups)
    # In units of the resolution; the 1 keeps groups of equal values from an infinite t, and is nothing beside any real variance.
    separation: FloatArray = np.abs(groups[0].mean(axis=1) - groups[1].mean(axis=1)) / np.sqrt(variance + 1)
    return separation

"""Which pairs every draw of a floor is made for.

The floor of a run is an expectation: over draws, of a mean over pairs. A draw need not see all pairs to estimate it. Pairs are
cut into shares of as many as keep the spread of a draw small, every share evenly over all pairs, and draws take the shares in
turn. Draws are independent, and what pairs differ by is in their spread, since their shares differ. So with K draws of mean m_k

    floor = m̄,    Monte-Carlo error = s(m_1, …, m_K) / √K,

which is rather too large than too small: that shares take turns evens out what pairs differ by. So is the p-value that is read
from the draws, as they spread more than means over all pairs would.

The mean |correlation| of one pair of unrelated latents spreads by less than 1/√n over n rows, that of latents turned at random by
about 0.3/d over d dimensions. A share therefore has 50,000/n pairs of permuted rows, or 12,500/d² turned ones, and never fewer
than five: a draw then spreads by some 0.003, the mean of 20 by less than 0.001. Scores that need rows may see a sample of a
thousand of them and spread by 0.03, whatever n: where there are such, a share of permuted pairs is never fewer than ten, and the
mean of 20 draws spreads by less than 0.0025. Where there are no more pairs than that, every draw is of all of them.
"""

from collections.abc import Sequence
from math import ceil, sqrt

from stabaudit.metrics.pair_scores import Array, Pair

_FEWEST, _FEWEST_OF_ROWS = 5, 10
_ROWS = 50_000  # of all pairs of a share together
_ENTRIES = 12_500  # of the cross-moments of all pairs of a share together


def of_permutations(rows: int, *, of_moments: bool) -> int:
    """How many pairs of so many rows a draw of the independence floor is the mean of; fewer if all scores follow from moments."""
    return max(_FEWEST if of_moments else _FEWEST_OF_ROWS, ceil(_ROWS / rows))


def of_rotations(dimensions: int) -> int:
    """How many pairs of so many dimensions a draw of the rotation floor is the mean of."""
    return max(_FEWEST, ceil(_ENTRIES / dimensions**2))


def shares(pairs: Sequence[Pair], draws: int, most: int) -> list[list[Pair]]:
    """The pairs of every draw: at most so many, evenly over all of them.

    >>> shares([(0, 1), (1, 2), (2, 3), (0, 3)], 3, 2)
    [[(0, 1), (2, 3)], [(1, 2), (0, 3)], [(0, 1), (2, 3)]]
    """
    parts = ceil(len(pairs) / most)
    return [list(pairs[draw % parts :: parts]) if parts else [] for draw in range(draws)]


def monte_carlo_error(draws: Array) -> float | None:
    """Standard error of the mean of independent draws, shape (K,); None of a single one.

    >>> import numpy as np
    >>> round(monte_carlo_error(np.array([1.0, 2.0, 3.0, 4.0])), 3)
    0.645
    """
    return float(draws.std(ddof=1)) / sqrt(len(draws)) if len(draws) > 1 else None

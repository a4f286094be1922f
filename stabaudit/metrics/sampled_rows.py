"""A fixed part of many rows, for scores whose work grows with their square."""

from functools import lru_cache

import numpy as np
from scipy.spatial.distance import pdist

from stabaudit.errors import BadData, counted
from stabaudit.metrics.pair_scores import Array


@lru_cache(maxsize=16)
def sampled(n: int, most: int) -> Array:
    """Numbers of at most so many of n rows, ascending: all of them, or a random choice that depends on n alone.

    >>> sampled(3, 5), len(sampled(1000, 5))
    (array([0, 1, 2]), 5)
    """
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(n).choice(n, most, replace=False))


def distances_of_rows(z: Array, most: int) -> Array:
    """Euclidean distances between rows of latents, those that are sampled, in units in which no square over- or underflows."""
    rows = z[sampled(len(z), most)]
    rows = rows - rows.mean(axis=0)
    found: Array = pdist(rows / (np.abs(rows).max() or 1.0))
    return found


def kept(matrix: Array, n: int) -> Array:
    """A matrix of some of n rows as it is kept: in single precision where rows were left out, whose error is far larger."""
    found: Array = matrix.astype(np.float32) if len(matrix) < n else matrix
    return found


def reordered(order: Array, most: int) -> Array:
    """A permutation of n rows as one of those that are sampled of them, shape (m,): equally random."""
    ranks: Array = np.argsort(np.argsort(order[sampled(len(order), most)]))
    return ranks


def require_rows(a: Array, b: Array, fewest: int, score: str) -> None:
    """Refuse unequal rows, or fewer than a score needs.

    Raises:
        BadData: saying which.
    """
    if len(a) != len(b):
        raise BadData(f"{score}: {len(a)} and {len(b)} rows; join them on sample_id first")
    if len(a) < fewest:
        raise BadData(f"{score}: {counted(len(a), 'row')}, expected at least {fewest}")

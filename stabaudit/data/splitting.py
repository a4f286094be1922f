"""Rows held out for evaluation, by a seed of their own that is the same for every restart."""

import numpy as np
from numpy.typing import NDArray

from stabaudit.data.dataset import Array, Split

Rows = NDArray[np.intp]


def hold_out(strata: Array, fraction: float, *, seed: int) -> tuple[Rows, Rows]:
    """Split rows at random, the same fraction of every stratum.

    Args:
        strata: the stratum of each row, shape (n,); all equal for a plain random split.
        fraction: share of each stratum to hold out, in [0, 1), rounded to whole rows.
        seed: decides the rows.

    Returns:
        Rows that remain and rows held out, both ascending; together each of 0..n−1 once.

    Example:
        >>> remaining, held_out = hold_out(np.array([0, 0, 0, 1, 1, 1]), 1 / 3, seed=0)
        >>> len(remaining), len(held_out)
        (4, 2)
    """
    rng = np.random.default_rng(seed)
    shuffled = [rng.permutation(np.flatnonzero(strata == stratum)) for stratum in np.unique(strata)]
    held_out = np.concatenate([rows[: round(fraction * len(rows))] for rows in shuffled])
    return np.setdiff1d(np.arange(len(strata)), held_out), np.sort(held_out)


def random_part(n: int, most: int, *, seed: int) -> Rows:
    """Numbers of at most so many of n rows, ascending, chosen at random where there are more.

    >>> random_part(3, 5, seed=0).tolist(), len(random_part(1000, 5, seed=0))
    ([0, 1, 2], 5)
    """
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def take(split: Split, rows: Rows) -> Split:
    """Some rows of a split, in the order given."""
    return Split(
        x=split.x[rows],
        sample_id=split.sample_id[rows],
        u=None if split.u is None else split.u[rows],
        labels=None if split.labels is None else split.labels[rows],
        sources=None if split.sources is None else split.sources[rows],
    )

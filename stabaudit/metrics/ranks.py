"""Ranks in place of values, for Spearman's correlation."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from stabaudit.metrics.halves import Marginal
from stabaudit.metrics.pair_scores import Array

Correlation = Literal["pearson", "spearman"]


def midranks(z: Array) -> Array:
    """Ranks within each column from 1, ties by their mean: `scipy.stats.rankdata`, which takes a quarter of a second to load.

    Args:
        z: shape (n, d), without NaN.

    Returns:
        Shape (n, d).

    Example:
        >>> import numpy as np
        >>> midranks(np.array([[5.0], [1.0], [5.0], [7.0]])).ravel().tolist()
        [2.5, 1.0, 2.5, 4.0]
    """
    ranks = np.empty(z.shape)
    for column in range(z.shape[1]):
        _, place, counts = np.unique(z[:, column], return_inverse=True, return_counts=True)
        ranks[:, column] = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def ranked(latents: Sequence[Array], fit: Array | None, marginals: Sequence[Marginal]) -> list[Array]:
    """Replace values by their ranks within their half, ties by midranks; dead dimensions stay dead.

    Halves are ranked separately, so that nothing of *score* enters *fit*.

    Args:
        latents: one array per restart, shapes (n, d_r).
        fit: True for rows of *fit*, shape (n,); None ranks all rows together.
        marginals: their moments, which tell the dead dimensions.
    """
    parts = [slice(None)] if fit is None else [fit, ~fit]
    ranks = [np.empty(z.shape) for z in latents]
    for z, rank, marginal in zip(latents, ranks, marginals, strict=True):
        for part in parts:
            rank[part] = midranks(z[part])
        rank[:, list(marginal.dead)] = 0.0
    return ranks

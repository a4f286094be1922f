"""Ranks in place of values, for Spearman's correlation."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from stabaudit.metrics.halves import Marginal
from stabaudit.metrics.pair_scores import Array

Correlation = Literal["pearson", "spearman"]


def ranked(latents: Sequence[Array], fit: Array | None, marginals: Sequence[Marginal]) -> list[Array]:
    """Replace values by their ranks within their half, ties by midranks; dead dimensions stay dead.

    Halves are ranked separately, so that nothing of *score* enters *fit*.

    Args:
        latents: one array per restart, shapes (n, d_r).
        fit: True for rows of *fit*, shape (n,); None ranks all rows together.
        marginals: their moments, which tell the dead dimensions.
    """
    from scipy.stats import rankdata  # noqa: PLC0415 -- a fifth of a second that only Spearman's correlation needs

    parts = [slice(None)] if fit is None else [fit, ~fit]
    ranks = [np.empty(z.shape) for z in latents]
    for z, rank, marginal in zip(latents, ranks, marginals, strict=True):
        for part in parts:
            rank[part] = rankdata(z[part], axis=0)
        rank[:, list(marginal.dead)] = 0.0
    return ranks

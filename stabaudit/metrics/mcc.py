"""Mean correlation coefficients between two latents a and b of the same rows (Khemakhem et al. 2020; Willetts and Paige 2021).

Strong MCC asks for the same axes up to order, sign and scale. With C_kl = corr(a_k, b_l),

    π = argmax_π Σ_k |C_kπ(k)|  (Hungarian algorithm),      strong = mean_k |C_kπ(k)|.

Weak MCC asks for the same space up to an invertible affine map: the mean of the first k canonical correlations (Hotelling 1936),
the singular values ρ of the whitened cross-correlation W_aᵀ C W_b = U diag(ρ) Vᵀ. The canonical directions are W_aU and W_bV.

Where the dimensions of one restart share a direction, any dimension of a resembles any of b, and strong MCC is high whatever the
axes are. *Decorrelated* strong MCC is that of a and b after ZCA-cor whitening of either (see `stabaudit.metrics.halves`): it
takes such common directions out, and still is 1 for permuted, rescaled, shifted and sign-flipped copies.

The matching and the directions are estimated on *fit*; in-sample scores are theirs. Out-of-sample the same dimensions, or the
same pairs of directions, are correlated on *score*, with no new assignment.

Where we differ from the published code: canonical correlations come from an SVD instead of an iterative fit, which stops short of
them; and with fewer than k canonical pairs (the smaller rank of a and b) the mean is over those there are. Dead dimensions
correlate 0 and stay in the mean of strong MCC. Under Spearman's correlation, rows are ranked on each half separately, so that
nothing of *score* enters *fit*; it concerns strong MCC only, since canonical correlations are those of linear maps of the values.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from stabaudit.errors import BadData
from stabaudit.metrics.checks import require_equal_dimensions, require_scorable
from stabaudit.metrics.halves import Cross, Halves, Marginal, correlation
from stabaudit.metrics.pair_scores import Array

Correlation = Literal["pearson", "spearman"]
DEFAULT_K = 20  # both papers


def strong_mcc(
    a: Array, b: Array, fit: Array | None = None, *, correlation: Correlation = "pearson", allow_unequal: bool = False
) -> float:
    """Strong MCC of one pair: agreement up to order, sign, scale and offset of the dimensions.

    Args:
        a: first latents, shape (n, d_a).
        b: second latents, shape (n, d_b), of the same rows.
        fit: True for the rows to match dimensions on, shape (n,); the others are scored (out-of-sample). None: all rows do both.
        correlation: "pearson", or "spearman" for correlations of ranks.
        allow_unequal: match min(d_a, d_b) dimensions instead of refusing d_a ≠ d_b.

    Returns:
        Mean |correlation| of the matched dimensions, in [0, 1].

    Raises:
        BadData: NaN or infinity, unequal rows or dimensions, or n ≤ d rows to fit on.

    Example:
        A permuted, rescaled, shifted, sign-flipped copy is the same representation; a rotated one is not.

        >>> a = np.random.default_rng(0).standard_normal((1000, 3))
        >>> b = a[:, [2, 0, 1]] * [3.0, -0.1, 2.0] + 7.0
        >>> round(strong_mcc(a, b), 12)
        1.0
        >>> round(strong_mcc(a[:, :2], a[:, :2] @ [[1.0, -1.0], [1.0, 1.0]]), 2)
        0.71
    """
    require_scorable([a, b], ["a", "b"], fit)
    if not allow_unequal:
        require_equal_dimensions(a.shape[1], b.shape[1], "a and b")
    halves = Halves.of_rows([a, b], fit)
    if correlation == "spearman":
        halves = Halves.of_rows(ranked([a, b], fit, halves.marginals), fit)
    first, second = halves.marginals
    matched = strong(halves.cross(0, 1), first.variance_on_score, second.variance_on_score)
    return float(matched.outside.mean())


def weak_mcc(a: Array, b: Array, fit: Array | None = None, *, k: int | None = DEFAULT_K, allow_unequal: bool = False) -> float:
    """Weak MCC of one pair: agreement up to an affine map.

    Args:
        a: first latents, shape (n, d_a).
        b: second latents, shape (n, d_b), of the same rows.
        fit: True for the rows to find directions on, shape (n,); the others are scored (out-of-sample). None: all rows do both.
        k: number of canonical pairs averaged, largest first; None for all.
        allow_unequal: accept d_a ≠ d_b.

    Returns:
        Mean |correlation| of the first k canonical pairs, in [0, 1].

    Raises:
        BadData: NaN or infinity, unequal rows or dimensions, or n ≤ d rows to fit on.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> a = rng.standard_normal((1000, 3))
        >>> round(weak_mcc(a, a @ rng.standard_normal((3, 3)) + 7.0), 12)
        1.0
    """
    require_scorable([a, b], ["a", "b"], fit)
    if not allow_unequal:
        require_equal_dimensions(a.shape[1], b.shape[1], "a and b")
    halves = Halves.of_rows([a, b], fit)
    first, second = halves.marginals
    return float(mean_of_first(k, weak(first, second, halves.cross(0, 1)).outside))


def batched_strong_mcc(a: Array, b: Array, *, size: int, rng: np.random.Generator) -> float:
    """Mean of strong MCC over batches of few rows, matched and scored on the same ones, as Khemakhem et al.'s code has it.

    Few rows flatter: of unrelated latents too, the best of all matchings on 64 rows correlates well above 0.

    Args:
        a: first latents, shape (n, d_a).
        b: second latents, shape (n, d_b), of the same rows.
        size: rows of a batch; rows that do not fill the last one are left out.
        rng: shuffles the rows.

    Returns:
        In [0, 1].

    Raises:
        BadData: fewer rows than a batch.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> a, b = rng.standard_normal((2, 6400, 5))
        >>> round(batched_strong_mcc(a, b, size=64, rng=rng), 2), round(strong_mcc(a, b), 2)
        (0.18, 0.01)
    """
    if len(a) < size:
        raise BadData(f"{len(a)} rows do not fill a batch of {size}")
    order = rng.permutation(len(a))[: len(a) // size * size].reshape(-1, size)
    first, second = (_standardised(z.astype(np.float64)[order]) for z in (a, b))
    strength = np.abs(first.mT @ second)
    return float(np.mean([c[linear_sum_assignment(c, maximize=True)].mean() for c in strength]))


def _standardised(batches: Array) -> Array:
    """Columns of every batch, shape (batches, size, d), of mean 0 and length 1; constant ones are 0."""
    centered = batches - batches.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centered, axis=1, keepdims=True)
    scaled: Array = np.divide(centered, length, out=np.zeros_like(centered), where=length > 0)
    return scaled


class Matched(NamedTuple):
    """Matched dimensions of a and b (m, 2), descending in |correlation| on *fit*, and |correlation| on each half, shape (m,)."""

    matching: Array
    inside: Array
    outside: Array


class Canonical(NamedTuple):
    """|Correlation| of the canonical pairs on *fit*, descending, and of the same pairs on *score*, shape (…, rank) each."""

    inside: Array
    outside: Array


def strong(cross: Cross, variance_a: Array, variance_b: Array) -> Matched:
    """Match the dimensions of one pair.

    Args:
        cross: cross-moments of a and b.
        variance_a: variances of a on *score* in units of *fit*, shape (d_a,).
        variance_b: the same of b, shape (d_b,).
    """
    strength = np.abs(cross.fit)
    rows, columns = linear_sum_assignment(strength, maximize=True)
    inside = strength[rows, columns]
    order = np.argsort(-inside, kind="stable")
    rows, columns = rows[order], columns[order]
    outside = correlation(cross.score[rows, columns], variance_a[rows], variance_b[columns])
    return Matched(np.column_stack([rows, columns]), inside[order].clip(max=1.0), np.abs(outside))


def decorrelated(a: Marginal, b: Marginal, cross: Cross) -> Cross:
    """Cross-moments of a and b, a pair or stacked ones, once the dimensions of either are made uncorrelated on *fit*."""
    left, right = a.decorrelation.mT, b.decorrelation
    return Cross(left @ cross.fit @ right, left @ cross.score @ right)


def weak(a: Marginal, b: Marginal, cross: Cross) -> Canonical:
    """Canonical correlations of a pair, or of stacked ones."""
    left, rho, right = np.linalg.svd(a.whitening.mT @ cross.fit @ b.whitening, full_matrices=False)
    outside = correlation(
        _diagonal_of_product(left, a.whitening.mT @ cross.score @ b.whitening @ right.mT),
        _diagonal_of_product(left, a.whitened_score @ left),
        _diagonal_of_product(right.mT, b.whitened_score @ right.mT),
    )
    return Canonical(rho.clip(max=1.0), np.abs(outside))


def mean_of_first(k: int | None, correlations: Array) -> Array:
    """Mean of the first k correlations of shape (…, m), or of those there are; 0 when there are none. Shape (…)."""
    chosen = correlations[..., :k]
    mean: Array = chosen.mean(axis=-1) if chosen.shape[-1] else np.zeros(chosen.shape[:-1])
    return mean


def ranked(latents: Sequence[Array], fit: Array | None, marginals: Sequence[Marginal]) -> list[Array]:
    """Replace values by their ranks within their half, ties by midranks; dead dimensions stay dead.

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


def _diagonal_of_product(x: Array, y: Array) -> Array:
    """The diagonal of xᵀy, for matrices in the last two axes."""
    diagonal: Array = (x * y).sum(axis=-2)
    return diagonal

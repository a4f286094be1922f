"""Weak MCC: is the space the same, up to a linear map? (Khemakhem et al. 2020; Willetts and Paige 2021).

The mean of the first k canonical correlations (Hotelling 1936), the singular values ρ of the whitened cross-correlation
W_aᵀ C W_b = U diag(ρ) Vᵀ. The canonical directions are W_aU and W_bV, estimated on *fit*; out-of-sample the same pairs of
directions are correlated on *score*.

Where we differ from the published code: canonical correlations come from an SVD instead of an iterative fit, which stops short of
them; and with fewer than k canonical pairs (the smaller rank of a and b) the mean is over those there are.
"""

import numpy as np

from stabaudit.metrics.checks import require_equal_dimensions, require_scorable
from stabaudit.metrics.halves import Cross, Halves, Marginal, correlation
from stabaudit.metrics.pair_scores import DEFAULT_K, Array
from stabaudit.metrics.scores import LINEAR, Measure, Parts, mean_of_first


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
        >>> import numpy as np
        >>> from stabaudit.metrics import weak_mcc
        >>> rng = np.random.default_rng(0)
        >>> a = rng.standard_normal((1000, 3))
        >>> round(weak_mcc(a, a @ rng.standard_normal((3, 3)) + 7.0), 12)
        1.0
    """
    require_scorable([a, b], ["a", "b"], fit)
    if not allow_unequal:
        require_equal_dimensions(a.shape[1], b.shape[1], "a and b")
    halves = Halves.of_rows([a, b], fit)
    return float(mean_of_first(k, canonical(*halves.pair(0, 1)).outside))


def canonical(a: Marginal, b: Marginal, cross: Cross) -> Parts:
    """|Correlation| of the canonical pairs of a pair of restarts, or of stacked ones, shape (…, rank)."""
    return canonical_pairs(a, b, cross)[1]


def canonical_pairs(a: Marginal, b: Marginal, cross: Cross) -> tuple[Array, Parts]:
    """The canonical directions of a among its whitened coordinates, shape (…, rank_a, rank), beside their |correlation|."""
    left, rho, right = np.linalg.svd(a.whitening.mT @ cross.fit @ b.whitening, full_matrices=False)
    outside = correlation(
        _diagonal_of_product(left, a.whitening.mT @ cross.score @ b.whitening @ right.mT),
        _diagonal_of_product(left, a.whitened_score @ left),
        _diagonal_of_product(right.mT, b.whitened_score @ right.mT),
    )
    return left, Parts(rho.clip(max=1.0), np.abs(outside))


def _diagonal_of_product(x: Array, y: Array) -> Array:
    """The diagonal of xᵀy, for matrices in the last two axes."""
    diagonal: Array = (x * y).sum(axis=-2)
    return diagonal


SCORE = Measure(
    name="weak_mcc",
    label="weak MCC",
    meaning="is the space the same, up to a linear map? mean of the first k canonical correlations",
    low=0.0,
    high=1.0,
    reference="Hotelling 1936, doi:10.1093/biomet/28.3-4.321; Khemakhem et al. 2020, arXiv:1907.04809",
    function=weak_mcc,
    from_moments=canonical,
    question="space",
    invariances=LINEAR,
    floors=("independence",),
    counted=True,
    needs="moments",
    default=True,
    headline=True,
    parts="canonical directions",
    rows_per_dimension=2,
    cost="n d² + d³",
)

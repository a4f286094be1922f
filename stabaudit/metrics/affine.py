"""Affine alignment: how much of b's variance an affine map of a explains, and that map.

On *fit*, least squares gives b̂ = b̄ + (a − ā)M with M = S_aa⁺ S_ab. In units of the standard deviations on *fit*, S_aa⁺ = W_aW_aᵀ
with the whitening W_a, so a's linearly dependent directions are left out. On *score*, with the same map,

    R² = 1 − Σ‖b − b̂‖² / Σ‖b − b̄‖²,

where b̄ is the mean of b on *score*: the map is compared with the best constant, not with one that has itself to be carried over
from *fit*. Out-of-sample R² is negative when the map does worse than that constant. Dimensions of b weigh by their variances; a
dimension of b that does not vary has nothing to explain and R² = 0.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from stabaudit.metrics.checks import require_scorable
from stabaudit.metrics.halves import NEGLIGIBLE_VARIANCE, Cross, Halves, Marginal
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import AXES, ROTATION, Measure, Parts


class AffineMap(NamedTuple):
    """b̂ = a @ matrix + offset, in the latents' own units; shapes (d_a, d_b) and (d_b,)."""

    matrix: Array
    offset: Array


class Explained(NamedTuple):
    """R² of a half, in (−∞, 1]: over all dimensions of b, shape (…), and of each, shape (…, d_b)."""

    total: Array
    per_dimension: Array


class Alignment(NamedTuple):
    """R² of one map on *fit* (`inside`) and on *score* (`outside`)."""

    inside: Explained
    outside: Explained


def affine_r2(a: Array, b: Array, fit: Array | None = None) -> float:
    """R² of the least-squares affine map from a to b, dimensions of b weighted by their variances.

    Args:
        a: latents to map from, shape (n, d_a).
        b: latents to map to, shape (n, d_b), of the same rows.
        fit: True for the rows to estimate the map on, shape (n,); the others are scored (out-of-sample). None: all rows do both.

    Returns:
        In (−∞, 1].

    Raises:
        BadData: NaN or infinity, unequal rows, or n ≤ d rows to fit on.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import affine_r2
        >>> rng = np.random.default_rng(0)
        >>> a = rng.standard_normal((1000, 3))
        >>> round(affine_r2(a, a @ rng.standard_normal((3, 2)) - 7.0), 12)
        1.0
    """
    return float(affine_explained(a, b, fit).total)


def affine_explained(a: Array, b: Array, fit: Array | None = None) -> Explained:
    """The same, beside R² of every dimension of b; arguments and errors as of `affine_r2`."""
    require_scorable([a, b], ["a", "b"], fit)
    halves = Halves.of_rows([a, b], fit)
    return affine(*halves.pair(0, 1)).outside


def affine_map(a: Array, b: Array, fit: Array | None = None) -> AffineMap:
    """The least-squares affine map from a to b on the rows of *fit*; arguments and errors as of `affine_r2`.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics.affine import affine_map
        >>> a = np.random.default_rng(0).standard_normal((100, 2))
        >>> matrix, offset = affine_map(a, a @ [[1.0, -1.0], [2.0, 0.5]] + [5.0, 6.0])
        >>> print(matrix.round(9), offset.round(9))
        [[ 1.  -1. ]
         [ 2.   0.5]] [5. 6.]
    """
    require_scorable([a, b], ["a", "b"], fit)
    halves = Halves.of_rows([a, b], fit)
    first, second = halves.marginals
    slopes = first.whitening @ (first.whitening.T @ halves.cross(0, 1).fit)
    matrix = first.in_own_units(slopes) * second.scale
    return AffineMap(matrix, second.mean - first.mean @ matrix)


def affine(a: Marginal, b: Marginal, cross: Cross) -> Alignment:
    """Fit the affine map from a to b on *fit* and score it on both halves; for one pair or stacked ones."""
    # With a whitened, the map is its cross-moments with b.
    slopes = a.whitening.mT @ cross.fit
    on_score = a.whitening.mT @ cross.score
    alive = (b.scale > 0).astype(float)
    residual_inside = alive - (slopes**2).sum(axis=-2)
    # Second moment of the residual about zero: its variance on score, and the mean by which the map misses there.
    missed = b.drift - (a.whitened_drift[..., None, :] @ slopes)[..., 0, :]
    residual_outside = b.variance_on_score - (slopes * (2.0 * on_score - a.whitened_score @ slopes)).sum(axis=-2) + missed**2
    weight = b.scale**2
    return Alignment(_explained(residual_inside, alive, weight), _explained(residual_outside, b.variance_on_score, weight))


def _explained(residual: Array, variance: Array, weight: Array) -> Explained:
    """R² from residual and total variances per dimension, in units of *fit*, and the squared units."""
    varies = variance > NEGLIGIBLE_VARIANCE
    residual = residual.clip(min=0.0)  # rounding can leave −1e-16 of a perfect fit
    per_dimension = np.where(varies, 1.0 - residual / np.where(varies, variance, 1.0), 0.0)
    total = (weight * np.where(varies, variance, 0.0)).sum(axis=-1)
    explained = 1.0 - (weight * residual).sum(axis=-1) / np.where(total > 0, total, 1.0)
    return Explained(np.where(total > 0, explained, 0.0)[()], per_dimension)  # one pair: a number, not an array of no axes


def affine_parts(a: Marginal, b: Marginal, cross: Cross) -> Parts:
    """R² of the affine map from a to b as a score of a pair, or of stacked ones."""
    inside, outside = affine(a, b, cross)
    return Parts(np.asarray(inside.total)[..., None], np.asarray(outside.total)[..., None])


SCORE = Measure(
    name="affine_r2",
    label="affine R²",
    meaning="how much of one restart's variance is an affine function of the other? dimensions weighted by variance",
    low=-np.inf,
    high=1.0,
    reference="least squares; as an alignment of latents: Kivva et al. 2022, arXiv:2206.10044",
    function=affine_r2,
    from_moments=affine_parts,
    question="space",
    by_variance=True,
    invariances=ROTATION,
    of_versions=True,
    floors=("independence",),
    directed=True,
    needs="moments",
    default=True,
    of_sources=False,
    cost="n d² + d³",
)


def unweighted_r2(a: Array, b: Array, fit: Array | None = None) -> float:
    """Mean R² over the dimensions of b, each with equal weight, in (−∞, 1]; arguments and errors as of `affine_r2`."""
    return float(affine_explained(a, b, fit).per_dimension.mean())


def unweighted_parts(a: Marginal, b: Marginal, cross: Cross) -> Parts:
    """Mean R² over dimensions of a pair, or of stacked ones."""
    inside, outside = affine(a, b, cross)
    return Parts(*(half.per_dimension.mean(axis=-1)[..., None] for half in (inside, outside)))


UNWEIGHTED = replace(
    SCORE,
    of_versions=False,
    name="affine_r2_unweighted",
    label="affine R², unweighted",
    meaning="the same, every dimension with equal weight whatever its variance",
    by_variance=False,
    invariances=AXES,
    function=unweighted_r2,
    from_moments=unweighted_parts,
)

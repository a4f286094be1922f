"""Orthogonal Procrustes: are the shapes the same, up to a rotation? (Schönemann 1966; Williams et al. 2021).

With centred rows of unit norm, the rotation of a that comes closest to b follows from the cross-covariance C_ab = U diag(s) Vᵀ as
Q = UVᵀ (Schönemann 1966), and then

    similarity = tr(Qᵀ C_ab) / √(tr C_aa · tr C_bb),    distance θ = arccos(similarity).

On *fit* the numerator is the sum of the singular values s. On *score* the same rotation is held against other rows, so that
unrelated latents score about 0. θ is the angular shape distance, a metric: in-sample it obeys the triangle inequality. Where
dimensions differ in number the smaller side is thought of with zeros added.
"""

from dataclasses import replace

import numpy as np

from stabaudit.metrics.checks import require_scorable
from stabaudit.metrics.halves import Cross, Halves, Marginal
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import ROTATION, Measure, Parts

_RESOLVED = 1e-12  # below 1, what moments in double precision tell from 1


def procrustes_similarity(a: Array, b: Array, fit: Array | None = None) -> float:
    """Procrustes similarity of one pair: agreement up to a rotation, a shift and one common scale.

    Args:
        a: first latents, shape (n, d_a).
        b: second latents, shape (n, d_b), of the same rows.
        fit: True for the rows to find the rotation on, shape (n,); the others are scored (out-of-sample). None: all rows do both.

    Returns:
        In [−1, 1], in-sample in [0, 1]; 0 where a side does not vary.

    Raises:
        BadData: NaN or infinity, unequal rows, or n ≤ d rows to fit on.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import procrustes_similarity
        >>> rng = np.random.default_rng(0)
        >>> a, turn = rng.standard_normal((1000, 3)), np.linalg.qr(rng.standard_normal((3, 3)))[0]
        >>> round(procrustes_similarity(a, 5.0 * a @ turn + 1.0), 12)
        1.0
    """
    require_scorable([a, b], ["a", "b"], fit)
    return float(turned(*Halves.of_rows([a, b], fit).pair(0, 1)).outside[0])


def shape_distance(a: Array, b: Array, fit: Array | None = None) -> float:
    """Angular shape distance in radians, in [0, π], in-sample in [0, π/2]; arguments and errors as of `procrustes_similarity`.

    Angles below 1e-6 are 0: double precision does not tell them apart.
    """
    require_scorable([a, b], ["a", "b"], fit)
    return float(angles(*Halves.of_rows([a, b], fit).pair(0, 1)).outside[0])


def turned(a: Marginal, b: Marginal, cross: Cross) -> Parts:
    """Procrustes similarity of a pair of restarts or of stacked ones, shape (…, 1)."""
    scales = a.relative_scale, b.relative_scale
    scale = scales[0][..., :, None] * scales[1][..., None, :]
    left, singular, right = np.linalg.svd(scale * cross.fit, full_matrices=False)
    explained = ((left @ right) * scale * cross.score).sum(axis=(-2, -1))
    of_fit = [(own**2).sum(axis=-1) for own in scales]
    of_score = [(own**2 * side.variance_on_score).sum(axis=-1) for own, side in zip(scales, (a, b), strict=True)]
    return Parts(_cosine(singular.sum(axis=-1), *of_fit), _cosine(explained, *of_score))


def _cosine(explained: Array, variance_a: Array, variance_b: Array) -> Array:
    product = np.sqrt(variance_a) * np.sqrt(variance_b)
    cosine: Array = np.where(product > 0, explained / np.where(product > 0, product, 1.0), 0.0).clip(-1.0, 1.0)
    return cosine[..., None]


def angles(a: Marginal, b: Marginal, cross: Cross) -> Parts:
    """Angular shape distance of a pair of restarts or of stacked ones, shape (…, 1)."""
    inside, outside = (np.arccos(np.where(one > 1 - _RESOLVED, 1.0, one)) for one in turned(a, b, cross)[:2])
    return Parts(inside, outside)


SCORE = Measure(
    name="procrustes_similarity",
    label="Procrustes",
    meaning="are the shapes the same, up to a rotation and one scale? cosine of the angle that the best rotation leaves",
    low=-1.0,
    high=1.0,
    reference="Schönemann 1966, doi:10.1007/BF02289451; Williams et al. 2021, arXiv:2110.14739",
    function=procrustes_similarity,
    from_moments=turned,
    question="shape",
    by_variance=True,
    invariances=ROTATION,
    of_versions=True,
    floors=("independence",),
    needs="moments",
    cost="n d² + d³",
)
DISTANCE = replace(
    SCORE,
    of_versions=False,
    name="shape_distance",
    label="shape distance",
    meaning="angle in radians that the best rotation leaves between the shapes; a metric in-sample",
    low=0.0,
    high=float(np.pi),
    higher_is_better=False,
    function=shape_distance,
    from_moments=angles,
)

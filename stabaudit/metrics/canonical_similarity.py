"""SVCCA and PWCCA: canonical correlations of what matters (Raghu et al. 2017; Morcos et al. 2018).

*SVCCA* keeps of either side its principal directions that hold 99% of the variance, and takes the mean of the canonical
correlations between them, so that directions of no weight do not count. *PWCCA* keeps all directions and weighs the canonical
correlations ρᵢ of a pair (a, b) by how much of a they carry,

    Σ αᵢ ρᵢ / Σ αᵢ,    αᵢ = Σⱼ |cov(hᵢ, aⱼ)|,    hᵢ the canonical variates of a,

so it is directed. Directions and weights are estimated on *fit*; out-of-sample the same directions are correlated on *score*. A
linear map of b leaves PWCCA as it is in-sample; one of a changes the weights, as one of either side does what SVCCA keeps.
"""

import numpy as np

from stabaudit.metrics.checks import require_scorable
from stabaudit.metrics.halves import Cross, Halves, Marginal, correlation
from stabaudit.metrics.mcc_weak import canonical_pairs
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import ROTATION, Measure, Parts

KEPT = 0.99  # of the variance


def svcca(a: Array, b: Array, fit: Array | None = None) -> float:
    """SVCCA of one pair: mean canonical correlation of the principal directions that hold 99% of the variance.

    Args:
        a: first latents, shape (n, d_a).
        b: second latents, shape (n, d_b), of the same rows.
        fit: True for the rows to find directions on, shape (n,); the others are scored (out-of-sample). None: all rows do both.

    Returns:
        In [0, 1].

    Raises:
        BadData: NaN or infinity, unequal rows, or n ≤ d rows to fit on.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import svcca
        >>> rng = np.random.default_rng(0)
        >>> a = rng.standard_normal((1000, 3))
        >>> small = 0.01 * rng.standard_normal((1000, 2))
        >>> round(svcca(np.column_stack([a, small[:, :1]]), np.column_stack([a, small[:, 1:]])), 3)
        1.0
    """
    require_scorable([a, b], ["a", "b"], fit)
    return float(of_principal(*Halves.of_rows([a, b], fit).pair(0, 1)).outside[0])


def pwcca(a: Array, b: Array, fit: Array | None = None) -> float:
    """PWCCA from a to b: canonical correlations weighted by how much of a they carry, in [0, 1]; arguments as of `svcca`."""
    require_scorable([a, b], ["a", "b"], fit)
    return float(projection_weighted(*Halves.of_rows([a, b], fit).pair(0, 1)).outside[0])


def of_principal(a: Marginal, b: Marginal, cross: Cross) -> Parts:
    """SVCCA of a pair of restarts or of stacked ones, shape (…, 1)."""
    bases, counts = zip(*(_principal(side) for side in (a, b)), strict=True)
    left, rho, right = np.linalg.svd(bases[0].mT @ cross.fit @ bases[1], full_matrices=False)
    ways = bases[0] @ left, bases[1] @ right.mT
    variances = [(way * (side.score @ way)).sum(axis=-2) for way, side in zip(ways, (a, b), strict=True)]
    outside = (ways[0] * (cross.score @ ways[1])).sum(axis=-2)
    correlations = np.abs(correlation(outside, *variances))
    count = np.minimum(*counts)[..., None]
    first = np.arange(rho.shape[-1]) < count
    inside, outside = ((one.clip(max=1.0) * first).sum(axis=-1, keepdims=True) for one in (rho, correlations))
    return Parts(inside / count.clip(min=1), outside / count.clip(min=1))


def _principal(side: Marginal) -> tuple[Array, Array]:
    """Principal directions of unit variance on *fit* that hold enough of it, zeros beyond them; and their number, shape (…)."""
    scale = side.relative_scale
    own = scale[..., :, None] * side.fit * scale[..., None, :]
    values, vectors = np.linalg.eigh(own)
    values, vectors = values[..., ::-1].clip(min=0.0), vectors[..., ::-1]
    total = values.sum(axis=-1, keepdims=True)
    before = np.cumsum(values, axis=-1) - values  # of the directions before each
    kept = (before < KEPT * total) & (values > 0)
    lengths = np.where(kept, 1.0 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
    basis: Array = scale[..., :, None] * vectors * lengths[..., None, :]  # of standardised rows
    return basis, kept.sum(axis=-1)


def projection_weighted(a: Marginal, b: Marginal, cross: Cross) -> Parts:
    """PWCCA of a pair of restarts or of stacked ones, shape (…, 1)."""
    left, found = canonical_pairs(a, b, cross)
    carried = (a.whitening @ left).mT @ a.fit * a.relative_scale[..., None, :]  # cov(hᵢ, aⱼ) up to a factor, shape (…, m, d)
    weights = np.abs(carried).sum(axis=-1)
    total = weights.sum(axis=-1, keepdims=True)
    inside, outside = (
        (weights * one).sum(axis=-1, keepdims=True) / np.where(total > 0, total, 1.0) for one in (found.inside, found.outside)
    )
    return Parts(inside.clip(max=1.0), outside.clip(max=1.0))


SCORE = Measure(
    name="svcca",
    label="SVCCA",
    meaning="mean canonical correlation of the principal directions that hold 99% of the variance",
    low=0.0,
    high=1.0,
    reference="Raghu et al. 2017, arXiv:1706.05806",
    function=svcca,
    from_moments=of_principal,
    question="space",
    invariances=ROTATION,
    floors=("independence",),
    needs="moments",
    rows_per_dimension=2,
    cost="n d² + d³",
)
WEIGHTED = Measure(
    name="pwcca",
    label="PWCCA",
    meaning="canonical correlations weighted by how much of the first restart they carry",
    low=0.0,
    high=1.0,
    reference="Morcos, Raghu and Bengio 2018, arXiv:1806.05759",
    function=pwcca,
    from_moments=projection_weighted,
    question="space",
    by_variance=True,
    invariances=("translation", "scaling", "permutation"),
    floors=("independence",),
    directed=True,
    needs="moments",
    rows_per_dimension=2,
    cost="n d² + d³",
)

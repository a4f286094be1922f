"""Biased linear CKA, which is the RV coefficient (Robert and Escoufier 1976; as CKA: Kornblith et al. 2019).

With the covariances of centred rows,

    CKA = ‖C_ab‖²_F / (‖C_aa‖_F ‖C_bb‖_F).

It is what most code calls CKA. Unrelated latents score above 0, by the more the fewer rows there are to a dimension: about
√(r_a r_b)/n, with the numbers r of dimensions that carry variance. The debiased `cka` does not.
"""

import numpy as np

from stabaudit.metrics.checks import require_scorable
from stabaudit.metrics.halves import Cross, Halves, Marginal
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import ROTATION, Measure, Parts


def cka_biased(a: Array, b: Array, fit: Array | None = None) -> float:
    """Biased linear CKA (RV coefficient) of one pair: agreement up to rotation and one common scale.

    Args:
        a: first latents, shape (n, d_a).
        b: second latents, shape (n, d_b), of the same rows.
        fit: True for rows that are not scored, shape (n,): nothing is estimated on them. None: all rows are scored.

    Returns:
        In [0, 1]; 0 where a side does not vary.

    Raises:
        BadData: NaN or infinity, unequal rows, or n ≤ d rows.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import cka_biased
        >>> rng = np.random.default_rng(0)
        >>> a, turn = rng.standard_normal((1000, 3)), np.linalg.qr(rng.standard_normal((3, 3)))[0]
        >>> round(cka_biased(a, 5.0 * a @ turn), 12), cka_biased(a, rng.standard_normal((1000, 3))) < 0.02
        (1.0, True)
    """
    require_scorable([a, b], ["a", "b"], fit)
    return float(rv_coefficient(*Halves.of_rows([a, b], fit).pair(0, 1)).outside[0])


def rv_coefficient(a: Marginal, b: Marginal, cross: Cross) -> Parts:
    """Of a pair of restarts or of stacked ones, shape (…, 1)."""
    scales = a.relative_scale, b.relative_scale
    weights = [first[..., :, None] * second[..., None, :] for first, second in (scales, scales[:1] * 2, scales[1:] * 2)]
    halves = (
        _ratio(*(weight * covariance for weight, covariance in zip(weights, (of_both, of_a, of_b), strict=True)))
        for of_both, of_a, of_b in ((cross.fit, a.fit, b.fit), (cross.score, a.score, b.score))
    )
    return Parts(*halves)


def _ratio(of_both: Array, of_a: Array, of_b: Array) -> Array:
    squares = [(one**2).sum(axis=(-2, -1)) for one in (of_both, of_a, of_b)]
    below = np.sqrt(squares[1] * squares[2])
    ratio: Array = (squares[0] / np.where(below > 0, below, 1.0)).clip(max=1.0)
    return ratio[..., None]


SCORE = Measure(
    name="cka_biased",
    label="CKA, biased",
    meaning="biased linear CKA, the RV coefficient: agreement up to rotation and one scale, above 0 for unrelated latents",
    low=0.0,
    high=1.0,
    reference="Robert and Escoufier 1976, doi:10.2307/2347233; Kornblith et al. 2019, arXiv:1905.00414",
    function=cka_biased,
    from_moments=rv_coefficient,
    question="shape",
    by_variance=True,
    invariances=ROTATION,
    floors=("independence",),
    needs="moments",
    cost="n d²",
)

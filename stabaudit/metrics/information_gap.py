"""MIG, the mutual information gap: is each known factor in one dimension only? (Chen et al. 2018).

    MIG = 1/K Σ_k [ I(z_j(k); v_k) − max over j ≠ j(k) of I(z_j; v_k) ] / H(v_k),   j(k) = argmax_j I(z_j; v_k)

1 where one dimension determines a factor and no other knows of it; about 0 where two know equally much. Mutual information and
entropy are those of bins (`stabaudit.metrics.factor_information`). Chen et al. integrate over samples of the posterior; means are
used here, as by Locatello et al. 2019. Nothing is fitted: out-of-sample is the same formula on the other rows. One dimension
alone has no second, whose information then is 0.
"""

import numpy as np

from stabaudit.metrics.factor_information import Information, OfHalves, information_of_halves
from stabaudit.metrics.factors import mean_over
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import AXES, FromFactors, Measure


def mig(latents: Array, factors: Array) -> float:
    """Mutual information gap of the latents of one restart.

    Args:
        latents: shape (n, d).
        factors: known factors of the same rows, shape (n, K).

    Returns:
        In [0, 1].

    Raises:
        BadData: unequal rows, fewer than two, or NaN.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import mig
        >>> v = np.random.default_rng(0).uniform(size=(5000, 3))
        >>> mig(v[:, [2, 0, 1]], v) > 0.97, mig(v @ np.array([[1, 1, 1], [1, -1, 1], [1, 1, -1]]), v) < 0.2
        (True, True)
    """
    return read(information_of_halves(latents, factors))[0]


def read(found: OfHalves) -> tuple[float, float]:
    """The gap on *fit* and on *score*."""
    return gap(found.fit), gap(found.score)


def gap(found: Information) -> float:
    """Mean over factors of the gap between the two dimensions that know most, as a share of the factor's entropy."""
    ordered = np.sort(np.vstack([found.mutual, np.zeros_like(found.entropy)]), axis=0)
    return mean_over((ordered[-1] - ordered[-2]) / found.entropy)


SCORE = Measure(
    name="mig",
    label="MIG",
    meaning="is each known factor in one dimension only? information of the best dimension less that of the second, over entropy",
    low=0.0,
    high=1.0,
    reference="mutual information gap: Chen et al. 2018, arXiv:1802.04942",
    function=mig,
    factors=FromFactors(information_of_halves, read),
    unit="restart",
    needs="factors",
    of_sources=False,
    invariances=AXES,
    floors=("independence",),
    cost="n d K, of at most 10,000 rows a half",
)

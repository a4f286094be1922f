"""Modularity: does each dimension know of one factor only? (Ridgeway and Mozer 2018).

With m_jk the mutual information of dimension j and factor k, and θ_j = max_k m_jk,

    δ_j = Σ over k other than the best of m_jk² / (θ_j² (K − 1)),   modularity = mean over dimensions of 1 − δ_j

1 where every dimension knows of one factor, 0 where it knows equally much of all. It says nothing of how many dimensions a
factor takes. Mutual information is that of bins (`stabaudit.metrics.factor_information`). Constant dimensions know of nothing and
are left out; so is the score where fewer than two factors are known. A collapsed dimension that still varies a little counts: its
information is the error of the estimate, which is the same for all factors, so it lowers the score.
"""

from stabaudit.metrics.factor_information import OfHalves, information_of_halves
from stabaudit.metrics.factors import mean_over
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import AXES, FromFactors, Measure


def modularity(latents: Array, factors: Array) -> float:
    """Modularity of the latents of one restart.

    Args:
        latents: shape (n, d).
        factors: known factors of the same rows, shape (n, K); of one alone the score is 1 whatever the latents.

    Returns:
        In [0, 1].

    Raises:
        BadData: unequal rows, fewer than two, or NaN.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import modularity
        >>> v = np.random.default_rng(0).uniform(size=(5000, 2))
        >>> modularity(v[:, [0, 0, 1]], v) > 0.99, modularity(v @ np.array([[1, 1], [1, -1]]), v) < 0.1
        (True, True)
    """
    return read(information_of_halves(latents, factors))[0]


def read(found: OfHalves) -> tuple[float, float]:
    """Modularity on *fit* and on *score*."""
    return modularity_of(found.fit.mutual), modularity_of(found.score.mutual)


def modularity_of(mutual: Array) -> float:
    """Modularity of a matrix of mutual information, shape (d, K).

    >>> import numpy as np
    >>> modularity_of(np.array([[2.0, 0.0, 0.0], [1.0, 1.0, 0.0]]))
    0.75
    """
    if mutual.shape[1] == 0:
        return 0.0
    best = mutual.max(axis=1)
    squared = (mutual[best > 0] / best[best > 0, None]) ** 2
    return mean_over(1.0 - (squared.sum(axis=1) - 1.0) / max(mutual.shape[1] - 1, 1))


SCORE = Measure(
    name="modularity",
    label="modularity",
    meaning="does each dimension know of one known factor only? by the mutual information with each",
    low=0.0,
    high=1.0,
    reference="Ridgeway and Mozer 2018, arXiv:1802.05312",
    function=modularity,
    factors=FromFactors(information_of_halves, read, fewest=2),
    unit="restart",
    needs="factors",
    of_sources=False,
    invariances=AXES,
    floors=("independence",),
    cost="n d K, of at most 10,000 rows a half",
)

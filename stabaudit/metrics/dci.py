"""DCI: disentanglement, completeness and informativeness of a representation (Eastwood and Williams 2018).

Trees predict each known factor k from all dimensions; R_jk ≥ 0 is the importance of dimension j, the mean decrease of impurity,
which sums to 1 over dimensions. With H_M the entropy to base M,

    disentanglement = Σ_j ρ_j [1 − H_K(R_j· / Σ_k R_jk)],   ρ_j = Σ_k R_jk / Σ R    each dimension serves one factor
    completeness    = 1/K Σ_k [1 − H_d(R_·k / Σ_j R_jk)]                            each factor needs one dimension
    informativeness = 1/K Σ_k max(0, 1 − E_k / E_k⁰)                                how well the trees guess

E_k is the error of the trees, E_k⁰ that of the best constant: squares for continuous factors, wrong guesses for discrete ones.
For a uniform factor in [0, 1], E⁰ = 1/12, which is how Carbonneau et al. 2022, arXiv:2012.09276, scale it; Eastwood and
Williams print the error itself, and accuracy for classes.

Importances are from random forests, of the original's two choices (lasso, random forest) the one that sees nonlinear relations:
20 trees of leaves of at least 5 rows that look at all dimensions at every split, of at most 1,000 rows of either half;
regression for continuous factors, classification for discrete ones, nothing tuned. Published code often uses boosted trees
instead (Locatello et al. 2019, arXiv:1811.12359). Informativeness is that of the forest of *fit* on *fit* and on *score*;
disentanglement and completeness, where nothing is guessed, are those of a forest of *fit* and of another of *score*.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import xlogy

from stabaudit.metrics.factors import Halved, Rows, classes, halved, mean_over, standardised, varying
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import AXES, FromFactors, Measure

MOST_ROWS = 1_000
TREES = 20
LEAF = 5  # rows


@dataclass(frozen=True)
class Forests:
    """What forests say of latents and factors.

    Args:
        importance: of dimensions for factors that vary, from *fit* and from *score*, shapes (d, K).
        gain: 1 − E/E⁰ of the forests of *fit* on *fit* and on *score*, shapes (K,).
    """

    importance: tuple[Array, Array]
    gain: tuple[Array, Array]


def dci_disentanglement(latents: Array, factors: Array) -> float:
    """Disentanglement of the latents of one restart: whether each dimension serves one known factor.

    Args:
        latents: shape (n, d).
        factors: known factors of the same rows, shape (n, K); of one alone the score is 1 whatever the latents.

    Returns:
        In [0, 1].

    Raises:
        BadData: unequal rows, fewer than two, or NaN.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import dci_disentanglement
        >>> v = np.random.default_rng(0).uniform(size=(500, 2))
        >>> dci_disentanglement(v, v) > 0.95, dci_disentanglement(v @ np.array([[1, 1], [1, -1]]), v) < 0.1
        (True, True)
    """
    return read_disentanglement(forests(latents, factors))[0]


def dci_completeness(latents: Array, factors: Array) -> float:
    """Completeness: whether each known factor needs one dimension, in [0, 1]; arguments as of `dci_disentanglement`."""
    return read_completeness(forests(latents, factors))[0]


def dci_informativeness(latents: Array, factors: Array, fit: Array | None = None) -> float:
    """Informativeness: how well forests guess known factors, in [0, 1]; of rows outside *fit*, shape (n,), where it is given."""
    return read_informativeness(forests(latents, factors, fit))[1]


def forests(latents: Array, factors: Array, fit: Array | None = None) -> Forests:
    """Grow a forest for each factor that varies, on *fit* and, for its importances, on *score*."""
    rows = halved(latents, factors, fit, MOST_ROWS, "dci")
    z = standardised(rows)
    importance: list[Array] = []
    gain: tuple[list[float], list[float]] = [], []
    for k in varying(rows.fit.factors):
        truth, discrete = _targets(rows, k), bool(rows.discrete[k])
        grown = _grown(z[0], truth[0], discrete=discrete)
        importance.append(grown.feature_importances_)
        for half in (0, 1):
            gain[half].append(_gain(grown.predict(z[half]), truth[half], discrete=discrete))
    inside = _as_matrix(importance, latents)
    outside = inside if fit is None else _as_matrix(_importances(rows.score, rows.discrete), latents)
    return Forests((inside, outside), (np.array(gain[0]), np.array(gain[1])))


def _importances(some: Rows, discrete: Array) -> list[Array]:
    """Importances of dimensions for each factor that varies, by forests of some rows alone."""
    rows = Halved(some, some, discrete)
    z = standardised(rows)[0]
    return [_grown(z, _targets(rows, k)[0], discrete=bool(discrete[k])).feature_importances_ for k in varying(some.factors)]


def _as_matrix(importance: list[Array], latents: Array) -> Array:
    return np.array(importance).reshape(-1, latents.shape[1]).T


def _targets(rows: Halved, k: int) -> tuple[Array, Array]:
    """One factor on both halves: classes, or numbers about 0 in units of the largest deviation on *fit*."""
    inside, outside = rows.fit.factors[:, k], rows.score.factors[:, k]
    if rows.discrete[k]:
        return classes(inside, outside, discrete=True)
    centre = inside.mean()
    unit = float(np.abs(inside - centre).max())
    return (inside - centre) / unit, (outside - centre) / unit


def _grown(z: Array, truth: Array, *, discrete: bool) -> Any:  # noqa: ANN401 -- scikit-learn has no types
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor  # noqa: PLC0415 -- takes longer than a comparison

    kind = RandomForestClassifier if discrete else RandomForestRegressor
    return kind(TREES, min_samples_leaf=LEAF, max_features=1.0, random_state=0).fit(z, truth)


def _gain(guessed: Array, truth: Array, *, discrete: bool) -> float:
    """1 − E/E⁰; 0 where the factor does not vary."""
    if discrete:
        error, least = float((guessed != truth).mean()), 1.0 - float(np.bincount(truth).max() / len(truth))
    else:
        error, least = float(((guessed - truth) ** 2).mean()), float(truth.var())
    return 1.0 - error / least if least > 0 else 0.0


def disentanglement(importance: Array) -> float:
    """Disentanglement of a matrix of importances, shape (d, K), K ≥ 2: weighted mean over dimensions of 1 − entropy.

    >>> disentanglement(np.array([[3.0, 0.0], [0.0, 1.0], [0.0, 0.0]])), disentanglement(np.ones((3, 2)))
    (1.0, 0.0)
    """
    weight = importance.sum(axis=1)
    return float(weight @ _focus(importance) / weight.sum()) if weight.sum() > 0 else 0.0


def completeness(importance: Array) -> float:
    """Completeness of a matrix of importances, shape (d, K): mean over factors of 1 − entropy."""
    return mean_over(_focus(importance.T))


def _focus(importance: Array) -> Array:
    """1 − entropy of each row, shape (m, M), as a share of log M; 0 of a row of zeros, 1 where M is 1."""
    total = importance.sum(axis=1, keepdims=True)
    share = np.divide(importance, total, out=np.zeros(importance.shape), where=total > 0)
    focus: Array = 1.0 + xlogy(share, share).sum(axis=1) / np.log(max(importance.shape[1], 2))
    return np.where(total[:, 0] > 0, focus, 0.0).clip(0.0, 1.0)


def read_disentanglement(found: Forests) -> tuple[float, float]:
    """Disentanglement by the forests of *fit* and of *score*."""
    return disentanglement(found.importance[0]), disentanglement(found.importance[1])


def read_completeness(found: Forests) -> tuple[float, float]:
    """Completeness by the forests of *fit* and of *score*."""
    return completeness(found.importance[0]), completeness(found.importance[1])


def read_informativeness(found: Forests) -> tuple[float, float]:
    """Informativeness on *fit* and on *score*."""
    inside, outside = (mean_over(half.clip(min=0.0)) for half in found.gain)
    return inside, outside


SCORE = Measure(
    name="dci_disentanglement",
    label="DCI disentanglement",
    meaning="does each dimension serve one known factor only? by importances of random forests",
    low=0.0,
    high=1.0,
    reference="Eastwood and Williams 2018; as compared by Carbonneau et al. 2022, arXiv:2012.09276",
    function=dci_disentanglement,
    factors=FromFactors(forests, read_disentanglement, fewest=2, draws=2),
    unit="restart",
    needs="factors",
    of_sources=False,
    invariances=AXES,
    floors=("independence",),
    cost=f"{TREES} trees for each factor and half, of at most {MOST_ROWS:,} rows a half",
)
COMPLETENESS = replace(
    SCORE,
    name="dci_completeness",
    label="DCI completeness",
    meaning="does each known factor need one dimension only? by importances of random forests",
    function=dci_completeness,
    factors=FromFactors(forests, read_completeness, draws=2),
)
INFORMATIVENESS = replace(
    SCORE,
    name="dci_informativeness",
    label="DCI informativeness",
    meaning="how well random forests guess the known factors from the latents; 0 is no better than a constant",
    function=dci_informativeness,
    factors=FromFactors(forests, read_informativeness, draws=2),
)

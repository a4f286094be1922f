"""How much of the known factors can be had from latents: R² of linear and of nonlinear regression, mean over factors.

    R² = mean over factors of 1 − Σ (v − v̂)² / Σ (v − v̄)²,   v̂ fitted on *fit*, both sums over *score*

Linear is least squares on all dimensions: any full-rank linear map of the factors has 1, however its axes lie. Nonlinear is
boosted trees (50 trees of 15 leaves, learning rate 0.2, on at most 2,000 rows of either half), which no monotone map of a
dimension changes and which dimensions without information hardly disturb. Every factor counts by its numbers, those of classes
too: where their order means nothing, as of a shape, explicitness and informativeness ask the better question.
"""

from dataclasses import replace

import numpy as np

from stabaudit.metrics.factors import Rows, halved, mean_over, standardised, varying
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import AXES, LINEAR, FromFactors, Measure
from stabaudit.metrics.threads import alone

MOST_ROWS = 10_000
MOST_ROWS_OF_TREES = 2_000


def factor_r2(latents: Array, factors: Array, fit: Array | None = None) -> float:
    """Mean R² of known factors regressed linearly on the latents of one restart.

    Args:
        latents: shape (n, d).
        factors: known factors of the same rows, shape (n, K).
        fit: True for rows to estimate on, shape (n,), the others being scored; None: all rows for both.

    Returns:
        In (−∞, 1].

    Raises:
        BadData: unequal rows, fewer than two, or NaN.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import factor_r2
        >>> v = np.random.default_rng(0).uniform(size=(500, 2))
        >>> round(factor_r2(v @ np.array([[1.0, 1.0], [1.0, -1.0]]), v), 6)
        1.0
    """
    return linear(latents, factors, fit)[1]


def factor_r2_nonlinear(latents: Array, factors: Array, fit: Array | None = None) -> float:
    """Mean R² of known factors from boosted trees on the latents, in (−∞, 1]; arguments and errors as of `factor_r2`."""
    return nonlinear(latents, factors, fit)[1]


def linear(latents: Array, factors: Array, fit: Array | None = None) -> tuple[float, float]:
    """Mean R² of least squares on *fit* and on *score*."""
    rows = halved(latents, factors, fit, MOST_ROWS, "factor_r2")
    inside, outside = standardised(rows)
    coefficients, *_ = np.linalg.lstsq(inside, rows.fit.factors - rows.fit.factors.mean(axis=0))
    centre = rows.fit.factors.mean(axis=0)
    return _explained(rows.fit, inside @ coefficients + centre), _explained(rows.score, outside @ coefficients + centre)


def nonlinear(latents: Array, factors: Array, fit: Array | None = None) -> tuple[float, float]:
    """Mean R² of boosted trees on *fit* and on *score*."""
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415 -- takes longer to load than a comparison

    rows = halved(latents, factors, fit, MOST_ROWS_OF_TREES, "factor_r2_nonlinear")
    inside, outside = standardised(rows)
    guessed = np.empty_like(rows.fit.factors), np.empty_like(rows.score.factors)
    with alone():
        for k in range(rows.fit.factors.shape[1]):
            model = HistGradientBoostingRegressor(max_iter=50, learning_rate=0.2, max_leaf_nodes=15, early_stopping=False)
            model.fit(inside, rows.fit.factors[:, k])
            guessed[0][:, k], guessed[1][:, k] = model.predict(inside), model.predict(outside)
    return _explained(rows.fit, guessed[0]), _explained(rows.score, guessed[1])


def _explained(rows: Rows, guessed: Array) -> float:
    """Mean R² over the factors that vary on some rows."""
    there = varying(rows.factors)
    truth = rows.factors[:, there]
    total = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    return mean_over(1.0 - ((truth - guessed[:, there]) ** 2).sum(axis=0) / total)


SCORE = Measure(
    name="factor_r2",
    label="factor R²",
    meaning="how much of the known factors is a linear function of the latents? mean over factors",
    low=-np.inf,
    high=1.0,
    reference="least squares; among measures of disentanglement: Carbonneau et al. 2022, arXiv:2012.09276",
    function=factor_r2,
    factors=FromFactors(linear),
    unit="restart",
    needs="factors",
    of_sources=False,
    invariances=LINEAR,
    floors=("independence",),
    cost="n d² + d³, of at most 10,000 rows a half",
)
NONLINEAR = replace(
    SCORE,
    name="factor_r2_nonlinear",
    label="factor R², nonlinear",
    meaning="the same by boosted trees, so that curved and mixed relations count",
    reference="gradient boosting: Friedman 2001, doi:10.1214/aos/1013203451; least squares of its guesses",
    function=factor_r2_nonlinear,
    factors=FromFactors(nonlinear, draws=2),
    invariances=AXES,
    cost="50 trees for each factor, of at most 2,000 rows a half",
)

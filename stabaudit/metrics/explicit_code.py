"""Explicitness: can every value of a known factor be told by a linear classifier? (Ridgeway and Mozer 2018).

For every factor a logistic regression on all dimensions is fitted to *fit*; the area under the ROC curve of each class against
the rest is found on *score* from its probability,

    explicitness = mean over factors of the mean over classes of 2 AUC − 1

so that 0 is chance and 1 perfect. A continuous factor has ten classes of equal frequency on *fit* here. The regression is
multinomial (softmax), as in the libraries that published numbers come from; the paper says one-versus-rest, by which no middle
class of an ordered factor can be told from both its neighbours. Latents are standardised; the penalty is weak (C = 100), and at
most 2,000 rows of either half are used.
"""

import numpy as np

from stabaudit.metrics.factors import classes, halved, mean_over, quietly, standardised, varying
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import AXES, FromFactors, Measure

MOST_ROWS = 2_000
CLASSES = 10  # of a continuous factor
WEAK_PENALTY = 100.0  # C of scikit-learn
STEPS = 300


def explicitness(latents: Array, factors: Array, fit: Array | None = None) -> float:
    """Explicitness of the latents of one restart.

    Args:
        latents: shape (n, d).
        factors: known factors of the same rows, shape (n, K).
        fit: True for rows to estimate on, shape (n,), the others being scored; None: all rows for both.

    Returns:
        In [−1, 1]; 0 is chance.

    Raises:
        BadData: unequal rows, fewer than two, or NaN.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import explicitness
        >>> v = np.random.default_rng(0).integers(0, 3, size=(1000, 2))
        >>> explicitness(v @ np.array([[1.0, 1.0], [1.0, -1.0]]), v) > 0.99
        True
    """
    with quietly():
        return curves(latents, factors, fit)[1]


def curves(latents: Array, factors: Array, fit: Array | None = None) -> tuple[float, float]:
    """Explicitness on *fit* and on *score*."""
    rows = halved(latents, factors, fit, MOST_ROWS, "explicitness")
    z = standardised(rows)
    found = [
        _of_factor(z, classes(rows.fit.factors[:, k], rows.score.factors[:, k], discrete=bool(rows.discrete[k]), most=CLASSES))
        for k in varying(rows.fit.factors)
    ]
    inside, outside = (mean_over(np.array([both[half] for both in found])) for half in (0, 1))
    return inside, outside


def _of_factor(z: tuple[Array, Array], truth: tuple[Array, Array]) -> tuple[float, float]:
    """Mean over classes that both halves hold, of one factor on either half."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 -- takes longer to load than a comparison
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415

    if len(np.unique(truth[0])) < 2:
        return 0.0, 0.0
    model = LogisticRegression(C=WEAK_PENALTY, max_iter=STEPS).fit(z[0], truth[0])
    found = []
    for rows, codes in zip(z, truth, strict=True):
        probability = model.predict_proba(rows)
        told = [
            2.0 * float(roc_auc_score(codes == one, probability[:, column])) - 1.0
            for column, one in enumerate(model.classes_)
            if 0 < (codes == one).sum() < len(codes)
        ]
        found.append(mean_over(np.array(told)))
    return found[0], found[1]


SCORE = Measure(
    name="explicitness",
    label="explicitness",
    meaning="can every value of a known factor be told linearly? area under the ROC curve, 0 is chance",
    low=-1.0,
    high=1.0,
    reference="Ridgeway and Mozer 2018, arXiv:1802.05312",
    function=explicitness,
    factors=FromFactors(curves, draws=2),
    unit="restart",
    needs="factors",
    of_sources=False,
    invariances=AXES,
    floors=("independence",),
    cost="n d K classes, of at most 2,000 rows a half",
)

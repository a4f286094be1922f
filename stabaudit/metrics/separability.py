"""SAP, separated attribute predictability: how much better one dimension predicts a factor than any other (Kumar et al. 2018).

    SAP = 1/K Σ_k [ S_j(k)k − max over j ≠ j(k) of S_jk ]

S_jk says how well dimension j alone predicts factor k. Of a continuous factor it is the R² of linear regression. Of a discrete
one it is the balanced accuracy of thresholds on the dimension, here at the edges of its 20 bins of equal frequency, every bin
going to the class that fills it most; from it chance is taken off, (accuracy − 1/C)/(1 − 1/C) for C classes, so that 1 can be
reached (Kumar et al. do not, and the gap of two classes is then 0.5 at most). Regressions and thresholds are fitted on *fit*
and applied to *score*; what is worse than a constant counts as 0. At most 10,000 rows of either half are used.
"""

import numpy as np

from stabaudit.metrics.factors import Halved, classes, edges_of, halved, mean_over, varying
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import AXES, FromFactors, Measure

MOST_ROWS = 10_000


def sap(latents: Array, factors: Array, fit: Array | None = None) -> float:
    """Separated attribute predictability of the latents of one restart.

    Args:
        latents: shape (n, d).
        factors: known factors of the same rows, shape (n, K).
        fit: True for rows to estimate on, shape (n,), the others being scored; None: all rows for both.

    Returns:
        In [0, 1].

    Raises:
        BadData: unequal rows, fewer than two, or NaN.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import sap
        >>> v = np.random.default_rng(0).uniform(size=(5000, 2))
        >>> sap(-2.0 * v, v) > 0.99, sap(v @ np.array([[1, 1], [1, -1]]), v) < 0.1
        (True, True)
    """
    return read(predictability(latents, factors, fit))[1]


def predictability(latents: Array, factors: Array, fit: Array | None = None) -> tuple[Array, Array]:
    """S on *fit* and on *score*, shape (d, K) each, K the factors that vary."""
    rows = halved(latents, factors, fit, MOST_ROWS, "sap")
    columns = [_of_classes(rows, k) if rows.discrete[k] else _of_numbers(rows, k) for k in varying(rows.fit.factors)]
    d = latents.shape[1]
    inside, outside = (np.array([column[half] for column in columns]).reshape(-1, d).T for half in (0, 1))
    return inside.clip(0.0, 1.0), outside.clip(0.0, 1.0)


def read(found: tuple[Array, Array]) -> tuple[float, float]:
    """The gap on *fit* and on *score*."""
    inside, outside = (gap(half) for half in found)
    return inside, outside


def gap(strength: Array) -> float:
    """Mean over factors of the gap between the two dimensions that predict it best, of a matrix of shape (d, K)."""
    ordered = np.sort(np.vstack([strength, np.zeros(strength.shape[1])]), axis=0)
    return mean_over(ordered[-1] - ordered[-2])


def _of_numbers(rows: Halved, k: int) -> tuple[Array, Array]:
    """R² of one factor from each dimension by itself."""
    z, v = rows.fit.latents, rows.fit.factors[:, k]
    centre, unit = z.mean(axis=0), np.abs(z - z.mean(axis=0)).max(axis=0)
    unit = np.where(unit > 0, unit, 1.0)
    scaled = (z - centre) / unit
    variance = (scaled**2).sum(axis=0)
    slope = np.divide(scaled.T @ (v - v.mean()), variance, out=np.zeros(z.shape[1]), where=variance > 0)
    found = []
    for half in (rows.fit, rows.score):
        truth = half.factors[:, k]
        error = ((truth[:, None] - v.mean() - (half.latents - centre) / unit * slope) ** 2).sum(axis=0)
        total = ((truth - truth.mean()) ** 2).sum()
        found.append(1.0 - error / total if total > 0 else np.zeros(z.shape[1]))
    return found[0], found[1]


def _of_classes(rows: Halved, k: int) -> tuple[Array, Array]:
    """Balanced accuracy above chance of one factor from thresholds on each dimension by itself."""
    truth = classes(rows.fit.factors[:, k], rows.score.factors[:, k], discrete=True)
    count = int(max(part.max() for part in truth)) + 1
    found = np.empty((2, rows.fit.latents.shape[1]))
    for j, columns in enumerate(zip(rows.fit.latents.T, rows.score.latents.T, strict=True)):
        edges = edges_of(columns[0])
        shares = []
        for column, codes in zip(columns, truth, strict=True):
            place = np.searchsorted(edges, column, side="right")
            table = np.bincount(place * count + codes, minlength=(len(edges) + 1) * count).reshape(-1, count)
            size = table.sum(axis=0)
            shares.append(np.divide(table, size, out=np.zeros(table.shape), where=size > 0))
        guess = shares[0].argmax(axis=1)
        for half, share in enumerate(shares):
            present = int((share.sum(axis=0) > 0).sum())
            accuracy = share[np.arange(len(guess)), guess].sum() / present
            found[half, j] = (accuracy - 1 / present) / (1 - 1 / present) if present > 1 else 0.0
    return found[0], found[1]


SCORE = Measure(
    name="sap",
    label="SAP",
    meaning="how much better the best single dimension predicts a known factor than the second best does",
    low=0.0,
    high=1.0,
    reference="separated attribute predictability: Kumar et al. 2018, arXiv:1711.00848",
    function=sap,
    factors=FromFactors(predictability, read),
    unit="restart",
    needs="factors",
    of_sources=False,
    invariances=AXES,
    floors=("independence",),
    cost="n d K, of at most 10,000 rows a half",
)

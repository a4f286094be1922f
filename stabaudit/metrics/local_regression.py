"""Nonlinear R²: is b a function of a at all? An affine map, and the mean of what it leaves over a row's neighbours.

On *fit*, least squares gives an affine map b̂ of a and its residuals e = b − b̂. A row i is then predicted by

    b̃_i = b̂_i + mean of e_j over the k = 10 rows j of *fit* that lie nearest to i in a, i itself left out,

and R² = 1 − Σ‖b − b̃‖² / Σ‖b − b̄‖² over the rows that are predicted. Regression by neighbours alone (Fix and Hodges 1951,
doi:10.2307/1403797; Stone 1977, doi:10.1214/aos/1176343886) fails in tens of dimensions on what a line explains, so they get what
a line leaves: an affine copy scores 1, and where nothing else is shared the score lies below affine R² by at most a tenth of what
that leaves. Unrelated latents score about −1/k. Of *fit* and of *score* at most 500 fixed random rows are predicted, from at
most 20,000 rows of *fit*.
"""

from dataclasses import dataclass, replace

import numpy as np

from stabaudit.metrics.checks import require_scorable
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.sampled_rows import sampled
from stabaudit.metrics.scores import ROTATION, Measure, Sides

NEIGHBOURS = 10
MOST_PREDICTED, MOST_ROWS = 500, 20_000


@dataclass(frozen=True)
class Half:
    """Rows to predict, by one side.

    Args:
        rows: their positions among all, shape (m,).
        near: positions among the rows learned from of the nearest ones to each, shape (m, k).
        affine: their values in the directions of `Local.basis`, shape (m, r).
    """

    rows: Array
    near: Array
    affine: Array


@dataclass(frozen=True)
class Local:
    """Latents to predict from, and to predict.

    Args:
        values: the latents, shape (n, d).
        learned: positions of the rows learned from, shape (l,).
        basis: orthonormal directions that those span once centred, shape (l, r).
        halves: rows of *fit* and of *score* to predict; none for latents that are predicted only.
        order: of all rows, in place of their own, shape (n,); None where they have their own.
    """

    values: Array
    learned: Array
    basis: Array
    halves: tuple[Half, ...]
    order: Array | None = None

    def permuted(self, order: Array) -> "Local":
        """The same of the rows in another order, which keeps every row in its half."""
        return replace(self, order=order if self.order is None else self.order[order])


def local(z: Array, fit: Array, most_rows: int = MOST_ROWS) -> Local:
    """What predicting from latents needs of them.

    Args:
        z: latents, shape (n, d).
        fit: True for rows to learn from, shape (n,).
        most_rows: of those, the most that are learned from.
    """
    from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415 -- takes longer to load than a comparison

    of_fit, of_score = np.flatnonzero(fit), np.flatnonzero(~fit)
    learned = of_fit[sampled(len(of_fit), most_rows)]
    scaled = z - z[learned].mean(axis=0)
    scaled /= np.abs(scaled).max() or 1.0
    left, strength, right = np.linalg.svd(scaled[learned], full_matrices=False)
    rank = int((strength > strength[:1] * max(len(learned), z.shape[1]) * np.finfo(float).eps).sum())
    to_basis = right[:rank].T / strength[:rank]
    k = min(NEIGHBOURS, len(learned) - 1)
    index = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(scaled[learned])

    def half(of_half: Array) -> Half:
        rows = of_half[sampled(len(of_half), MOST_PREDICTED)]
        if not len(rows):
            return Half(rows, np.empty((0, k), dtype=int), np.empty((0, rank)))
        near = index.kneighbors(scaled[rows], return_distance=False)
        return Half(rows, _without_itself(near, learned, rows), scaled[rows] @ to_basis)

    return Local(z, learned, left[:, :rank], (half(of_fit), half(of_score)))


def _without_itself(near: Array, learned: Array, rows: Array) -> Array:
    """All but one of the neighbours of each row: itself if it is among them, else the farthest; shape (m, k)."""
    itself = learned[near] == rows[:, None]
    itself[~itself.any(axis=1), -1] = True
    found: Array = near[~itself].reshape(len(rows), -1)
    return found


def explained(a: Local, b: Local, *, neighbours: bool = True) -> list[Array]:
    """Sums of squares of b, those that a's prediction leaves and all, shape (2, d_b), of each half.

    Args:
        a: to predict from.
        b: to predict; its rows are brought to the order of a's.
        neighbours: whether what the affine map leaves is predicted too.
    """
    target = b.values if b.order is None else b.values[b.order]
    if a.order is not None:
        original = np.empty_like(target)
        original[a.order] = target
        target = original
    learned = target[a.learned]
    centre = learned.mean(axis=0)
    slopes = a.basis.T @ (learned - centre)
    residuals = learned - centre - a.basis @ slopes
    found = []
    for half in a.halves:
        wanted = target[half.rows]
        predicted = centre + half.affine @ slopes
        if neighbours:
            predicted += residuals[half.near].mean(axis=1)
        mean = wanted.sum(axis=0) / max(len(wanted), 1)
        found.append(np.array([((wanted - predicted) ** 2).sum(axis=0), ((wanted - mean) ** 2).sum(axis=0)]))
    return found


def locally_explained(a: Local, b: Local) -> tuple[float, float]:
    """Nonlinear R² from a to b on *fit* and on *score*; 0 where b does not vary."""
    inside, outside = explained(a, b)
    return _r2(inside), _r2(outside)


def _r2(of_half: Array) -> float:
    left, total = of_half.sum(axis=1)
    return float(1.0 - left / total) if total > 0 else 0.0


def nonlinear_r2(a: Array, b: Array, fit: Array | None = None) -> float:
    """Nonlinear R² of one pair: how much of b's variance is a function of a, linear or not.

    Args:
        a: latents to predict from, shape (n, d_a).
        b: latents to predict, shape (n, d_b), of the same rows.
        fit: True for the rows to learn from, shape (n,); the others are scored (out-of-sample). None: all rows do both, each
            predicted without itself among its neighbours.

    Returns:
        In (−∞, 1]; dimensions of b weigh by their variances.

    Raises:
        BadData: NaN or infinity, unequal rows, or n ≤ d rows to learn from.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import affine_r2, nonlinear_r2
        >>> a = np.random.default_rng(0).standard_normal((2000, 1))
        >>> round(affine_r2(a, a**2), 1), round(nonlinear_r2(a, a**2), 2), nonlinear_r2(a**2, a) < 0
        (0.0, 0.97, True)
    """
    require_scorable([a, b], ["a", "b"], fit)
    half = np.ones(len(a), dtype=bool) if fit is None else fit
    of_a, of_b = (local(np.asarray(z, dtype=np.float64), half) for z in (a, b))
    return locally_explained(of_a, of_b)[0 if fit is None else 1]


SCORE = Measure(
    name="nonlinear_r2",
    label="nonlinear R²",
    meaning="is one restart a function of the other, linear or not? R² of an affine map and of what the nearest rows add to it",
    low=-np.inf,
    high=1.0,
    reference="our definition; neighbours: Stone 1977, doi:10.1214/aos/1176343886",
    function=nonlinear_r2,
    sides=Sides(local, locally_explained, estimates=True),
    question="function",
    by_variance=True,
    invariances=ROTATION,
    floors=("independence",),
    directed=True,
    cost="500 n d + n d² for each restart, n d² for each pair",
)

"""Are a row's nearest neighbours as near, in the same order? Rank correlation of the distances to them.

With N_a(i) the k = 10 nearest other rows of row i in a, the score is the mean over rows of Spearman's correlation, over j in
N_a(i), between the distances |a_i − a_j| and |b_i − b_j|. It is about 0 for unrelated latents. Ranks of all distances, of near
and of far rows, are those of `rsa_spearman`; a map that bends the space can keep the near ones alone. From a to b and from b to a
differ, since the neighbours are those of the first. Neighbours are looked for of at most 500 fixed random rows, among 20,000.
"""

from dataclasses import dataclass, replace

import numpy as np

from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.sampled_rows import require_rows, sampled
from stabaudit.metrics.scores import ROTATION, Measure, Sides

NEIGHBOURS = 10
MOST_CENTRES, MOST_ROWS = 500, 20_000
_FEWEST = 3  # rows, of which two are neighbours


@dataclass(frozen=True)
class Surroundings:
    """Some rows, their nearest neighbours, and the ranks of the distances to them.

    Args:
        values: the latents, shape (n, d).
        centres: positions of the rows, shape (m,).
        near: positions of their neighbours, shape (m, k).
        ranks: centred ranks of the distances, of unit norm, shape (m, k).
        order: of all rows, in place of their own, shape (n,); None where they have their own.
    """

    values: Array
    centres: Array
    near: Array
    ranks: Array
    order: Array | None = None

    def permuted(self, order: Array) -> "Surroundings":
        """The same of the rows in another order."""
        return replace(self, order=order if self.order is None else self.order[order])


def surroundings(z: Array) -> Surroundings:
    """The neighbours of rows of latents of shape (n, d), and their distances by rank."""
    from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415 -- takes longer to load than a comparison

    scaled = z - z.mean(axis=0)
    scaled /= np.abs(scaled).max() or 1.0
    among, centres = sampled(len(z), MOST_ROWS), sampled(len(z), MOST_CENTRES)
    k = min(NEIGHBOURS, len(among) - 1)
    near = among[NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(scaled[among]).kneighbors(scaled[centres])[1]]
    itself = near == centres[:, None]
    itself[~itself.any(axis=1), -1] = True
    near = near[~itself].reshape(len(centres), k)
    return Surroundings(scaled, centres, near, _ranks(scaled, centres, near))


def _ranks(values: Array, centres: Array, near: Array) -> Array:
    """Centred ranks of the distances from each centre to its neighbours, of unit norm or 0 throughout; shape (m, k)."""
    from scipy.stats import rankdata  # noqa: PLC0415 -- takes longer to load than a comparison

    squared = ((values[near] - values[centres][:, None]) ** 2).sum(axis=-1)
    ranks: Array = rankdata(squared, axis=1) - (near.shape[1] + 1) / 2
    norm = np.linalg.norm(ranks, axis=1, keepdims=True)
    unit: Array = ranks / np.where(norm > 0, norm, 1.0)
    return unit


def rank_correlation(a: Surroundings, b: Surroundings) -> float:
    """Mean over a's rows of Spearman's correlation of the distances to their neighbours, in a and in b."""
    values = b.values if b.order is None else b.values[b.order]
    if a.order is not None:
        original = np.empty_like(values)
        original[a.order] = values
        values = original
    return float(np.clip((a.ranks * _ranks(values, a.centres, a.near)).sum(axis=1).mean(), -1.0, 1.0))


def knn_rank_correlation(a: Array, b: Array) -> float:
    """Mean over rows of the rank correlation of the distances to a's 10 nearest neighbours, in a and in b.

    Args:
        a: latents in which neighbours are looked for, shape (n, d_a).
        b: second latents, shape (n, d_b), of the same rows.

    Returns:
        In [−1, 1]; about 0 for unrelated latents, and 0 where a side has all neighbours equally far.

    Raises:
        BadData: fewer than 3 rows, or unequal rows.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import knn_rank_correlation
        >>> rng = np.random.default_rng(0)
        >>> a, turn = rng.standard_normal((500, 3)), np.linalg.qr(rng.standard_normal((3, 3)))[0]
        >>> round(knn_rank_correlation(a, 5.0 * a @ turn), 9), abs(knn_rank_correlation(a, rng.standard_normal((500, 3)))) < 0.05
        (1.0, True)
    """
    require_rows(a, b, _FEWEST, "knn_rank_correlation")
    return rank_correlation(surroundings(a), surroundings(b))


SCORE = Measure(
    name="knn_rank_correlation",
    label="neighbours' order",
    meaning="are a row's 10 nearest neighbours in the same order? rank correlation of the distances to them",
    low=-1.0,
    high=1.0,
    reference="our definition; Spearman's correlation of distances: Kriegeskorte et al. 2008, doi:10.3389/neuro.06.004.2008",
    function=knn_rank_correlation,
    sides=Sides(surroundings, rank_correlation, fewest=_FEWEST),
    question="shape",
    by_variance=True,
    invariances=ROTATION,
    floors=("independence",),
    directed=True,
    cost="500 n d for each restart, 5,000 d for each pair",
)

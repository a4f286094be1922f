"""Nearest neighbours: do the same rows lie beside each other? (mutual k-nearest-neighbour agreement, Huh et al. 2024).

With N_a(i) the k = 10 nearest other rows of row i in a by Euclidean distance,

    overlap = mean over rows of |N_a(i) ∩ N_b(i)| / k,    Jaccard = mean over rows of |N_a(i) ∩ N_b(i)| / |N_a(i) ∪ N_b(i)|.

Unrelated latents of n rows overlap by k/(n − 1). Neighbours are searched among all rows up to 20,000, and among a fixed random
part of so many where there are more. Fewer than 11 rows have n − 1 neighbours.
"""

from dataclasses import dataclass, replace

import numpy as np

from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.sampled_rows import reordered, require_rows, sampled
from stabaudit.metrics.scores import ROTATION, Measure, Sides

NEIGHBOURS = 10
MOST_ROWS = 20_000


@dataclass(frozen=True)
class Neighbours:
    """The neighbours of every row, shape (n, k), in ascending order of their numbers."""

    of_row: Array

    def permuted(self, order: Array) -> "Neighbours":
        """The same of the rows in another order."""
        order = reordered(order, MOST_ROWS)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return Neighbours(np.sort(place[self.of_row[order]], axis=1))


def nearest(z: Array) -> Neighbours:
    """The k nearest other rows of every row of latents of shape (n, d)."""
    from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415 -- takes longer to load than a comparison

    rows = z[sampled(len(z), MOST_ROWS)]
    k = min(NEIGHBOURS, len(rows) - 1)
    found = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(rows).kneighbors(return_distance=False)
    return Neighbours(np.sort(found, axis=1))


def knn_overlap(a: Array, b: Array) -> float:
    """Mutual 10-nearest-neighbour overlap of one pair: the part of a row's neighbours that stay its neighbours.

    Args:
        a: first latents, shape (n, d_a).
        b: second latents, shape (n, d_b), of the same rows.

    Returns:
        In [0, 1]; k/(n − 1) for unrelated latents.

    Raises:
        BadData: fewer than 2 rows, or unequal rows.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import knn_overlap
        >>> rng = np.random.default_rng(0)
        >>> a, turn = rng.standard_normal((500, 3)), np.linalg.qr(rng.standard_normal((3, 3)))[0]
        >>> knn_overlap(a, 5.0 * a @ turn), knn_overlap(a, rng.standard_normal((500, 3))) < 0.04
        (1.0, True)
    """
    require_rows(a, b, 2, "knn_overlap")
    return overlap(nearest(a), nearest(b))


def knn_jaccard(a: Array, b: Array) -> float:
    """Jaccard index of the 10 nearest neighbours, mean over rows, in [0, 1]; arguments and errors as of `knn_overlap`."""
    require_rows(a, b, 2, "knn_jaccard")
    return jaccard(nearest(a), nearest(b))


def overlap(a: Neighbours, b: Neighbours) -> float:
    """Mean of |N_a ∩ N_b| / k over rows."""
    return float(shared_neighbours(a, b).mean() / a.of_row.shape[1])


def jaccard(a: Neighbours, b: Neighbours) -> float:
    """Mean of |N_a ∩ N_b| / |N_a ∪ N_b| over rows."""
    shared = shared_neighbours(a, b)
    return float((shared / (2 * a.of_row.shape[1] - shared)).mean())


def shared_neighbours(a: Neighbours, b: Neighbours) -> Array:
    """How many neighbours a row has in common, shape (n,)."""
    both = np.sort(np.concatenate([a.of_row, b.of_row], axis=1), axis=1)
    shared: Array = (both[:, 1:] == both[:, :-1]).sum(axis=1)
    return shared


SCORE = Measure(
    name="knn_overlap",
    label="neighbours kept",
    meaning="do the same rows lie beside each other? the part of a row's 10 nearest neighbours that stay so",
    low=0.0,
    high=1.0,
    reference="mutual k-nearest neighbours: Huh et al. 2024, arXiv:2405.07987",
    function=knn_overlap,
    sides=Sides(nearest, overlap),
    question="shape",
    by_variance=True,
    invariances=ROTATION,
    of_versions=True,
    floors=("independence",),
    cost="n² d for each restart, n k for each pair",
)
JACCARD = replace(
    SCORE,
    of_versions=False,
    name="knn_jaccard",
    label="neighbours, Jaccard",
    meaning="Jaccard index of a row's 10 nearest neighbours in either restart, mean over rows",
    reference="nearest-neighbour Jaccard similarity: Klabunde et al. 2023, arXiv:2305.06329",
    function=knn_jaccard,
    sides=Sides(nearest, jaccard),
)

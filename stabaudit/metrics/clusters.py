"""Clusters of latents, and how far two clusterings agree beyond chance.

The adjusted Rand index counts pairs of rows that both clusterings put together (Hubert & Arabie 1985, doi:10.1007/BF01908075):

    ARI = (S − E) / ((A + B)/2 − E),   E = A·B / (pairs of rows),

S the pairs together in both, A and B those in either. It is 1 for the same clusters whatever they are called, and 0 on average
for clusters of the same sizes drawn at random; it can be negative.
"""

import math

import numpy as np

from stabaudit.metrics.mixtures import GaussianMixture
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.threads import alone, ignoring

FIT_ROWS = 10_000  # more rows than these are thinned evenly to find the centres, and all are assigned to them
_STARTS = 10  # of k-means, of which the best is kept


def adjusted_rand(a: Array, b: Array) -> float:
    """Adjusted Rand index of two clusterings of the same rows.

    Args:
        a: cluster of each row, shape (n,).
        b: likewise, shape (n,).

    Returns:
        At most 1, 0 on average by chance; 1 where both put all rows together, or none.

    Example:
        >>> adjusted_rand(np.array([0, 0, 1, 1]), np.array([7, 7, 5, 5]))
        1.0
    """
    counts = _contingency(a, b)
    together, of_a, of_b = (float(_pairs(part).sum()) for part in (counts, counts.sum(axis=1), counts.sum(axis=0)))
    every = float(_pairs(np.array(len(a))))
    expected = of_a * of_b / every if every else 0.0
    most = (of_a + of_b) / 2
    return 1.0 if most == expected else (together - expected) / (most - expected)


def _contingency(a: Array, b: Array) -> Array:
    """Rows in each pair of clusters, shape (clusters of a, clusters of b)."""
    names_a, in_a = np.unique(a, return_inverse=True)
    names_b, in_b = np.unique(b, return_inverse=True)
    counts = np.zeros((len(names_a), len(names_b)))
    np.add.at(counts, (in_a, in_b), 1)
    return counts


def _pairs(count: Array) -> Array:
    found: Array = count * (count - 1) / 2
    return found


def k_means(z: Array, k: int, *, seed: int) -> Array:
    """Cluster of each row by k-means, the best of ten starts.

    Args:
        z: latents, shape (n, d), n > k.
        k: how many clusters; fewer are found where fewer rows differ.
        seed: of the starts.

    Returns:
        Numbers from 0, shape (n,).

    Example:
        >>> k_means(np.array([[0.0], [0.1], [5.0], [5.1]]), 2, seed=0)[[0, 0, 2]].tolist() in ([0, 0, 1], [1, 1, 0])
        True
    """
    from sklearn.cluster import KMeans  # noqa: PLC0415 -- scikit-learn takes its time to load
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415

    rows = np.asarray(z, dtype=np.float64)
    some = rows[:: max(1, math.ceil(len(rows) / max(FIT_ROWS, k)))]
    # Sums of several threads differ from call to call; fewer rows may differ than clusters were asked for.
    with ignoring(ConvergenceWarning), alone():
        found: Array = KMeans(k, n_init=_STARTS, random_state=seed).fit(some).predict(rows)
    return found


def most_probable_component(z: Array, mixture: GaussianMixture) -> Array:
    """The component of a mixture that each row comes from most probably, shape (n,).

    Args:
        z: latents, shape (n, d).
        mixture: of the same d dimensions.

    Example:
        >>> two = GaussianMixture.diagonal(np.array([0.5, 0.5]), np.array([[-1.0], [1.0]]), np.zeros((2, 1)))
        >>> most_probable_component(np.array([[-3.0], [0.2]]), two).tolist()
        [0, 1]
    """
    rows = np.asarray(z, dtype=np.float64)
    with np.errstate(divide="ignore"):
        log_weight = np.log(mixture.weight)
    log_density = np.empty((len(rows), len(mixture.weight)))
    for component, (mean, covariance) in enumerate(zip(mixture.mean, mixture.covariance, strict=True)):
        root = np.linalg.cholesky(covariance)
        standard = np.linalg.solve(root, (rows - mean).T)
        log_density[:, component] = log_weight[component] - 0.5 * (standard**2).sum(axis=0) - np.log(np.diag(root)).sum()
    found: Array = log_density.argmax(axis=1)
    return found

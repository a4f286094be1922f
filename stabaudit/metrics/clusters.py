"""Clusters of latents: by k-means, by a Gaussian mixture, or the components of a mixture that a model family learned."""

import math

import numpy as np

from stabaudit.errors import BadData
from stabaudit.metrics.mixtures import FLAT, GaussianMixture, fit_mixture
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.threads import alone, ignoring

FIT_ROWS = 10_000  # more rows than these are thinned evenly to find the centres, and all are assigned to them
_STARTS = 10  # of k-means, of which the best is kept


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

    rows = _of_size_one(np.asarray(z, dtype=None if np.asarray(z).dtype == np.float32 else np.float64))
    some = rows[:: max(1, math.ceil(len(rows) / max(FIT_ROWS, k)))]
    # Sums of several threads differ from call to call; fewer rows may differ than clusters were asked for.
    with ignoring(ConvergenceWarning), alone():
        found: Array = KMeans(k, n_init=_STARTS, random_state=seed).fit(some).predict(rows)
    return found


def _of_size_one(rows: Array) -> Array:
    """The same times a power of two, so that no square overflows or vanishes; digits stay as they are."""
    _, exponent = math.frexp(float(np.abs(rows).max()))
    return np.ldexp(rows, -exponent)


def by_mixture(z: Array, k: int, *, seed: int) -> Array:
    """Cluster of each row by a mixture of k Gaussians with full covariances: the component that it comes from most probably.

    Args:
        z: latents, shape (n, d); dimensions that do not vary count for nothing.
        k: how many components; some may end up without rows.
        seed: of the starts.

    Returns:
        Numbers from 0, the component with the largest weight first, shape (n,).

    Raises:
        BadData: fewer than d + 2 rows for each component, or rows that no mixture can be fitted to.

    Example:
        >>> z = np.random.default_rng(0).standard_normal((60, 2)) + 9.0 * (np.arange(60) % 3 == 0)[:, None]
        >>> by_mixture(z, 2, seed=0)[:6].tolist()
        [1, 0, 0, 1, 0, 0]
    """
    rows = _of_size_one(np.asarray(z, dtype=np.float64))
    scale = rows.std(axis=0)
    rows = rows[:, scale > FLAT * scale.max()]
    if not rows.shape[1]:
        return np.zeros(len(rows), dtype=np.intp)
    try:
        return most_probable_component(rows, fit_mixture(rows, k, seed=seed))
    except ValueError as error:  # too few rows that differ
        raise BadData(f"no mixture of {k} Gaussians fits these {len(rows):,} rows; use k-means, or fewer clusters") from error


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


def most_probable_of_independent(z: Array, weight: Array, mean: Array, log_var: Array) -> Array:
    """As `most_probable_component` of a mixture of independent dimensions, of which there may be many, shape (n,).

    Args:
        z: latents, shape (n, d).
        weight: shape (K,).
        mean: shape (K, d).
        log_var: shape (K, d).

    Example:
        >>> most_probable_of_independent(np.array([[-3.0], [0.2]]), np.ones(2) / 2, np.array([[-1.0], [1.0]]), np.zeros((2, 1)))
        array([0, 1])
    """
    rows = np.asarray(z, dtype=np.float64)
    with np.errstate(divide="ignore"):
        log_weight = np.log(np.asarray(weight, dtype=np.float64))
    found, best = np.zeros(len(rows), dtype=np.intp), np.full(len(rows), -np.inf)
    for component, (centre, spread) in enumerate(zip(mean, np.asarray(log_var, dtype=np.float64), strict=True)):
        standard = (rows - centre) * np.exp(-0.5 * spread)
        log_density = log_weight[component] - 0.5 * (np.einsum("nd,nd->n", standard, standard) + spread.sum())
        found[log_density > best] = component
        best = np.maximum(best, log_density)
    return found

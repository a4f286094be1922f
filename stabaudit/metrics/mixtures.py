"""Gaussian mixtures Σ_k w_k N(μ_k, Σ_k): a learned prior, or one fitted to latents.

Affine maps of a mixture are mixtures, and their inner products in L2 have closed forms, since
∫ N(z; μ, Σ) N(z; ν, Λ) dz = N(μ; ν, Σ + Λ). The affine density distance is made of these two facts.
"""

import math
from dataclasses import dataclass
from operator import itemgetter
from typing import Self

import numpy as np

from stabaudit.errors import BadData, are, counted
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.threads import ignoring, single_threaded

MOST_COMPONENTS = 8  # that a fit tries where no number is given
FIT_ROWS = 2_000  # more rows than these are thinned evenly: a mixture of so few components gains nothing from them
ROUNDING = 1e-4  # of the sum of weights
FLAT = 1e-12  # of the largest standard deviation of a dimension, up to which one does not vary
_FITS = 2  # initialisations of each
_STEPS = 200  # of expectation maximisation


@dataclass(frozen=True)
class GaussianMixture:
    """A mixture of K Gaussians over d dimensions.

    Args:
        weight: shape (K,), not negative, sum 1.
        mean: shape (K, d).
        covariance: shape (K, d, d), symmetric and positive definite.

    Raises:
        BadData: anything else.
    """

    weight: Array
    mean: Array
    covariance: Array

    def __post_init__(self) -> None:
        """Refuse what is no mixture."""
        shape = np.shape(self.mean)
        if len(shape) != 2 or np.shape(self.weight) != shape[:1] or np.shape(self.covariance) != (*shape, shape[1]):
            shapes = f"{np.shape(self.weight)}, {shape} and {np.shape(self.covariance)}"
            raise BadData(f"a mixture has weights, means and covariances of shapes {shapes}, expected (K,), (K, d) and (K, d, d)")
        if not all(np.isfinite(value).all() for value in (self.weight, self.mean, self.covariance)):
            raise BadData("a mixture holds NaN or infinity; train the restart again")
        if (self.weight < 0).any() or not math.isclose(self.weight.sum(), 1.0, abs_tol=ROUNDING):
            raise BadData(f"the weights of a mixture sum to {self.weight.sum():.6g}, expected weights from 0 that sum to 1")
        if (np.linalg.eigvalsh(self.covariance)[:, 0] <= 0).any():
            raise BadData("a mixture has a component without spread in some direction; its covariance must be positive definite")

    @classmethod
    def diagonal(cls, weight: Array, mean: Array, log_var: Array) -> Self:
        """The mixture of independent dimensions whose means and log-variances have shape (K, d).

        Example:
            >>> print(GaussianMixture.diagonal(np.ones(1), np.zeros((1, 2)), np.log([[1.0, 4.0]])).covariance)
            [[[1. 0.]
              [0. 4.]]]
        """
        variance = np.exp(np.asarray(log_var, dtype=np.float64))
        weight = np.asarray(weight, dtype=np.float64)
        total = weight.sum() if abs(weight.sum() - 1.0) < ROUNDING else 1.0
        return cls(weight / total, np.asarray(mean, dtype=np.float64), variance[..., None] * np.eye(variance.shape[-1]))

    @property
    def dimensions(self) -> int:
        """Number of dimensions d."""
        return int(self.mean.shape[1])

    def moments(self) -> tuple[Array, Array]:
        """Mean, shape (d,), and covariance, shape (d, d), of the whole mixture."""
        mean = self.weight @ self.mean
        apart = self.mean - mean
        return mean, np.einsum("k,kij->ij", self.weight, self.covariance + apart[:, :, None] * apart[:, None, :])

    def mapped(self, matrix: Array, offset: Array) -> "GaussianMixture":
        """The mixture of matrix · z + offset; shapes (d, d) and (d,)."""
        return GaussianMixture(self.weight, self.mean @ matrix.T + offset, matrix @ self.covariance @ matrix.T)


def unimodal(d: int) -> GaussianMixture:
    """The standard normal over d dimensions: a mixture without clusters."""
    return GaussianMixture(np.ones(1), np.zeros((1, d)), np.eye(d)[None])


def fit_mixture(latents: Array, components: int | None = None, *, seed: int) -> GaussianMixture:
    """Fit a mixture with full covariances by expectation maximisation.

    Args:
        latents: shape (n, d).
        components: how many; None for that of 1 to 8 with the least BIC, as far as two more have not made it worse.
        seed: decides the initialisations.

    Raises:
        BadData: fewer than d + 2 rows per component, NaN or infinity, or a dimension that does not vary.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> two = np.concatenate([rng.normal(-3, 1, (300, 1)), rng.normal(3, 1, (100, 1))])
        >>> fit_mixture(two, seed=0).weight.round(2).tolist()
        [0.75, 0.25]
    """
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 -- scikit-learn takes its time to load
    from sklearn.mixture import GaussianMixture as Fit  # noqa: PLC0415

    rows = np.asarray(latents, dtype=np.float64)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise BadData("latents hold NaN or infinity, or are no table; a mixture cannot be fitted to them")
    rows = rows[:: max(1, math.ceil(len(rows) / FIT_ROWS))]
    most = len(rows) // (rows.shape[1] + 2)
    if most < (components or 1):
        few, wanted = f"{counted(len(rows), 'row')} {are(len(rows))} too few", counted(components or 1, "Gaussian")
        raise BadData(f"{few} to fit {wanted} of {counted(rows.shape[1], 'dimension')}")
    location, scale = rows.mean(axis=0), rows.std(axis=0)
    if (scale <= FLAT * scale.max()).any():
        dead = ", ".join(f"z{k}" for k in np.flatnonzero(scale <= FLAT * scale.max()))
        raise BadData(f"{dead} does not vary, and a density without spread has no affine images")
    rows = (rows - location) / scale  # the fit adds a small number to variances, which should be small in every unit
    asked = [components] if components else range(1, min(MOST_COMPONENTS, most) + 1)
    fits: list[tuple[float, Fit]] = []
    with ignoring(ConvergenceWarning), single_threaded():  # too many components for the data; BIC will not choose them
        for count in asked:
            fit = Fit(count, n_init=_FITS, max_iter=_STEPS, random_state=seed).fit(rows)
            fits.append((fit.bic(rows), fit))
            if len(fits) > 2 and min(bic for bic, _ in fits[-2:]) > fits[-3][0]:
                break
    _, best = min(fits, key=itemgetter(0))
    order = np.argsort(-best.weights_, kind="stable")
    found = GaussianMixture(best.weights_[order], best.means_[order], best.covariances_[order])
    return found.mapped(np.diag(scale), location)

"""Strong MCC after independent component analysis: does a linear map that each restart finds by itself bring the axes together?

Every restart is whitened and turned by FastICA with the log-cosh contrast (Hyvärinen 1999, doi:10.1109/72.761722), both fitted on
*fit*; strong MCC is then computed of the components. Where latents are linear mixtures of independent non-Gaussian factors,
which another training mixes otherwise, components agree although dimensions do not. FastICA starts from the dimensions as they
are, made uncorrelated with the least change (ZCA-cor, Kessy et al. 2018, doi:10.1080/00031305.2016.1277159), and takes at most
200 steps: of Gaussian latents, which no rotation makes more independent, it follows what the rows at hand happen to show, which
lowers the score where each restart has noise of its own, and changes with the last digit of what it is given. Of non-Gaussian
ones the score is the same after any linear map of either side. A restart of fewer directions than dimensions has as many
components as directions; the smaller number is matched.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from stabaudit.metrics.checks import require_scorable
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import Measure, Sides
from stabaudit.metrics.threads import ignoring

_STEPS = 200
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Components:
    """Independent components of one restart, standardised within each half.

    Args:
        values: components of all rows, shape (n, r).
        fit: True for rows of *fit*, shape (n,).
    """

    values: Array
    fit: Array

    def permuted(self, order: Array) -> "Components":
        """The same of the rows in another order, which keeps every row in its half."""
        return Components(self.values[order], self.fit)


def components(z: Array, fit: Array) -> Components:
    """The independent components of latents of shape (n, d), found on *fit*."""
    centred = z - z[fit].mean(axis=0)
    spread = centred[fit].std(axis=0)
    alive = spread > np.abs(z).max(axis=0) * np.finfo(float).eps * len(z)
    white = _whitened(centred[:, alive] / spread[alive], fit)
    turned = white @ _rotation(white[fit])
    for half in (fit, ~fit):
        part = turned[half]
        if len(part):
            part = part - part.mean(axis=0)
            norm = np.linalg.norm(part, axis=0)
            turned[half] = part / np.where(norm > 0, norm, 1.0)
    return Components(turned, fit)


def _whitened(z: Array, fit: Array) -> Array:
    """Rows in uncorrelated directions of unit variance on *fit*, shape (n, r): those next to the dimensions where r is d."""
    _, strength, right = np.linalg.svd(z[fit], full_matrices=False)
    rank = int((strength > strength[:1] * len(z) * np.finfo(float).eps).sum())
    whitening = right[:rank].T / strength[:rank] * np.sqrt(fit.sum())
    found: Array = z @ (whitening @ right if rank == z.shape[1] else whitening)
    return found


def _rotation(white: Array) -> Array:
    """The rotation of FastICA, shape (r, r)."""
    from sklearn.decomposition import fastica  # noqa: PLC0415 -- takes longer to load than a comparison
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415

    r = white.shape[1]
    if r < 2:
        return np.eye(r)
    with ignoring(ConvergenceWarning):  # Gaussian directions have nowhere to converge to
        _, rotation, _ = fastica(white, whiten=False, w_init=np.eye(r), max_iter=_STEPS, tol=_TOLERANCE)
    found: Array = rotation.T
    return found


def matched_components(a: Components, b: Components) -> tuple[float, float]:
    """Mean |correlation| of components matched on *fit*, in-sample and out-of-sample."""
    if not a.values.shape[1] or not b.values.shape[1]:
        return 0.0, 0.0
    strength = np.abs(a.values[a.fit].T @ b.values[a.fit]).clip(max=1.0)
    rows, columns = linear_sum_assignment(strength, maximize=True)
    outside = np.abs((a.values[~a.fit][:, rows] * b.values[~a.fit][:, columns]).sum(axis=0)).clip(max=1.0)
    return float(strength[rows, columns].mean()), float(outside.mean())


def ica_strong_mcc(a: Array, b: Array, fit: Array | None = None) -> float:
    """Strong MCC of the independent components of one pair.

    Args:
        a: first latents, shape (n, d_a).
        b: second latents, shape (n, d_b), of the same rows.
        fit: True for the rows to find components and their matching on, shape (n,); the others are scored (out-of-sample). None:
            all rows do both.

    Returns:
        Mean |correlation| of matched components, in [0, 1].

    Raises:
        BadData: NaN or infinity, unequal rows, or n ≤ d rows to fit on.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import ica_strong_mcc, strong_mcc
        >>> rng = np.random.default_rng(0)
        >>> sources = rng.laplace(size=(2000, 3))
        >>> a, b = (sources @ rng.standard_normal((3, 3)) for _ in range(2))
        >>> strong_mcc(a, b) < 0.9, ica_strong_mcc(a, b) > 0.99
        (True, True)
    """
    require_scorable([a, b], ["a", "b"], fit)
    half = np.ones(len(a), dtype=bool) if fit is None else fit
    of_a, of_b = (components(np.asarray(z, dtype=np.float64), half) for z in (a, b))
    return matched_components(of_a, of_b)[0 if fit is None else 1]


SCORE = Measure(
    name="ica_strong_mcc",
    label="strong MCC after ICA",
    meaning="are the axes the same once each restart is turned to its independent components? no rotation floor: it undoes them",
    low=0.0,
    high=1.0,
    reference="FastICA: Hyvärinen 1999, doi:10.1109/72.761722; as a way to undo linear ambiguity: arXiv:2603.11970",
    function=ica_strong_mcc,
    sides=Sides(components, matched_components, estimates=True),
    question="space",
    floors=("independence",),
    of_sources=False,
    rows_per_dimension=2,
    cost="200 n d² for each restart, n d² + d³ for each pair",
)

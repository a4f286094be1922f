"""RBF CKA: are the same rows near each other? (Kornblith et al. 2019; debiased as by Song et al. 2012).

As linear CKA, with the kernel K_ij = exp(−‖a_i − a_j‖²/(2σ²)) in place of aaᵀ, σ the median distance between rows of the side.
Near rows count and far ones hardly do. Both kernels' diagonals are left out, so that unrelated latents give 0. Kernels are those
of all rows up to 1,000, and of a fixed random part of so many where there are more.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import squareform

from stabaudit.metrics.linear_cka import alignment
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.sampled_rows import distances_of_rows, kept, reordered, require_rows
from stabaudit.metrics.scores import ROTATION, Measure, Sides

MOST_ROWS = 1_000
_FEWEST = 4  # rows


@dataclass(frozen=True)
class Kernel:
    """A kernel with a zero diagonal, centred so that the products of two of them sum to n(n − 3) times the unbiased HSIC.

    Args:
        centred: shape (n, n).
        own: HSIC of the kernel with itself, up to that factor.
    """

    centred: Array
    own: float

    def permuted(self, order: Array) -> "Kernel":
        """The same of the rows in another order."""
        order = reordered(order, MOST_ROWS)
        return Kernel(self.centred[np.ix_(order, order)], self.own)


def kernel_of(z: Array) -> Kernel:
    """The RBF kernel of latents of shape (n, d), U-centred (Székely and Rizzo 2014, doi:10.1214/14-AOS1255)."""
    n = min(len(z), MOST_ROWS)
    found = distances_of_rows(z, MOST_ROWS)
    sigma = float(np.median(found))
    kernel = squareform(np.exp(-0.5 * (found / sigma) ** 2)) if sigma > 0 else np.zeros((n, n))
    sums = kernel.sum(axis=0)
    centred = kernel - sums / (n - 2) - sums[:, None] / (n - 2) + sums.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0.0)
    return Kernel(kept(centred, len(z)), float((centred**2).sum()))


def compared(a: Kernel, b: Kernel) -> float:
    """HSIC(a, b) / √(HSIC(a, a) HSIC(b, b))."""
    return alignment(float(np.einsum("ij,ij->", a.centred, b.centred, dtype=np.float64)), a.own, b.own)


def cka_rbf(a: Array, b: Array) -> float:
    """Debiased CKA of one pair with Gaussian kernels as wide as the median distance: agreement up to rotation and one scale.

    Args:
        a: first latents, shape (n, d_a).
        b: second latents, shape (n, d_b), of the same rows.

    Returns:
        At most 1; about 0 for unrelated latents, below it by chance. 0 where a side does not vary.

    Raises:
        BadData: fewer than 4 rows, or unequal rows.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import cka_rbf
        >>> rng = np.random.default_rng(0)
        >>> a, turn = rng.standard_normal((300, 3)), np.linalg.qr(rng.standard_normal((3, 3)))[0]
        >>> round(cka_rbf(a, 5.0 * a @ turn), 6), abs(cka_rbf(a, rng.standard_normal((300, 3)))) < 0.05
        (1.0, True)
    """
    require_rows(a, b, _FEWEST, "cka_rbf")
    return compared(kernel_of(a), kernel_of(b))


SCORE = Measure(
    name="cka_rbf",
    label="CKA, RBF",
    meaning="are the same rows near each other? debiased CKA with Gaussian kernels as wide as the median distance",
    low=-np.inf,
    high=1.0,
    reference="Kornblith et al. 2019, arXiv:1905.00414; debiased: Song et al. 2012, JMLR 13:1393-1434",
    function=cka_rbf,
    sides=Sides(kernel_of, compared, fewest=_FEWEST),
    question="shape",
    by_variance=True,
    invariances=ROTATION,
    floors=("independence",),
    cost="1,000² d for each restart, 1,000² for each pair",
)

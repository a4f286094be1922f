"""Debiased linear CKA: are the same rows similar? (Kornblith et al. 2019; debiased as by Song et al. 2012).

With centred rows, K = aaᵀ and L = bbᵀ, CKA = HSIC(K, L)/√(HSIC(K, K) HSIC(L, L)). The unbiased estimate of HSIC leaves the
diagonals of K and L out,

    HSIC(K, L) = [tr(K̃L̃) + 1ᵀK̃1 · 1ᵀL̃1/((n−1)(n−2)) − 2/(n−2) · 1ᵀK̃L̃1] / (n(n−3)),    K̃ = K with a zero diagonal,

so that unrelated latents give 0 in any dimension. No n × n matrix is formed: all terms follow from products of d columns.
Nothing is estimated, so out-of-sample is the same formula on other rows. It does not change when either side is turned, which is
why it says nothing of axes.
"""

from dataclasses import dataclass

import numpy as np

from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.sampled_rows import require_rows
from stabaudit.metrics.scores import ROTATION, Measure, Sides

_FEWEST = 4  # rows


def cka(a: Array, b: Array) -> float:
    """Debiased linear CKA of one pair: agreement up to rotation and one common scale.

    Args:
        a: first latents, shape (n, d_a).
        b: second latents, shape (n, d_b), of the same rows.

    Returns:
        At most 1; about 0 for unrelated latents, below it by chance. 0 where a side does not vary.

    Raises:
        BadData: fewer than 4 rows, or unequal rows.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import cka
        >>> rng = np.random.default_rng(0)
        >>> a, turn = rng.standard_normal((1000, 3)), np.linalg.qr(rng.standard_normal((3, 3)))[0]
        >>> round(cka(a, 5.0 * a @ turn), 12), abs(cka(a, rng.standard_normal((1000, 50)))) < 0.05
        (1.0, True)
    """
    require_rows(a, b, _FEWEST, "cka")
    return compared(centred(a), centred(b))


@dataclass(frozen=True)
class CentredRows:
    """Centred rows, shape (n, d), with the diagonal of their kernel and their HSIC with themselves."""

    rows: Array
    diagonal: Array
    own: float

    def permuted(self, order: Array) -> "CentredRows":
        """The same in another order."""
        return CentredRows(self.rows[order], self.diagonal[order], self.own)


def centred(z: Array) -> CentredRows:
    """Latents of shape (n, d) as what CKA needs of them."""
    rows = z.astype(np.float64) - z.mean(axis=0, dtype=np.float64)
    diagonal = (rows * rows).sum(axis=1)
    return CentredRows(rows, diagonal, _hsic(rows, diagonal, rows, diagonal))


def compared(a: CentredRows, b: CentredRows) -> float:
    """HSIC(a, b) / √(HSIC(a, a) HSIC(b, b))."""
    return alignment(_hsic(a.rows, a.diagonal, b.rows, b.diagonal), a.own, b.own)


def alignment(of_both: float, own_a: float, own_b: float) -> float:
    """HSIC(a, b) / √(HSIC(a, a) HSIC(b, b)), at most 1; 0 where a side has none with itself."""
    return 0.0 if min(own_a, own_b) <= 0 else float(min(1.0, of_both / np.sqrt(own_a * own_b)))


def _hsic(a: Array, diagonal_a: Array, b: Array, diagonal_b: Array) -> float:
    """Unbiased HSIC of centred rows under linear kernels."""
    n = len(a)
    # Row sums of K are 0 for centred rows, so those of K̃ are −diag(K).
    trace = ((a.T @ b) ** 2).sum() - diagonal_a @ diagonal_b
    sums = diagonal_a.sum() * diagonal_b.sum() / ((n - 1) * (n - 2))
    crossed = 2 / (n - 2) * (diagonal_a @ diagonal_b)
    return float((trace + sums - crossed) / (n * (n - 3)))


SCORE = Measure(
    name="cka",
    label="CKA",
    meaning="are the same rows similar? debiased linear CKA: agreement up to rotation and one scale",
    low=-np.inf,
    high=1.0,
    reference="Kornblith et al. 2019, arXiv:1905.00414; debiased: Song et al. 2012, JMLR 13:1393-1434",
    function=cka,
    sides=Sides(centred, compared, fewest=_FEWEST),
    question="shape",
    by_variance=True,
    invariances=ROTATION,
    of_versions=True,
    floors=("independence",),
    cost="n d²",
)

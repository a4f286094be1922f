"""No map at all: are the embeddings themselves the same? For vectors that other programs have stored and must not move.

*Mean cosine* is that of the angle between a row of a and the same row of b. *R² without a map* takes a for a prediction of b,
1 − Σ‖b − a‖² / Σ‖b − b̄‖². Nothing is estimated, so out-of-sample is the same formula on other rows. Neither forgives an order of
dimensions, a sign, a scale (but of mean cosine one of all dimensions) or a shift.
"""

from dataclasses import dataclass, replace

import numpy as np

from stabaudit.metrics.checks import require_equal_dimensions
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.sampled_rows import require_rows
from stabaudit.metrics.scores import Measure, Sides


@dataclass(frozen=True)
class Vectors:
    """Rows, shape (n, d)."""

    rows: Array

    def permuted(self, order: Array) -> "Vectors":
        """The same in another order."""
        return Vectors(self.rows[order])


def directions(z: Array) -> Vectors:
    """Rows of unit length; rows of zeros stay so."""
    largest = np.abs(z).max(axis=1, keepdims=True)
    scaled = z / np.where(largest > 0, largest, 1.0)
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return Vectors(scaled / np.where(lengths > 0, lengths, 1.0))


def cosine(a: Vectors, b: Vectors) -> float:
    """Mean over rows of the products of two rows of unit length."""
    require_equal_dimensions(a.rows.shape[1], b.rows.shape[1], "a and b")
    return float(np.clip(np.einsum("ij,ij->", a.rows, b.rows) / len(a.rows), -1.0, 1.0))


def unmapped(a: Vectors, b: Vectors) -> float:
    """1 − Σ‖b − a‖² / Σ‖b − b̄‖²; 0 where b does not vary."""
    require_equal_dimensions(a.rows.shape[1], b.rows.shape[1], "a and b")
    total = float(((b.rows - b.rows.mean(axis=0)) ** 2).sum())
    return 1.0 - float(((b.rows - a.rows) ** 2).sum()) / total if total > 0 else 0.0


def mean_cosine(a: Array, b: Array) -> float:
    """Mean cosine of the angles between the same rows of one pair; nothing is mapped.

    Args:
        a: first latents, shape (n, d).
        b: second latents, shape (n, d), of the same rows.

    Returns:
        In [−1, 1].

    Raises:
        BadData: no rows, or unequal rows or dimensions.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import mean_cosine
        >>> a = np.random.default_rng(0).standard_normal((100, 3))
        >>> round(mean_cosine(a, 2.0 * a), 12), round(mean_cosine(a, -a), 12)
        (1.0, -1.0)
    """
    require_rows(a, b, 1, "mean_cosine")
    return cosine(directions(a), directions(b))


def identity_r2(a: Array, b: Array) -> float:
    """R² of a as a prediction of b, in (−∞, 1]; arguments and errors as of `mean_cosine`."""
    require_rows(a, b, 1, "identity_r2")
    return unmapped(Vectors(a), Vectors(b))


SCORE = Measure(
    name="mean_cosine",
    label="cosine of rows",
    meaning="are the embeddings themselves the same? mean cosine between a row and the same row of the other restart, no map",
    low=-1.0,
    high=1.0,
    reference="our definition; as a measure of drift: Klabunde et al. 2023, arXiv:2305.06329",
    function=mean_cosine,
    sides=Sides(directions, cosine),
    question="identity",
    by_variance=True,
    invariances=("scaling",),
    equal_dimensions=True,
    of_sources=False,
    of_versions=True,
    floors=("independence",),
    cost="n d",
)
UNMAPPED = replace(
    SCORE,
    name="identity_r2",
    label="R² without a map",
    meaning="how much of one restart's variance is the other as it is?",
    low=-np.inf,
    reference="our definition: least squares without anything fitted",
    function=identity_r2,
    sides=Sides(Vectors, unmapped),
    invariances=(),
    directed=True,
)

"""Distances between rows: are the same rows far apart? (RSA, Kriegeskorte et al. 2008; dCor, Székely et al. 2007).

*RSA* correlates the Euclidean distances of all pairs of rows in a with those in b, by Pearson or by ranks (Spearman). *Distance
correlation* first takes from every matrix of distances its row and column means, A_kl = a_kl − ā_k − ā_l + ā, and is

    dCor² = Σ A_kl B_kl / √(Σ A²_kl Σ B²_kl).

In the population it is 0 only for independent latents; of few rows it lies above, which its floor shows. Distances are those of
all rows up to 1,000, and of a fixed random part of so many where there are more.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.distance import squareform

from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.sampled_rows import distances_of_rows, kept, reordered, require_rows
from stabaudit.metrics.scores import ROTATION, Measure, Sides

MOST_ROWS = 1_000
_FEWEST = 3  # rows


@dataclass(frozen=True)
class Distances:
    """A symmetric matrix of values for pairs of rows, scaled so that the products of two of them sum to their score."""

    matrix: Array

    def permuted(self, order: Array) -> "Distances":
        """The same of the rows in another order."""
        order = reordered(order, MOST_ROWS)
        return Distances(self.matrix[np.ix_(order, order)])


def distances(z: Array) -> Distances:
    """Standardised distances of rows of latents of shape (n, d)."""
    return _standardised(distances_of_rows(z, MOST_ROWS), len(z))


def distance_ranks(z: Array) -> Distances:
    """Standardised ranks of distances of rows of latents of shape (n, d)."""
    from scipy.stats import rankdata  # noqa: PLC0415 -- takes longer to load than a comparison

    return _standardised(rankdata(distances_of_rows(z, MOST_ROWS)), len(z))


def centred_distances(z: Array) -> Distances:
    """Distances without their row and column means, of unit norm."""
    found = squareform(distances_of_rows(z, MOST_ROWS))
    centred = found - found.mean(axis=0) - found.mean(axis=1)[:, None] + found.mean()
    return Distances(kept(_of_unit_norm(centred), len(z)))


def _standardised(values: Array, n: int) -> Distances:
    return Distances(kept(squareform(_of_unit_norm(values - values.mean()) / np.sqrt(2.0)), n))


def _of_unit_norm(values: Array) -> Array:
    norm = np.linalg.norm(values)
    scaled: Array = values / norm if norm > 1e-12 * np.sqrt(values.size) else np.zeros_like(values)
    return scaled


def agreement(a: Distances, b: Distances) -> float:
    """Σ A_kl B_kl, in [−1, 1]."""
    return float(np.clip(np.einsum("ij,ij->", a.matrix, b.matrix, dtype=np.float64), -1.0, 1.0))


def root_of_agreement(a: Distances, b: Distances) -> float:
    """√(Σ A_kl B_kl), in [0, 1]."""
    return float(np.sqrt(max(0.0, agreement(a, b))))


def rsa_pearson(a: Array, b: Array) -> float:
    """Correlation of the distances between rows of one pair: agreement up to rotation and one common scale.

    Args:
        a: first latents, shape (n, d_a).
        b: second latents, shape (n, d_b), of the same rows.

    Returns:
        In [−1, 1]; about 0 for unrelated latents, and 0 where a side has all rows equally far apart.

    Raises:
        BadData: fewer than 3 rows, or unequal rows.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import rsa_pearson
        >>> rng = np.random.default_rng(0)
        >>> a, turn = rng.standard_normal((300, 3)), np.linalg.qr(rng.standard_normal((3, 3)))[0]
        >>> round(rsa_pearson(a, 5.0 * a @ turn), 6), abs(rsa_pearson(a, rng.standard_normal((300, 3)))) < 0.05
        (1.0, True)
    """
    require_rows(a, b, _FEWEST, "rsa_pearson")
    return agreement(distances(a), distances(b))


def rsa_spearman(a: Array, b: Array) -> float:
    """Rank correlation of the distances between rows, in [−1, 1]; arguments and errors as of `rsa_pearson`."""
    require_rows(a, b, _FEWEST, "rsa_spearman")
    return agreement(distance_ranks(a), distance_ranks(b))


def distance_correlation(a: Array, b: Array) -> float:
    """Distance correlation, in [0, 1]: above 0 also where dependence is not linear; arguments and errors as of `rsa_pearson`."""
    require_rows(a, b, _FEWEST, "distance_correlation")
    return root_of_agreement(centred_distances(a), centred_distances(b))


SCORE = Measure(
    name="rsa_pearson",
    label="RSA",
    meaning="are the same rows far apart? correlation of the distances between rows",
    low=-1.0,
    high=1.0,
    reference="Kriegeskorte, Mur and Bandettini 2008, doi:10.3389/neuro.06.004.2008",
    function=rsa_pearson,
    sides=Sides(distances, agreement, fewest=_FEWEST),
    question="shape",
    by_variance=True,
    invariances=ROTATION,
    floors=("independence",),
    cost="1,000² d for each restart, 1,000² for each pair",
)
RANKS = replace(
    SCORE,
    name="rsa_spearman",
    label="RSA by ranks",
    meaning="rank correlation of the distances between rows",
    function=rsa_spearman,
    sides=Sides(distance_ranks, agreement, fewest=_FEWEST),
)
CORRELATION = replace(
    SCORE,
    name="distance_correlation",
    label="distance correlation",
    meaning="does one restart say anything of the other, linear or not? correlation of centred distances between rows",
    low=0.0,
    question="function",
    reference="Székely, Rizzo and Bakirov 2007, doi:10.1214/009053607000000505",
    function=distance_correlation,
    sides=Sides(centred_distances, root_of_agreement, fewest=_FEWEST),
)

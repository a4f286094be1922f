"""Do two restarts sort the rows into the same clusters? Three indices of two hard clusterings, whatever clusters are called.

With n_ij the rows in cluster i of a and j of b, S, A, B the pairs of rows that are together in both, in a, in b, I the mutual
information of the two and H their entropies,

    ARI = (S − E) / ((A + B)/2 − E),   E = A·B / (pairs of rows)           Hubert & Arabie 1985, doi:10.1007/BF01908075
    AMI = (I − E[I]) / ((H_a + H_b)/2 − E[I])                              Vinh, Epps & Bailey 2010, JMLR 11:2837
    NMI = I / ((H_a + H_b)/2)

Expectations are over all ways to shuffle the rows of one of them, so ARI and AMI are 0 on average by chance; NMI is not: it grows
with the number of clusters, from 0.002 for ten of 10,000 rows to 1 where every row is a cluster. ARI gives weight to large
clusters, AMI more to small ones (Romano et al. 2016, JMLR 17(134)). ARI is never below −1/2 (Chacón & Rastrojo 2023,
doi:10.1007/s11634-022-00491-w).

Nothing is estimated from a pair, so all rows count and there is no in-sample score.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from stabaudit.errors import BadData, counted
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import Measure

MOST_CLUSTERS = 2_000  # of one restart; more are names of rows rather than clusters


@dataclass(frozen=True)
class Clustering:
    """The cluster of every row.

    Args:
        names: what the clusters are called, ascending, shape (K,).
        of_row: position in `names` of each row's cluster, shape (n,).
    """

    names: Array
    of_row: Array

    @classmethod
    def of(cls, assigned: Array, where: str = "clusters") -> "Clustering":
        """The clustering that assigns each row a name, integers or text, shape (n,).

        Raises:
            BadData: no rows, missing names, or more clusters than any table could show.

        >>> Clustering.of(np.array(["b", "a", "b"])).of_row.tolist()
        [1, 0, 1]
        """
        values = np.asarray(assigned)
        if values.ndim != 1 or not len(values):
            raise BadData(f"{where}: shape {values.shape}, expected the cluster of each row, shape (n,)")
        if values.dtype.kind not in "iuUb":
            raise BadData(f"{where}: {values.dtype}, expected integers or text, the cluster of each row")
        names, of_row = np.unique(values, return_inverse=True)
        absent = [name for name in names.tolist() if name in _ABSENT]
        if absent:
            rows = int(np.isin(values, absent).sum())
            have = "has" if rows == 1 else "have"
            raise BadData(
                f"{where}: {counted(rows, 'row')} {have} no cluster ({absent[0]!r}); give every row one, or leave such rows out"
            )
        if len(names) > MOST_CLUSTERS:
            raise BadData(
                f"{where}: {len(names):,} clusters of {len(values):,} rows, expected at most {MOST_CLUSTERS:,}; "
                "is it a column that names rows?"
            )
        return cls(names, of_row)

    def __len__(self) -> int:
        """How many clusters there are."""
        return len(self.names)

    @cached_property
    def sizes(self) -> Array:
        """Rows of each cluster, shape (K,)."""
        return np.bincount(self.of_row, minlength=len(self))

    @cached_property
    def entropy(self) -> float:
        """In nats."""
        share = self.sizes / self.sizes.sum()
        return float(-(share * np.log(share)).sum())

    def permuted(self, order: Array) -> "Clustering":
        """The same of the rows in another order, shape (n,)."""
        return Clustering(self.names, self.of_row[order])


_ABSENT = {"", "nan", "NaN", "<NA>"}  # as programs write what is missing


class Agreement(NamedTuple):
    """How far two clusterings agree: 1 the same; adjusted ones 0 on average by chance."""

    rand: float
    mutual_information: float
    normalised_information: float


def overlap(a: Clustering, b: Clustering) -> Array:
    """Rows in each cluster of a and of b, shape (K_a, K_b), integers.

    Raises:
        BadData: other rows.
    """
    if len(a.of_row) != len(b.of_row):
        raise BadData(f"clusterings of {len(a.of_row)} and {len(b.of_row)} rows; give those of the same rows")
    counts: Array = np.bincount(a.of_row * len(b) + b.of_row, minlength=len(a) * len(b))
    return counts.reshape(len(a), len(b))


def agreement(a: Clustering, b: Clustering, expected: float | None = None) -> Agreement:
    """All three indices of two clusterings of the same rows.

    Args:
        a: clusters of n rows.
        b: other clusters of them.
        expected: their mutual information by chance, as from `expected_information`, where it is known.

    Example:
        >>> a = np.array([0, 0, 1, 1, 2, 2])
        >>> agreement(Clustering.of(a), Clustering.of(np.array(list("xyz"))[a])).rand
        1.0
    """
    counts = overlap(a, b)
    rand = _rand(counts, a.sizes, b.sizes)
    if len(a) == len(b) == 1:
        return Agreement(rand, 1.0, 1.0)
    if min(len(a), len(b)) == 1:
        return Agreement(rand, 0.0, 0.0)
    shared = _information(counts, a.sizes, b.sizes)
    mean = (a.entropy + b.entropy) / 2
    chance = expected_information(a, b) if expected is None else expected
    # Both differences are 0 where every row is a cluster of its own, in a and in b: the same clusters.
    adjusted = _away_from_zero(shared - chance) / _away_from_zero(mean - chance)
    return Agreement(rand, min(adjusted, 1.0), min(shared / mean, 1.0))


def expected_information(a: Clustering, b: Clustering) -> float:
    """Mutual information of two clusterings in nats, mean over all ways to shuffle rows; it follows from their sizes alone."""
    from sklearn.metrics.cluster import expected_mutual_information  # noqa: PLC0415 -- scikit-learn takes its time to load

    return float(expected_mutual_information(overlap(a, b), len(a.of_row)))


def adjusted_rand(a: Array, b: Array) -> float:
    """Adjusted Rand index of two clusterings of the same rows.

    Args:
        a: cluster of each row, integers or text, shape (n,).
        b: likewise, shape (n,).

    Returns:
        In [−1/2, 1], 0 on average by chance; 1 where both put all rows together, or none.

    Example:
        >>> adjusted_rand(np.array([0, 0, 1, 1]), np.array([7, 7, 5, 5]))
        1.0
    """
    one, other = (_of_any(values) for values in (a, b))
    return _rand(overlap(one, other), one.sizes, other.sizes)


def _of_any(values: Array) -> Clustering:
    """Classes of labels, which may be many, or absent in some rows."""
    names, of_row = np.unique(values, return_inverse=True)
    return Clustering(names, of_row)


def _rand(counts: Array, of_a: Array, of_b: Array) -> float:
    together, in_a, in_b = (float(_pairs(part).sum()) for part in (counts, of_a, of_b))
    every = float(_pairs(of_a.sum()))
    expected = in_a * in_b / every if every else 0.0
    most = (in_a + in_b) / 2
    return 1.0 if most == expected else (together - expected) / (most - expected)


def _pairs(count: Array) -> Array:
    found: Array = count * (count - 1) / 2
    return found


def _information(counts: Array, of_a: Array, of_b: Array) -> float:
    """Mutual information in nats."""
    i, j = np.nonzero(counts)
    n, shared = counts.sum(), counts[i, j]
    terms = shared / n * (np.log(shared) - np.log(of_a[i]) - np.log(of_b[j]) + math.log(n))
    return max(0.0, float(terms.sum()))


def _away_from_zero(x: float) -> float:
    return math.copysign(max(abs(x), float(np.finfo(np.float64).eps)), x)


SCORE = Measure(
    name="clusters_ari",
    label="clusters, ARI",
    meaning="are rows together in the same clusters? pairs of rows that are, beyond chance",
    low=-0.5,
    high=1.0,
    reference="adjusted Rand index: Hubert and Arabie 1985, doi:10.1007/BF01908075",
    floors=("independence",),
    needs="labels",
    of_sources=False,
    option="--clusters K",
    cost="n + K² for each pair; k-means n K d for each restart",
)
INFORMATION = replace(
    SCORE,
    name="clusters_ami",
    label="clusters, AMI",
    meaning="mutual information of the clusters of two restarts, beyond chance, relative to their mean entropy",
    low=-math.inf,
    reference="adjusted mutual information: Vinh, Epps and Bailey 2010, JMLR 11:2837",
    brief=False,
)
NORMALISED = replace(
    INFORMATION,
    name="clusters_nmi",
    label="clusters, NMI",
    meaning="mutual information of the clusters of two restarts relative to their mean entropy; chance raises it",
    low=0.0,
    reference="normalised mutual information, arithmetic mean: Vinh, Epps and Bailey 2010, JMLR 11:2837",
)

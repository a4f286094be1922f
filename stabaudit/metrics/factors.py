"""Known factors of variation as scores of one restart see them: kinds, classes, bins, and the rows that are used.

*Kinds.* A factor with at most 50 distinct values, fewer than half as many as there are rows, is discrete: its values are classes
and their order counts for nothing. Any other is continuous. Where a score needs classes of a continuous factor, or of latents,
these are 20 bins of equal frequency (fewer where a bin would hold fewer than ten rows), found by midranks, so that ties stay
together and no monotone map of a column, nor a change of its sign, changes a bin. Published code bins by equal width (Locatello
et al. 2019, arXiv:1811.12359), where one outlier moves every edge; definitions are those that Carbonneau et al. 2022,
arXiv:2012.09276, compare.

*Factors that do not vary* on the rows at hand say nothing of latents and are left out of every mean.

*Rows.* A score uses a fixed random part of either half where there are more rows than it can afford (`halved`).
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from stabaudit.errors import BadData, counted
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.sampled_rows import require_rows, sampled

MOST_VALUES = 50  # of a discrete factor
BINS = 20  # Locatello et al. 2019
ROWS_PER_BIN = 10


class Rows(NamedTuple):
    """Latents and factors of the same rows, shapes (n, d) and (n, K)."""

    latents: Array
    factors: Array


class Halved(NamedTuple):
    """The rows that a score is estimated on and those that it is scored on, and which factors are discrete, shape (K,)."""

    fit: Rows
    score: Rows
    discrete: Array


def halved(latents: Array, factors: Array, fit: Array | None, most: int, score: str) -> Halved:
    """Latents and factors by halves, at most so many rows of either.

    Args:
        latents: of one restart, shape (n, d).
        factors: of the same rows, shape (n, K).
        fit: True for rows of *fit*, shape (n,); None: all rows serve as both.
        most: rows of a half; of more, a random choice that depends on their number alone.
        score: what to call the score in a message.

    Raises:
        BadData: unequal rows, no factors, NaN, or fewer than two rows in a half.
    """
    require_rows(latents, factors, 2, score)
    for values, what in ((latents, "latents"), (factors, "factors")):
        if values.ndim != 2 or values.shape[1] == 0:
            raise BadData(f"{score}: {what} have shape {values.shape}, expected (n, {'d' if what == 'latents' else 'K'})")
        if not np.isfinite(values).all():
            raise BadData(f"{score}: {what} hold NaN or infinite values")
    parts = [np.arange(len(latents))] * 2 if fit is None else [np.flatnonzero(fit), np.flatnonzero(~fit)]
    if min(map(len, parts)) < 2:
        raise BadData(f"{score}: {counted(min(map(len, parts)), 'row')} in a half, expected at least 2")
    parts = [rows[sampled(len(rows), most)] for rows in parts]
    inside, outside = (Rows(latents[rows].astype(np.float64), factors[rows].astype(np.float64)) for rows in parts)
    return Halved(inside, outside, np.array([is_discrete(column) for column in factors.T]))


def is_discrete(values: Array) -> bool:
    """Whether a factor, shape (n,), is taken for classes.

    >>> is_discrete(np.tile([1.0, 2.0, 3.0], 10)), is_discrete(np.arange(30.0))
    (True, False)
    """
    distinct = len(np.unique(values))
    return distinct <= MOST_VALUES and 2 * distinct < len(values)


def bins_for(n: int, most: int = BINS) -> int:
    """How many bins n rows are put into.

    >>> bins_for(1000), bins_for(45), bins_for(3)
    (20, 4, 2)
    """
    return int(np.clip(n // ROWS_PER_BIN, 2, most))


def binned(values: Array) -> Array:
    """Columns as numbers of their bins of equal frequency, shape (n, d); a constant column is in one bin.

    >>> binned(np.array([[5.0], [1.0], [7.0], [3.0]])).ravel().tolist()
    [1, 0, 1, 0]
    """
    from scipy.stats import rankdata  # noqa: PLC0415 -- takes longer to load than a comparison

    n = len(values)
    ranks = rankdata(values, axis=0)
    found: Array = ((ranks - 0.5) / n * bins_for(n)).astype(np.intp)
    return found


def coded(factors: Array, discrete: Array) -> Array:
    """Factors as classes, shape (n, K): values of discrete ones, bins of others."""
    codes = binned(factors)
    for k in np.flatnonzero(discrete):
        codes[:, k] = np.unique(factors[:, k], return_inverse=True)[1]
    return codes


def classes(fit: Array, score: Array, *, discrete: bool, most: int = BINS) -> tuple[Array, Array]:
    """One factor as classes numbered from 0 on both halves, shapes (n_fit,) and (n_score,).

    Those of a continuous one lie between quantiles of *fit*.
    """
    if discrete:
        both = np.unique(np.concatenate([fit, score]), return_inverse=True)[1]
        return both[: len(fit)], both[len(fit) :]
    edges = edges_of(fit, most)
    return np.searchsorted(edges, fit, side="right"), np.searchsorted(edges, score, side="right")


def edges_of(values: Array, most: int = BINS) -> Array:
    """Inner edges of bins of equal frequency of one column, ascending, each once."""
    count = bins_for(len(values), most)
    return np.unique(np.quantile(values, np.arange(1, count) / count))


def varying(factors: Array) -> Array:
    """Numbers of the factors that vary over rows, shape (n, K)."""
    return np.flatnonzero((factors != factors[:1]).any(axis=0))


def standardised(rows: Halved) -> tuple[Array, Array]:
    """Latents of both halves in units of *fit*: mean 0, standard deviation 1; what does not vary there is 0."""
    centre = rows.fit.latents.mean(axis=0)
    largest = np.abs(rows.fit.latents - centre).max(axis=0)
    alive = largest > np.finfo(np.float64).eps * np.abs(rows.fit.latents).max(axis=0) * _RESOLVED
    unit = np.where(alive, largest, 1.0)
    inside, outside = ((half.latents - centre) / unit * alive for half in (rows.fit, rows.score))
    deviation = np.where(alive, inside.std(axis=0), 1.0)
    return inside / deviation, outside / deviation


_RESOLVED = 8  # units in the last place, below which a column does not vary


def mean_over(values: Array) -> float:
    """The mean over factors; 0 where none varies."""
    return float(np.mean(values)) if len(values) else 0.0


@contextmanager
def quietly() -> Iterator[None]:
    """A context in which solvers may stop at their limit of steps without a warning; enter it before threads are started."""
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 -- takes longer to load than a comparison

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield

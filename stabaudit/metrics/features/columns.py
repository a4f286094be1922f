"""Features as columns of unit length, whose products are their similarities.

Of activations X, shape (n, d), feature k is the centred column x_k − x̄_k divided by its length, so that products are
correlations. Of decoder weights W, shape (d, m), it is the row w_k divided by its length, so that products are cosines.
Nothing is stored but means and lengths: columns are standardised as they are read, centred in double precision before they are
narrowed to single.

A sparse column is not centred, which would fill it: with x = s·‖x − x̄‖ its products are corrected afterwards,

    corr(a, b) = s_aᵀ s_b − o_a o_b,      o = √n x̄ / ‖x − x̄‖.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from stabaudit.errors import BadData

Array = NDArray[Any]
CHUNK = 32 * 10**6  # bytes of the rows that are looked at together
RESOLVED = 1e-12  # standard deviation relative to the largest value, below which a column is constant but for rounding
LARGE_OFFSETS = 16.0  # products of o, above which single precision would blur what is left of them


@dataclass(frozen=True)
class DenseColumns:
    """Columns of a dense table.

    Args:
        values: shape (N, D); it may lie in a file.
        rows: those that count, shape (n,), integers.
        columns: those that count, shape (d,), integers.
        mean: of each column, shape (d,); zeros where directions are compared.
        length: ‖x − mean‖, shape (d,).
        varies: whether the column is more than a constant, shape (d,); whether a direction has a length.
        centred: whether they are activations.
    """

    values: Array
    rows: Array
    columns: Array
    mean: Array
    length: Array
    varies: Array
    centred: bool

    @classmethod
    def of_activations(cls, values: Array, rows: Array, name: str) -> "DenseColumns":
        """Centred columns on some rows.

        Raises:
            BadData: NaN or infinity, naming a feature.
        """
        d = values.shape[1]
        total, largest = np.zeros(d), np.zeros(d)
        step = max(1, CHUNK // (8 * d))
        chunks = [rows[start : start + step] for start in range(0, len(rows), step)]
        with np.errstate(over="ignore", invalid="ignore"):
            for chunk in chunks:
                block = values[chunk].astype(np.float64)
                total += block.sum(axis=0)
                largest = np.maximum(largest, np.abs(block).max(axis=0, initial=0.0))
        _require_finite(total + largest, name)
        mean, unit = total / max(len(rows), 1), np.where(largest > 0, largest, 1.0)
        squares = np.zeros(d)
        for chunk in chunks:
            squares += np.square((values[chunk] - mean) / unit).sum(axis=0)
        return cls._measured(values, rows, mean, unit, squares, centred=True)

    @classmethod
    def of_directions(cls, weights: Array, name: str) -> "DenseColumns":
        """Rows of decoder weights, shape (d, m), as columns that are not centred.

        Raises:
            BadData: NaN or infinity, naming a feature.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            largest = np.abs(weights).max(axis=1, initial=0.0).astype(np.float64)
        _require_finite(largest, name)
        unit = np.where(largest > 0, largest, 1.0)
        squares = np.empty(len(weights))
        step = max(1, CHUNK // (8 * weights.shape[1]))
        for start in range(0, len(weights), step):
            here = slice(start, start + step)
            squares[here] = np.square(weights[here] / unit[here, None]).sum(axis=1)
        return cls._measured(weights.T, np.arange(weights.shape[1]), np.zeros(len(weights)), unit, squares, centred=False)

    @classmethod
    def _measured(cls, values: Array, rows: Array, mean: Array, unit: Array, squares: Array, *, centred: bool) -> "DenseColumns":
        varies = np.sqrt(squares / max(len(rows), 1)) > RESOLVED
        length = np.where(varies, unit * np.sqrt(squares), 1.0)
        return cls(values, rows, np.arange(len(mean)), mean, length, varies, centred)

    @property
    def density(self) -> float:
        """Fraction of values that count as non-zero."""
        return 1.0

    def of(self, kept: Array) -> "DenseColumns":
        """Some of the columns; `kept` are positions or a mask, shape (d,)."""
        return replace(self, columns=self.columns[kept], mean=self.mean[kept], length=self.length[kept], varies=self.varies[kept])

    def shuffled(self, rng: np.random.Generator) -> "DenseColumns":
        """The same columns on rows in a random order."""
        return replace(self, rows=rng.permutation(self.rows))

    def thinned(self, most: int) -> "DenseColumns":
        """The same activations on so many of the rows at most, evenly spaced; directions as they are."""
        if not self.centred or len(self.rows) <= most:
            return self
        rows = self.rows[np.linspace(0, len(self.rows) - 1, most).astype(np.int64)]
        return self.of_activations(self.values, rows, "features").of(self.columns)

    def standardised(self, rows: slice, columns: Array | slice, precision: type = np.float32) -> Array:
        """Entries of the unit columns, shape (rows, columns)."""
        chosen = self.columns[columns]
        every = len(chosen) == self.values.shape[1] and np.array_equal(chosen, np.arange(len(chosen)))
        block = self.values[self.rows[rows]] if every else self.values[np.ix_(self.rows[rows], chosen)]
        found: Array = ((block - self.mean[columns]) / self.length[columns]).astype(precision, copy=False)
        return found


@dataclass(frozen=True)
class SparseColumns:
    """Columns of a sparse table.

    Args:
        scaled: values divided by the length of their column, shape (n, d), double precision.
        offset: √n·mean/length, shape (d,).
        mean, length, varies: as of `DenseColumns`.
    """

    scaled: sparse.csc_array
    offset: Array
    mean: Array
    length: Array
    varies: Array

    @classmethod
    def of_activations(cls, values: sparse.csr_array, rows: Array, name: str) -> "SparseColumns":
        """Columns on some rows of a table, shape (N, d), no entry of which is stored twice.

        Raises:
            BadData: NaN or infinity, naming a feature.
        """
        columns = values[rows].astype(np.float64).tocsc()
        n, d = columns.shape
        held = np.diff(columns.indptr)
        column = np.repeat(np.arange(d), held)
        largest = np.zeros(d)
        with np.errstate(over="ignore", invalid="ignore"):
            np.maximum.at(largest, column, np.abs(columns.data))
            mean = np.bincount(column, columns.data, d).astype(np.float64) / max(n, 1)
        _require_finite(mean + largest, name)
        unit = np.where(largest > 0, largest, 1.0)
        # Of no numbers at all, bincount counts integers.
        squares = np.bincount(column, np.square((columns.data - mean[column]) / unit[column]), d).astype(np.float64)
        squares += (n - held) * np.square(mean / unit)
        varies = np.sqrt(squares / max(n, 1)) > RESOLVED
        length = np.where(varies, unit * np.sqrt(squares), 1.0)
        scaled = sparse.csc_array((columns.data / length[column], columns.indices, columns.indptr), shape=(n, d))
        return cls(scaled, np.sqrt(n) * mean / length, mean, length, varies)

    @property
    def rows(self) -> Array:
        """Positions of the rows, shape (n,)."""
        return np.arange(self.scaled.shape[0])

    @property
    def density(self) -> float:
        """Fraction of values that are stored."""
        return float(self.scaled.nnz / max(self.scaled.shape[0] * self.scaled.shape[1], 1))

    def of(self, kept: Array) -> "SparseColumns":
        """Some of the columns; `kept` are positions or a mask, shape (d,)."""
        return SparseColumns(self.scaled[:, kept], self.offset[kept], self.mean[kept], self.length[kept], self.varies[kept])

    def shuffled(self, rng: np.random.Generator) -> "SparseColumns":
        """The same columns on rows in a random order."""
        place = np.argsort(rng.permutation(self.scaled.shape[0])).astype(self.scaled.indices.dtype)
        # Sorting works in place, on numbers that must not be those of this one.
        parts = (self.scaled.data.copy(), place[self.scaled.indices], self.scaled.indptr)
        moved = sparse.csc_array(parts, shape=self.scaled.shape)
        moved.sort_indices()
        return replace(self, scaled=moved)

    def standardised(self, rows: slice, columns: Array | slice, precision: type = np.float32) -> Array:
        """Entries of the unit columns, shape (rows, columns)."""
        block = self.by_row[rows][:, np.arange(len(self.mean))[columns]].toarray() - self.offset[columns] / np.sqrt(
            self.scaled.shape[0]
        )
        found: Array = block.astype(precision, copy=False)
        return found

    @cached_property
    def by_row(self) -> sparse.csr_array:
        """`scaled`, stored row by row."""
        return self.scaled.tocsr()


Columns = DenseColumns | SparseColumns


def columns_of(values: Array | sparse.csr_array, rows: Array, name: str) -> Columns:
    """Columns of activations, dense or sparse."""
    if sparse.issparse(values):
        return SparseColumns.of_activations(values, rows, name)
    return DenseColumns.of_activations(values, rows, name)


def count_of(columns: Columns) -> int:
    """How many columns there are."""
    return len(columns.mean)


def paired(a: Columns, of_a: Array, b: Columns, of_b: Array) -> Array:
    """Similarity of column of_a[k] of a and column of_b[k] of b, shape (m,), in [−1, 1]."""
    found = np.empty(len(of_a))
    step = max(1, min(1024, CHUNK // (8 * max(len(a.rows), 1)))) if not _both_sparse(a, b) else 4096
    for start in range(0, len(of_a), step):
        i, j = of_a[start : start + step], of_b[start : start + step]
        if isinstance(a, SparseColumns) and isinstance(b, SparseColumns):
            products = a.scaled[:, i].multiply(b.scaled[:, j]).sum(axis=0)
            found[start : start + step] = np.asarray(products).ravel() - a.offset[i] * b.offset[j]
        else:
            found[start : start + step] = _over_rows(len(a.rows), len(i), partial(_row_products, a, i, b, j))
    return np.clip(found, -1.0, 1.0)


def _row_products(a: Columns, i: Array, b: Columns, j: Array, rows: slice) -> Array:
    found: Array = np.einsum("ij,ij->j", a.standardised(rows, i, np.float64), b.standardised(rows, j, np.float64))
    return found


def crossed(a: Columns, of_a: Array, b: Columns, of_b: Array) -> Array:
    """Similarities of some columns of a with some of b, shape (len(of_a), len(of_b))."""
    if isinstance(a, SparseColumns) and isinstance(b, SparseColumns):
        products = (a.scaled[:, of_a].T @ b.scaled[:, of_b]).toarray()
        found: Array = products - np.outer(a.offset[of_a], b.offset[of_b])
        return found
    return _over_rows(
        len(a.rows),
        len(of_a) + len(of_b),
        lambda rows: a.standardised(rows, of_a, np.float64).T @ b.standardised(rows, of_b, np.float64),
    )


def firing_rates(values: Array | sparse.csr_array) -> Array:
    """Fraction of rows in which each feature is not 0, shape (d,)."""
    n, d = values.shape
    if sparse.issparse(values):
        return np.asarray(np.bincount(values.indices[values.data != 0], minlength=d) / n)
    fired = np.zeros(d)
    step = max(1, CHUNK // (8 * d))
    for start in range(0, n, step):
        fired += np.count_nonzero(values[start : start + step], axis=0)
    return np.asarray(fired / n)


def _both_sparse(a: Columns, b: Columns) -> bool:
    return isinstance(a, SparseColumns) and isinstance(b, SparseColumns)


def _over_rows(count: int, width: int, work: Callable[[slice], Array]) -> Array:
    """The sum in double precision of what `work` makes of each block of rows."""
    step = max(1, CHUNK // (16 * max(width, 1)))
    total: Array = np.zeros(())
    for start in range(0, count, step):
        total = total + work(slice(start, start + step))
    return total


def _require_finite(statistic: Array, name: str) -> None:
    spoilt = np.flatnonzero(~np.isfinite(statistic))
    if len(spoilt):
        more = "" if len(spoilt) == 1 else f" and {len(spoilt) - 1:,} more"
        raise BadData(f"{name}: feature {spoilt[0]}{more} holds NaN or infinite values; expected finite numbers")

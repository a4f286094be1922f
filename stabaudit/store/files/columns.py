"""Columns of a table and the arrays they stand for."""

import math
import re
import warnings
from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stabaudit.errors import BadData, Noticed, counted

Array = NDArray[Any]
Grid = tuple[int, int, int]  # (h, w, d): d numbers at each of h×w positions

_NOT_DIMENSIONS = {"sample_id", "label", "split"}
_SHARE = 0.5  # of a column's sum of squares: such a row outweighs all others together
_BLUR = 1e-4  # of a column's standard deviation; rounding errors of this size change a correlation by 1e-8


def names_of(prefix: str, count: int, grid: Grid | None = None) -> list[str]:
    """Names of dimensions: `prefix0`, `prefix1`, …, or on a grid `prefix{row}_{column}_{k}`, positions row by row.

    >>> names_of("z", 2), names_of("z", 4, (1, 2, 2))
    (['z0', 'z1'], ['z0_0_0', 'z0_0_1', 'z0_1_0', 'z0_1_1'])
    """
    if grid is None:
        return [f"{prefix}{k}" for k in range(count)]
    return [f"{prefix}{row}_{column}_{k}" for row, column, k in product(*map(range, grid))]


def numbered(prefix: str, values: Array, grid: Grid | None = None) -> dict[str, Array]:
    """A matrix of shape (n, d) as d columns with the names that `names_of` gives."""
    names = names_of(prefix, values.shape[1], grid)
    return {name: np.ascontiguousarray(column) for name, column in zip(names, values.T, strict=True)}


def run_of(prefix: str, names: list[str], where: str) -> list[str]:
    """Those of `names` that are `prefix0`, `prefix1`, … in the order of their numbers.

    Raises:
        BadData: where one is missing in between.

    >>> run_of("z", ["z1", "label", "z0"], "a.parquet")
    ['z0', 'z1']
    """
    found = {name for name in names if re.fullmatch(rf"{prefix}(0|[1-9]\d*)", name)}
    wanted = [f"{prefix}{k}" for k in range(len(found))]
    missing = [name for name in wanted if name not in found]
    if missing:
        raise BadData(f"{where}: column {missing[0]} is missing among {counted(len(found), 'column')} {prefix}0, {prefix}1, …")
    return wanted


def grid_of(names: list[str], prefix: str = "z") -> Grid | None:
    """The grid (h, w, d) that is as large as the largest row, column and number in names such as `z0_3_1`; None without any.

    >>> grid_of(["z0_0_0", "z0_1_0", "label"])
    (1, 2, 1)
    """
    found = [match.groups() for name in names if (match := re.fullmatch(rf"{prefix}(\d+)_(\d+)_(\d+)", name))]
    if not found:
        return None
    h, w, d = (max(map(int, indices)) + 1 for indices in zip(*found, strict=True))
    return h, w, d


def run_or_grid(prefix: str, names: list[str], where: str) -> list[str]:
    """As `run_of`, or where there are none of those, `prefix{row}_{column}_{k}` row by row.

    Raises:
        BadData: where one is missing in between.
    """
    found, grid = run_of(prefix, names, where), grid_of(names, prefix)
    if found or grid is None:
        return found
    count = sum(1 for name in names if grid_of([name], prefix))
    if count != math.prod(grid) or not set(names) >= set(wanted := names_of(prefix, count, grid)):
        shape = "×".join(map(str, grid))
        found_ones = f"{counted(count, 'column')} {prefix}ROW_COLUMN_NUMBER"
        raise BadData(f"{where}: {found_ones}, expected all {math.prod(grid)} of a {shape} grid")
    return wanted


def dimensions(schema: pa.Schema, where: str) -> list[str]:
    """The columns that are latent dimensions.

    They are z0, z1, … or, on a grid, z0_0_0, …; where there are none, all that are not known to be something else.

    Raises:
        BadData: where there are none, or one is missing or repeated.
    """
    names = schema.names
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise BadData(f"{where}: several columns are called {repeated[0]!r}; columns need names of their own")
    found = run_or_grid("z", names, where) or [
        name for name in names if name not in _NOT_DIMENSIONS and not re.fullmatch(r"__index_level_\d+__|log_var\d+", name)
    ]
    if not found:
        raise BadData(f"{where}: no latent dimensions; expected columns z0, z1, … or other columns of numbers")
    return found


def numbers(table: pa.Table, name: str, where: str) -> Array:
    """A column of numbers, shape (n,); what is absent is NaN.

    Raises:
        BadData: where it holds anything else.
    """
    column = table.column(name)
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise BadData(f"{where}: column {name!r} is {kind}, expected numbers; remove it, or name the dimensions z0, z1, …")
    if column.null_count or pa.types.is_decimal(kind):
        column = column.cast(pa.float64(), safe=False).fill_null(math.nan)
    return _array(column)


def matrix(table: pa.Table, names: list[str], where: str) -> NDArray[Any]:
    """Columns of numbers as a matrix, shape (n, d), each column contiguous; what is absent is NaN.

    Returns:
        float32, or float64 where that would round away what tells the values of a column apart (see `narrowed`).

    Raises:
        BadData: where one does not hold numbers.
    """
    read = [numbers(table, name, where) for name in names]
    dtype = np.float64 if any(map(_needs_double, read)) else np.float32
    values = np.empty((len(names), table.num_rows), dtype=dtype)
    for row, column in zip(values, read, strict=True):
        with np.errstate(over="ignore"):  # beyond float32 becomes infinite
            row[:] = column
    return values.T


def kind_of(values: Array) -> str:
    """What an array holds, in words where numpy's own are not: "text", "Python objects", "int64".

    >>> kind_of(np.array(["a"])), kind_of(np.array([1]))
    ('text', 'int64')
    """
    return {"U": "text", "S": "bytes", "O": "Python objects", "V": "records"}.get(values.dtype.kind, str(values.dtype))


def narrowed(values: Array) -> Array:
    """Numbers as float32, or as float64 where rounding to float32 would blur a column: its spread is small beside its size.

    Args:
        values: shape (n, d), of any type of number.

    >>> narrowed(np.array([[0.5], [1.5]])).dtype, narrowed(np.array([[1e8], [1e8 + 1]])).dtype
    (dtype('float32'), dtype('float64'))
    """
    dtype = np.float64 if any(map(_needs_double, values.T)) else np.float32
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def _needs_double(column: Array) -> bool:
    """Whether float32 rounds a column by more than 1e-4 of its standard deviation, or cannot hold it."""
    if column.dtype in {np.dtype(np.float32), np.dtype(np.float16)} or not len(column):
        return False
    values = column.astype(np.float64)
    largest = float(np.abs(values).max())
    if not np.isfinite(largest):
        return False
    spread = float((values - values[0]).std())
    single = np.finfo(np.float32)
    too_large, blurred = largest > float(single.max), largest * float(single.eps) > _BLUR * spread
    return bool(spread > 0 and (too_large or blurred))


def names_or_codes(table: pa.Table, name: str, where: str) -> Array:
    """A column of names or codes, shape (n,): integers or text, none absent.

    Whole numbers of a floating type and bits are taken as integers, dates and times as their ISO text, bytes as UTF-8 text.

    Raises:
        BadData: where a value is absent or it holds anything else.
    """
    column = table.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.null_count:
        raise BadData(f"{where}: {name} is absent in {counted(column.null_count, 'row')}; fill it in or drop the column")
    column = _as_names(column, name, where)
    if pa.types.is_integer(column.type):
        return _array(column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        return np.array(column.to_pylist(), dtype=np.str_)
    raise BadData(f"{where}: {name} is {column.type}, expected integers or text")


def _as_names(column: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    """Bits and whole numbers as integers, times and bytes as text; other columns as they are."""
    kind = column.type
    try:
        if pa.types.is_boolean(kind):
            return column.cast(pa.int8())
        if pa.types.is_temporal(kind):
            return column.cast(pa.string())
        if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            return column.cast(pa.int64())
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
            return column.cast(pa.binary()).cast(pa.string())
    except pa.ArrowInvalid as error:
        what = "bytes that are not UTF-8" if "UTF" in str(error) else f"{kind} with fractions"
        raise BadData(f"{where}: {name} holds {what}, expected integers or text") from error
    return column


def labels(table: pa.Table, where: str) -> Array | None:
    """The column `label`, shape (n,), integers or text; absent ones are "" among text. None without such a column.

    Raises:
        BadData: where it holds anything else.
    """
    if "label" not in table.column_names:
        return None
    column = table.column("label")
    if not column.null_count:
        return names_or_codes(table, "label", where)
    have = "has" if column.null_count == 1 else "have"
    said = f"label is absent in {counted(column.null_count, 'row')}, which {have} no class"
    warnings.warn(Noticed(where, said), stacklevel=4)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return np.array(["" if value is None else str(value) for value in column.to_pylist()], dtype=np.str_)


def _array(column: pa.ChunkedArray) -> Array:
    # Arrow's own to_numpy would import pandas, which takes longer than to compare ten restarts.
    return np.from_dlpack(column.combine_chunks())


def outliers(z: Array) -> list[tuple[int, int, float]]:
    """Column, row and share of its sum of squares of every row that has more than half of it.

    Args:
        z: a table of numbers, shape (n, d).

    >>> z = np.random.default_rng(0).standard_normal((100, 2))
    >>> z[7, 1] = 1e6
    >>> outliers(z)
    [(1, 7, 1.0)]
    """
    centred = z - np.median(z, axis=0).astype(np.float64)
    largest = np.abs(centred).max(axis=0)
    squares = np.square(centred / np.where(largest > 0, largest, 1.0))
    total = squares.sum(axis=0)
    rows = squares.argmax(axis=0)
    shares = squares.max(axis=0) / np.where(total > 0, total, 1.0)
    return [(int(k), int(rows[k]), round(float(shares[k]), 6)) for k in np.flatnonzero(shares > _SHARE)]

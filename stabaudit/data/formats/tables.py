"""`.parquet`, `.feather`, `.csv` and `.tsv` files: one row a sample, one named column a dimension."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from stabaudit.data.dataset import Array, to_float32
from stabaudit.errors import BadData, Guessed, counted
from stabaudit.registry import unknown
from stabaudit.store.files import csv_table, parquet
from stabaudit.store.files.feather import read_feather
from stabaudit.store.imports.foreign_files import kind
from stabaudit.store.imports.recognise import id_column


@dataclass(frozen=True)
class Columns:
    """Columns that are not x, by name: the auxiliary variable, the class and the name of a row."""

    u: tuple[str, ...] = ()
    label: str | None = None
    sample_id: str | None = None

    def named(self) -> set[str]:
        """All of them."""
        return {*self.u, *filter(None, [self.label, self.sample_id])}


def read_table(path: Path, columns: Columns) -> dict[str, Array]:
    """Read x and whatever `columns` names: arrays "x", "u", "labels", "sample_id"; "x_columns" names the columns of x.

    A single column of u keeps its type, so that integers and text are recognised as categories; several become numbers.

    Raises:
        BadData: not a table, no rows, missing or non-numeric values (which column), columns of one name.
        UsageError: a named column that the file lacks.
    """
    table, index = _csv(path, columns) if kind(path) in csv_table.SUFFIXES else _arrow(path)
    names = table.column_names
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise BadData(f"{path}: several columns are called {repeated[0]!r}; columns need names of their own")
    if table.num_rows == 0:
        raise BadData(f"{path}: no rows")
    for name in sorted(columns.named()):
        if name not in names:
            raise unknown(f"column of {path}", name, names)
    if columns.sample_id is None and (found := id_column(table)) not in {None, *columns.named(), *index}:
        warnings.warn(
            Guessed(str(path), f"its rows are named by its column '{found}'", f"write --id-column '{found}'"), stacklevel=4
        )
        columns = replace(columns, sample_id=found)
    features = [name for name in names if name not in columns.named() | index]
    if not features:
        raise BadData(f"{path}: no columns are left for x")
    arrays = {"x": _numbers(table, features, path), "x_columns": np.array(features)}
    if columns.u:
        arrays["u"] = _values(table, columns.u[0], path) if len(columns.u) == 1 else _numbers(table, list(columns.u), path)
    if columns.label:
        arrays["labels"] = _values(table, columns.label, path)
    if columns.sample_id:
        arrays["sample_id"] = _values(table, columns.sample_id, path)
    return arrays


def _csv(path: Path, columns: Columns) -> tuple[pa.Table, set[str]]:
    """The columns of a CSV file, and that none of them is an index."""
    table = csv_table.read_csv(path, ids=columns.sample_id, wanted=columns.named())
    if not table.headed:
        raise BadData(f"{path}: the first line must name the columns, but it holds numbers")
    return table.columns, set()


def _arrow(path: Path) -> tuple[pa.Table, set[str]]:
    """The columns of a Parquet or Feather file, and the names of those that pandas wrote as its index, which are no features."""
    try:
        table = read_feather(path) if kind(path) == ".feather" else parquet.read_table(path)
        table.validate(full=True)
        pandas = table.schema.pandas_metadata
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:  # ValueError: damaged names or metadata
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadData(f"{path} cannot be read as {kind(path).removeprefix('.')}: {reason}") from error
    noted = pandas.get("index_columns") if isinstance(pandas, dict) else None
    return table, {name for name in noted if isinstance(name, str)} if isinstance(noted, list) else set()


def _numbers(table: pa.Table, names: list[str], path: Path) -> Array:
    values = {name: _values(table, name, path) for name in names}
    text = [name for name, column in values.items() if column.dtype.kind == "U"]
    if text:
        raise BadData(
            f"{path}: not numeric: {', '.join(map(repr, text))}; remove these columns, or name them with --u-columns, "
            "--label-column or --id-column"
        )
    return np.column_stack([to_float32(column, f"{path}: column {name!r}") for name, column in values.items()])


def _values(table: pa.Table, name: str, path: Path) -> Array:
    column = table[name]
    if column.null_count:
        raise BadData(f"{path}: column {name!r} holds {counted(column.null_count, 'missing value')}")
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array(column.to_pylist(), dtype=np.str_)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
        values: Array = column.to_numpy()
        return values
    raise BadData(f"{path}: column {name!r} is of type {column.type}, expected numbers or text")

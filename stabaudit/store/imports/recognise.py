"""Columns of a table from elsewhere, taken for what their names and contents say: ids, labels, embeddings in lists.

What is recognised is said with the warning `Guessed`, which `strictly` refuses with what to write instead.

1. **Ids.** Where there is no column `sample_id`: the index that pandas has noted in a Parquet file; a column called `id` or
   `…_id` of distinct integers or text; or, beside a column of lists, the only column of distinct text.
2. **Embeddings.** One column of lists of numbers, all of one length, is as many dimensions; of several it is the one that `key`
   names, or the only one of floating-point numbers. Columns z0, z1, … come before it.
"""

import json
import re
import warnings
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stabaudit.errors import BadData, Guessed, Noticed, counted
from stabaudit.store.files import columns, lists

Array = NDArray[Any]
_INTEGER = re.compile(r"0|-?[1-9]\d*")
_ID_NAME = re.compile(r"(.*[_ .-])?id", re.IGNORECASE)


def recognised(table: pa.Table, where: str, *, by_position: bool, key: str | None = None) -> pa.Table:
    """The table with its ids called `sample_id` and its lists as columns z0, z1, ….

    Args:
        table: as it was read, its index of pandas among the columns.
        where: the file.
        by_position: rows are matched by position, so that ids are left out.
        key: the column of lists that holds the latents; None: the only one.

    Raises:
        BadData: lists of unequal lengths, or several columns of them and no key.
        UsageError: a key that is not there.
    """
    if b"stabaudit" in (table.schema.metadata or {}):  # one of our own, which says what it holds
        return table
    if "sample_id" not in table.column_names and (found := _ids(table)) is not None:
        name, why = found
        if not by_position:
            warnings.warn(Guessed(where, f"its rows are named by {why}", f"write --id-column '{name}'"), stacklevel=4)
        table = table.rename_columns({name: "sample_id"})
    if by_position and "sample_id" in table.column_names:
        warnings.warn(Noticed(where, "its rows have names, which --ids-by-position ignores"), stacklevel=4)
        table = table.drop_columns(["sample_id"])
    held = embedding_in(table.schema, key, where)
    if held is None:
        return table
    values = lists.spread(table.column(held), held, where)
    if key is None:
        say_embedding(held, values.shape[1], where)
    return spread_out(table, values)


def say_embedding(name: str, d: int, where: str) -> None:
    """Say that a column of lists is taken for the latents."""
    said = f"its column '{name}' of lists is taken for {counted(d, 'dimension')}"
    warnings.warn(Guessed(where, said, f"write --key {name}"), stacklevel=5)


def embedding_in(schema: pa.Schema, key: str | None, where: str) -> str | None:
    """The column of lists that holds the latents; None where none does, or the dimensions are columns of their own.

    Raises:
        BadData: several columns of lists and no key, or a key of another column.
        UsageError: a key that is not there.
    """
    if key is None and columns.run_or_grid("z", schema.names, where):
        return None
    return lists.embedding(schema, key, where)


def spread_out(table: pa.Table, values: Array) -> pa.Table:
    """Ids and labels of a table beside an embedding of shape (n, d) as columns z0, z1, …."""
    kept = [name for name in ("sample_id", "label") if name in table.column_names]
    noted = {key: value for key, value in (table.schema.metadata or {}).items() if key != b"pandas"}
    spread = {name: _of_numpy(column) for name, column in columns.numbered("z", values).items()}
    return pa.table({name: table.column(name) for name in kept} | spread, metadata=noted)


def _of_numpy(column: Array) -> pa.Array:
    """A contiguous column as Arrow's, without a copy; to give it to Arrow as it is would import pandas."""
    return pa.Array.from_buffers(pa.from_numpy_dtype(column.dtype), len(column), [None, pa.py_buffer(column)])


def _ids(table: pa.Table) -> tuple[str, str] | None:
    """The column that names the rows, and why; None where none does."""
    index = _pandas_index(table)
    if index is not None and _is_distinct(table.column(index)):
        called = "its index" if index.startswith("__index_level_") else f"its index '{index}'"
        return index, called
    named = id_column(table)
    if named is not None:
        return named, f"its column '{named}'"
    if any(map(lists.is_list, table.schema.types)):
        texts = [name for name in table.column_names if _is_text(table.column(name).type) and _is_distinct(table.column(name))]
        if len(texts) == 1:
            return texts[0], f"its column '{texts[0]}'"
    return None


def id_column(table: pa.Table) -> str | None:
    """The only column called `id` or `…_id` that names every row by itself; None where there is none, or several."""
    named = [name for name in table.column_names if _ID_NAME.fullmatch(name) and _is_distinct(table.column(name))]
    return named[0] if len(named) == 1 else None


def _pandas_index(table: pa.Table) -> str | None:
    """The only column that pandas' own metadata call the index; None without such metadata, or for a mere count of the rows."""
    try:
        noted: Any = json.loads((table.schema.metadata or {})[b"pandas"])["index_columns"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return None
    names = [name for name in noted if isinstance(name, str)] if isinstance(noted, list) else []
    return names[0] if len(names) == 1 and names[0] in table.column_names else None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_distinct(column: pa.ChunkedArray) -> bool:
    """Whether a column of integers or text names every row by itself."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    named = _is_text(kind) or pa.types.is_integer(kind) or pa.types.is_temporal(kind)
    return bool(named and column.null_count == 0 and pc.count_distinct(column).as_py() == len(column))


def alike(ids: Array, name: str, other_ids: Array, other: str) -> tuple[Array, Array]:
    """Names of rows of one kind: integers on one side and text on the other as text on both, where every text is an integer.

    Args:
        ids: integers or text, shape (n,).
        name: of what they name.
        other_ids: likewise, shape (m,).
        other: of what they name.

    Raises:
        BadData: where some text is no integer as it is written.
    """
    if (ids.dtype.kind in "iu") == (other_ids.dtype.kind in "iu"):
        return ids, other_ids
    text = ids if ids.dtype.kind == "U" else other_ids
    if not all(_INTEGER.fullmatch(value) for value in text.tolist()):
        raise BadData(
            f"{name} and {other} name their rows differently: '{ids[0]}' is {_kind(ids)}, '{other_ids[0]}' {_kind(other_ids)}; "
            "use one kind of sample_id"
        )
    return ids.astype(np.str_), other_ids.astype(np.str_)


def _kind(ids: Array) -> str:
    return "text" if ids.dtype.kind == "U" else "an integer"

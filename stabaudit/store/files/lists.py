"""Columns of lists, as Hugging Face's `datasets` and vector stores keep embeddings: one list of numbers a row, all of one length.

Lists may have a fixed size, be nested (each level of one length; row by row), or be Arrow's tensors of a fixed shape.
"""

import math
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stabaudit.errors import BadData
from stabaudit.registry import unknown
from stabaudit.store.files.columns import numbers

Array = NDArray[np.generic]


def is_list(kind: pa.DataType) -> bool:
    """Whether each value of a type is a list, nested or not, or a tensor."""
    return _inner(kind) is not None


def embedding(schema: pa.Schema, key: str | None, where: str) -> str | None:
    """The column of lists that holds the latents; None where no column holds lists of numbers.

    Args:
        schema: of a table.
        key: its name; None: the only one, or the only one of floating-point numbers.
        where: the file.

    Raises:
        BadData: several such columns and no key, or a key of another column.
        UsageError: a key that no column has, where there are such columns.
    """
    kinds = dict(zip(schema.names, schema.types, strict=True))
    found = {name: leaf for name, kind in kinds.items() if is_list(kind) and _is_number(leaf := _leaf(kind))}
    if key is not None and found:
        if key not in kinds:
            raise unknown(f"column of {where}", key, found)
        if key not in found:
            raise BadData(f"{where}: column {key!r} is {kinds[key]}, expected lists of numbers as in {', '.join(sorted(found))}")
        return key
    floats = [name for name, leaf in found.items() if pa.types.is_floating(leaf)]
    chosen = floats or list(found)
    if len(chosen) > 1:
        raise BadData(f"{where}: several columns hold lists of numbers ({', '.join(chosen)}); name the embedding by --key")
    return chosen[0] if chosen else None


def length_in(kind: pa.DataType) -> int | None:
    """How many numbers a list of a type holds, where the type says it.

    >>> length_in(pa.list_(pa.float32(), 4)), length_in(pa.list_(pa.float32()))
    (4, None)
    """
    if isinstance(kind, pa.FixedShapeTensorType):
        return math.prod(map(int, kind.shape))
    if not is_list(kind):
        return 1
    inner = length_in(kind.value_type)
    return int(kind.list_size) * inner if pa.types.is_fixed_size_list(kind) and inner is not None else None


def leaves(kind: pa.DataType) -> int:
    """How many columns of a Parquet file a column of a type takes."""
    if (inner := _inner(kind)) is not None:
        return leaves(inner)
    if isinstance(kind, pa.BaseExtensionType):
        return leaves(kind.storage_type)
    return sum(leaves(kind.field(i).type) for i in range(kind.num_fields)) if kind.num_fields else 1


def spread(column: pa.ChunkedArray, name: str, where: str, start: int = 0) -> Array:
    """The lists of a column as rows, shape (n, d); of no rows, shape (0, 0).

    Args:
        column: of lists of numbers.
        name: of the column.
        where: the file.
        start: the number of the first row, for messages.

    Raises:
        BadData: a row without a list, lists of different lengths or none, an absent number, saying in which row.
    """
    parts: list[Array] = []
    row = start
    for chunk in column.chunks:
        if not len(chunk):
            continue
        parts.append(_rows(chunk, name, where, row))
        if parts[-1].shape[1] != parts[0].shape[1]:
            raise _unequal(name, where, {start: parts[0].shape[1], row: parts[-1].shape[1]})
        row += len(chunk)
    return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.empty((0, 0))


def _rows(array: pa.Array, name: str, where: str, start: int) -> Array:
    rows, each = len(array), 1  # each: values of a row at this level
    while _inner(array.type) is not None:
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        if array.null_count:
            raise BadData(
                f"{where}: column {name!r} holds no list in row {start + _first_null(array) // each}; leave out such rows"
            )
        lengths = np.from_dlpack(pc.list_value_length(array))  # to_numpy would import pandas
        others = np.flatnonzero(lengths != lengths[0])
        if len(others):
            found = {start: lengths[0], start + int(others[0]) // each: lengths[others[0]]}
            raise _unequal(name, where, found)
        if not lengths[0]:
            raise BadData(f"{where}: column {name!r} holds empty lists; expected an embedding of one length or more")
        each *= int(lengths[0])
        array = array.flatten()
    if array.null_count:
        raise BadData(f"{where}: column {name!r} lacks a number in row {start + _first_null(array) // each}; leave out such rows")
    return numbers(pa.table({name: array}), name, where).reshape(rows, each)


def _unequal(name: str, where: str, lengths: Mapping[int, int]) -> BadData:
    found = " and ".join(f"{length} in row {row}" for row, length in lengths.items())
    return BadData(f"{where}: column {name!r} holds lists of different lengths, {found}; an embedding has one length")


def _first_null(array: pa.Array) -> int:
    return int(pc.index(array.is_null(), pa.scalar(value=True)).as_py())


def _inner(kind: pa.DataType) -> pa.DataType | None:
    """What the values of lists or tensors of a type are; None where it is none."""
    if isinstance(kind, pa.FixedShapeTensorType):
        return kind.value_type
    known = (
        pa.types.is_list,
        pa.types.is_large_list,
        pa.types.is_fixed_size_list,
        pa.types.is_list_view,
        pa.types.is_large_list_view,
    )
    return kind.value_type if any(is_one(kind) for is_one in known) else None


def _leaf(kind: pa.DataType) -> pa.DataType:
    while (inner := _inner(kind)) is not None:
        kind = inner
    return kind


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))

"""How one restart was trained: a Parquet table with one row per epoch or reporting interval."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from stabaudit.errors import BadData
from stabaudit.store.files import columns
from stabaudit.store.files.atomic import shown
from stabaudit.store.files.parquet import read_table, write_table

Array = NDArray[Any]


def write_history(path: Path, history: Mapping[str, Array]) -> None:
    """Write a history atomically.

    Args:
        path: where it belongs.
        history: by name, in order, one value per row, shape (rows,) each: step, epoch, loss and its terms in nats per sample,
            learning_rate, seconds since the restart began. NaN is kept: it is how a divergence looks.

    Raises:
        BadData: where the columns differ in length.
        BadRun: where the file cannot be written.
    """
    lengths = {name: len(values) for name, values in history.items()}
    if len(set(lengths.values())) > 1:
        raise BadData(f"{shown(path)}: columns of a history differ in length: {lengths}")
    write_table(path, pa.table(dict(history)))


def read_history(path: Path) -> dict[str, Array]:
    """A history by column, shape (rows,) each.

    Raises:
        BadData: a missing or damaged file, or one that holds other things than numbers.
    """
    table = read_table(path)
    return {name: columns.numbers(table, name, shown(path)) for name in table.column_names}

"""What is known of a run's evaluation rows besides their latents: `sample_id, label?, u0.., s0..` in one Parquet file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stabaudit.errors import BadData, counted
from stabaudit.store.files import columns
from stabaudit.store.files.atomic import shown
from stabaudit.store.files.parquet import READ_BUFFER, opened, read_table, write_table
from stabaudit.store.run.row_checks import require_finite, require_unique

Array = NDArray[Any]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Evaluation:
    """The evaluation rows of a run's dataset.

    Args:
        sample_id: a name of each row, unique, integers or text, shape (n,).
        label: class of each row, integers or text, shape (n,), or None.
        u: auxiliary variable, shape (n, k), float32, or None.
        sources: true latent sources, shape (n, d), float32, or None.
    """

    sample_id: Array
    label: Array | None = None
    u: FloatArray | None = None
    sources: FloatArray | None = None


def write_evaluation(path: Path, rows: Evaluation) -> None:
    """Write the evaluation rows atomically.

    Raises:
        BadData: where arrays differ in length or ids are repeated.
        BadRun: where the file cannot be written.
    """
    require_unique(rows.sample_id, shown(path))
    content: dict[str, Array] = {"sample_id": rows.sample_id}
    if rows.label is not None:
        content["label"] = rows.label
    if rows.u is not None:
        content |= columns.numbered("u", rows.u)
    if rows.sources is not None:
        content |= columns.numbered("s", rows.sources)
    lengths = {name: len(values) for name, values in content.items() if len(values) != len(rows.sample_id)}
    if lengths:
        raise BadData(f"{shown(path)}: {counted(len(rows.sample_id), 'sample id')}, but rows of {lengths}")
    write_table(path, pa.table(content))


def read_evaluation(path: Path) -> Evaluation:
    """The evaluation rows of a run.

    Raises:
        BadData: a missing or damaged file, or one without sample ids.
    """
    table, where = read_table(path), shown(path)
    names = table.column_names
    if "sample_id" not in names:
        raise BadData(f"{where}: column sample_id is missing; the file is not a run's evaluation.parquet")
    u, sources = columns.run_of("u", names, where), columns.run_of("s", names, where)
    return Evaluation(
        sample_id=columns.names_or_codes(table, "sample_id", where),
        label=columns.labels(table, where),
        u=columns.matrix(table, u, where) if u else None,
        sources=columns.matrix(table, sources, where) if sources else None,
    )


def sources_shape(path: Path) -> tuple[int, int]:
    """Rows and true sources that a run keeps, without reading them; no columns where there are no sources.

    Raises:
        BadData: a missing or damaged file.
    """
    with opened(path) as file:
        return file.metadata.num_rows, len(columns.run_of("s", file.schema_arrow.names, shown(path)))


def iter_sources(path: Path, rows: int) -> Iterator[tuple[Array, FloatArray]]:
    """Sample ids and true sources in blocks of `rows` rows, the last one smaller, without holding a row group.

    Raises:
        BadData: a missing or damaged file, one without sample ids, or values that are not finite.
    """
    where = shown(path)
    with opened(path, buffer=READ_BUFFER) as file:
        sources = columns.run_of("s", file.schema_arrow.names, where)
        for batch in file.iter_batches(batch_size=rows, columns=["sample_id", *sources]):
            table = pa.Table.from_batches([batch])
            values = columns.matrix(table, sources, where)
            require_finite(values, sources, where)
            yield columns.names_or_codes(table, "sample_id", where), values

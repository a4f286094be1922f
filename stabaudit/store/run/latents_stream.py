"""Latents in Parquet, one file or the parts of a table, in blocks of rows: what is too large for memory is read like this.

What names the rows and which columns are dimensions is decided by the header alone, so that ids are `sample_id` or the column
that the user names; they are not recognised by what they hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stabaudit.errors import BadData
from stabaudit.registry import unknown
from stabaudit.store.files import columns, lists
from stabaudit.store.files.atomic import shown
from stabaudit.store.files.parquet import READ_BUFFER, ROW_GROUP, numbers_per_row, opened
from stabaudit.store.imports.foreign_files import AS_IS, Naming, with_sample_id
from stabaudit.store.imports.recognise import embedding_in, say_embedding, spread_out
from stabaudit.store.imports.table_folder import blocks, parts_of, require_columns, say_so
from stabaudit.store.run.latents import Latents, LatentsMetadata, from_table, has_clusters, metadata_of

Array = NDArray[Any]


@dataclass(frozen=True)
class LatentsHeader:
    """What a Parquet file of latents says before its rows are read: n rows of d dimensions, and the rest as in `Latents`.

    `posterior` says whether it holds log-variances, `clusters` whether the cluster of each row.
    """

    rows: int
    dimensions: int
    metadata: LatentsMetadata
    ids_by_position: bool
    posterior: bool = False
    clusters: bool = False


@dataclass(frozen=True)
class _Layout:
    """Which columns of a table are what.

    Args:
        ids: names the rows; None: nothing does.
        dimensions: columns of latents, or the one of lists.
        width: how many dimensions they are.
        of_lists: whether it is one column of lists.
        schema: of the table.
    """

    ids: str | None
    dimensions: list[str]
    width: int
    of_lists: bool
    schema: pa.Schema

    @property
    def wanted(self) -> list[str]:
        """All columns that are read."""
        return [*([] if self.ids is None else [self.ids]), *self.dimensions]


def read_header(path: Path, naming: Naming = AS_IS) -> LatentsHeader:
    """What latents in Parquet hold.

    Args:
        path: a file, or a folder with the parts of a table.
        naming: what names the rows and holds the latents.

    Raises:
        BadData: a missing or damaged file, or one without latent dimensions.
        UsageError: a column that is not there.
    """
    found, rows = _layout(path, naming), 0
    for part in parts_of(path):
        with opened(part.path) as file:
            require_columns(file.schema_arrow, found.wanted, shown(part.path))
            rows += file.metadata.num_rows
    posterior = not found.of_lists and "log_var0" in found.schema.names
    clusters = naming.cluster_column is not None or has_clusters(found.schema)
    return LatentsHeader(rows, found.width, metadata_of(found.schema, shown(path)), found.ids is None, posterior, clusters)


def _layout(path: Path, naming: Naming) -> _Layout:
    """What the columns of a table are, as its first part has them."""
    where = shown(path)
    with opened(parts_of(path)[0].path) as file:
        schema, ids = file.schema_arrow, naming.id_column or "sample_id"
        if naming.id_column is not None and ids not in schema.names:
            raise unknown(f"column of {where}", ids, schema.names)
        named = None if naming.ids_by_position or ids not in schema.names else ids
        name = None if b"stabaudit" in (schema.metadata or {}) else embedding_in(schema, naming.key, where)
        if name is not None:
            return _Layout(named, [name], numbers_per_row(file, name), True, schema)
        others = {naming.id_column, naming.cluster_column}
        found = [column for column in columns.dimensions(schema, where) if column not in others]
        return _Layout(named, found, len(found), False, schema)


def say_layout(path: Path, naming: Naming) -> None:
    """Say of latents that are streamed how they are taken, where the user has not."""
    say_so(path, naming)
    found = _layout(path, naming)
    if found.of_lists and naming.key is None:
        say_embedding(found.dimensions[0], found.width, shown(path))


def _streamable(path: Path, naming: Naming) -> _Layout:
    """The layout of a table that is streamed.

    Raises:
        BadData: as `read_header`; or columns of which some may name the rows, which are not to be read as numbers.
    """
    found, where = _layout(path, naming), shown(path)
    if naming.ids_by_position and not found.of_lists and not columns.run_or_grid("z", found.schema.names, where):
        raise BadData(
            f"{where}: these latents exceed --memory, and by position only columns z0, z1, … or lists are streamed; call them "
            "that, name the rows with --id-column, or raise it"
        )
    return found


def read_ids(path: Path, naming: Naming = AS_IS) -> Array:
    """The ids alone of latents in Parquet, shape (n,), counted from 0 where nothing names the rows.

    Raises:
        BadData: a missing or damaged file.
    """
    found, where = _streamable(path, naming), shown(path)
    if found.ids is None:
        return np.arange(read_header(path, naming).rows)
    ids = []
    for part in parts_of(path):
        with opened(part.path, buffer=READ_BUFFER) as file:
            require_columns(file.schema_arrow, [found.ids], shown(part.path))
            ids.append(columns.names_or_codes(file.read(columns=[found.ids]), found.ids, where))
    return ids[0] if len(ids) == 1 else np.concatenate(ids)


def iter_latents(path: Path, rows: int = ROW_GROUP, naming: Naming = AS_IS) -> Iterator[Latents]:
    """The means of latents in Parquet in blocks of `rows` rows, the last one smaller, without holding a row group.

    Log-variances and labels are not read. Ids are unique within a block; across blocks is for the caller to check.

    Raises:
        BadData: as `read_latents`, when the block in question is reached.
    """
    where, start, found = shown(path), 0, _streamable(path, naming)
    for table in blocks(path, rows, found.wanted, READ_BUFFER):
        named = with_sample_id(table, None if found.ids is None else naming.id_column, where)
        if found.of_lists:
            values = lists.spread(named.column(found.dimensions[0]), found.dimensions[0], where, start)
            if values.shape[1] != found.width:
                said = f"{values.shape[1]} from row {start} on, {found.width} as its header says"
                raise BadData(f"{where}: column {found.dimensions[0]!r} holds lists of different lengths, {said}")
            named = spread_out(named, values)
        block = from_table(named.replace_schema_metadata(found.schema.metadata), where, start)
        block.validate(where)
        start += len(block.sample_id)
        yield block
    if start == 0:
        raise BadData(f"{where}: no rows")

"""Latents of one restart on disk: one Parquet column per dimension, `sample_id, label?, cluster?, z0.., log_var0..`, float32.

On a grid the dimensions are called `z{row}_{column}_{k}`, and so are the columns of the log-variances.

A run's own files say which dataset and restart they belong to. `read_latents` also reads what came from elsewhere: Parquet with
any numeric columns, `.npy`, `.npz`, `.csv`, `.tsv` and `.h5ad`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError

from stabaudit.config import Frozen, NonNegative, Positive
from stabaudit.errors import BadData
from stabaudit.registry import unknown
from stabaudit.store.files import columns
from stabaudit.store.files.atomic import shown
from stabaudit.store.files.feather import read_feather
from stabaudit.store.files.h5ad import read_h5ad
from stabaudit.store.files.parquet import ROW_GROUP, opened, read_table, write_table
from stabaudit.store.imports import foreign_files as foreign
from stabaudit.store.run.row_checks import require_finite, require_unique

Array = NDArray[Any]
FloatArray = NDArray[Any]

_KEY = b"stabaudit"  # of the file's metadata
_CLUSTER = "cluster"  # the column of clusters in files of runs
READ_BUFFER = 2**14  # bytes of each column held while a file is read in blocks; whole row groups of ten files take 100 MB more


class LatentsMetadata(Frozen):
    """Where latents come from, as far as their file says, and how they lie.

    Args:
        fingerprint: of the dataset.
        restart: its index in its run.
        seed: it was trained from.
        grid: (h, w, d) where the dimensions are d numbers at each of h×w positions, row by row; None for a vector.
    """

    fingerprint: str | None = None
    restart: NonNegative | None = None
    seed: NonNegative | None = None
    grid: tuple[Positive, Positive, Positive] | None = None
    schema_version: Literal[1] = 1


@dataclass(frozen=True)
class Latents:
    """Encoder means of n evaluation samples.

    Args:
        sample_id: a name of each row, unique, integers or text, shape (n,).
        mean: posterior means, shape (n, d), finite; float32, or float64 where that would blur them.
        log_var: posterior log-variances, shape (n, d), float32, finite, or None.
        label: class of each row, integers or text, shape (n,), or None.
        metadata: where the latents come from.
        cluster: the cluster that each row was put into with these latents, integers or text, shape (n,), or None.
        ids_by_position: True where the file named no rows and `sample_id` merely counts them from 0.
    """

    sample_id: Array
    mean: FloatArray
    log_var: FloatArray | None = None
    label: Array | None = None
    metadata: LatentsMetadata = field(default_factory=LatentsMetadata)
    ids_by_position: bool = False
    cluster: Array | None = None

    def validate(self, where: str) -> None:
        """Check shapes, ids and finiteness.

        Raises:
            BadData: naming the dimension that holds NaN or infinity and how many, or the first repeated id.
        """
        n = len(self.sample_id)
        if self.mean.ndim != 2 or 0 in self.mean.shape:
            raise BadData(f"{where}: latents have shape {self.mean.shape}, expected (n, d) with n and d at least 1")
        others = {"log-variances": self.log_var, "labels": self.label, "clusters": self.cluster}
        for name, array in ({"means": self.mean} | others).items():
            if array is not None and len(array) != n:
                raise BadData(f"{where}: {len(array)} rows of {name} for {n} sample ids")
        if self.metadata.grid is not None and math.prod(self.metadata.grid) != self.mean.shape[1]:
            grid = "×".join(map(str, self.metadata.grid))
            raise BadData(f"{where}: {self.mean.shape[1]} dimensions, expected {grid} as its metadata say")
        if self.log_var is not None and self.log_var.shape != self.mean.shape:
            raise BadData(f"{where}: log-variances have shape {self.log_var.shape}, means {self.mean.shape}")
        require_finite(self.mean, "z", where, self.metadata.grid)
        if self.log_var is not None:
            require_finite(self.log_var, "log_var", where, self.metadata.grid)
        require_unique(self.sample_id, where)


def write_latents(path: Path, latents: Latents) -> None:
    """Write latents atomically; ids that merely count the rows are not written.

    Raises:
        BadData: where they do not pass `Latents.validate`.
        BadRun: where the file cannot be written.
    """
    latents.validate(shown(path))
    content: dict[str, Array] = {} if latents.ids_by_position else {"sample_id": latents.sample_id}
    if latents.label is not None:
        content["label"] = latents.label
    if latents.cluster is not None:
        content[_CLUSTER] = latents.cluster
    grid = latents.metadata.grid
    content |= columns.numbered("z", latents.mean, grid)
    if latents.log_var is not None:
        content |= columns.numbered("log_var", latents.log_var, grid)
    write_table(path, pa.table(content, metadata={_KEY: latents.metadata.model_dump_json().encode()}))


def read_latents(path: Path, naming: foreign.Naming = foreign.AS_IS) -> Latents:
    """Latents from a file: Parquet (a run's or another's), Feather, numpy's, safetensors, CSV or `.h5ad`.

    Of several arrays the one under the key `z` is taken. CSV may be gzipped.
    The dimensions are the columns z0, z1, …, or z0_0_0, … where they form a grid, or, where there are none, all columns but
    `sample_id`, `label` and `split`. Rows are named by `sample_id`, or else counted from 0. Numbers of other types are rounded
    to float32 unless that would blur them.

    Args:
        path: the file.
        naming: what its ids and its array are called, and whether the ids count.

    Raises:
        BadData: a missing, damaged or truncated file, one that holds no table of numbers, NaN or infinity, repeated ids.
        UsageError: no column of that name, or several arrays in an `.h5ad` file; or what reads such files is not installed.
    """
    where = shown(path)
    match foreign.kind(path):
        case ".parquet":
            latents = latents_of_table(read_table(path), where, naming)
        case ".feather":
            latents = latents_of_table(read_feather(path), where, naming)
        case ".csv" | ".tsv" | ".csv.gz" | ".tsv.gz":
            latents = latents_of_table(foreign.read_csv(path, naming), where, naming)
        case ".npy" | ".npz" | ".safetensors":
            latents = _from_arrays(*foreign.read_arrays(path, naming))
        case ".h5ad":
            latents = _from_arrays(*read_h5ad(path, naming.obsm, naming.id_column, naming.cluster_column))
        case _:
            raise BadData(f"{where}: expected a file of latents: {', '.join(foreign.SUFFIXES)}")
    if naming.ids_by_position:
        latents = replace(latents, sample_id=np.arange(len(latents.mean)), ids_by_position=True)
    latents.validate(where)
    return latents


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


def read_header(path: Path, naming: foreign.Naming = foreign.AS_IS) -> LatentsHeader:
    """What a Parquet file of latents holds.

    Args:
        path: the file.
        naming: what its clusters are called.

    Raises:
        BadData: a missing or damaged file, or one without latent dimensions.
    """
    where = shown(path)
    with opened(path) as file:
        schema = file.schema_arrow
        dimensions = columns.dimensions(schema, where)
        metadata = _metadata(schema, where)
        named = naming.cluster_column is not None or (_KEY in (schema.metadata or {}) and _CLUSTER in schema.names)
        return LatentsHeader(
            file.metadata.num_rows,
            len(dimensions),
            metadata,
            "sample_id" not in schema.names,
            posterior="log_var0" in schema.names,
            clusters=named,
        )


def read_ids(path: Path) -> Array:
    """The ids alone of a Parquet file of latents, shape (n,), counted from 0 where it names no rows.

    Raises:
        BadData: a missing or damaged file.
    """
    with opened(path, buffer=READ_BUFFER) as file:
        if "sample_id" not in file.schema_arrow.names:
            return np.arange(file.metadata.num_rows)
        return columns.names_or_codes(file.read(columns=["sample_id"]), "sample_id", shown(path))


def iter_latents(path: Path, rows: int = ROW_GROUP) -> Iterator[Latents]:
    """The means of a Parquet file in blocks of `rows` rows, the last one smaller, without holding a row group.

    Log-variances and labels are not read. Ids are unique within a block; across blocks is for the caller to check.

    Raises:
        BadData: as `read_latents`, when the block in question is reached.
    """
    where = shown(path)
    start = 0
    with opened(path, buffer=READ_BUFFER) as file:
        schema = file.schema_arrow
        wanted = [name for name in ("sample_id", *columns.dimensions(schema, where)) if name in schema.names]
        for batch in file.iter_batches(batch_size=rows, columns=wanted):
            table = pa.Table.from_batches([batch]).replace_schema_metadata(schema.metadata)
            block = _from_table(table, where, start)
            block.validate(where)
            start += len(block.sample_id)
            yield block
    if start == 0:
        raise BadData(f"{where}: no rows")


def latents_of_table(table: pa.Table, where: str, naming: foreign.Naming = foreign.AS_IS) -> Latents:
    """Latents in a table from elsewhere, as if it had been read from a file; not checked.

    Raises:
        BadData: what is no table of numbers.
    """
    name = naming.cluster_column
    if name is None:
        own = _KEY in (table.schema.metadata or {}) and _CLUSTER in table.column_names
        cluster = columns.names_or_codes(table, _CLUSTER, where) if own else None
    elif name not in table.column_names:
        raise unknown(f"column of {where}", name, table.column_names)
    else:
        cluster = columns.names_or_codes(table, name, where)
        table = table.drop_columns([name])
    return replace(_from_table(foreign.as_named(table, naming, where), where), cluster=cluster)


def _from_table(table: pa.Table, where: str, start: int = 0) -> Latents:
    names = table.column_names
    dimensions = columns.dimensions(table.schema, where)
    log_vars = columns.run_or_grid("log_var", names, where)
    if log_vars and len(log_vars) != len(dimensions):
        raise BadData(f"{where}: {len(log_vars)} columns of log-variances for {len(dimensions)} dimensions")
    named = "sample_id" in names
    return Latents(
        sample_id=columns.names_or_codes(table, "sample_id", where) if named else np.arange(start, start + table.num_rows),
        mean=columns.matrix(table, dimensions, where),
        log_var=columns.matrix(table, log_vars, where) if log_vars else None,
        label=columns.labels(table, where),
        metadata=_metadata(table.schema, where),
        ids_by_position=not named,
    )


def _from_arrays(values: Array, sample_id: Array | None, cluster: Array | None) -> Latents:
    mean = columns.narrowed(values)
    ids = np.arange(len(mean)) if sample_id is None else sample_id
    return Latents(ids, mean, ids_by_position=sample_id is None, cluster=cluster)


def _metadata(schema: pa.Schema, where: str) -> LatentsMetadata:
    text = (schema.metadata or {}).get(_KEY)
    grid = columns.grid_of(columns.dimensions(schema, where))  # the names of the columns say it where nothing else does
    if text is None:
        return LatentsMetadata(grid=grid)
    try:
        metadata = LatentsMetadata.model_validate_json(text)
    except ValidationError as error:
        raise BadData(f"{where}: its 'stabaudit' metadata is damaged or too new; update stabaudit or retrain") from error
    if metadata.grid != grid:
        raise BadData(f"{where}: its columns and its 'stabaudit' metadata speak of different grids; restore it or retrain")
    return metadata

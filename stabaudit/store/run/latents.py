"""Latents of one restart on disk: one Parquet column per dimension, `sample_id, label?, cluster?, z0.., log_var0..`, float32.

On a grid the dimensions are called `z{row}_{column}_{k}`, and so are the columns of the log-variances.

A run's own files say which dataset and restart they belong to. `read_latents` also reads what came from elsewhere: Parquet with
any numeric columns or lists, whole or in parts, Arrow, numpy's and scipy's files, CSV and `.h5ad`.
"""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError

from stabaudit.config import Frozen, NonNegative, Positive
from stabaudit.errors import BadData, counted
from stabaudit.registry import unknown
from stabaudit.store.files import columns, csv_table
from stabaudit.store.files.atomic import shown
from stabaudit.store.files.feather import read_feather
from stabaudit.store.files.h5ad import read_h5ad
from stabaudit.store.files.parquet import read_table, write_table
from stabaudit.store.imports import foreign_files as foreign
from stabaudit.store.imports.table_folder import read_folder, say_so
from stabaudit.store.run.row_checks import require_finite, require_unique

Array = NDArray[Any]
FloatArray = NDArray[Any]

_KEY = b"stabaudit"  # of the file's metadata
_CLUSTER = "cluster"  # the column of clusters in files of runs


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
        names: what a table calls the dimensions, d of them; empty where nothing says.
        ids_by_position: True where the file named no rows and `sample_id` merely counts them from 0.
    """

    sample_id: Array
    mean: FloatArray
    log_var: FloatArray | None = None
    label: Array | None = None
    metadata: LatentsMetadata = field(default_factory=LatentsMetadata)
    ids_by_position: bool = False
    cluster: Array | None = None
    names: tuple[str, ...] = ()

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
                raise BadData(f"{where}: {counted(len(array), 'row')} of {name} for {counted(n, 'sample id')}")
        if self.metadata.grid is not None and math.prod(self.metadata.grid) != self.mean.shape[1]:
            grid = "×".join(map(str, self.metadata.grid))
            raise BadData(f"{where}: {counted(self.mean.shape[1], 'dimension')}, expected {grid} as its metadata say")
        if self.log_var is not None and self.log_var.shape != self.mean.shape:
            raise BadData(f"{where}: log-variances have shape {self.log_var.shape}, means {self.mean.shape}")
        require_finite(self.mean, self.names or columns.names_of("z", self.mean.shape[1], self.metadata.grid), where)
        if self.log_var is not None:
            require_finite(self.log_var, columns.names_of("log_var", self.mean.shape[1], self.metadata.grid), where)
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
    """Latents from a file (Parquet, Arrow, numpy's, scipy's, safetensors, CSV or `.h5ad`) or from a folder with parts of a table.

    Of several arrays the one under the key `z` is taken; sparse ones are made dense. CSV may be gzipped. The dimensions are the
    columns z0, z1, …, or z0_0_0, … where they form a grid; or, where there are none, the numbers in a column of lists, or all
    columns but `sample_id`, `label` and `split`. Rows are named by `sample_id`, or else counted from 0. Numbers of other types
    are rounded to float32 unless that would blur them.

    Args:
        path: the file, or a folder with the parts of a table.
        naming: what its ids and its array are called, and whether the ids count.

    Raises:
        BadData: a missing, damaged or truncated file, one that holds no table of numbers, NaN or infinity, repeated ids.
        UsageError: no column of that name, or several arrays in an `.h5ad` file; or what reads such files is not installed.
    """
    where = shown(path)
    match "folder" if path.is_dir() else foreign.kind(path):
        case "folder":
            say_so(path, naming)
            latents = latents_of_table(read_folder(path), where, naming)
        case ".parquet":
            latents = latents_of_table(read_table(path), where, naming)
        case ".feather" | ".arrow" | ".ipc":
            latents = latents_of_table(read_feather(path), where, naming)
        case ending if ending in csv_table.SUFFIXES:
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


def latents_of_table(table: pa.Table, where: str, naming: foreign.Naming = foreign.AS_IS) -> Latents:
    """Latents in a table from elsewhere, as if it had been read from a file; not checked.

    Raises:
        BadData: what is no table of numbers.
    """
    name = naming.cluster_column
    if name is None:
        cluster = columns.names_or_codes(table, _CLUSTER, where) if has_clusters(table.schema) else None
    elif name not in table.column_names:
        raise unknown(f"column of {where}", name, table.column_names)
    else:
        cluster = columns.names_or_codes(table, name, where)
        table = table.drop_columns([name])
    return replace(from_table(foreign.as_named(table, naming, where), where), cluster=cluster)


def has_clusters(schema: pa.Schema) -> bool:
    """Whether a file of a run holds the cluster of each row."""
    return _KEY in (schema.metadata or {}) and _CLUSTER in schema.names


def from_table(table: pa.Table, where: str, start: int = 0) -> Latents:
    """Latents in a table whose columns have the names of ours, rows without ids counted from `start`; not checked.

    Raises:
        BadData: columns that do not fit together or are no numbers.
    """
    names = table.column_names
    dimensions = columns.dimensions(table.schema, where)
    log_vars = columns.run_or_grid("log_var", names, where)
    if log_vars and len(log_vars) != len(dimensions):
        found = f"{counted(len(log_vars), 'column')} of log-variances"
        raise BadData(f"{where}: {found} for {counted(len(dimensions), 'dimension')}")
    named = "sample_id" in names
    return Latents(
        sample_id=columns.names_or_codes(table, "sample_id", where) if named else np.arange(start, start + table.num_rows),
        mean=columns.matrix(table, dimensions, where),
        log_var=columns.matrix(table, log_vars, where) if log_vars else None,
        label=columns.labels(table, where),
        metadata=metadata_of(table.schema, where),
        ids_by_position=not named,
        names=tuple(dimensions),
    )


def _from_arrays(values: Array, sample_id: Array | None, cluster: Array | None) -> Latents:
    mean = columns.narrowed(values)
    ids = np.arange(len(mean)) if sample_id is None else sample_id
    return Latents(ids, mean, ids_by_position=sample_id is None, cluster=cluster)


def metadata_of(schema: pa.Schema, where: str) -> LatentsMetadata:
    """What the schema of a file of latents says of them.

    Raises:
        BadData: metadata that are damaged, too new, or of another grid than the columns.
    """
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

"""Latents that other programs wrote as `.csv`, `.tsv`, `.npy`, `.npz` or `.h5ad`, or in Parquet with names of their own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from stabaudit.errors import BadData, UsageError
from stabaudit.registry import unknown
from stabaudit.store.files import csv_table
from stabaudit.store.files.atomic import shown
from stabaudit.store.files.numpy_files import load_npy, load_npz

Array = NDArray[Any]
SUFFIXES = (".parquet", ".csv", ".tsv", ".npy", ".npz", ".h5ad")


@dataclass(frozen=True)
class Naming:
    """How files from elsewhere call what is wanted of them.

    Args:
        id_column: the column, or the array beside the latents, that names the rows; None: `sample_id`, in `.h5ad` the index.
        obsm: the array of an `.h5ad` file; None: the only one.
        ids_by_position: whether row i is the same sample in all of them, whatever it is called.
    """

    id_column: str | None = None
    obsm: str | None = None
    ids_by_position: bool = False

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.id_column is not None and self.ids_by_position:
            raise UsageError("--id-column and --ids-by-position: give one of them")


AS_IS = Naming()


def with_sample_id(table: pa.Table, id_column: str | None, where: str) -> pa.Table:
    """The table with its column of ids called `sample_id`.

    Raises:
        UsageError: where it has no such column.
    """
    if id_column is None:
        return table
    if id_column not in table.column_names:
        raise unknown(f"column of {where}", id_column, table.column_names)
    if id_column == "sample_id":
        return table
    if "sample_id" in table.column_names:
        table = table.drop_columns(["sample_id"])
    return table.rename_columns({id_column: "sample_id"})


def read_csv(path: Path, naming: Naming = AS_IS) -> pa.Table:
    """The columns of a CSV file, without the index of pandas or R, which is no latent (see `csv_table`).

    Args:
        path: the file.
        naming: what names the rows.

    Raises:
        BadData: a missing file, one that is no such table, or one with a column without a name that may be its ids.
    """
    ids = "sample_id" if naming.id_column is None else naming.id_column
    return csv_table.read_csv(path, ids=ids, by_position=naming.ids_by_position).columns


def read_numpy(path: Path, id_column: str | None = None) -> tuple[Array, Array | None]:
    """An array of shape (n, d), and the names of its rows, shape (n,), where an `.npz` file holds them beside it.

    Args:
        path: the file.
        id_column: name of the array of names; None: `sample_id`, which need not be there.

    Raises:
        BadData: a missing or damaged file, no array `z` among several, or another shape or type.
    """
    arrays = {"z": load_npy(path)} if path.suffix.lower() == ".npy" else load_npz(path)
    if id_column is not None and id_column not in arrays:
        held = "one array without names" if path.suffix.lower() == ".npy" else f"arrays {', '.join(sorted(arrays))}"
        raise BadData(f"{shown(path)} holds {held}, none called {id_column!r} that could name the rows; save it in an .npz file")
    named = id_column or "sample_id"
    ids = arrays.pop(named, None)
    if "z" not in arrays and len(arrays) != 1:
        found = ", ".join(sorted(arrays)) or "nothing"
        raise BadData(f"{shown(path)} holds {found}; expected the latents under the key 'z', or a single array")
    values = arrays["z"] if "z" in arrays else next(iter(arrays.values()))
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise BadData(f"{shown(path)}: {values.dtype} of shape {values.shape}, expected numbers of shape (n, d)")
    if ids is not None and (ids.shape != values.shape[:1] or ids.dtype.kind not in "iuU"):
        raise BadData(
            f"{shown(path)}: {named} is {ids.dtype} of shape {ids.shape}, expected integers or text of shape ({len(values)},)"
        )
    return values, ids

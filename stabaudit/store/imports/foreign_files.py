"""Latents that other programs wrote as `.csv`, `.npy`, `.npz` or `.h5ad`, or in Parquet with names of their own."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from stabaudit.errors import BadData, UsageError
from stabaudit.registry import unknown
from stabaudit.store.files.atomic import reason, shown
from stabaudit.store.files.numpy_files import load_npy, load_npz

Array = NDArray[Any]
SUFFIXES = (".parquet", ".csv", ".npy", ".npz", ".h5ad")
_NO_NAME = r"\s*|Unnamed: \d+"  # the latter is what pandas makes of the former on reading


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
    """A comma-separated table; its first line names the columns unless it is all numbers other than 0, 1, …, d-1.

    The latter are the names that pandas gives to columns without any. It also writes its index as a first column without a
    name. Such a column is no latent: it is left out where it merely counts the rows, from 0 or from 1 as R does, or where
    something else names them; otherwise the file is refused, for whether it names the rows is not ours to guess.

    Args:
        path: the file.
        naming: what names the rows.

    Raises:
        BadData: a missing file, one that is no such table, or one with a column without a name that may be its ids.
    """
    try:
        table = arrow_csv.read_csv(path)
        nameless = all(map(_is_number, table.column_names)) and table.column_names != [str(k) for k in range(table.num_columns)]
        if nameless:
            table = arrow_csv.read_csv(path, read_options=arrow_csv.ReadOptions(autogenerate_column_names=True))
    except OSError as error:
        raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error
    except (pa.ArrowException, UnicodeDecodeError) as error:
        cause = " ".join(str(error).split())[:200]
        raise BadData(f"{shown(path)} is not a comma-separated table ({cause})") from error
    return _without_index(table, naming, shown(path), nameless=nameless)


def _without_index(table: pa.Table, naming: Naming, where: str, *, nameless: bool) -> pa.Table:
    """The table without the column in which pandas or R wrote its index.

    Args:
        table: as it was read.
        naming: what names its rows.
        where: the file.
        nameless: whether no column has a name.

    Raises:
        BadData: a column without a name that is no count of the rows, where nothing else names them.
    """
    names = table.column_names
    found = names[:1] if nameless else [name for name in names if re.fullmatch(_NO_NAME, name) and name != naming.id_column]
    if not found:
        return table
    index = table.column(0)
    if names[0] in found and _counts(index) and table.num_columns > 1:
        return _without_index(table.remove_column(0), naming, where, nameless=False)
    if nameless:
        return table
    if found == names[:1] and (naming.ids_by_position or (naming.id_column or "sample_id") in names):
        return table.remove_column(0)
    raise BadData(
        f"{where}: column {names.index(found[0]) + 1} has no name; call it sample_id if it names the rows "
        "(pandas: to_csv(…, index_label='sample_id')), leave it out if it does not (index=False)"
    )


def _counts(column: pa.ChunkedArray) -> bool:
    """Whether a column of three or more whole numbers counts its rows from 0 or from 1."""
    if not pa.types.is_integer(column.type) or column.null_count or len(column) < 3:
        return False  # fewer may well be latents
    values = column.to_numpy()
    return bool(values[0] in {0, 1} and (np.diff(values) == 1).all())


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


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

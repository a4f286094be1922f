"""Latents that other programs wrote: CSV, numpy's and scipy's, safetensors and `.h5ad`, or Parquet and Arrow with other names."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stabaudit.errors import BadData, Guessed, UsageError
from stabaudit.registry import unknown
from stabaudit.store.files import csv_table, feather, sparse
from stabaudit.store.files.atomic import shown
from stabaudit.store.files.columns import kind_of
from stabaudit.store.files.numpy_files import load_npy, load_npz, members
from stabaudit.store.files.safetensors_file import read_weights
from stabaudit.store.imports.recognise import recognised

Array = NDArray[Any]
Folder = Literal["restarts", "table"]
SUFFIXES = (".parquet", *feather.SUFFIXES, *csv_table.SUFFIXES, ".npy", ".npz", ".safetensors", ".h5ad")


@dataclass(frozen=True)
class Naming:
    """How files from elsewhere call what is wanted of them.

    Args:
        id_column: the column, or the array beside the latents, that names the rows; None: `sample_id`, in `.h5ad` the index.
        obsm: the array of an `.h5ad` file: a key of obsm, `X`, or `layers/` and the name of a layer; None: the only one in obsm.
        ids_by_position: whether row i is the same sample in all of them, whatever it is called.
        key: the array of an `.npz` file, or the column of lists of a table, that holds the latents; None: one of a usual name, or
            the only one.
        strict: refuse what would have to be guessed.
        dimensions_first: arrays have the shape (d, n).
        cluster_column: the column, or the array beside the latents, that names the cluster of each row; None: there is none.
        one_model: three files or more whose names differ in numbers alone are restarts of one model.
        folder: what a folder of files holds, "restarts", one a file, or the parts of one "table"; None: what it looks like.
    """

    id_column: str | None = None
    obsm: str | None = None
    ids_by_position: bool = False
    key: str | None = None
    strict: bool = False
    dimensions_first: bool = False
    one_model: bool = False
    cluster_column: str | None = None
    folder: Folder | None = None

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.id_column is not None and self.ids_by_position:
            raise UsageError("--id-column and --ids-by-position: give one of them")
        if self.cluster_column is not None and self.cluster_column == (self.id_column or "sample_id"):
            raise UsageError(f"--cluster-column {self.cluster_column}: it names the rows; give the column of their clusters")


AS_IS = Naming()


def kind(path: Path) -> str:
    """The ending of a file's name that says what it is; also of a name that ends in two, such as .csv.gz.

    >>> kind(Path("seed.0.csv.gz")), kind(Path("latents.NPY"))
    ('.csv.gz', '.npy')
    """
    return next((ending for ending in csv_table.SUFFIXES if path.name.lower().endswith(ending)), path.suffix.lower())


def as_named(table: pa.Table, naming: Naming, where: str) -> pa.Table:
    """The table with its column of ids called `sample_id` and its dimensions as columns.

    Raises:
        BadData: lists of unequal lengths.
        UsageError: a column that is not there.
    """
    table = with_sample_id(table, naming.id_column, where)
    return recognised(table, where, by_position=naming.ids_by_position, key=naming.key)


def with_sample_id(table: pa.Table, id_column: str | None, where: str) -> pa.Table:
    """The table with its column of ids called `sample_id`.

    Raises:
        UsageError: a column that is not there.
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


SPARSE = {"format", "shape", "data"}  # what scipy.sparse.save_npz writes, beside indices
_USUAL_KEYS = ("z", "latents", "latent", "embedding", "embeddings", "X")


def read_arrays(path: Path, naming: Naming = AS_IS) -> tuple[Array, Array | None, Array | None]:
    """An array of shape (n, d); the names of its rows, shape (n,), where the file holds them beside it; and their clusters.

    Of an `.npz` file only these are inflated.

    Args:
        path: a `.npy`, `.npz` or `.safetensors` file.
        naming: what the array and its names are called.

    Raises:
        BadData: a missing or damaged file, several arrays of which none is known to be the latents, another shape or type.
        UsageError: a key that is not there.
    """
    where = shown(path)
    if path.suffix.lower() == ".npy":
        if naming.id_column is not None:
            raise BadData(f"{where} holds one array without names, none called {naming.id_column!r}; save it in an .npz file")
        if naming.cluster_column is not None:
            beside = f"numpy.savez(PATH, z=z, {naming.cluster_column}=clusters)"
            raise BadData(f"{where} holds one array, none called {naming.cluster_column!r}; save it in an .npz file: {beside}")
        return _table(load_npy(path), naming, where), None, None
    of_numpy = path.suffix.lower() == ".npz"
    weights = {} if of_numpy else read_weights(path)
    held = members(path) if of_numpy else {*weights}
    named = naming.id_column or "sample_id"
    if naming.id_column is not None and named not in held:
        raise BadData(f"{where} holds arrays {', '.join(sorted(held))}, none called {named!r} that could name the rows")
    cluster = naming.cluster_column
    if cluster is not None and cluster not in held:
        raise unknown(f"array of {where}", cluster, held)
    names = {named} if cluster is None else {named, cluster}
    if of_numpy and held >= SPARSE and naming.key is None:
        values = _table(sparse.densified(*sparse_parts(path, held, where), where), naming, where)
        arrays = load_npz(path, names & held)
    else:
        key = _key(held - names, naming, where)
        arrays = load_npz(path, {key} | (names & held)) if of_numpy else weights
        values = _table(arrays[key], naming, where)
    ids = arrays.get(named)
    return (
        values,
        None if ids is None or naming.ids_by_position else _ids(ids, values.shape, named, where),
        None if cluster is None else _ids(arrays[cluster], values.shape, cluster, where),
    )


def sparse_parts(path: Path, held: set[str], where: str) -> tuple[str, dict[str, Array], tuple[int, int]]:
    """Format, entries with their indices, and shape of what scipy saved as a sparse matrix.

    Args:
        path: an `.npz` file.
        held: names of its arrays.
        where: the file, for errors.

    Raises:
        BadData: a part is missing or of another shape.
    """
    said = load_npz(path, {"format", "shape"}, scalars=True)
    form, shape = _text(said["format"]), sparse.dense_shape(said["shape"], where)
    wanted = {"data", *sparse.INDICES.get(form, ())}
    if not wanted <= held:
        raise BadData(f"{where} is damaged: a sparse matrix without {', '.join(sorted(wanted - held))}; save it again")
    return form, load_npz(path, wanted), shape


def sparse_size(path: Path) -> int | None:
    """How many numbers a sparse matrix in an `.npz` file is as a dense array; None for a file of arrays.

    Raises:
        BadData: a file that cannot be read.
    """
    if not members(path) >= SPARSE:
        return None
    n, d = sparse.dense_shape(load_npz(path, {"shape"}, scalars=True)["shape"], shown(path))
    return n * d


def _text(scalar: Array) -> str:
    """The name of a format, which scipy saves as bytes."""
    value = scalar.item() if scalar.size == 1 else ""
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _key(others: set[str], naming: Naming, where: str) -> str:
    """The array that holds the latents."""
    if naming.key is not None:
        if naming.key not in others:
            raise unknown(f"array of {where}", naming.key, others)
        return naming.key
    if "z" in others or len(others) == 1:
        return "z" if "z" in others else next(iter(others))
    usual = [key for key in _USUAL_KEYS if key in others]
    found = ", ".join(sorted(others)) or "nothing"
    if len(usual) != 1:
        instead = usual[0] if usual else "NAME"
        raise BadData(f"{where} holds {found}; expected the latents under the key 'z', or say --key {instead}")
    warnings.warn(Guessed(where, f"its array '{usual[0]}' is taken for the latents", f"write --key {usual[0]}"), stacklevel=5)
    return usual[0]


def _table(values: Array, naming: Naming, where: str) -> Array:
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise BadData(f"{where}: {kind_of(values)} of shape {values.shape}, expected numbers of shape (n, d)")
    return values.T if naming.dimensions_first else values


def turned(shape: tuple[int, ...], other: tuple[int, ...]) -> str:
    """What to say of two shapes that ought to be one, where one is the transpose of the other; else nothing.

    >>> turned((3, 500), (500, 3))
    '; one of the two is transposed: save it with a row for each sample, as z.T'
    >>> turned((3, 500), (500, 4))
    ''
    """
    transposed = shape == other[::-1] != other
    return "; one of the two is transposed: save it with a row for each sample, as z.T" if transposed else ""


def _ids(ids: Array, shape: tuple[int, ...], name: str, where: str) -> Array:
    """Names of rows as integers or text; bytes are UTF-8 text, and dates their ISO text."""
    if ids.dtype.kind == "S":
        try:
            ids = np.char.decode(ids, "utf-8")
        except UnicodeDecodeError as error:
            raise BadData(f"{where}: {name} holds bytes that are not UTF-8; expected integers or text") from error
    elif ids.dtype.kind == "M":
        ids = np.datetime_as_string(ids)
    elif ids.dtype.kind == "f" and np.isfinite(ids).all() and (ids == np.floor(ids)).all() and (np.abs(ids) < 2**53).all():
        ids = ids.astype(np.int64)
    if ids.shape != shape[:1] or ids.dtype.kind not in "iuU":
        hint = "; the latents look transposed: --dimensions-first" if ids.shape == shape[1:] else ""
        raise BadData(
            f"{where}: {name} is {kind_of(ids)} of shape {ids.shape}, expected integers or text of shape ({shape[0]},){hint}"
        )
    return ids

"""Dictionaries of features that other programs wrote: decoder weights, or activations on rows, dense or sparse.

`.npy`, `.npz`, `.safetensors` (also bfloat16), a sparse matrix of `scipy.sparse.save_npz`, or Parquet with a row for each
activation: columns row, feature and value, all else being 0. Nothing is unpickled. A dense `.npy` file that takes more memory
than there is to be used stays in its file, and what is needed of it is read when it is.
"""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from scipy import sparse

from stabaudit.errors import BadData, Guessed, UsageError, are, counted
from stabaudit.registry import unknown
from stabaudit.store.files.atomic import reason, shown
from stabaudit.store.files.memory import require_memory
from stabaudit.store.files.numpy_files import load_npy, load_npz, map_npy, members
from stabaudit.store.files.parquet import opened
from stabaudit.store.files.regular import open_regular
from stabaudit.store.files.sparse import by_rows
from stabaudit.store.imports.foreign_files import SPARSE, Naming, sparse_parts

Array = NDArray[Any]
Of = Literal["weights", "activations"]
SUFFIXES = (".npy", ".npz", ".safetensors", ".parquet")
DECODERS = ("decoder.weight", "W_dec", "decoder", "dictionary", "w_dec.weight")
ACTIVATIONS = ("activations", "acts", "features", "codes", "z")
TRIPLET = ("row", "feature", "value")


@dataclass(frozen=True)
class Dictionary:
    """Features of one dictionary.

    Args:
        name: of the dictionary.
        of: what is known of the features.
        values: decoder weights, shape (d, m), a row for each feature; activations, shape (n, d), dense or sparse.
        ids: names of the rows of activations, shape (n,); None: their positions.
        rows_open: whether further rows may follow in which nothing fires, as after the last one that triplets name.
    """

    name: str
    of: Of
    values: Array | sparse.csr_array
    ids: Array | None = None
    rows_open: bool = False


def usual_kind(paths: list[Path]) -> Of:
    """What files hold unless it is said: `.safetensors` weights, all others activations.

    >>> usual_kind([Path("sae.safetensors")]), usual_kind([Path("acts.npz")])
    ('weights', 'activations')
    """
    return "weights" if all(path.suffix.lower() == ".safetensors" for path in paths) else "activations"


def read_dictionaries(paths: list[Path], of: Of, naming: Naming, memory: int) -> list[Dictionary]:
    """Read files that hold a dictionary each.

    Args:
        paths: the files.
        of: what they hold.
        naming: `key` is the array of a file, `dimensions_first` says that arrays have a row for each feature, `strict` refuses
            guesses.
        memory: bytes, above which a dense `.npy` file is not read as a whole.

    Raises:
        BadData: a file that cannot be read or holds something else.
        UsageError: an array that is not there.
    """
    read = [_read(path, of, naming, memory) for path in paths]
    names = _names(paths)
    if of == "weights":
        return [Dictionary(name, of, values) for name, values in zip(names, _turned(read, paths, naming), strict=True)]
    found = []
    for name, path, (values, ids) in zip(names, paths, read, strict=True):
        turned: Any = values.T if naming.dimensions_first and path.suffix.lower() != ".parquet" else values
        matrix = turned if isinstance(turned, np.ndarray) else turned.tocsr()
        if ids is not None and ids.shape != matrix.shape[:1]:
            raise BadData(f"{shown(path)}: names of rows of shape {ids.shape} for {counted(matrix.shape[0], 'row')}")
        found.append(Dictionary(name, of, matrix, ids, rows_open=path.suffix.lower() == ".parquet"))
    return found


def _names(paths: list[Path]) -> list[str]:
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) == len(stems) else [str(path) for path in paths]


def _read(path: Path, of: Of, naming: Naming, memory: int) -> tuple[Any, Array | None]:
    suffix, where = path.suffix.lower(), shown(path)
    if suffix not in SUFFIXES:
        raise BadData(f"{where}: expected a file of features: {', '.join(SUFFIXES)}")
    if suffix == ".parquet":
        if of == "weights":
            raise BadData(f"{where}: decoder weights are read from .npy, .npz and .safetensors; use --of activations")
        return _triplets(path), None
    if suffix == ".npy":
        return _matrix(map_npy(path) if _size(path) > memory else load_npy(path), where), None
    usual = DECODERS if of == "weights" else ACTIVATIONS
    if suffix == ".safetensors":
        return _tensor(path, naming, usual), None
    held = members(path)
    if held >= SPARSE and naming.key is None:
        return by_rows(*sparse_parts(path, held, where), where), None
    ids_key = naming.id_column or "sample_id"
    key = key_of(held - {ids_key}, naming, usual, where)
    arrays = load_npz(path, {key, ids_key} & held)
    ids = None if naming.ids_by_position or of == "weights" else arrays.get(ids_key)
    return _matrix(arrays[key], where), ids


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error


def key_of(held: set[str], naming: Naming, usual: tuple[str, ...], where: str) -> str:
    """The array of a file that holds features: the one asked for, of a usual name, or the only one.

    Raises:
        BadData: several that could be meant.
        UsageError: an array that is not there.
    """
    if naming.key is not None:
        if naming.key not in held:
            raise unknown(f"array of {where}", naming.key, held)
        return naming.key
    found = [key for key in usual if key in held]
    if len(found) == 1 or len(held) == 1:
        return found[0] if found else next(iter(held))
    raise BadData(f"{where} holds {', '.join(sorted(held)) or 'nothing'}; say which with --tensor NAME")


def _matrix(values: Array, where: str) -> Array:
    if values.ndim != 2 or 0 in values.shape or values.dtype.kind not in "fiub":
        raise BadData(f"{where}: an array of shape {values.shape} of {values.dtype}, expected a matrix of numbers")
    return values if values.dtype.kind == "f" and values.dtype.itemsize >= 4 else values.astype(np.float32)


def _tensor(path: Path, naming: Naming, usual: tuple[str, ...]) -> Array:
    """One tensor of a safetensors file, of which nothing else is read."""
    where = shown(path)
    try:
        _size(path)
        with open_regular(path) as file:
            with safe_open(path, framework="numpy") as checked:  # which checks that the header fits the file
                matrices = {name for name in checked.keys() if len(checked.get_slice(name).get_shape()) == 2}  # noqa: SIM118
            key = key_of(matrices, naming, usual, where)
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))[key]
            start, end = header["data_offsets"]
            require_memory(2 * (end - start), f"{where}: {key}")
            file.seek(8 + size + start)
            content = file.read(end - start)
    except OSError as error:
        raise BadData(f"cannot read {where}: {reason(error)}") from error
    except (SafetensorError, ValueError) as error:
        raise BadData(f"{where} is damaged, cut short or not safetensors ({error}); restore it or write it anew") from error
    if header["dtype"] == "BF16":  # the upper half of a float32
        wide = np.frombuffer(content, dtype="<u2").astype(np.uint32) << 16
        return _matrix(wide.view(np.float32).reshape(header["shape"]), where)
    kinds = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
    if header["dtype"] not in kinds:
        raise BadData(f"{where}: {key} holds {header['dtype']}, expected {', '.join(['BF16', *kinds])}")
    return _matrix(np.frombuffer(content, dtype=kinds[header["dtype"]]).reshape(header["shape"]), where)


def tidy(matrix: "sparse.csr_array") -> "sparse.csr_array":
    """The same with one entry for each number that is not 0."""
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def _triplets(path: Path) -> sparse.csr_array:
    """A Parquet file with a row for each activation."""
    where = shown(path)
    with opened(path) as file:
        missing = [name for name in TRIPLET if name not in file.schema_arrow.names]
        if missing:
            raise BadData(f"{where}: column {missing[0]} is missing; expected row, feature and value of each activation")
        require_memory(24 * file.metadata.num_rows, f"{where}: {counted(file.metadata.num_rows, 'activation')}")
        table = file.read(columns=[*TRIPLET])
    if any(table[name].null_count for name in TRIPLET) or table.num_rows == 0:
        raise BadData(f"{where}: a row, feature or value is missing, or all of them are")
    row, feature, value = (table[name].to_numpy() for name in TRIPLET)
    if row.dtype.kind not in "iu" or feature.dtype.kind not in "iu" or value.dtype.kind not in "fiu":
        raise BadData(f"{where}: rows and features are numbered from 0, values are numbers")
    for name, numbers in (("row", row), ("feature", feature)):
        if int(numbers.min()) < 0 or int(numbers.max()) >= 2**31 - 1:
            raise BadData(f"{where}: {name} {int(numbers.min())} to {int(numbers.max())}, expected numbers from 0")
    shape = (int(row.max()) + 1, int(feature.max()) + 1)
    require_memory(8 * sum(shape), f"{where}: {counted(shape[0], 'row')}, {counted(shape[1], 'feature')}")
    held = sparse.coo_array((value.astype(np.float64 if value.dtype.itemsize == 8 else np.float32), (row, feature)), shape=shape)
    found = held.tocsr()
    if found.nnz < len(row):
        repeated = len(row) - found.nnz
        said = f"{counted(repeated, 'activation')} {are(repeated)} of a row and feature that another has too"
        raise BadData(f"{where}: {said}")
    return tidy(found)


def _turned(read: list[tuple[Any, Array | None]], paths: list[Path], naming: Naming) -> list[Array]:
    """Weights with a row for each feature: by shape, unless it is said that features come first."""
    arrays = []
    for (values, _), path in zip(read, paths, strict=True):
        if sparse.issparse(values):
            raise BadData(f"{shown(path)}: a sparse matrix; decoder weights are dense; use --of activations")
        arrays.append(values)
    if naming.dimensions_first:
        sizes = {one.shape[1] for one in arrays}
        if len(sizes) > 1:
            raise BadData(f"directions have {' and '.join(map(str, sorted(sizes)))} dimensions; expected as many in all files")
        return arrays
    # The shorter side is the model's dimension; where files then differ, the side that they share is.
    turned = [one if one.shape[0] > one.shape[1] else one.T for one in arrays]
    if len({one.shape[1] for one in turned}) > 1:
        shared = set.intersection(*({*one.shape} for one in arrays))
        if len(shared) != 1:
            shapes = ", ".join(f"{shown(path)} {one.shape}" for one, path in zip(arrays, paths, strict=True))
            raise BadData(f"{shapes}: no side that all have is their dimension; directions of one model are compared")
        (m,) = shared
        turned = [one if one.shape[1] == m else one.T for one in arrays]
    for one, path in zip(arrays, paths, strict=True):
        if one.shape[0] == one.shape[1]:
            said = f"as many features as dimensions, {one.shape[0]:,}: its columns are taken for features"
            warnings.warn(Guessed(shown(path), said, "if its rows are, write --dimensions-first"), stacklevel=4)
    return turned


def join_rows(dictionaries: Sequence[Dictionary]) -> tuple[list[Dictionary], Array]:
    """Activations on the same rows, and the names of these.

    Rows are joined by name where all dictionaries have names, else by position.

    Raises:
        BadData: other numbers of rows, or too few of the same name.
    """
    if all(one.ids is not None for one in dictionaries):
        return _joined(dictionaries)
    rows = {one.values.shape[0] for one in dictionaries if not one.rows_open}
    most = max(one.values.shape[0] for one in dictionaries)
    if len(rows) > 1 or (rows and most > max(rows)):
        counts = ", ".join(f"{one.name} {one.values.shape[0]:,}" for one in dictionaries)
        raise BadData(f"{counts} rows: rows are held against each other by position; expected as many in all dictionaries")
    return [_with_rows(one, most) for one in dictionaries], np.arange(most)


def _with_rows(one: Dictionary, rows: int) -> Dictionary:
    values: Any = one.values
    if values.shape[0] == rows:
        return one
    indptr = np.concatenate([values.indptr, np.full(rows - values.shape[0], values.indptr[-1], dtype=values.indptr.dtype)])
    longer = sparse.csr_array((values.data, values.indices, indptr), shape=(rows, values.shape[1]))
    return Dictionary(one.name, one.of, longer, one.ids, one.rows_open)


def _joined(dictionaries: Sequence[Dictionary]) -> tuple[list[Dictionary], Array]:
    every = [np.asarray(one.ids) for one in dictionaries]
    if {ids.dtype.kind for ids in every} not in ({"U"}, {"i"}, {"u"}, {"i", "u"}):
        raise BadData(f"{dictionaries[0].name}, …: names of rows are integers in all dictionaries, or text in all")
    for one, ids in zip(dictionaries, every, strict=True):
        if len(np.unique(ids)) < len(ids):
            raise BadData(f"{one.name}: names of rows are repeated; every row needs a name of its own")
    shared = every[0]
    for ids in every[1:]:
        shared = np.intersect1d(shared, ids, assume_unique=True)
    if len(shared) < 4:
        alike = f"{counted(len(shared), 'row')} {'has' if len(shared) == 1 else 'have'} the same name in all dictionaries"
        raise BadData(f"{alike}; --ids-by-position takes them by position")
    found = []
    for one, ids in zip(dictionaries, every, strict=True):
        order = np.argsort(ids, kind="stable")
        rows = order[np.searchsorted(ids[order], shared)]
        same = len(rows) == len(ids) and np.array_equal(rows, np.arange(len(ids)))
        found.append(Dictionary(one.name, one.of, one.values if same else one.values[rows], shared))
    return found, shared


def require_kind(of: str | None) -> Of | None:
    """What features are known by.

    Raises:
        UsageError: neither weights nor activations.
    """
    if of not in {None, "weights", "activations"}:
        raise UsageError(f"of={of!r}: expected weights or activations")
    return "weights" if of == "weights" else "activations" if of == "activations" else None

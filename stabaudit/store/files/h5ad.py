"""One array of an AnnData file (`.h5ad`): latents of cells under a key of `obsm`, a layer or `X`, named by the index of `obs`.

It may be sparse, and is then made dense.

The format is HDF5 with a documented layout (anndata.readthedocs.io, "On-disk format"), so h5py alone reads it: a tenth of the
weight of the anndata package, which would load the whole count matrix's machinery for one dense array.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import BadData, UsageError, counted
from stabaudit.registry import unknown
from stabaudit.store.files.atomic import reason, shown
from stabaudit.store.files.hdf5 import HDF5_ERRORS, member_of, require_held
from stabaudit.store.files.memory import require_memory
from stabaudit.store.files.regular import require_regular
from stabaudit.store.files.sparse import INDICES, dense_shape, densified

Array = NDArray[Any]

_EXPECTED = "an .h5ad file with obs and obsm"


def read_h5ad(
    path: Path, obsm: str | None = None, id_column: str | None = None, cluster_column: str | None = None
) -> tuple[Array, Array, Array | None]:
    """An array of shape (n, d), the names of its rows, shape (n,), and their clusters, where a column is named.

    Args:
        path: the file.
        obsm: key of the array in `obsm`; or where that has no such key, "X", or "layers/" and the name of a layer, or "obsm/"
            and a key; None: the only one in `obsm`.
        id_column: column of `obs` that names the rows; None: its index.
        cluster_column: column of `obs` that names the cluster of each row; None: it is not asked for.

    Raises:
        BadData: a missing or damaged file, one without such an array or column, or that holds less than it promises.
        UsageError: h5py is not installed, or several arrays and no key.
    """
    with _opened(path) as (file, reader):
        values = reader.values(file, obsm)
        obs = reader.member(file, "obs", "group")
        ids = reader.ids(obs, id_column)
        cluster = None if cluster_column is None else reader.ids(obs, cluster_column)
    if ids.shape != values.shape[:1]:
        raise BadData(f"{shown(path)}: obs names {counted(len(ids), 'row')}, the array has {len(values)}; write it anew")
    if cluster is not None and cluster.shape != ids.shape:
        rows = counted(len(cluster), "row")
        raise BadData(f"{shown(path)}: obs/{cluster_column} has {rows}, the array {len(values)}; write it anew")
    return values, ids, cluster


def size_of_h5ad(path: Path, obsm: str | None = None) -> int:
    """How many numbers the array that `read_h5ad` reads is, made dense.

    Raises:
        BadData: as `read_h5ad`.
        UsageError: likewise.
    """
    with _opened(path) as (file, reader):
        return reader.size_of(file, obsm)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, "_Reader"]]:
    """An open file and what reads from it.

    Raises:
        BadData: a missing or damaged file; also while it is read inside the block.
        UsageError: h5py is not installed.
    """
    where = shown(path)
    try:
        import h5py  # noqa: PLC0415 -- an optional dependency
    except ImportError as error:
        raise UsageError(f"{where}: .h5ad files are read by h5py: pip install 'stabaudit[anndata]'") from error
    try:
        size = require_regular(path)
    except OSError as error:
        raise BadData(f"cannot read {where}: {reason(error)}") from error
    try:
        with h5py.File(path, "r") as file:
            yield file, _Reader(where, size)
    except HDF5_ERRORS as error:
        cause = " ".join(str(error).split())[:200]
        raise BadData(f"{where} is damaged, cut short or not .h5ad ({cause}); restore it or write it anew") from error


class _Reader:
    """Members of an open HDF5 file, each checked before it is read."""

    def __init__(self, where: str, size: int) -> None:
        self._where = where
        self._size = size  # of the file, in bytes

    def member(self, group: Any, name: str, kind: str | None = None) -> Any:  # noqa: ANN401 -- h5py has no types
        """What a name stands for in this very file; never a path, whose parts could be links."""
        import h5py  # noqa: PLC0415

        found = member_of(group, name, self._where, _EXPECTED)
        if kind == "group" and not isinstance(found, h5py.Group):
            raise BadData(f"{self._where}: {name!r} is no group; expected {_EXPECTED}")
        return found

    def values(self, file: Any, key: str | None) -> Array:  # noqa: ANN401
        """The array that a key names, or the only one in obsm."""
        found, what = self._chosen(file, key)
        if not hasattr(found, "shape"):
            return self._sparse(found, what)
        if len(found.shape) != 2 or found.dtype.kind not in "fiu":
            raise BadData(f"{self._where}: {what} is {found.dtype} of shape {found.shape}, expected numbers of shape (n, d)")
        return self._read(found)

    def size_of(self, file: Any, key: str | None) -> int:  # noqa: ANN401
        """How many numbers that array is."""
        found, what = self._chosen(file, key)
        if hasattr(found, "shape"):
            return math.prod(found.shape)
        shape = found.attrs.get("shape", found.attrs.get("h5sparse_shape"))
        return 0 if shape is None else math.prod(dense_shape(np.asarray(shape), f"{self._where}: {what}"))

    def _chosen(self, file: Any, key: str | None) -> tuple[Any, str]:  # noqa: ANN401
        """What a key names, and where that stands."""
        there = list(file)
        layers = self.member(file, "layers", "group") if "layers" in there else {}
        beside = [*(["X"] if "X" in there else []), *(f"layers/{name}" for name in sorted(layers))]
        obsm = self.member(file, "obsm", "group") if "obsm" in there or key is None or not beside else {}
        keys = sorted(obsm)
        if key is None and len(keys) != 1:
            held = f"several arrays in obsm ({', '.join(keys)})" if keys else "nothing in obsm"
            more = f"; {', '.join(beside)} can be named too" if beside else ""
            raise UsageError(f"{self._where} holds {held}; name one by --obsm{more}")
        name = keys[0] if key is None else key
        group, _, rest = name.partition("/")
        if name in keys or (group == "obsm" and rest in keys):
            name = name if name in keys else rest
            return self.member(obsm, name), f"obsm/{name}"
        if name not in beside:
            raise unknown(f"array in obsm of {self._where}", name, [*keys, *beside])
        return (self.member(file, "X"), "X") if name == "X" else (self.member(layers, rest), name)

    def _sparse(self, group: Any, what: str) -> Array:  # noqa: ANN401
        """A sparse matrix as a dense array."""
        form = str(group.attrs.get("encoding-type", group.attrs.get("h5sparse_format", ""))).removesuffix("_matrix")
        shape = group.attrs.get("shape", group.attrs.get("h5sparse_shape"))
        if form not in {"csr", "csc"} or shape is None:
            raise BadData(
                f"{self._where}: {what} is a frame or of another kind; store it as an array or csr matrix, shape (n, d)"
            )
        where = f"{self._where}: {what}"
        n_d = dense_shape(np.asarray(shape), where)
        parts = {name: self.member(group, name) for name in ("data", *INDICES[form])}
        for name, part in parts.items():
            if not hasattr(part, "shape") or len(part.shape) != 1:
                raise BadData(f"{where} is damaged: {name} of a sparse matrix is no row of numbers; write the file anew")
        return densified(form, {name: self._read(part) for name, part in parts.items()}, n_d, where)

    def ids(self, obs: Any, column: str | None) -> Array:  # noqa: ANN401
        """Names of the rows: the index of obs, or one of its columns."""
        name = str(obs.attrs["_index"]) if column is None else column
        if column is not None and column not in list(obs):
            raise unknown(f"column of obs of {self._where}", column, obs)
        found = self.member(obs, name)
        what = f"{self._where}: obs/{name}"
        if hasattr(found, "shape"):
            return self._names(found, what)
        parts = {part: self.member(found, part) for part in found}
        if parts.keys() >= {"codes", "categories"}:
            codes, categories = self._read(parts["codes"]), self._names(parts["categories"], what)
            if codes.dtype.kind not in "iu" or (len(codes) and not 0 <= codes.min() <= codes.max() < len(categories)):
                raise BadData(f"{what} is absent in some rows; fill it in or name another column")
            return categories[codes]
        if parts.keys() >= {"values", "mask"}:
            if self._read(parts["mask"]).any():
                raise BadData(f"{what} is absent in some rows; fill it in or name another column")
            return self._names(parts["values"], what)
        raise BadData(f"{what} is of a kind that is not known; expected integers or text")

    def _names(self, dataset: Any, what: str) -> Array:  # noqa: ANN401
        import h5py  # noqa: PLC0415

        if len(dataset.shape) == 1 and dataset.dtype.kind in "iu":
            return self._read(dataset)
        if len(dataset.shape) == 1 and h5py.check_string_dtype(dataset.dtype) is not None:
            return np.array(self._read(dataset.asstr(), dataset).tolist(), dtype=np.str_)
        raise BadData(f"{what} is {dataset.dtype} of shape {dataset.shape}, expected integers or text, one a row")

    def _read(self, view: Any, dataset: Any = None) -> Array:  # noqa: ANN401
        """All of a dataset that lies in this file and holds what its shape promises."""
        dataset = view if dataset is None else dataset
        needed = require_held(dataset, self._size, self._where)
        require_memory(needed, f"{self._where}: {dataset.name}, shape {dataset.shape} of {dataset.dtype}")
        array: Array = view[()]
        return array

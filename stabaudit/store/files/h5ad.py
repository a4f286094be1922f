"""One array of an AnnData file (`.h5ad`): latents of cells under a key of `obsm`, named by the index of `obs`.

The format is HDF5 with a documented layout (anndata.readthedocs.io, "On-disk format"), so h5py alone reads it: a tenth of the
weight of the anndata package, which would load the whole count matrix's machinery for one dense array.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import BadData, UsageError
from stabaudit.registry import unknown
from stabaudit.store.files.atomic import reason, shown
from stabaudit.store.files.hdf5 import HDF5_ERRORS, member_of, require_held
from stabaudit.store.files.memory import require_memory
from stabaudit.store.files.regular import require_regular

Array = NDArray[Any]

_EXPECTED = "an .h5ad file with obs and obsm"


def read_h5ad(
    path: Path, obsm: str | None = None, id_column: str | None = None, cluster_column: str | None = None
) -> tuple[Array, Array, Array | None]:
    """An array of shape (n, d) from `obsm`, the names of its rows, shape (n,), and their clusters, where a column is named.

    Args:
        path: the file.
        obsm: key of the array; None: the only one.
        id_column: column of `obs` that names the rows; None: its index.
        cluster_column: column of `obs` that names the cluster of each row; None: it is not asked for.

    Raises:
        BadData: a missing or damaged file, one without such an array or column, or that holds less than it promises.
        UsageError: h5py is not installed, or several arrays and no key.
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
            reader = _Reader(where, size)
            values = reader.values(reader.member(file, "obsm", "group"), obsm)
            obs = reader.member(file, "obs", "group")
            ids = reader.ids(obs, id_column)
            cluster = None if cluster_column is None else reader.ids(obs, cluster_column)
    except HDF5_ERRORS as error:
        cause = " ".join(str(error).split())[:200]
        raise BadData(f"{where} is damaged, cut short or not .h5ad ({cause}); restore it or write it anew") from error
    if ids.shape != values.shape[:1]:
        raise BadData(f"{where}: obs names {len(ids)} rows, the array in obsm has {len(values)}; write it anew")
    if cluster is not None and cluster.shape != ids.shape:
        raise BadData(f"{where}: obs/{cluster_column} has {len(cluster)} rows, the array in obsm {len(values)}; write it anew")
    return values, ids, cluster


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

    def values(self, obsm: Any, key: str | None) -> Array:  # noqa: ANN401
        """The array under a key, or the only one."""
        keys = sorted(obsm)
        if key is None and len(keys) != 1:
            held = f"several arrays in obsm ({', '.join(keys)})" if keys else "nothing in obsm"
            raise UsageError(f"{self._where} holds {held}; name one by --obsm")
        if key is not None and key not in keys:
            raise unknown(f"array in obsm of {self._where}", key, keys)
        name = keys[0] if key is None else key
        found = self.member(obsm, name)
        if not hasattr(found, "shape"):
            raise BadData(f"{self._where}: obsm/{name} is a sparse matrix or a frame; store it as a dense array, shape (n, d)")
        if len(found.shape) != 2 or found.dtype.kind not in "fiu":
            raise BadData(f"{self._where}: obsm/{name} is {found.dtype} of shape {found.shape}, expected numbers of shape (n, d)")
        return self._read(found)

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

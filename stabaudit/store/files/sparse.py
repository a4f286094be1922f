"""Sparse matrices of scipy, as dense arrays or row by row: what `scipy.sparse.save_npz` wrote, or a group of an `.h5ad` file.

The shape says first how large the dense array is, and every index is checked before it is used: scipy itself would write
beyond the array where one is forged.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import BadData
from stabaudit.store.files.columns import kind_of
from stabaudit.store.files.memory import require_memory

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Array = NDArray[Any]

INDICES = {"csr": ("indices", "indptr"), "csc": ("indices", "indptr"), "coo": ("row", "col")}  # arrays beside the data


def dense_shape(shape: Array, where: str) -> tuple[int, int]:
    """The shape of a matrix as its file says it.

    Raises:
        BadData: where it is none of a table.
    """
    if shape.shape != (2,) or shape.dtype.kind not in "iu" or not all(0 < int(size) < 2**62 for size in shape):
        said = shape.tolist() if shape.size < 10 else f"{shape.size} numbers"
        raise BadData(f"{where}: a sparse matrix of shape {said}, expected (n, d) with n and d at least 1")
    return int(shape[0]), int(shape[1])


def densified(form: str, parts: Mapping[str, Array], shape: tuple[int, int], where: str) -> Array:
    """A sparse matrix as a dense array, shape (n, d); entries at one place are added up, as scipy adds them.

    Args:
        form: "csr", "csc" or "coo".
        parts: its "data" and the arrays that `INDICES` names.
        shape: (n, d).
        where: the file, and what of it.

    Raises:
        BadData: another format, anything but numbers, indices that lie outside, or more than fits into memory.
    """
    data = _numbers(form, parts, where)
    require_memory(shape[0] * shape[1] * data.dtype.itemsize, f"{where}: a sparse matrix, as a dense array of shape {shape},")
    dense: Array = _checked(form, data, parts, shape, where).toarray()
    return dense


def by_rows(form: str, parts: Mapping[str, Array], shape: tuple[int, int], where: str) -> "csr_array":
    """The same as a matrix that stores each entry that is not 0 once, row by row.

    Raises:
        BadData: as `densified`.
    """
    data = _numbers(form, parts, where)
    require_memory(24 * (sum(shape) + len(data)), f"{where}: a sparse matrix of shape {shape} with {data.size:,} entries")
    matrix: csr_array = _checked(form, data, parts, shape, where).tocsr()
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def _numbers(form: str, parts: Mapping[str, Array], where: str) -> Array:
    """The entries, in native byte order and not below single precision."""
    if form not in INDICES:
        raise BadData(f"{where} is a sparse matrix in the format {form[:20]!r}, expected csr, csc or coo; save its .tocsr()")
    data = parts["data"]
    if data.dtype.kind not in "fiu":
        raise BadData(f"{where} is a sparse matrix of {kind_of(data)}, expected numbers")
    dtype = np.dtype(np.float32) if data.dtype.itemsize == 2 and data.dtype.kind == "f" else data.dtype.newbyteorder("=")
    return data.astype(dtype)


def _checked(form: str, data: Array, parts: Mapping[str, Array], shape: tuple[int, int], where: str) -> Any:  # noqa: ANN401
    """A matrix of scipy, no index of which lies outside."""
    from scipy import sparse  # noqa: PLC0415 -- takes longer to load than to read most files

    indices = [parts[name] for name in INDICES[form]]
    if any(index.dtype.kind not in "iu" for index in indices):
        raise BadData(f"{where} is damaged: indices of a sparse matrix that are no integers; save it again")
    wide = [index.astype(np.int64) for index in indices]
    try:
        if form == "coo":
            return sparse.coo_array((data, (wide[0], wide[1])), shape=shape)
        made = sparse.csr_array if form == "csr" else sparse.csc_array
        matrix = made((data, wide[0], wide[1]), shape=shape)
        matrix.check_format(full_check=True)
    except (ValueError, TypeError, IndexError) as error:
        cause = " ".join(str(error).split())[:200]
        raise BadData(f"{where} is damaged: no sparse matrix of shape {shape} ({cause}); save it again") from error
    return matrix

"""Arrays in `.npy` and `.npz` files from anywhere: never unpickled, and nothing allocated that the file does not hold."""

import math
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from stabaudit.errors import BadData, counted
from stabaudit.store.files.atomic import reason, shown
from stabaudit.store.files.binary import read_at_most
from stabaudit.store.files.memory import require_memory
from stabaudit.store.files.regular import open_regular, require_regular

Array = NDArray[Any]

_BLOCK = 1 << 22  # bytes read at once where some rows are wanted
_LOCAL_HEADER = 30  # bytes before the name of an entry, in the zip format

# What a header that is not numpy's can make its parser (a Python literal) raise.
_HEADER_ERRORS = (ValueError, TypeError, SyntaxError, tokenize.TokenError, EOFError, MemoryError, RecursionError)
_ARCHIVE_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError)


def load_npy(path: Path) -> Array:
    """The array in a `.npy` file.

    Raises:
        BadData: a missing file, one that is not `.npy`, is cut short, or holds Python objects.
    """
    try:
        with open_regular(path) as file:
            return _read(file, path.stat().st_size, shown(path))
    except OSError as error:
        raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error


def map_npy(path: Path) -> Array:
    """The array in a `.npy` file, left where it is: what is asked of it is read from the file.

    Raises:
        BadData: as `load_npy`.
    """
    try:
        require_regular(path)
        return npy.open_memmap(path, mode="r")
    except OSError as error:
        raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error
    except _HEADER_ERRORS as error:
        raise BadData(f"{shown(path)} is not a numpy array in .npy format, or is cut short; save it with numpy.save") from error


def shape_of_npy(path: Path) -> tuple[int, ...]:
    """The shape of the array in a `.npy` file, of which nothing else is read.

    Raises:
        BadData: as `load_npy`.
    """
    try:
        with open_regular(path) as file:
            return _header(file, path.stat().st_size, shown(path))[0]
    except OSError as error:
        raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error


def shape_in_npz(path: Path, name: str) -> tuple[int, ...]:
    """The shape of one array in a `.npz` file, of which nothing else is read.

    Raises:
        BadData: as `load_npz`.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            (member,) = [one for one in _entries(archive, path) if one.filename.removesuffix(".npy") == name]
            with archive.open(member) as content:
                return _header(cast("BinaryIO", content), member.file_size, f"{shown(path)}: {shown(name)}")[0]
    except OSError as error:
        raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error
    except _ARCHIVE_ERRORS as error:
        raise BadData(f"{shown(path)} is damaged, cut short or not .npz ({error}); restore it or write it anew") from error


def members(path: Path) -> set[str]:
    """The names of the arrays in a `.npz` file, none of which is read.

    Raises:
        BadData: a missing file, or one that is not `.npz`.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            return {member.filename.removesuffix(".npy") for member in _entries(archive, path)}
    except OSError as error:
        raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error
    except _ARCHIVE_ERRORS as error:
        raise BadData(f"{shown(path)} is damaged, cut short or not .npz ({error}); restore it or write it anew") from error


def load_npz(path: Path, wanted: Collection[str] | None = None, *, scalars: bool = False) -> dict[str, Array]:
    """The arrays in a `.npz` file by name.

    Args:
        path: the file.
        wanted: their names; None: all of them.
        scalars: take arrays of shape () too.

    Raises:
        BadData: a missing file, one that is not `.npz`, is cut short or damaged, or holds Python objects.
    """
    arrays = {}
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            for member in _entries(archive, path):
                if wanted is not None and member.filename.removesuffix(".npy") not in wanted:
                    continue
                with archive.open(member) as content:
                    where = f"{shown(path)}: {shown(member.filename)}"
                    array = _read(cast("BinaryIO", content), member.file_size, where, scalars=scalars)
                arrays[member.filename.removesuffix(".npy")] = array
    except OSError as error:
        raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error
    except _ARCHIVE_ERRORS as error:
        raise BadData(f"{shown(path)} is damaged, cut short or not .npz ({error}); restore it or write it anew") from error
    return arrays


def load_npz_rows(path: Path, name: str, rows: Array, *, of: int) -> Array:
    """Some rows of one array in a `.npz` file, without holding the others.

    Args:
        path: the file.
        name: of the array.
        rows: their numbers, ascending, shape (m,).
        of: how many rows the array must have.

    Raises:
        BadData: a missing file or array, one that is cut short or damaged, or of another number of rows.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            member = next((one for one in _entries(archive, path) if one.filename.removesuffix(".npy") == name), None)
            if member is None:
                raise BadData(f"{shown(path)} holds no array {name!r}; get the published file")
            with archive.open(member) as content:
                where = f"{shown(path)}: {shown(member.filename)}"
                return _read_rows(cast("BinaryIO", content), member.file_size, where, rows, of)
    except OSError as error:
        raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error
    except _ARCHIVE_ERRORS as error:
        raise BadData(f"{shown(path)} is damaged, cut short or not .npz ({error}); restore it or write it anew") from error


def _read_rows(file: BinaryIO, size: int, where: str, rows: Array, of: int) -> Array:
    shape, fortran_order, dtype = _header(file, size, where)
    if fortran_order:
        raise BadData(f"{where} is stored column by column, expected row by row; save it again")
    if shape[0] != of or 0 in shape:
        raise BadData(f"{where} has shape {shape}, expected {counted(of, 'row')}; get the file again")
    width = math.prod(shape[1:]) * dtype.itemsize  # bytes of a row
    require_memory(len(rows) * width, f"{where}: {counted(len(rows), 'row')} of shape {shape[1:]} of {dtype}")
    found = np.empty((len(rows), *shape[1:]), dtype)
    block = max(1, _BLOCK // width)
    for start in range(0, of, block):  # to the end: zip verifies its checksum
        count = min(block, of - start)
        content = read_at_most(file, count * width)
        if len(content) < count * width:
            raise BadData(f"{where} ends in row {start + len(content) // width:,} of {of:,}; save it again")
        low, high = np.searchsorted(rows, [start, start + count])
        found[low:high] = np.frombuffer(content, dtype).reshape(count, *shape[1:])[rows[low:high] - start]
    return found


def _entries(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    """What an archive lists, where each entry has a name and bytes of its own.

    Raises:
        BadData: two of one name, of which one would win in silence, or bytes that several entries share, as bombs do.
    """
    entries = archive.infolist()
    names = Counter(entry.filename.removesuffix(".npy") for entry in entries)
    if repeated := [name for name, count in names.items() if count > 1]:
        raise BadData(f"{shown(path)} holds several arrays called {repeated[0]!r}; save it again")
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise BadData(f"{shown(path)}: {shown(entry.filename)} shares bytes with another array; save it again")
        end = entry.header_offset + len(entry.orig_filename.encode()) + _LOCAL_HEADER + entry.compress_size
    return entries


def _header(file: BinaryIO, size: int, where: str, *, scalars: bool = False) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of an array in `.npy` format, in a file of `size` bytes that holds just that."""
    try:
        version = npy.read_magic(file)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran_order, dtype = header(file)
    except _HEADER_ERRORS as error:
        raise BadData(f"{where} is not a numpy array in .npy format; save it with numpy.save") from error
    if dtype.hasobject:
        raise BadData(f"{where} holds Python objects, which are never unpickled; save numbers or text instead")
    if dtype.names is not None:
        raise BadData(f"{where} holds records; save one plain array of shape (n, d)")
    if not (shape or scalars) or min(shape, default=0) < 0:
        raise BadData(f"{where} has shape {shape}, expected at least one row")
    needed, found = math.prod(shape) * dtype.itemsize, size - file.tell()
    if needed != found:
        raise BadData(f"{where}: shape {shape} of {dtype} takes {needed:,} bytes, the file holds {found:,}; save it again")
    return shape, fortran_order, dtype


def _read(file: BinaryIO, size: int, where: str, *, scalars: bool = False) -> Array:
    """One array in `.npy` format from a file of `size` bytes."""
    shape, fortran_order, dtype = _header(file, size, where, scalars=scalars)
    needed = math.prod(shape) * dtype.itemsize
    require_memory(needed, f"{where}: shape {shape} of {dtype}")
    content = read_at_most(file, needed)
    if len(content) < needed:
        raise BadData(f"{where} ends after {len(content):,} of {needed:,} bytes; save it again")
    return np.ndarray(shape, dtype, content, order="F" if fortran_order else "C")

"""`.npy` and `.npz` files that are not trusted: no pickles, and no memory for what a header merely promises.

`numpy.load` allocates what the header says before it reads; here the header must agree with the size of the file.
"""

import math
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO, cast

import numpy as np

from stabaudit.data.dataset import Array
from stabaudit.data.reading import read_at_most
from stabaudit.errors import BadData

_HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# What zipfile raises for damaged, encrypted and unsupported archives.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


def read_npy(path: Path) -> Array:
    """Read the array of a `.npy` file.

    Raises:
        BadData: not an `.npy` file, cut short or too long, or Python objects.
    """
    with path.open("rb") as stream:
        return _read_array(stream, path.stat().st_size, str(path))


def read_npz(path: Path) -> dict[str, Array]:
    """Read every array of a `.npz` file, by name.

    Raises:
        BadData: no zip archive, a damaged one, or an array that `read_npy` would refuse.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {}
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                with archive.open(member) as stream:
                    arrays[name] = _read_array(cast("BinaryIO", stream), member.file_size, f"{path}: array {name!r}")
            return arrays
    except _DAMAGED as error:
        raise BadData(f"{path} is not an undamaged .npz file ({error}); save it again with numpy.savez") from error


def _read_array(stream: BinaryIO, size: int, where: str) -> Array:
    try:
        version = np.lib.format.read_magic(stream)
        if version not in _HEADER_READERS:
            raise BadData(f"{where}: .npy format {version[0]}.{version[1]}, expected 1.0 or 2.0 (a plain array)")
        shape, fortran_order, dtype = _HEADER_READERS[version](stream)
    except (ValueError, EOFError, SyntaxError, TokenError) as error:
        raise BadData(f"{where} does not start with the header of a .npy file; save it again with numpy.save") from error
    if dtype.hasobject:
        raise BadData(f"{where} holds Python objects, which would have to be unpickled and never are; save plain numbers or text")
    if not shape or min(shape) < 0:
        raise BadData(f"{where} has shape {shape}, expected at least one row")
    expected, found = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if expected != found:
        raise BadData(f"{where}: the header promises {dtype} of shape {shape}, {expected:,} bytes; {found:,} follow")
    content = read_at_most(stream, expected)
    if len(content) < expected:
        raise BadData(f"{where} ends after {len(content):,} of {expected:,} bytes")
    return np.ndarray(shape, dtype, content, order="F" if fortran_order else "C")

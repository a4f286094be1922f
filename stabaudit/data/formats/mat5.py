"""Arrays of unsigned bytes in MATLAB 5 files (MathWorks, "MAT-File Format", chapter 1).

A file is a header of 128 bytes and elements; an element is a tag (type, bytes) and its content, and a compressed element inflates
to another element. An array is an element that holds elements, each padded to 8 bytes:

    flags and class | sizes of the dimensions | name | values, the first dimension fastest

A tag of four bytes (bytes << 16 | type) is followed by up to four bytes of content. SciPy reads far more of the format, but
believes what a file says of itself: damaged bytes crash it (bus error, SciPy 1.17), and a small file can take gigabytes.
"""

import io
import math
import struct
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import BadData
from stabaudit.store.files.atomic import reason, shown
from stabaudit.store.files.binary import CHUNK, read_at_most
from stabaudit.store.files.regular import open_regular

HEADER = 128  # bytes: a text, the version, and the letters MI as a number in the file's byte order
BYTE_ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
HDF5_VERSIONS = (b"\x00\x02", b"\x02\x00")
INT8, UINT8, INT32, UINT32, ARRAY, COMPRESSED = 1, 2, 5, 6, 14, 15  # types of elements
UINT8_CLASS = 9
OPAQUE_CLASS = 17  # an object without dimensions
COMPLEX_OR_LOGICAL = 0x0A00
FIELD_LIMIT = 256  # bytes of dimensions, or of a name


def read_mat(path: Path, wanted: Collection[str], *, largest: int) -> dict[str, NDArray[np.uint8]]:
    """Read arrays of unsigned bytes by name; all else in the file is ignored.

    Args:
        path: the file.
        wanted: names of arrays, compared exactly.
        largest: most values that a wanted array may have.

    Raises:
        BadData: unreadable, damaged, cut short, another kind of file, or a wanted array missing or of another type.
    """
    arrays: dict[str, NDArray[np.uint8]] = {}
    try:
        with open_regular(path) as file:
            order = _byte_order(file.read(HEADER), path)
            while tag := file.read(8):
                kind, size = struct.unpack(f"{order}II", tag)
                end = file.tell() + size
                stream: BinaryIO = file
                if kind == COMPRESSED:
                    stream = io.BufferedReader(_Inflated(file, size))
                    kind, _ = struct.unpack(f"{order}II", stream.read(8))
                if kind == ARRAY:
                    reader = _ArrayReader(stream, order, path)
                    if (name := reader.open()) in wanted:
                        if name in arrays:
                            raise BadData(f"{path} holds {name} twice; get the published file")
                        arrays[name] = reader.values(largest)
                file.seek(end)
    except OSError as error:
        raise BadData(f"{path} cannot be read: {reason(error)}") from error
    except (zlib.error, struct.error, EOFError) as error:
        raise BadData(f"{path} is damaged or cut short ({error}); get the file again") from error
    for name in wanted:
        if name not in arrays:
            raise BadData(f"{path} holds no array {name}; get the published file")
    return arrays


def _byte_order(header: bytes, path: Path) -> str:
    order = BYTE_ORDERS.get(header[124:])
    if order is None:
        what = "one of format 7.3, which is HDF5" if header[124:126] in HDF5_VERSIONS else "another kind of file"
        raise BadData(f"{path} is not a MATLAB 5 file but {what}; get the published file")
    return order


@dataclass
class _ArrayReader:
    """Reads one array element, whose tag has been read."""

    stream: BinaryIO
    order: str
    path: Path
    name: str = ""
    shape: tuple[int, ...] = ()
    flags: int = 0

    def open(self) -> str:
        """Read what comes before the values; return the array's name, empty where it has none."""
        flags = self._field(UINT32)
        self.flags = struct.unpack(f"{self.order}II", flags)[0]
        if self.flags & 0xFF == OPAQUE_CLASS:
            return ""
        sizes = self._field(INT32)
        self.shape = struct.unpack(f"{self.order}{len(sizes) // 4}i", sizes)
        self.name = self._field(INT8).decode("latin-1")
        return self.name

    def values(self, largest: int) -> NDArray[np.uint8]:
        """The values, as the file's shape."""
        if self.flags & 0xFF != UINT8_CLASS or self.flags & COMPLEX_OR_LOGICAL:
            raise BadData(f"{self.path}: {self.name} does not hold unsigned bytes; get the published file")
        count = math.prod(self.shape)
        if min(self.shape, default=0) < 0 or count > largest:
            raise BadData(f"{self.path}: {self.name} has shape {self.shape}, expected at most {largest:,} values")
        kind, size, inline = self._tag()
        if (kind, size) != (UINT8, count):
            raise BadData(
                f"{self.path}: {self.name} has {size:,} bytes of type {kind} for shape {self.shape}; get the file again"
            )
        content = read_at_most(self.stream, count) if inline is None else inline
        if len(content) < count:
            raise BadData(f"{self.path}: {self.name} ends after {len(content):,} of {count:,} values; get the file again")
        self.stream.read(8)  # past the padding, to where a compressed element has its checksum verified
        return np.frombuffer(content, np.uint8).reshape(self.shape, order="F")

    def _tag(self) -> tuple[int, int, bytes | None]:
        """Type and size of an element, and its content where that fits into the tag."""
        tag = self.stream.read(8)
        kind, size = struct.unpack(f"{self.order}II", tag)
        if kind >> 16 == 0:
            return kind, size, None
        if kind >> 16 > 4:
            raise BadData(f"{self.path} is damaged: an element in its own tag has {kind >> 16} bytes; get the file again")
        return kind & 0xFFFF, kind >> 16, tag[4 : 4 + (kind >> 16)]

    def _field(self, expected: int) -> bytes:
        kind, size, inline = self._tag()
        if kind != expected or size > FIELD_LIMIT:
            raise BadData(
                f"{self.path} is damaged: {shown(self.name) or 'an array'} has a field of type {kind}; get the file again"
            )
        return self.stream.read(size + -size % 8)[:size] if inline is None else inline


class _Inflated(io.RawIOBase):
    """What the next `size` bytes of a file inflate to, a piece at a time."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size
        self._inflate = zlib.decompressobj()

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill some of the buffer; 0 at the end."""
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail
            if not packed and self._left:
                packed = self._file.read(min(CHUNK, self._left))
                self._left -= len(packed)
            piece = self._inflate.decompress(packed, len(buffer))
            if piece:
                buffer[: len(piece)] = piece
                return len(piece)
            if not packed:
                message = "compressed data end early"
                raise EOFError(message)
        return 0

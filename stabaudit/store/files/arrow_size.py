"""How many bytes the record batches of an Arrow IPC file (Feather version 2) or stream take once they are inflated.

pyarrow says so only after it has inflated them. The lengths stand in the file: its footer lists blocks, the message of a block
lists buffers, and a compressed buffer begins with its length (Arrow columnar format, version 1.5: "IPC File Format" and "Buffer
compression"); a stream is the messages alone, one after another. Footer and messages are FlatBuffers, of which only what is
needed is read here.
"""

import os
import struct
from typing import BinaryIO

MAGIC = b"ARROW1"
MARK = b"\xff\xff\xff\xff"  # before the length of a message; in files of older versions there is none
_DICTIONARIES, _BATCHES = 2, 3  # fields of a footer
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3  # fields of a message
_DICTIONARY_DATA = 1  # field of a batch of a dictionary
_DICTIONARY, _RECORDS = 2, 3  # types of a header
_BUFFERS, _COMPRESSION = 2, 3  # fields of a record batch


def inflated_bytes(file: BinaryIO) -> int:
    """Bytes that all record batches and dictionaries of an open Arrow file take.

    Raises:
        ValueError: where it is no such file, or damaged.
    """
    try:
        size = file.seek(0, os.SEEK_END)
        length = int.from_bytes(_at(file, size - len(MAGIC) - 4, 4), "little")
        footer = _Table.root(_at(file, size - len(MAGIC) - 4 - length, length))
        blocks = [block for field in (_DICTIONARIES, _BATCHES) for block in footer.structs(field, "<qi4xq")]
        known = {block: _block(file, *block) for block in set(blocks)}  # a bomb names one a million times
        return sum(known[block] for block in blocks)
    except (struct.error, IndexError, OverflowError, OSError) as error:
        message = f"its footer or a message cannot be read ({error})"
        raise ValueError(message) from error


def streamed_bytes(file: BinaryIO) -> int:
    """As `inflated_bytes`, of an Arrow stream, whose messages all begin with a mark.

    Raises:
        ValueError: where it is no such stream, or damaged.
    """
    total = offset = 0
    try:
        while _at(file, offset, 4) == MARK:
            (length,) = struct.unpack("<i", _at(file, offset + 4, 4))
            if length == 0:  # the end
                break
            body = _Table.root(_at(file, offset + 8, length)).long(_BODY_LENGTH)
            total += _block(file, offset, 8 + length, body)
            offset += 8 + length + body
    except (struct.error, IndexError, OverflowError, OSError) as error:
        message = f"one of its messages cannot be read ({error})"
        raise ValueError(message) from error
    return total


def _block(file: BinaryIO, offset: int, metadata: int, body: int) -> int:
    """Bytes of one block, which begins with the length of its message after a mark."""
    start = 8 if _at(file, offset, 4) == MARK else 4
    message = _Table.root(_at(file, offset + start, metadata - start))
    batch = message.table(_HEADER)
    if message.byte(_HEADER_TYPE) == _DICTIONARY:
        batch = batch.table(_DICTIONARY_DATA)
    elif message.byte(_HEADER_TYPE) != _RECORDS:
        return 0
    buffers = batch.structs(_BUFFERS, "<qq")
    if not batch.has(_COMPRESSION):
        return body
    total = 0
    for place, length in buffers:
        (inflated,) = struct.unpack("<q", _at(file, offset + metadata + place, 8)) if length else (0,)
        total += length if inflated < 0 else inflated  # −1: stored as it is
    return int(total)


def _at(file: BinaryIO, place: int, length: int) -> bytes:
    if place < 0 or length < 0:
        message = "a negative length"
        raise IndexError(message)
    file.seek(place)
    return file.read(length)


class _Table:
    """A table of a FlatBuffer: fields by number, each of them absent or at an offset that the table's own table gives."""

    def __init__(self, content: bytes, place: int) -> None:
        self._content = content
        self._place = place
        self._fields = place - self._number("<i", place)

    @classmethod
    def root(cls, content: bytes) -> "_Table":
        """The table that a FlatBuffer is."""
        return cls(content, struct.unpack_from("<I", content)[0])

    def _number(self, form: str, place: int) -> int:
        if place < 0:
            message = "a negative offset"
            raise IndexError(message)
        return int(struct.unpack_from(form, self._content, place)[0])

    def _field(self, number: int) -> int:
        """Where a field lies; 0 where it is absent."""
        entry = 4 + 2 * number
        if entry >= self._number("<H", self._fields):
            return 0
        offset = self._number("<H", self._fields + entry)
        return self._place + offset if offset else 0

    def has(self, number: int) -> bool:
        """Whether a field is there."""
        return self._field(number) != 0

    def byte(self, number: int) -> int:
        """A field that is a byte; 0 by default."""
        place = self._field(number)
        return self._number("<B", place) if place else 0

    def long(self, number: int) -> int:
        """A field that is a length of 64 bits; 0 by default.

        Raises:
            IndexError: where it is negative.
        """
        place = self._field(number)
        value = self._number("<q", place) if place else 0
        if value < 0:
            message = "a negative length"
            raise IndexError(message)
        return value

    def table(self, number: int) -> "_Table":
        """A field that is a table."""
        place = self._field(number)
        if not place:
            message = "a table is missing"
            raise IndexError(message)
        return _Table(self._content, place + self._number("<I", place))

    def structs(self, number: int, form: str) -> list[tuple[int, ...]]:
        """A field that is a vector of structs."""
        place = self._field(number)
        if not place:
            return []
        start = place + self._number("<I", place)
        end = start + 4 + self._number("<I", start) * struct.calcsize(form)
        if end > len(self._content):
            message = "a vector ends behind its buffer"
            raise IndexError(message)
        return list(struct.iter_unpack(form, self._content[start + 4 : end]))

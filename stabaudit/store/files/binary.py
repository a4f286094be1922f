"""Bytes from files that may be damaged or forged."""

from typing import BinaryIO

CHUNK = 1 << 20


def read_at_most(stream: BinaryIO, count: int) -> bytearray:
    """Read up to `count` bytes, fewer only if the stream ends.

    Memory grows with what the stream really holds, so a header that promises terabytes costs nothing.
    """
    content = bytearray()
    while len(content) < count:
        chunk = stream.read(min(CHUNK, count - len(content)))
        if not chunk:
            break
        content += chunk
    return content

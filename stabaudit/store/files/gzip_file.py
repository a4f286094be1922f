"""Text that was compressed by gzip, inflated in memory and no further than text of numbers can have been compressed."""

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from stabaudit.errors import BadData
from stabaudit.store.files.atomic import reason, shown
from stabaudit.store.files.binary import read_at_most
from stabaudit.store.files.memory import memory_limit, require_memory
from stabaudit.store.files.regular import open_regular

_MOST = 100  # bytes of text in one of the file: numbers take a third to a tenth of their text
_SMALL = 1 << 26  # bytes that are inflated whatever the file's size


def inflate(path: Path) -> bytes:
    """What a gzipped file of text holds.

    Raises:
        BadData: a missing file, one that is damaged or not gzipped, or that inflates to more than 100 times its size
            or than fits into memory.
    """
    try:
        most = max(_SMALL, _MOST * path.stat().st_size)
        limit = min(most, memory_limit() or most)
        with open_regular(path) as packed, gzip.open(packed) as file:
            content = read_at_most(cast("BinaryIO", file), limit + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadData(f"{shown(path)} is damaged, cut short or not gzipped ({error}); restore it or write it anew") from error
    except OSError as error:
        raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error
    if len(content) > most:
        raise BadData(
            f"{shown(path)} inflates to more than {_MOST} times its size, as no table of numbers does; unpack it yourself"
        )
    require_memory(len(content), f"{shown(path)}: its text")
    return bytes(content)

"""Only regular files are opened to be read: a pipe, socket or device waits for ever or never ends.

What refuses one is an `OSError` without a number, whose text `atomic.reason` gives as it is, so that every reader says it in the
words it has for files that cannot be read.
"""

import errno
import io
import os
import stat
from pathlib import Path
from typing import TextIO

_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def require_regular(path: Path) -> int:
    """Refuse what is no regular file, before a library opens it by its name.

    Returns:
        Its size in bytes.

    Raises:
        OSError: where it is none, is not there or cannot be looked at.
    """
    found = path.stat()
    _require(found)
    return found.st_size


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file to be read.

    Raises:
        OSError: where it is none, or cannot be opened.
    """
    require_regular(path)  # to open a device may already do something
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _require(os.fstat(descriptor))  # it may have been replaced just now
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def open_text(path: Path, *, encoding: str = "utf-8", newline: str | None = None) -> TextIO:
    """Open a regular file of text to be read.

    Raises:
        OSError: as `open_regular`.
    """
    return io.TextIOWrapper(open_regular(path), encoding=encoding, newline=newline)


def read_regular(path: Path, at_most: int | None = None) -> bytes:
    """All bytes of a regular file.

    Args:
        path: the file.
        at_most: bytes that it may have; None: any.

    Raises:
        OSError: where it is none, cannot be read or is larger.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if at_most is not None and size > at_most:
            message = f"it has {size:,} bytes, expected at most {at_most:,}"
            raise OSError(message)
        return file.read() if at_most is None else file.read(at_most)


def _require(found: os.stat_result) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if kind != stat.S_IFREG:
        message = f"it is {_KINDS.get(kind, 'no regular file')}, expected a regular file"
        raise OSError(message)

"""Files that are whole or not there: written beside their place, flushed, verified, renamed over, and the folder flushed.

Whatever stops a write (a full disk, a signal, power loss), the place holds the old file or the new one, never a part of either.
"""

import difflib
import errno
import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from stabaudit.errors import BadRun
from stabaudit.store.files.mirror import address_of
from stabaudit.store.files.regular import open_regular

TEMPORARY = ".stabaudit-*.tmp"  # what an interrupted write can leave behind


def write_atomically(path: Path, write: Callable[[BinaryIO], object], check: Callable[[Path], object]) -> None:
    """Write a file so that `path` holds either what it held before or all that `write` wrote.

    Folders above `path` are made where they are missing.

    Args:
        path: where the file belongs.
        write: writes the content to an open file.
        check: reads the content back from the path it is given, and raises unless it is what was meant.

    Raises:
        BadRun: where the file cannot be written (disk full, read-only, no permission); the old file is as it was.
    """
    temporary = path.with_name(TEMPORARY.replace("*", secrets.token_hex(8)))
    try:
        make_folder(path.parent)
        try:
            with temporary.open("xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            check(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _flush_folder(path.parent)
    except OSError as error:
        raise BadRun(f"cannot write {shown(path)}: {reason(error)}; what was there before is untouched") from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes atomically.

    Raises:
        BadRun: where the file cannot be written or does not read back.
    """

    def check(written: Path) -> None:
        if written.read_bytes() != content:
            raise BadRun(f"{shown(path)} does not read back as it was written; check the disk and run the command again")

    write_atomically(path, lambda file: file.write(content), check)


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits.

    Raises:
        OSError: if it cannot be read.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def shown(path: Path | str) -> str:
    r"""A path as a message shows it: on one line, whatever characters it holds.

    >>> shown(Path("runs/vade d=50")), shown("runs/two\nlines")
    ('runs/vade d=50', "'runs/two\\nlines'")
    """
    text = address_of(path)
    return text if text.isprintable() else repr(text)


def missing(path: Path) -> str:
    """What to say of a path that is not there, with the nearest names beside it."""
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=2, cutoff=0.6)
    hint = f"did you mean {' or '.join(repr(str(path.parent / name)) for name in near)}?" if near else "check the path"
    return f"{shown(path)}: no such file or folder; {hint}"


def reason(error: OSError) -> str:
    """Why the system refused, in its own words: "no space left on device"."""
    text = os.strerror(error.errno) if error.errno is not None else " ".join(str(error).split())
    return text[:1].lower() + text[1:]


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing, to last.

    Raises:
        OSError: if it cannot be made.
    """
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        _flush_folder(folder.parent)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot flush a folder
            raise
    finally:
        os.close(descriptor)

"""One writer at a time in a run folder: a lock of the operating system, which ends with the process that holds it.

A lock file that a killed process left behind is therefore not a lock. Who holds it is told by a note beside it.
"""

import errno
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout
from pydantic import ValidationError

from stabaudit.config import Frozen
from stabaudit.errors import BadRun
from stabaudit.store.files.atomic import make_folder, reason, shown
from stabaudit.store.files.regular import open_regular, read_regular

LOCK = ".lock"
SOFT_LOCK = ".lock.soft"  # whose mere existence is the lock, where the file system has no others
NOTE = ".writer.json"
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}  # filelock itself takes ENOSYS so
_NOTE_BYTES = 10_000  # at most


class Writer(Frozen):
    """The process that writes a run. Hosts and times are told for people; nothing is decided by them."""

    process: int
    host: str
    since: str  # ISO 8601, UTC


class WriteLock:
    """The right to write one run folder, from construction until `release` or the end of the process."""

    def __init__(self, folder: Path) -> None:
        """Take the lock, or say who has it.

        Args:
            folder: a run folder; made where it is missing.

        Raises:
            BadRun: where another process writes the run, or the folder cannot be written.
        """
        self._note = folder / NOTE
        # Any thread of this process may release what another took.
        self._lock: BaseFileLock = FileLock(folder / LOCK, thread_local=False)
        try:
            make_folder(folder)
            try:
                self._lock.acquire(blocking=False)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                self._lock = SoftFileLock(folder / SOFT_LOCK, thread_local=False)
                self._lock.acquire(blocking=False)
            me = Writer(process=os.getpid(), host=socket.gethostname(), since=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
            self._note.unlink(missing_ok=True)
            with self._note.open("xb") as note:  # a new file, never what a link leads to
                note.write(me.model_dump_json().encode())
        except Timeout as error:
            raise BadRun(f"{shown(folder)} is being written by {_writer(folder)}; wait for it or stop it") from error
        except OSError as error:
            self._lock.release()
            raise BadRun(f"cannot write in {shown(folder)}: {reason(error)}") from error

    def release(self) -> None:
        """Give the lock back. Releasing twice does nothing."""
        if self._lock.is_locked:
            self._note.unlink(missing_ok=True)
            self._lock.release()


def is_written(folder: Path) -> bool:
    """Whether a process of this machine writes a run just now. Nothing is changed there."""
    if (folder / SOFT_LOCK).exists():
        return True
    try:
        import fcntl  # noqa: PLC0415 -- not on every platform

        with open_regular(folder / LOCK) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    except (OSError, ImportError):
        return False
    return False


def writer_of(folder: Path) -> Writer | None:
    """Who writes a run, by the note in its folder; None where there is none, or none that can be read."""
    try:
        return Writer.model_validate_json(read_regular(folder / NOTE, _NOTE_BYTES))
    except (OSError, ValidationError):  # it has just begun, or just ended
        return None


def _writer(folder: Path) -> str:
    writer = writer_of(folder)
    if writer is None:
        return "another process"
    return f"process {writer.process} on {writer.host} since {writer.since}"

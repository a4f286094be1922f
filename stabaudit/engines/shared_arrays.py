"""Large arrays as plain files that every process maps into memory."""

import os
import shutil
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from stabaudit.engines.base import Arrays
from stabaudit.errors import BadRun
from stabaudit.store.files.atomic import reason, shown

PREFIX = "stabaudit-"  # of folders of this process, among temporary files
_CLAIM = ".claim"


def share(arrays: Arrays, folder: Path) -> None:
    """Write arrays below a folder that is made.

    Raises:
        BadRun: where there is no room for them.
    """
    try:
        folder.mkdir(parents=True)
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
    except OSError as error:
        # numpy says how many bytes were written, and nothing of why they were no more
        why = "no space left, or a limit on the size of files (ulimit -f)" if error.errno is None else reason(error)
        where = shown(folder.parent.parent)
        raise BadRun(f"cannot write the dataset for the workers in {where}: {why}; make room there, or set TMPDIR") from error


def shared(folder: Path) -> Arrays:
    """Map the arrays of a folder into memory."""
    # Copy-on-write: nothing writes, but torch warns about arrays that nobody may write to.
    return {path.stem: np.load(path, mmap_mode="c", allow_pickle=False) for path in folder.glob("*.npy")}


def claim(folder: Path, stack: ExitStack) -> None:
    """Hold a temporary folder for as long as the stack lives, so that no other call takes it for abandoned."""
    lock = FileLock(folder / _CLAIM, blocking=False)
    with suppress(OSError, NotImplementedError):  # no locks there: it is never swept
        stack.callback(lock.acquire().lock.release)


def sweep(place: Path | None = None) -> None:
    """Delete the temporary folders of calls that were killed, below a place: they are claimed by nobody."""
    for folder in (place or Path(tempfile.gettempdir())).glob(f"{PREFIX}*"):
        lock = FileLock(folder / _CLAIM, blocking=False)
        with suppress(OSError, NotImplementedError, Timeout, AttributeError):
            # One without a claim is just being made, or is somebody else's.
            if folder.is_symlink() or folder.stat().st_uid != os.getuid() or not (folder / _CLAIM).is_file():
                continue
            with lock:
                shutil.rmtree(folder, ignore_errors=True)

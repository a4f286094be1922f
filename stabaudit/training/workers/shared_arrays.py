"""A dataset as plain array files that every worker maps into memory: loaded once, whatever its loader is."""

import os
import shutil
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout

from stabaudit.data.dataset import Dataset, Split
from stabaudit.errors import BadRun
from stabaudit.store.files.atomic import reason, shown
from stabaudit.training.step.restarts import Rows

PREFIX = "stabaudit-"  # of folders of shared datasets, among temporary files
_CLAIM = ".claim"


def share(dataset: Dataset, folder: Path) -> None:
    """Write all arrays of a dataset below a folder.

    Raises:
        BadRun: where there is no room for them.
    """
    try:
        _write(dataset, folder)
    except OSError as error:
        # numpy says how many bytes were written, and nothing of why they were no more
        why = "no space left, or a limit on the size of files (ulimit -f)" if error.errno is None else reason(error)
        where = shown(tempfile.gettempdir())
        raise BadRun(f"cannot write the dataset for the workers in {where}: {why}; make room there, or set TMPDIR") from error


def _write(dataset: Dataset, folder: Path) -> None:
    for part in ("train", "evaluation"):
        if part == "evaluation" and dataset.evaluation is dataset.train:
            continue
        (folder / part).mkdir(parents=True)
        split = getattr(dataset, part)
        for field in fields(Split):
            array = getattr(split, field.name)
            if array is not None:
                np.save(folder / part / f"{field.name}.npy", array, allow_pickle=False)


def claim(folder: Path, stack: ExitStack) -> None:
    """Hold a folder of shared datasets for as long as the stack lives, so that no other call takes it for abandoned."""
    lock = FileLock(folder / _CLAIM, blocking=False)
    with suppress(OSError, NotImplementedError):  # no locks there: it is never swept
        stack.callback(lock.acquire().lock.release)


def sweep() -> None:
    """Delete the folders of shared datasets of calls that were killed: they are claimed by nobody."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        lock = FileLock(folder / _CLAIM, blocking=False)
        with suppress(OSError, NotImplementedError, Timeout, AttributeError):
            # One without a claim is just being made, or is somebody else's.
            if folder.is_symlink() or folder.stat().st_uid != os.getuid() or not (folder / _CLAIM).is_file():
                continue
            with lock:
                shutil.rmtree(folder, ignore_errors=True)


def shared(folder: Path) -> tuple[Split, Split]:
    """Map the training and evaluation rows of a shared dataset."""
    train = _mapped(folder / "train")
    return train, _mapped(folder / "evaluation") if (folder / "evaluation").exists() else train


def rows_of(split: Split) -> Rows:
    """The observations and auxiliary variables of a split as tensors over the same memory."""
    u = np.empty((len(split), 0), np.float32) if split.u is None else split.u
    return Rows(torch.from_numpy(split.x), torch.from_numpy(u))


def _mapped(folder: Path) -> Split:
    # Copy-on-write: nothing writes, but torch warns about arrays that nobody may write to.
    return Split(**{path.stem: np.load(path, mmap_mode="c", allow_pickle=False) for path in folder.glob("*.npy")})

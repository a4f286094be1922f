"""From what a user types to runs: folders below a path, and `run#3` for one restart."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from stabaudit.errors import BadRun, UsageError
from stabaudit.store.files.atomic import missing, reason, shown
from stabaudit.store.files.mirror import Address, local
from stabaudit.store.files.natural_order import natural
from stabaudit.store.files.regular import require_regular
from stabaudit.store.run.layout import MANIFEST
from stabaudit.store.run.manifest import what_instead
from stabaudit.store.run.run_folder import Run


class Selector(NamedTuple):
    """A run folder or latents file, and the one restart that is meant (None: all)."""

    path: Path
    restart: int | None


def parse_selector(text: str) -> Selector:
    """What `runs/a`, `runs/a#3` or `latents.npy` means. A path that is there as typed is that path, `#` and all.

    Raises:
        UsageError: no such path (with the nearest known), no number after `#`, a restart that the run has not, or `#` on a file.
    """
    before, hash_sign, after = text.rpartition("#")
    if Address.of(text) is not None:
        place, number = (before, after) if hash_sign else (text, None)
        folder = local(place)
        return Selector(folder, None) if number is None else parse_selector(f"{folder}#{number}")
    try:
        literal = Path(text).exists()
        if literal or not hash_sign:
            path, number = Path(text), None
        else:
            path, number = Path(before), after
        if not path.exists():
            raise UsageError(missing(path))
        is_file = path.is_file()
        if not is_file and not path.is_dir():
            require_regular(path)
    except OSError as error:
        raise UsageError(f"cannot read {shown(text)}: {reason(error)}") from error
    if number is None:
        return Selector(path, None)
    if is_file:
        raise UsageError(f"{shown(path)} is a file of one restart; leave out '#{number}'")
    if not (number.isascii() and number.isdigit()):
        raise UsageError(f"{text!r}: expected the number of a restart after '#', as in '{shown(path)}#0'")
    return Selector(path, Run.open(path).restart(int(number)).index)


def find_runs(paths: Iterable[Path]) -> list[Run]:
    """All runs at or below the paths, each once, in the order of the paths and then of their names.

    Raises:
        UsageError: a path that is not there.
        BadRun: a path without any run, a folder that cannot be read, or a damaged run.
    """
    folders: dict[Path, Path] = {}
    for path in map(local, paths):
        found = _run_folders(path)
        if not found:
            raise BadRun(f"{shown(path)}: no run folders here or below; {what_instead(path)}")
        for folder in found:
            folders.setdefault(folder.resolve(), folder)
    return [Run.open(folder) for folder in folders.values()]


def _run_folders(path: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise BadRun(f"cannot read {shown(error.filename)}: {reason(error)}") from error

    try:
        if not path.exists():
            raise UsageError(missing(path))
    except OSError as error:
        raise UsageError(f"cannot read {shown(path)}: {reason(error)}") from error
    found = []
    for folder, below, files in os.walk(path, onerror=refuse):
        if MANIFEST in files:
            found.append(Path(folder))
            below.clear()  # a run holds no other runs
        below.sort(key=natural)
    return found


def recorded_restarts(folder: Path) -> int:
    """How many restarts a run was to have; 0 where there is no run yet.

    Raises:
        BadRun: a damaged manifest.
    """
    return len(Run.open(folder).manifest.restarts) if (folder / MANIFEST).is_file() else 0

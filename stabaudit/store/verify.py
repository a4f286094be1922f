"""Integrity of a run: does every file hold what the manifest says, and do the restarts fit together?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import StabauditError
from stabaudit.store import layout
from stabaudit.store.evaluation import read_evaluation
from stabaudit.store.files import reason, sha256, shown
from stabaudit.store.history import read_history
from stabaudit.store.run import Run
from stabaudit.store.weights import read_weights

Array = NDArray[Any]

_NOT_KEPT = {"scores", "checkpoints"}  # folders of what can be made again, or is not finished


@dataclass(frozen=True)
class Problem:
    """Something wrong with a file of a run, in one line, and what to do about it."""

    run: Path
    file: str
    what: str
    remedy: str

    def __str__(self) -> str:
        """One line."""
        return f"{shown(self.run / self.file)} {self.what}; {self.remedy}"


def verify(run: Run) -> list[Problem]:
    """All that is wrong with a run; empty when it is whole. Restarts that are not done yet are no problem.

    Checks that recorded files are there, unchanged and readable, that nothing else lies among them, and that all restarts have
    the rows and dimensions of the configuration and the same sample ids in the same order.
    """
    changed = list(_changed(run))
    sound = [file for file in _digests(run) if file not in {problem.file for problem in changed}]
    return [*changed, *_unreadable(run, sound), *_unfit(run, sound), *_unlisted(run)]


def _digests(run: Run) -> dict[str, str]:
    """All recorded files."""
    digests = dict(run.manifest.files)
    for restart in run.manifest.restarts:
        digests |= restart.files
    return digests


def _problem(run: Run, file: str, what: str) -> Problem:
    again = "import the latents" if run.manifest.config is None else "run the run's train command"
    return Problem(run.folder, file, what, f"restore it from a copy, or delete it and {again} again")


def _changed(run: Run) -> Iterator[Problem]:
    for file, digest in _digests(run).items():
        try:
            if sha256(run.folder / file) != digest:
                yield _problem(run, file, "has changed since it was recorded (its SHA-256 differs)")
        except FileNotFoundError:
            yield _problem(run, file, "is missing")
        except OSError as error:
            yield _problem(run, file, f"cannot be read ({reason(error)})")


def _unreadable(run: Run, sound: list[str]) -> Iterator[Problem]:
    readers: dict[str, Callable[[Path], object]] = {
        "history": read_history,
        "weights": read_weights,
        "divergence": read_history,
        "prior": read_history,
        layout.EVALUATION: read_evaluation,
    }
    for file in sound:
        reader = readers.get(file.partition("/")[0])
        try:
            if reader is not None:
                reader(run.folder / file)
        except StabauditError as error:
            yield _problem(run, file, f"cannot be used ({error})")


def _unfit(run: Run, sound: list[str]) -> Iterator[Problem]:
    """Latents that cannot be read, are not the run's, or name other rows than the first good ones."""
    expected: Array | None = None
    for index in run.done:
        file = layout.latents(index)
        if file not in sound:
            continue
        try:
            latents = run.latents(index)
        except StabauditError as error:
            yield _problem(run, file, f"cannot be used ({error})")
            continue
        expected = latents.sample_id if expected is None else expected
        if not np.array_equal(latents.sample_id, expected):
            yield _problem(run, file, "names other samples than the restarts before it, or the same in another order")


def _unlisted(run: Run) -> Iterator[Problem]:
    """Files that no record lists. Those of unfinished restarts are on their way, hidden ones are nobody's business."""
    expected = {layout.MANIFEST, *_digests(run)}
    for index in run.unfinished:
        expected.update(layout.of_restart(index))
    for path in sorted(run.folder.rglob("*")):
        file = path.relative_to(run.folder)
        hidden = any(part.startswith(".") for part in file.parts)
        if path.is_file() and not hidden and file.parts[0] not in _NOT_KEPT and file.as_posix() not in expected:
            yield Problem(run.folder, file.as_posix(), "is not in the manifest", "move it out of the run folder, or delete it")

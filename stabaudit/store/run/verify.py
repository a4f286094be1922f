"""Integrity of a run: does every file hold what the manifest promises, and do they fit together?"""

import math
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import StabauditError, counted
from stabaudit.store.files import columns
from stabaudit.store.files.atomic import TEMPORARY, reason, sha256, shown
from stabaudit.store.files.mirror import all_present
from stabaudit.store.run import layout
from stabaudit.store.run.lock import is_written
from stabaudit.store.run.manifest import Manifest, Restart
from stabaudit.store.run.run_folder import Run

Array = NDArray[Any]

_NOT_KEPT = {"scores", "checkpoints"}  # folders of what can be made again, or is not finished
_SUM_TOLERANCE = 1e-4  # of a mixture's weights, which are kept as they were computed, in float32


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

    Checks that recorded files are there, unchanged and readable, that nothing else lies among them, that every restart that is
    done has latents and the seed of its place, and that what belongs together fits: rows, ids in one order and labels of all
    latents and the evaluation rows, dimensions, steps of histories, finite weights, a divergence for each dimension, mixtures
    whose weights sum to 1.
    """
    all_present(run.folder)
    changed = list(_changed(run))
    sound = run.digests.keys() - {problem.file for problem in changed}
    return [*changed, *_unfulfilled(run), *_unfit(run, sound), *_unlisted(run)]


def leftovers(run: Run) -> list[str]:
    """What a killed call left in a run folder, a line each. It does no harm, and the next call that writes the run sees to it.

    Nothing is one while the run is being written.
    """
    if is_written(run.folder):
        return []
    places = (run.folder, *(run.folder / name for name in layout.FOLDERS))
    parts = sorted(path for place in places for path in place.glob(TEMPORARY))
    attempts = sorted((run.folder / layout.PROGRAMS).glob("*"))
    return [
        *(f"{shown(path)} was being written when a call was killed; the next call deletes it" for path in parts),
        *(
            f"{shown(path)} was written by a program whose latents were not taken in; the next call takes them in if the "
            "program ended well and they can be used"
            for path in attempts
        ),
    ]


def command_again(manifest: Manifest, folder: Path) -> str | None:
    """The command that made a run, such that it finishes the run where it lies now; None unless it is one of stabaudit's own.

    Each word is quoted, so that no shell finds another command in it.

    >>> command_again(Manifest.model_construct(command="stabaudit train vae --out old -n 3"), Path("a b"))
    "stabaudit train vae -n 3 --out 'a b'"
    >>> command_again(Manifest.model_construct(command="rm -rf ."), Path("a b")) is None
    True
    """
    try:
        words = shlex.split(manifest.command)
    except ValueError:  # not written by a shell's rules
        return None
    if words[:1] != ["stabaudit"] or words[1:2] not in (["train"], ["import"]):
        return None
    for place in [place for place, word in enumerate(words) if word == "--out"][::-1]:
        del words[place : place + 2]
    return shlex.join([*(word for word in words if not word.startswith("--out=")), "--out", str(folder)])


def _problem(run: Run, file: str, what: str) -> Problem:
    trained = run.manifest.made_from_seeds
    again = command_again(run.manifest, run.folder)
    if again is None:
        how = f"{'train' if trained else 'import the latents'} again as 'stabaudit show' says that it was made"
    else:
        how = f"{'run' if trained else 'import the latents again'}: {shown(again)}"
    return Problem(run.folder, file, what, f"restore it from a copy, or delete it and {how}")


def _changed(run: Run) -> Iterator[Problem]:
    for file, digest in run.digests.items():
        try:
            if sha256(run.folder / file) != digest:
                yield _problem(run, file, "has changed since it was recorded (its SHA-256 differs)")
        except FileNotFoundError:
            yield _problem(run, file, "is missing")
        except OSError as error:
            yield _problem(run, file, f"cannot be read ({reason(error)})")


def _unfulfilled(run: Run) -> Iterator[Problem]:
    """What the manifest says of its restarts that it cannot mean."""
    config = run.manifest.config
    for restart in run.manifest.restarts:
        if restart.state == "done" and layout.latents(restart.index) not in restart.files:
            what = f"is not recorded, though restart {restart.index} is done"
            yield _problem(run, layout.latents(restart.index), what)
        if config is not None and restart.seed != config.seed + restart.index:
            what = f"gives restart {restart.index} the seed {restart.seed}, expected {config.seed + restart.index}"
            yield Problem(run.folder, layout.MANIFEST, what, "restore it from a copy, or train into another folder")


def _unfit(run: Run, sound: set[str]) -> Iterator[Problem]:
    """Files that cannot be used, or that do not fit those before them. The evaluation rows come first."""
    lead = _Lead()
    looks: dict[str, Callable[[], str | None]] = {layout.EVALUATION: partial(_evaluation, run, lead)}
    for restart in run.manifest.restarts:
        looks[layout.history(restart.index)] = partial(_history, run, restart)
        if restart.state == "done":
            looks[layout.latents(restart.index)] = partial(_latents, run, restart.index, lead)
            looks[layout.weights(restart.index)] = partial(_weights, run, restart.index)
            looks[layout.divergence(restart.index)] = partial(_divergence, run, restart.index, lead)
            looks[layout.prior(restart.index)] = partial(_prior, run, restart.index)
            looks[layout.geometry(restart.index)] = partial(_geometry, run, restart.index)
    for file, look in looks.items():
        if file in sound:
            try:
                what = look()
            except StabauditError as error:
                what = f"cannot be used ({error})"
            if what is not None:
                yield _problem(run, file, what)


@dataclass
class _Lead:
    """What the files read so far hold, and those after them must hold too."""

    sample_id: Array | None = None
    label: Array | None = None
    dimensions: int | None = None


def _evaluation(run: Run, lead: _Lead) -> str | None:
    rows = run.evaluation()
    assert rows is not None  # noqa: S101 -- it is recorded
    expected = run.manifest.dataset.evaluation_rows
    if len(rows.sample_id) != expected:
        return f"holds {counted(len(rows.sample_id), 'row')}, expected {expected}"
    lead.sample_id, lead.label = rows.sample_id, rows.label
    return None


def _latents(run: Run, index: int, lead: _Lead) -> str | None:
    latents = run.latents(index)
    if lead.sample_id is None:
        lead.sample_id, lead.label = latents.sample_id, latents.label
    ids, others = latents.sample_id, lead.sample_id
    if run.manifest.made_from_seeds:
        mine, its = np.arange(len(ids)), np.arange(len(others))
    else:  # files from elsewhere name their rows in orders of their own
        mine, its = np.argsort(ids, kind="stable"), np.argsort(others, kind="stable")
    if not np.array_equal(ids[mine], others[its]):
        return "names other samples than the files before it, or the same in another order"
    if lead.label is not None and latents.label is not None and not np.array_equal(latents.label[mine], lead.label[its]):
        return "gives its rows other labels than the files before it"
    lead.dimensions = latents.mean.shape[1]
    return None


def _history(run: Run, restart: Restart) -> str | None:
    last = run.history(restart.index).get("step", np.zeros(0))[-1:]
    return f"ends at step {last[0]}, expected {restart.steps}" if (last != restart.steps).any() else None


def _weights(run: Run, index: int) -> str | None:
    broken = [name for name, values in run.weights(index).items() if values.dtype.kind == "f" and not np.isfinite(values).all()]
    return f"holds NaN or infinite values in {broken[0]!r}" if broken else None


def _divergence(run: Run, index: int, lead: _Lead) -> str | None:
    table = run.divergence(index) or {}
    kl = table.get("kl")
    if kl is None:
        return "has no column kl"
    if lead.dimensions is not None and len(kl) != lead.dimensions:
        return f"holds {counted(len(kl), 'dimension')}, expected {lead.dimensions}"
    return None if np.isfinite(kl).all() else "holds NaN or infinite values in kl"


def _prior(run: Run, index: int) -> str | None:
    table = run.prior(index) or {}
    total = float(table.get("weight", np.zeros(0)).sum())
    if not math.isclose(total, 1, abs_tol=_SUM_TOLERANCE):
        return f"is a mixture whose weights sum to {total:.4g}, expected 1"
    means, log_vars = (columns.run_of(prefix, list(table), prefix) for prefix in ("mean", "log_var"))
    if len(means) != len(log_vars):
        return f"holds {counted(len(means), 'column')} of means and {len(log_vars)} of log-variances"
    broken = [name for name, values in table.items() if not np.isfinite(values).all()]
    return f"holds NaN or infinite values in {broken[0]}" if broken else None


def _geometry(run: Run, index: int) -> str | None:
    table = run.geometry(index) or {}
    absent = [name for name in ("row_a", "row_b", "euclidean", "straight", "geodesic") if name not in table]
    if absent:
        return f"has no column {absent[0]}"
    broken = [name for name, values in table.items() if not np.isfinite(values).all()]
    if broken:
        return f"holds NaN or infinite values in {broken[0]}"
    return "holds geodesics longer than the straight lines" if (table["geodesic"] > table["straight"]).any() else None


def _unlisted(run: Run) -> Iterator[Problem]:
    """Files that no record lists. Those of unfinished restarts are on their way, hidden ones are nobody's business."""
    expected = {layout.MANIFEST, *run.digests}
    for index in run.unfinished:
        expected.update(layout.of_restart(index))
    if run.unfinished:
        expected.add(layout.EVALUATION)
    for path in sorted(run.folder.rglob("*")):
        file = path.relative_to(run.folder)
        hidden = any(part.startswith(".") for part in file.parts)
        if path.is_file() and not hidden and file.parts[0] not in _NOT_KEPT and file.as_posix() not in expected:
            yield Problem(run.folder, file.as_posix(), "is not in the manifest", "move it out of the run folder, or delete it")

"""Parts of one run, trained in folders of their own, become one run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from stabaudit.errors import BadRun, UsageError
from stabaudit.store.files.atomic import sha256, shown
from stabaudit.store.files.mirror import present
from stabaudit.store.run import layout
from stabaudit.store.run.contents import Contents
from stabaudit.store.run.evaluation import Evaluation
from stabaudit.store.run.manifest import Manifest, Restart
from stabaudit.store.run.resume import changes_of_source
from stabaudit.store.run.run_folder import Run

_ENDED = {"done", "diverged"}


def merge(folders: Sequence[Path], out: Path) -> Run:
    """Join parts of one run.

    Every file is held against its part's digest before anything is written. A restart that several parts have must be the same
    in all of them. What no part has stays pending, and `stabaudit train` in the joined folder trains it.

    Args:
        folders: of the parts.
        out: where the joined run goes; a new folder, or one of a run that the parts belong to.

    Raises:
        UsageError: fewer than two parts, or one of them twice.
        BadRun: parts of different runs, or files that are not what their manifests say; it says which, and how.
    """
    if len(folders) < 2:
        raise UsageError("merge needs at least two folders: the parts that 'stabaudit train … --shard I/N' trained")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UsageError("merge: one folder is named twice; name every part once")
    parts = [Run.open(folder) for folder in folders]
    for part in parts[1:]:
        _require_same_run(parts[0], part)
    taken = _ended(parts)
    for index, part in taken.items():
        _require_whole(part, part.restart(index).files)
    evaluation, first = _evaluation_of(parts[0]), parts[0].manifest
    fresh = [Restart(index=restart.index, seed=restart.seed) for restart in first.restarts]
    manifest = first.model_copy(update={"name": out.resolve().name, "restarts": fresh, "files": {}})
    with Run.prepare(out, manifest) as run:
        run.save_evaluation(evaluation)
        for index, part in sorted(taken.items()):
            if run.restart(index).state not in _ENDED:
                record = part.restart(index)
                run.take({file: (part.folder / file).read_bytes() for file in record.files})
                run.record(record.model_copy(update={"files": {}}))
            elif _bits(run, index) != _bits(part, index):
                raise BadRun(f"restart {index} differs between {shown(run.folder)} and {shown(part.folder)}; name another --out")
    return run


def _require_same_run(first: Run, other: Run) -> None:
    """Refuse parts of different runs.

    Raises:
        BadRun: naming what differs, with both values.
    """
    a, b = first.manifest, other.manifest
    for part in (first, other):
        if part.manifest.config is None:
            raise BadRun(f"{shown(part.folder)} was not trained by stabaudit, so it is no part of a run; 'import' joins files")
    assert a.config is not None  # noqa: S101 -- just seen
    assert b.config is not None  # noqa: S101 -- likewise
    differences: dict[str, tuple[object, object]] = dict(a.config.differences(b.config))
    for what, mine, theirs in zip(_IDENTITY, _identity(a), _identity(b), strict=True):
        if mine != theirs:
            differences[what] = (mine, theirs)
    if differences:
        listed = "; ".join(f"{key} is {there!r} there, {here!r} here" for key, (there, here) in differences.items())
        raise BadRun(f"{shown(first.folder)} and {shown(other.folder)} are no parts of one run: {listed}")
    if changed := changes_of_source(a, b):
        raise BadRun(f"{shown(other.folder)} was trained after {'; '.join(changed)}, and {shown(first.folder)} before")


_IDENTITY = ("dataset fingerprint", "posterior", "grid", "shards")


def _identity(manifest: Manifest) -> tuple[object, ...]:
    return manifest.dataset.fingerprint, manifest.posterior, manifest.grid, manifest.shards


def _bits(part: Contents, index: int) -> dict[str, str]:
    """Digests of what training decides; a history also tells how long it took."""
    return {file: digest for file, digest in part.restart(index).files.items() if file != layout.history(index)}


def _ended(parts: Sequence[Run]) -> dict[int, Run]:
    """The part that each restart is taken from.

    Raises:
        BadRun: a restart of which two parts hold different results.
    """
    found: dict[int, Run] = {}
    for part in parts:
        for restart in part.manifest.restarts:
            if restart.state not in _ENDED:
                continue
            other = found.setdefault(restart.index, part)
            if _bits(other, restart.index) != _bits(part, restart.index):
                raise BadRun(
                    f"restart {restart.index} differs between {shown(other.folder)} and {shown(part.folder)}; leave out one"
                )
    return found


def _require_whole(part: Contents, files: Mapping[str, str]) -> None:
    """Refuse files that are not those that were recorded.

    Raises:
        BadRun: naming the file.
    """
    for file, digest in files.items():
        try:
            found = sha256(present(part.folder / file))
        except OSError:
            found = ""
        if found != digest:
            raise BadRun(
                f"{shown(part.folder / file)} is not the file that was recorded; 'stabaudit verify {shown(part.folder)}'"
            )


def _evaluation_of(part: Run) -> Evaluation:
    """What a part knows of the evaluation rows.

    Raises:
        BadRun: where it keeps nothing of them.
    """
    rows = part.evaluation()
    if rows is None:
        raise BadRun(f"{shown(part.folder)} has no {layout.EVALUATION}; train the part anew")
    return rows

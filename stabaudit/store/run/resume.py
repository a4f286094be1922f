"""What a command asks of a folder that already holds a run: nothing new, more restarts, or something that is refused."""

import os
import unicodedata
from pathlib import Path

from stabaudit.config import Option, RunConfig
from stabaudit.errors import BadRun
from stabaudit.store.files.atomic import TEMPORARY, reason, shown
from stabaudit.store.files.mirror import Address
from stabaudit.store.run.external_labels import UNKNOWN
from stabaudit.store.run.layout import FOLDERS, MANIFEST
from stabaudit.store.run.lock import LOCK, NOTE, SOFT_LOCK
from stabaudit.store.run.manifest import Change, Manifest, Restart, read_manifest

_UNREADABLE = {"Cc", "Cs", "Zl", "Zp"}  # Unicode categories that break lines or cannot be printed: no folder is made with them
# Options that came later, as runs from before were trained.
_BEFORE: dict[str, Option] = {"scale": "none", "channels_last": False}


def agree(folder: Path, wanted: Manifest, *, accept_change: bool = False) -> Manifest:
    """The manifest to go on with: `wanted` in a folder that is missing or empty, else what `reconcile` makes of the two.

    A restart that was done but has lost a file is pending again. Nothing is written.

    Args:
        folder: the run folder.
        wanted: the manifest of what was asked for.
        accept_change: go on where the source of the user's own model or program has changed, and record that.

    Raises:
        BadRun: where the folder holds something else, or has a name that cannot be.
    """
    if Address.of(folder) is not None:
        raise BadRun(f"{Address.of(folder)}: nothing is trained into an object store; train on a disk, then 'stabaudit push'")
    try:
        holds_run = (folder / MANIFEST).exists()
        if not holds_run and not (folder / MANIFEST).is_symlink():
            _require_fresh(folder)
        _require_no_links(folder)
    except OSError as error:
        raise BadRun(f"cannot read {shown(folder)}: {reason(error)}") from error
    if not holds_run:
        return wanted
    manifest = reconcile(read_manifest(folder), wanted, folder, accept_change=accept_change)
    return manifest.model_copy(update={"restarts": [_pending_if_lost(restart, folder) for restart in manifest.restarts]})


def _require_no_links(folder: Path) -> None:
    """Refuse a folder in which a link could lead what is written out of it. The folder itself may be one.

    Raises:
        BadRun: naming the link.
    """
    for place in (folder, *(folder / name for name in FOLDERS)):
        if place.is_dir():
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        raise BadRun(
                            f"{shown(entry.path)} is a link, which nothing is written through; put what it leads to there"
                        )


def _require_fresh(folder: Path) -> None:
    """Refuse a folder that holds anything, or whose name should not be made.

    Raises:
        BadRun: saying which.
    """
    made = [folder, *(parent for parent in folder.parents if not os.path.lexists(parent))]
    for name in (path.name for path in made):
        if any(unicodedata.category(character) in _UNREADABLE for character in name):
            raise BadRun(f"a run folder cannot be called {name!r}: it holds control characters; name another folder")
    try:
        held = sorted(
            entry.name for entry in folder.iterdir() if entry.name not in {LOCK, NOTE, SOFT_LOCK} and not entry.match(TEMPORARY)
        )
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadRun(f"cannot use {shown(folder)} as a run folder: {reason(error)}") from error
    if held:
        raise BadRun(f"{shown(folder)} is not a run folder and not empty: it holds {shown(held[0])}; name another folder")


def reconcile(recorded: Manifest, wanted: Manifest, folder: Path, *, accept_change: bool = False) -> Manifest:
    """The recorded run, extended where more restarts are wanted.

    Shards that were recorded stay as they are, since what is trained together decides the bits; the restarts that are new are
    grouped as in `wanted`. Environment and creation time stay those of the first training.

    Raises:
        BadRun: another configuration or dataset (naming each key with both values), fewer restarts than recorded, or a model or
            program of the user's that has changed, where that is not accepted.
    """
    more = len(wanted.restarts) > len(recorded.restarts)
    differences = _differences(recorded, wanted)
    if more:
        differences.pop("restarts", None)
        differences = {key: values for key, values in differences.items() if key not in _more_files(recorded, wanted)}
    if differences:
        listed = "; ".join(f"{key} is {_shown(there)} there, {_shown(here)} here" for key, (there, here) in differences.items())
        raise BadRun(f"{shown(folder)} holds another run: {listed}. Name another folder, or ask for what it holds")
    if changed := changes_of_source(recorded, wanted):
        if not accept_change:
            raise BadRun(
                f"{shown(folder)} was trained before {'; '.join(changed)}. Name another folder, or go on with --accept-change, "
                "which records it"
            )
        recorded = _accepting(recorded, wanted, changed)
    if not more:
        return recorded
    known = len(recorded.restarts)
    fresh = [[index for index in shard if index >= known] for shard in wanted.shards]
    return recorded.model_copy(
        update={
            "command": wanted.command,
            "config": wanted.config,
            "external": wanted.external,
            "shards": recorded.shards + [shard for shard in fresh if shard],
            "restarts": recorded.restarts + wanted.restarts[known:],
        }
    )


def _shown(value: object) -> str:
    return "not set" if value is None else repr(value)


def changes_of_source(recorded: Manifest, wanted: Manifest) -> list[str]:
    """What has changed in the user's own model or program since a run was trained, a clause each; none where nobody knows."""
    found = []
    if recorded.source:
        before, now = recorded.source, wanted.source
        found += [f"{shown(file)} was changed" for file in before if file in now and now[file] != before[file]]
        found += [f"{shown(file)} was taken away" for file in before if file not in now]
        found += [f"{shown(file)} was added" for file in now if file not in before]
    if recorded.weights and recorded.weights != wanted.weights:
        shapes = {name: (recorded.weights.get(name), wanted.weights.get(name)) for name in recorded.weights | wanted.weights}
        name, both = next((name, both) for name, both in shapes.items() if both[0] != both[1])
        there, here = ("absent" if shape is None else "×".join(map(str, shape)) or "a number" for shape in both)
        found.append(f"weight {name} became {here}, from {there}")
    return found


def _accepting(recorded: Manifest, wanted: Manifest, changed: list[str]) -> Manifest:
    """A run that goes on with a changed model or program, and says so."""
    trained = [restart.index for restart in recorded.restarts if restart.state != "pending"]
    change = Change(made=wanted.created, what=changed, restarts=trained)
    return recorded.model_copy(
        update={"source": wanted.source, "weights": wanted.weights, "changes": [*recorded.changes, change]}
    )


def _more_files(recorded: Manifest, wanted: Manifest) -> set[str]:
    """Keys of the files of an import that come after those that are recorded."""
    if recorded.external is None or wanted.external is None:
        return set()
    known, files = list(recorded.external.files), list(wanted.external.files)
    return {f"files.{file}" for file in files[len(known) :]} if files[: len(known)] == known else set()


def _differences(recorded: Manifest, wanted: Manifest) -> dict[str, tuple[object, object]]:
    """Keys that differ, with the recorded and the wanted value."""
    if recorded.config is not None and wanted.config is not None:
        differences = _since_then(recorded.config).differences(wanted.config)
    else:
        differences = {}
        if _origin(recorded) != _origin(wanted):
            differences["origin"] = (_origin(recorded), _origin(wanted))
        elif recorded.external is not None and wanted.external is not None:
            differences = recorded.external.differences(wanted.external)
        if len(recorded.restarts) != len(wanted.restarts):
            differences["restarts"] = (len(recorded.restarts), len(wanted.restarts))
    # A program's rows are known only when it has run.
    if wanted.dataset.fingerprint not in {UNKNOWN, recorded.dataset.fingerprint}:
        differences["dataset fingerprint"] = (recorded.dataset.fingerprint, wanted.dataset.fingerprint)
    return differences


def _since_then(config: RunConfig) -> RunConfig:
    """A recorded configuration with the options that its family, dataset or networks have gained since; of files of one's own."""
    known = config.dataset.options
    if "holdout" not in known or "vocabulary" in known:  # options of such files, and of texts
        return config
    return config.model_copy(update={"dataset": config.dataset.model_copy(update={"options": _BEFORE | known})})


def _origin(manifest: Manifest) -> str:
    if manifest.config is not None:
        return "trained"
    return "made by a program" if manifest.made_from_seeds else "imported"


def _pending_if_lost(restart: Restart, folder: Path) -> Restart:
    lost = restart.state == "done" and not all((folder / path).exists() for path in restart.files)
    return Restart(index=restart.index, seed=restart.seed) if lost else restart

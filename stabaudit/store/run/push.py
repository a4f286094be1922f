"""A run goes to an object store: every file is read back before the manifest says that it is there."""

from pathlib import Path
from tempfile import TemporaryDirectory

from stabaudit.errors import BadRun, UsageError
from stabaudit.store.files.atomic import sha256, shown
from stabaudit.store.files.mirror import Address
from stabaudit.store.run.layout import MANIFEST
from stabaudit.store.run.lock import is_written
from stabaudit.store.run.manifest import Manifest, read_manifest
from stabaudit.store.run.run_folder import Run


def push(folder: Path, target: str) -> int:
    """Upload a run; what is there already is not uploaded again.

    Files go first, each is read back, and the manifest goes last: a run that is cut off on its way is none yet, and the same call
    goes on.

    Args:
        folder: of the run.
        target: an address such as "s3://bucket/runs/a".

    Returns:
        How many files were uploaded.

    Raises:
        UsageError: a target that is no address.
        BadRun: a run that is being written or is not whole, a target that holds another run, or a store that cannot be used.
    """
    address = Address.of(target)
    if address is None or "/" not in address.path:
        raise UsageError(f"{target!r}: expected an address such as s3://bucket/runs/{folder.resolve().name}")
    run = _finished(folder)
    there = address.sizes() or {}
    if MANIFEST in there:
        _require_same_run(address, run.manifest)
    elif foreign := sorted(there.keys() - run.digests.keys()):  # the others are those of a call that was cut off
        raise BadRun(f"{address} is no run and not empty: it holds {foreign[0] or 'an object'}; name another place")
    for file, digest in run.digests.items():
        if _digest(folder / file) != digest:
            raise BadRun(f"{shown(folder / file)} is not the file that was recorded; see 'stabaudit verify {shown(folder)}'")
    wanted = run.digests | {MANIFEST: _digest(folder / MANIFEST)}
    missing = {file: digest for file, digest in wanted.items() if file not in there or (address / file).sha256() != digest}
    for file, digest in missing.items():
        _upload(address / file, folder / file, digest)
    return len(missing)


def _finished(folder: Path) -> Run:
    """The run in a folder.

    Raises:
        BadRun: where nothing of it is done, or it is being written.
    """
    run = Run.open(folder)
    if not run.done:
        raise BadRun(f"{shown(folder)}: none of its restarts is done; train it first")
    if is_written(folder):
        raise BadRun(f"{shown(folder)} is being written; wait until it is trained")
    return run


def _digest(path: Path) -> str:
    """SHA-256 of a file; empty where it cannot be read."""
    try:
        return sha256(path)
    except OSError:
        return ""


def _upload(address: Address, path: Path, digest: str) -> None:
    """Write an object and read it back.

    Raises:
        BadRun: where it is not what was meant; it is then taken away.
    """
    address.put(path)
    if address.sha256() != digest:
        address.delete()
        raise BadRun(f"{address} did not read back as it was written and was taken away; run the same command again")


def _require_same_run(address: Address, manifest: Manifest) -> None:
    """Refuse a place that holds another run, or more of this one.

    Raises:
        BadRun: saying so.
    """
    with TemporaryDirectory() as scratch:
        (address / MANIFEST).fetch(Path(scratch) / MANIFEST)
        there = read_manifest(Path(scratch))
    same = (there.created, there.dataset.fingerprint) == (manifest.created, manifest.dataset.fingerprint)
    if not same:
        raise BadRun(f"{address} holds another run, made {there.created}; name another place")
    if sum(restart.state == "done" for restart in there.restarts) > sum(restart.state == "done" for restart in manifest.restarts):
        raise BadRun(f"{address} holds more of this run than is here; nothing is uploaded")

"""What a worker is told of a shard, and what it gives back, as parcels of bytes."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from pydantic import TypeAdapter

from stabaudit import __version__
from stabaudit.config import Frozen, NonNegative, RunConfig
from stabaudit.engines.shared_arrays import PREFIX, claim
from stabaudit.errors import BadRun
from stabaudit.store.files.atomic import shown
from stabaudit.store.run.layout import MANIFEST
from stabaudit.store.run.manifest import Manifest, Restart, read_manifest
from stabaudit.store.run.own_source import module_files, own_modules, source_of_modules
from stabaudit.store.run.parcel import pack, unpack
from stabaudit.store.run.run_folder import Run
from stabaudit.store.run.workspace import Workspace

_ORDER, _ENDED, _SOURCE = "order.json", "restarts.json", "source/"
_RESTARTS = TypeAdapter(list[Restart])


class Order(Frozen):
    """A shard to train.

    Args:
        restarts: indices of all restarts that are trained together.
        unfinished: of those, the ones whose files are wanted; those of the others are recorded already.
        config: the run's configuration.
        stabaudit: the version that asks.
        torch: likewise.
    """

    restarts: tuple[NonNegative, ...]
    unfinished: tuple[NonNegative, ...]
    config: RunConfig
    stabaudit: str = __version__
    torch: str = torch.__version__


class Opened(NamedTuple):
    """An order in a worker, and the folder in which its files are made."""

    order: Order
    workspace: Workspace


def order_parcel(run: Run, restarts: Sequence[int], config: RunConfig) -> bytes:
    """The parcel that orders a shard of a run."""
    unfinished = tuple(index for index in restarts if index in run.unfinished)
    order = Order(restarts=tuple(restarts), unfinished=unfinished, config=config)
    files = {MANIFEST: (run.folder / MANIFEST).read_bytes(), _ORDER: order.model_dump_json().encode()}
    return pack(files | {f"{_SOURCE}{name}": path.read_bytes() for name, path in module_files(_named(config)).items()})


@contextmanager
def opened(parcel: bytes) -> Iterator[Opened]:
    """An order, with a folder of its own for as long as the block lasts.

    The user's own model is imported from where it is found here, else from the files in the parcel.

    Raises:
        BadRun: where this machine has another stabaudit, torch or source of the user's own model than the one that asks.
    """
    files = unpack(parcel)
    order = Order.model_validate_json(files[_ORDER])
    _require_same("stabaudit", order.stabaudit, __version__)
    _require_same("torch", order.torch, torch.__version__)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix=PREFIX)))
        claim(folder, stack)
        for name, content in files.items():
            if name == MANIFEST or name.startswith(_SOURCE):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
        manifest = read_manifest(folder)
        if named := _named(order.config):
            stack.enter_context(own_modules(folder / _SOURCE))
            _require_source(manifest, named)
        yield Opened(order, Workspace(folder, manifest))


def result_parcel(workspace: Workspace, ended: Sequence[Restart]) -> bytes:
    """The parcel that a worker gives back: what became of restarts, and their files."""
    files = {_ENDED: _RESTARTS.dump_json(list(ended))}
    for restart in ended:
        files |= workspace.files_of(restart.index)
    return pack(files)


def result_of(parcel: bytes) -> tuple[list[Restart], Mapping[str, bytes]]:
    """What became of restarts, and their files, by path within the run folder."""
    files = unpack(parcel)
    return _RESTARTS.validate_json(files.pop(_ENDED)), files


def _named(config: RunConfig) -> set[str]:
    """The user's own family and networks, as `module:attribute`."""
    return {part.name for part in (config.family, config.architecture) if ":" in part.name}


def _require_same(what: str, there: str, here: str) -> None:
    if there != here:
        raise BadRun(f"{os.uname().nodename} has {what} {here}, the run is trained by {there}: install the same on every machine")


def _require_source(manifest: Manifest, named: set[str]) -> None:
    here = source_of_modules(named)
    for file, digest in manifest.source.items():
        if here.get(file, digest) != digest:
            raise BadRun(f"{shown(file)} is another on {os.uname().nodename} than where the run is kept; bring them together")

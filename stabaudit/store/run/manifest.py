"""`run.json`: what a run folder holds and what state each restart is in.

Its last line is the SHA-256 of all before it, so that no flipped bit passes for another score or seed.
"""

import hashlib
import re
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator

from stabaudit.config import Frozen, NonNegative, Positive, RunConfig
from stabaudit.errors import BadRun, are, counted
from stabaudit.store.files.atomic import missing, reason, shown, write_bytes
from stabaudit.store.files.regular import read_regular
from stabaudit.store.imports.foreign_files import SUFFIXES
from stabaudit.store.run.external_labels import External
from stabaudit.store.run.layout import MANIFEST

SCHEMA_VERSION = 2  # 1 had no SHA-256 of its own
_SEAL_BYTES = 100  # of the last line, at most
MANIFEST_BYTES = 16 << 20  # at most; a restart takes some 2 kB
_SEAL = re.compile(rb',\n  "sha256": "([0-9a-f]{64})"\n\}\n\Z')


def _inside(path: str) -> str:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        message = f"{path!r} is not inside the run folder"
        raise ValueError(message)
    if not path.isprintable():
        message = f"{path!r} is no name of a file in a run"
        raise ValueError(message)
    return path


Digests = dict[Annotated[str, AfterValidator(_inside)], str]  # paths within the run folder to SHA-256
State = Literal["pending", "done", "diverged", "failed"]


class Machine(Frozen):
    """What decides, beside its seed, the bits of a restart."""

    stabaudit: str
    torch: str
    processor: str
    capability: str  # the widest instructions that torch uses there: "AVX2", "AVX512", "DEFAULT", "CUDA"
    threads: Positive


class Restart(Frozen):
    """One restart. Its `files` are complete only when `state` is "done"."""

    # A diverged restart has scores that are not numbers, and JSON has no word for them: they are written as text.
    model_config = ConfigDict(ser_json_inf_nan="strings")

    index: NonNegative
    seed: NonNegative
    state: State = "pending"
    detail: str = ""  # why it diverged or failed
    steps: NonNegative = 0
    seconds: float = 0.0
    trained_on: Machine | None = None  # None where another program trained it, or a stabaudit that did not record it
    scores: dict[str, float] = {}  # final loss and terms on the training and evaluation rows, in nats per sample
    files: Digests = {}


class DatasetRecord(Frozen):
    """The dataset a run was trained on, as loaded. Sources and labels of the evaluation rows are kept in `evaluation.parquet`."""

    name: str
    fingerprint: str
    train_rows: NonNegative
    evaluation_rows: NonNegative
    shape: list[Positive]
    scale: str | None = None  # what was done to x of one's own: "standardise", "minmax" or "none"
    source_names: list[str] = []  # of the true sources, where they have some


class Environment(Frozen):
    """Where a run was trained."""

    stabaudit: str
    python: str
    torch: str | None
    numpy: str
    platform: str
    processor: str
    cores: Positive
    threads_per_worker: Positive = 1
    products: Literal["blas", "onednn"] = "blas"  # the library that computes large float32 matrix products


class Change(Frozen):
    """That a run went on although what the user brought had changed, because the user said so."""

    made: str  # ISO 8601, UTC
    what: list[str]
    restarts: list[NonNegative]  # those that had been trained before


class Manifest(Frozen):
    """A run folder's contents. `config` is None where stabaudit did not train; `external` then says what is known instead."""

    schema_version: int = SCHEMA_VERSION
    name: str
    created: str  # ISO 8601, UTC
    command: str
    config: RunConfig | None
    external: External | None = None
    dataset: DatasetRecord
    environment: Environment
    posterior: Literal["q(z|x)", "q(z|x,u)"] = "q(z|x)"  # what the latents are means of
    grid: tuple[Positive, Positive, Positive] | None = None  # (h, w, d) where latents are d numbers at h×w positions, row by row
    shards: list[list[NonNegative]]  # restart indices that are trained together, in order
    restarts: list[Restart]
    files: Digests = {}  # files that belong to no restart (evaluation.parquet)
    source: dict[str, str] = {}  # files of the user's own model or program to SHA-256 (see `own_source`)
    weights: dict[str, list[NonNegative]] = {}  # of the user's own model: names and shapes
    changes: list[Change] = []

    @property
    def made_from_seeds(self) -> bool:
        """Whether its restarts were trained, here or by a program; the seeds of imported ones are but numbers."""
        return self.config is not None or (self.external is not None and self.external.program is not None)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        count = len(self.restarts)
        sharded = list(chain.from_iterable(self.shards))
        if [restart.index for restart in self.restarts] != list(range(count)):
            message = "restarts are not numbered 0, 1, … in order"
        elif self.config is not None and self.config.restarts != count:
            message = f"the configuration asks for {counted(self.config.restarts, 'restart')}, {count} {are(count)} listed"
        elif len(set(sharded)) < len(sharded) or not set(sharded) <= set(range(count)):
            message = "shards name a restart twice, or one that is not listed"
        else:
            return self
        raise ValueError(message)


class _Version(BaseModel):
    """The one key that every schema has."""

    schema_version: Positive


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a run folder.

    One of an older schema is read as it would be written today.

    Raises:
        BadRun: no such folder, no `run.json` in it, or one that is damaged or of a newer schema.
    """
    path = folder / MANIFEST
    try:
        text = read_regular(path, MANIFEST_BYTES)
    except FileNotFoundError as error:
        no_run = f"{shown(folder)} is not a run folder: it has no {MANIFEST}"
        where = f"{no_run}; {what_instead(folder)}" if folder.is_dir() else missing(folder)
        raise BadRun(where) from error
    except OSError as error:
        raise BadRun(f"cannot read {shown(path)}: {reason(error)}") from error
    try:
        version = _Version.model_validate_json(text).schema_version
        if version > SCHEMA_VERSION:
            raise BadRun(
                f"{shown(path)} has schema version {version}, this stabaudit reads up to {SCHEMA_VERSION}: "
                "use the stabaudit that wrote it, or a newer one"
            )
        content, seal = _unsealed(text)
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        what = " ".join(f"{'.'.join(map(str, first['loc']))} {first['msg']}".split())
        raise _damaged(path, what) from error
    if seal != hashlib.sha256(content).hexdigest() and (seal is not None or version > 1):
        raise _damaged(path, "it does not match its own SHA-256")
    return manifest.model_copy(update={"schema_version": SCHEMA_VERSION})


def what_instead(folder: Path) -> str:
    """What to do with a folder that is no run: import its latents, name what is in it, or train."""
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError:
        entries = []
    if any(entry.name.lower().endswith(SUFFIXES) for entry in entries):
        return f"it holds latents: 'stabaudit import {shown(folder)} --out RUN' makes a run of them"
    below = sorted(entry.name for entry in entries if entry.is_dir())
    if below:
        return f"name what is in it, such as {shown(folder / below[0])}"
    return "it is empty; 'stabaudit train' makes runs" if not entries else "'stabaudit train' and 'import' make runs"


def _damaged(path: Path, what: str) -> BadRun:
    return BadRun(f"{shown(path)} is damaged ({what}); restore it from a copy, or train into another folder")


def _unsealed(text: bytes) -> tuple[bytes, str | None]:
    """What was sealed, and the SHA-256 that the last line says it has; None where it says none."""
    found = _SEAL.search(text)
    return (text, None) if found is None else (text[: found.start()] + b"\n}", found[1].decode())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a run folder atomically.

    Raises:
        BadRun: where it cannot be written; the one before is as it was.
    """
    content = manifest.model_dump_json(indent=2).encode()
    if len(content) > MANIFEST_BYTES - _SEAL_BYTES:
        raise BadRun(f"{shown(folder)}: {len(manifest.restarts):,} restarts are more than a run can hold; make several runs")
    seal = f',\n  "sha256": "{hashlib.sha256(content).hexdigest()}"\n}}\n'
    write_bytes(folder / MANIFEST, content.removesuffix(b"\n}") + seal.encode())

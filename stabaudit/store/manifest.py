"""`run.json`: what a run folder holds and what state each restart is in."""

from typing import Literal

from stabaudit.config import Frozen, NonNegative, Positive, RunConfig

SCHEMA_VERSION = 1

State = Literal["pending", "done", "diverged", "failed"]


class Restart(Frozen):
    """One restart. `files` maps paths within the run folder to their SHA-256; it is complete only when `state` is "done"."""

    index: NonNegative
    seed: NonNegative
    state: State = "pending"
    detail: str = ""  # why it diverged or failed
    steps: NonNegative = 0
    seconds: float = 0.0
    scores: dict[str, float] = {}  # final loss and terms on the training and evaluation rows, in nats per sample
    files: dict[str, str] = {}


class DatasetRecord(Frozen):
    """The dataset a run was trained on, as loaded. Sources and labels of the evaluation rows are kept in `evaluation.parquet`."""

    name: str
    fingerprint: str
    train_rows: NonNegative
    evaluation_rows: NonNegative
    shape: list[Positive]


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


class Manifest(Frozen):
    """A run folder's contents. `config` is None for imported latents."""

    schema_version: int = SCHEMA_VERSION
    name: str
    created: str  # ISO 8601, UTC
    command: str
    config: RunConfig | None
    dataset: DatasetRecord
    environment: Environment
    shards: list[list[NonNegative]]  # restart indices that are trained together, in order
    restarts: list[Restart]
    files: dict[str, str] = {}  # SHA-256 of files that belong to no restart (evaluation.parquet)

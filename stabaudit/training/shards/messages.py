"""What becomes of shards, as it is told to whoever watches a run being trained."""

from dataclasses import dataclass
from pathlib import Path

from stabaudit.config import RunConfig
from stabaudit.store.run.manifest import Restart


@dataclass(frozen=True)
class Shard:
    """Some restarts of one run that are trained together, resumed together and retried together.

    Args:
        folder: the run folder.
        number: position of the shard within the run.
        restarts: indices of its restarts.
        config: the run's configuration.
    """

    folder: Path
    number: int
    restarts: tuple[int, ...]
    config: RunConfig


@dataclass(frozen=True)
class Progress:
    """How far a shard is; `loss` is that of the last whole epoch, one value per restart, empty before."""

    shard: Shard
    step: int
    total_steps: int
    loss: tuple[float, ...] = ()


@dataclass(frozen=True)
class Finished:
    """A shard whose files are written; `restarts` say what became of each that was unfinished."""

    shard: Shard
    restarts: list[Restart]


@dataclass(frozen=True)
class Failed:
    """A shard that ended with an error, or whose worker died."""

    shard: Shard
    message: str


Event = Progress | Finished | Failed

"""A checked run before anything of it is written: its name, how its restarts are cut into shards, and its first manifest."""

import shlex
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import torch

from stabaudit.config import Choice, Frozen, RunConfig
from stabaudit.data.dataset import Dataset
from stabaudit.data.text import PREFIX
from stabaudit.errors import counted
from stabaudit.store.run.environment import environment as environment_here
from stabaudit.store.run.manifest import DatasetRecord, Environment, Manifest, Restart
from stabaudit.training.step.matmul import fastest_library

GROUP = 16  # restarts in a shard at most, where nobody says otherwise
SHARDS = 2  # of a small run: two cores are busy, and stacking pays most


class Prepared(Frozen, arbitrary_types_allowed=True):
    """A checked run, ready to be trained.

    Args:
        config: options complete.
        dataset: loaded.
        parameters: number of weights of one restart.
        stacked: restarts are worth training together.
        posterior: what the latents are means of.
        grid: (h, w, d) where the latents form a grid, else None.
        notes: what the user should know before training.
        source: files of the user's own family or networks to SHA-256.
        weights: names and shapes of the weights of the user's own family or networks.
        shard_size: restarts that are trained together; None: as many as suits.
    """

    config: RunConfig
    dataset: Dataset
    parameters: int
    stacked: bool
    posterior: Literal["q(z|x)", "q(z|x,u)"]
    grid: tuple[int, int, int] | None
    notes: list[str]
    source: dict[str, str] = {}
    weights: dict[str, list[int]] = {}
    shard_size: int | None = None

    @property
    def name(self) -> str:
        """A folder name that tells runs of different families, architectures, datasets and dimensions apart."""
        data = self.config.dataset.name
        data = data if ":" in data.removeprefix(PREFIX) else Path(data.removeprefix(PREFIX)).stem
        return f"{self.config.family.name}-{self.config.architecture.name}-{data}-d{self.config.latent_dim}".replace(":", ".")

    def describe(self, folder: Path, slots: int) -> str:
        """Say in a few lines what would be trained, so many shards at a time."""
        config, training = self.config, self.config.training
        per_epoch = len(self.dataset.train) // training.batch_size
        steps = training.steps or (training.epochs or 0) * per_epoch
        at = f" at each of {self.grid[0]}×{self.grid[1]} positions" if self.grid else ""
        computed = f"{config.precision}, compiled" if config.compile else config.precision
        width = counted(config.latent_dim, "latent dimension")
        lines = {
            "folder": folder,
            "family": f"{config.family.name} {_written(config.family)}",
            "architecture": f"{config.architecture.name} {_written(config.architecture)}",
            "likelihood": f"{config.likelihood.name} {_written(config.likelihood)}",
            "dataset": f"{config.dataset.name} {_written(config.dataset)}",
            "rows": f"{len(self.dataset.train)} to train on, {len(self.dataset.evaluation)} to evaluate on",
            "drawn anew": _noise(config),
            "restarts": f"{config.restarts}, seeds {config.seed_of(0)} to {config.seed_of(config.restarts - 1)}",
            "weights": f"{self.parameters:,} per restart, {width}{at}, means of {self.posterior}",
            "steps": f"{steps:,} of {counted(training.batch_size, 'row')}, {per_epoch:,} an epoch",
            "shards": f"{self.shards()} on {counted(slots, 'worker')}, {config.device}, {computed}",
        }
        return "\n".join(f"{name:13}{str(text).strip()}" for name, text in lines.items() if text)

    def shards(self) -> list[list[int]]:
        """Cut the restarts into groups that are trained together, in the same way on every machine.

        Small networks are stacked, half of a run's restarts at a time; large ones, convolutions and `exact` runs are trained
        one by one. On a GPU all are stacked.
        """
        restarts = self.config.restarts
        size = self.shard_size
        if size is None:
            size = 1
            if self.stacked and not self.config.exact:
                size = GROUP if self.config.device == "cuda" else min(GROUP, -(-restarts // SHARDS))
        return [list(range(first, min(first + size, restarts))) for first in range(0, restarts, size)]

    def manifest(self, name: str) -> Manifest:
        """The manifest of a run that has not begun."""
        config, dataset = self.config, self.dataset
        return Manifest(
            name=name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            command=_command_line(),
            config=config,
            dataset=DatasetRecord(
                name=dataset.name,
                fingerprint=dataset.fingerprint,
                train_rows=len(dataset.train),
                evaluation_rows=len(dataset.evaluation),
                shape=list(dataset.train.x.shape[1:]),
                scale=dataset.scale,
                source_names=list(dataset.source_names),
            ),
            environment=environment(config.device),
            posterior=self.posterior,
            grid=self.grid,
            source=self.source,
            weights=self.weights,
            shards=self.shards(),
            restarts=[Restart(index=i, seed=config.seed_of(i)) for i in range(config.restarts)],
        )


@dataclass(frozen=True)
class Job:
    """A checked run, and where it goes.

    Args:
        prepared: the run.
        folder: its folder.
        accept_change: whether a run there goes on with a model that has changed.
        part: train part i of n of its shards, as (i, n) from (1, n); None: all.
    """

    prepared: Prepared
    folder: Path
    accept_change: bool = False
    part: tuple[int, int] | None = None


def environment(device: Literal["cpu", "cuda"]) -> Environment:
    """What this process runs on, and how a new run on the device computes."""
    on_gpu = device == "cuda"
    return environment_here(
        torch=torch.__version__,
        processor=torch.cuda.get_device_name() if on_gpu else None,
        products="blas" if on_gpu else fastest_library(),
    )


def _command_line() -> str:
    """How this process was started, as it can be typed again."""
    program, *words = sys.argv
    ours = Path(program).stem in {"stabaudit", "__main__"}
    return shlex.join([*(["stabaudit"] if ours else ["python", program]), *words])


def _written(choice: Choice) -> str:
    return " ".join(f"{key}={value}" for key, value in choice.options.items())


def _noise(config: RunConfig) -> str:
    """What is drawn besides a family's own noise; empty for nothing."""
    kinds = {
        "x at every step": config.binarise,
        "x that is encoded, by every restart": config.encode_binarised,
        "dropout while encoding": config.encode_dropout,
    }
    return ", ".join(name for name, on in kinds.items() if on)

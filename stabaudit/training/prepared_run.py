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
from stabaudit.store.run.environment import environment as environment_here
from stabaudit.store.run.manifest import DatasetRecord, Environment, Manifest, Restart
from stabaudit.training.step.matmul import fastest_library

GROUP = 16  # restarts in a shard at most


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

    @property
    def name(self) -> str:
        """A folder name that tells runs of different families, architectures, datasets and dimensions apart."""
        data = self.config.dataset.name
        data = data if ":" in data else Path(data).stem
        return f"{self.config.family.name}-{self.config.architecture.name}-{data}-d{self.config.latent_dim}".replace(":", ".")

    def describe(self, folder: Path, workers: int) -> str:
        """Say in a few lines what would be trained."""
        config, training = self.config, self.config.training
        per_epoch = len(self.dataset.train) // training.batch_size
        steps = training.steps or (training.epochs or 0) * per_epoch
        at = f" at each of {self.grid[0]}×{self.grid[1]} positions" if self.grid else ""
        computed = f"{config.precision}, compiled" if config.compile else config.precision
        lines = {
            "folder": folder,
            "family": f"{config.family.name} {_written(config.family)}",
            "architecture": f"{config.architecture.name} {_written(config.architecture)}",
            "likelihood": f"{config.likelihood.name} {_written(config.likelihood)}",
            "dataset": f"{config.dataset.name} {_written(config.dataset)}",
            "rows": f"{len(self.dataset.train)} to train on, {len(self.dataset.evaluation)} to evaluate on",
            "restarts": f"{config.restarts}, seeds {config.seed_of(0)} to {config.seed_of(config.restarts - 1)}",
            "weights": f"{self.parameters:,} per restart, {config.latent_dim} latent dimensions{at}, means of {self.posterior}",
            "steps": f"{steps:,} of {training.batch_size} rows, {per_epoch:,} an epoch",
            "shards": f"{self.shards(workers)} on {workers} workers, {config.device}, {computed}",
        }
        return "\n".join(f"{name:13}{str(text).strip()}" for name, text in lines.items())

    def shards(self, workers: int) -> list[list[int]]:
        """Cut the restarts into groups that are trained together.

        Small networks are stacked, as many as keeps all workers busy; large ones, convolutions and `exact` runs are trained
        one by one.
        """
        restarts = self.config.restarts
        size = 1
        if self.stacked and not self.config.exact:
            size = min(GROUP, -(-restarts // workers))
        return [list(range(first, min(first + size, restarts))) for first in range(0, restarts, size)]

    def manifest(self, name: str, workers: int) -> Manifest:
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
            shards=self.shards(workers),
            restarts=[Restart(index=i, seed=config.seed_of(i)) for i in range(config.restarts)],
        )


@dataclass(frozen=True)
class Job:
    """A checked run, the folder it goes to, and whether a run there goes on with a model that has changed."""

    prepared: Prepared
    folder: Path
    accept_change: bool = False


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

"""Were restarts of one seed the same, bit for bit, and if not: where do they part, how far, and what could be the cause?"""

import hashlib
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import UsageError
from stabaudit.store.run.latents import Latents
from stabaudit.store.run.manifest import Manifest
from stabaudit.store.run.run_folder import Run

Array = NDArray[Any]

_CLOCK = "seconds"  # the column of a history that measures time


@dataclass(frozen=True)
class Determinism:
    """What became of restarts that were trained from one seed.

    Args:
        run: the run.
        restarts: how many are done.
        same: how many have the bits of the largest group.
        groups: restarts with the same bits, the largest group first, numbers between commas.
        parted_epoch: the first epoch whose history differs between restarts; None where none does or none was kept.
        parted_in: the columns of the history that differ in that epoch, between commas.
        largest_difference: of a latent between two restarts, in standard deviations of its dimension.
        causes: what is known of the run that can make restarts of one seed differ, one line each.
    """

    run: str
    restarts: int
    same: int
    groups: tuple[str, ...]
    parted_epoch: int | None
    parted_in: str | None
    largest_difference: float
    causes: tuple[str, ...]


def determinism(run: Run) -> Determinism:
    """Hold the restarts of a run against each other, bit by bit.

    Raises:
        UsageError: a run whose restarts were meant to differ, or fewer than two.
        BadData: a damaged file.
    """
    manifest = run.manifest
    if not _of_one_seed(manifest):
        if not manifest.made_from_seeds:
            raise UsageError(f"{run.name} was imported: nobody knows the seeds of its restarts; train with --vary none")
        raise UsageError(f"{run.name}: its restarts were trained from different seeds; train with --vary none")
    if len(run.done) < 2:
        raise UsageError(f"{run.name}: fewer than two restarts are done, nothing to hold against each other")
    latents = {index: run.latents(index) for index in run.done}
    ordered = {index: _all_numbers(found)[np.argsort(found.sample_id, kind="stable")] for index, found in latents.items()}
    by_bits: dict[str, list[int]] = {}
    for index, mean in ordered.items():
        by_bits.setdefault(hashlib.sha256(mean.tobytes()).hexdigest(), []).append(index)
    groups = sorted(by_bits.values(), key=lambda group: (-len(group), group))
    d = latents[groups[0][0]].mean.shape[1]
    means = np.stack([ordered[group[0]][:, :d].astype(np.float64) for group in groups])
    spread = np.where((sd := means[0].std(axis=0)) > 0, sd, 1.0)
    largest = float((np.ptp(means, axis=0) / spread).max())
    epoch, columns = _parted(run)
    return Determinism(
        run=run.name,
        restarts=len(run.done),
        same=len(groups[0]),
        groups=tuple(", ".join(map(str, group)) for group in groups),
        parted_epoch=epoch,
        parted_in=columns,
        largest_difference=largest,
        causes=tuple(_causes(manifest)) if len(groups) > 1 else (),
    )


def _all_numbers(latents: Latents) -> Array:
    """Means and, where they are known, log-variances side by side."""
    return latents.mean if latents.log_var is None else np.hstack([latents.mean, latents.log_var])


def _of_one_seed(manifest: Manifest) -> bool:
    if manifest.config is not None:
        return manifest.config.vary == "none"
    program = None if manifest.external is None else manifest.external.program
    return program is not None and program.one_seed


def _parted(run: Run) -> tuple[int | None, str | None]:
    """The first epoch in which the histories of restarts differ, and in what."""
    if run.manifest.config is None:
        return None, None
    histories = [run.history(index) for index in run.done]
    length = min(len(history["epoch"]) for history in histories)
    names = [name for name in histories[0] if name != _CLOCK]
    for row in range(length):
        differ = [name for name in names if len({history[name][row].tobytes() for history in histories if name in history}) > 1]
        if differ:
            return int(histories[0]["epoch"][row]), ", ".join(differ)
    return None, None


def _causes(manifest: Manifest) -> list[str]:
    """What is known of a run that can make restarts of one seed differ."""
    config, environment, found = manifest.config, manifest.environment, []
    if environment.threads_per_worker > 1:
        found.append(f"{environment.threads_per_worker} threads a worker: sums of many threads are added in any order")
    if config is not None:
        if config.device == "cuda":
            found.append("CUDA: some kernels add in any order")
        if config.eager:
            found.append("the loss cannot be traced: it may draw from numpy's or Python's generators, which nobody seeds")
        if ":" in config.family.name or ":" in config.architecture.name:
            found.append("a class of one's own: it may keep state between calls, or draw at random when it encodes")
        return found
    program = None if manifest.external is None else manifest.external.program
    if program is not None:
        if "{seed}" not in program.command:
            found.append("the command has no {seed}: the program seeds itself")
        if os.environ.get("PYTHONHASHSEED", "random") == "random":
            found.append("PYTHONHASHSEED is not set here and now: sets and hashes of text have another order in every process")
        found.append(
            "the program's own generators (torch, numpy, random, each worker of a loader) and the order in which it reads files"
        )
    return found

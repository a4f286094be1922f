"""How well the matrix L of a run's prior could be inverted while it trained (Willetts & Paige 2021, App. H).

L is made of the differences of the natural parameters of the Gaussians that the prior consists of (Khemakhem et al. 2020, Theorem
1); training keeps its rank and condition number of every epoch. Without full rank the condition number is infinite.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import UsageError
from stabaudit.store.files.atomic import shown
from stabaudit.store.run.find import parse_selector
from stabaudit.store.run.run_folder import Run

Array = NDArray[Any]


@dataclass(frozen=True)
class PriorHistory:
    """One restart.

    Args:
        name: "ivae#3".
        step: of the training at which L was looked at, ascending, shape (m,).
        condition: number of L then, at least 1, infinite where its rank was not full, shape (m,).
    """

    name: str
    step: Array
    condition: Array

    @property
    def invertible(self) -> Array:
        """Where L had full rank, shape (m,)."""
        found: Array = np.isfinite(self.condition)
        return found


@dataclass(frozen=True)
class PriorHistories:
    """The restarts of one run.

    Args:
        run: its name.
        restarts: those that are done, or one of them.
    """

    run: str
    restarts: tuple[PriorHistory, ...]


def read_prior_histories(selector: str) -> PriorHistories:
    """Read a run, or one restart of it.

    Raises:
        UsageError: a file of latents, or a run whose prior has no matrix L.
        BadRun: no run, or none of its restarts trained.
        BadData: a damaged file.
    """
    path, restart = parse_selector(selector)
    if path.is_file():
        raise UsageError(f"{shown(path)} is a file of latents, which tells nothing of training; name a run folder")
    run = Run.open(path)
    return PriorHistories(run.name, tuple(_of_restart(run, path, index) for index in run.trained(restart)))


def _of_restart(run: Run, path: Path, index: int) -> PriorHistory:
    name = f"{run.name}#{index}"
    if run.manifest.config is None:
        raise UsageError(f"{shown(path)} was not trained by stabaudit, so how its prior changed is not known")
    history = run.history(index)
    if "prior_condition" not in history:
        family = run.manifest.config.family.name
        raise UsageError(f"{name}: the prior of '{family}' has no matrix L; it needs one Gaussian for each u or component")
    return PriorHistory(name, history["step"], history["prior_condition"])

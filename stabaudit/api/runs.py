"""Make runs and open them."""

import warnings
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from stabaudit.config import checked
from stabaudit.data.published_files import DataFolder
from stabaudit.engines.choose import engine_of
from stabaudit.errors import UsageError
from stabaudit.store.run.run_folder import Run

if TYPE_CHECKING:
    from stabaudit.engines.base import Engine
    from stabaudit.training.shards.messages import Event

AnyPath = str | PathLike[str]


def load_run(path: AnyPath) -> Run:
    """Open a run folder for reading: its manifest, latents, histories, weights.

    Raises:
        BadRun: no such folder, not a run, a damaged manifest or one of a newer schema.
    """
    return Run.open(Path(path))


def train(
    family: str | type,
    data: AnyPath = "digits",
    *,
    out: AnyPath | None = None,
    workers: int | None = None,
    engine: "str | Engine" = "local",
    data_dir: AnyPath | None = None,
    download: bool = False,
    unchecked_data: bool = False,
    accept_change: bool = False,
    on_note: Callable[[str], None] = lambda note: warnings.warn(note, stacklevel=3),
    on_event: "Callable[[Event], None]" = lambda _: None,
    on_tick: Callable[[], None] = lambda: None,
    **recipe: object,
) -> Run:
    """Train N restarts of a model family and keep their latents; finishes what an interrupted call has begun.

    Args:
        family: a registered name, `package.module:Class`, or the class itself, of a module that can be imported.
        data: a registered name, or the path of a file.
        out: the run folder; runs/FAMILY-ARCH-DATA-dD by default.
        workers: shards of restarts at a time; one per core by default.
        engine: where they are trained: "local", "ray", "slurm", `package.module:Class`, or an engine itself.
        data_dir: folder with published data files.
        download: fetch published data files that are missing.
        unchecked_data: take published files whose SHA-256 is another than the publisher's.
        accept_change: go on although the source of your own model has changed since the run began.
        on_note: is told what to know before training, one line each; by default as a Python warning.
        on_event: called with progress and with shards that end (see `stabaudit.training.shards.messages`).
        on_tick: is called several times a second.
        recipe: other fields of `stabaudit.training.recipe.Recipe`: latent_dim, restarts, seed, epochs or steps, batch_size, lr,
            arch, likelihood, exact, settings, …

    Returns:
        The run. A restart that diverged or failed is recorded there and does not stop the others.

    Raises:
        StabauditError: an unknown name or option, data that cannot be read, a folder that holds another run.
    """
    from stabaudit.training.prepare import job_of  # noqa: PLC0415 -- loads torch
    from stabaudit.training.recipe import Recipe  # noqa: PLC0415 -- loads torch
    from stabaudit.training.train import train as train_runs  # noqa: PLC0415 -- loads torch

    asked = checked(Recipe, {"family": _named(family), "data": str(data)} | recipe, "train")
    folder, files = (None if path is None else Path(path) for path in (out, data_dir))
    place = DataFolder.locate(files, download=download, unchecked=unchecked_data)
    job = job_of(asked, folder, data_folder=place, accept_change=accept_change)
    for note in job.prepared.notes:
        on_note(note)
    (run,) = train_runs([job], engine_of(engine, workers) if isinstance(engine, str) else engine, on_event, on_tick)
    return run


def _named(family: str | type) -> str:
    """A family as workers can find it."""
    if isinstance(family, str):
        return family
    if family.__module__ == "__main__" or "." in family.__qualname__:
        raise UsageError(
            f"{family.__name__}: workers cannot import it from here; put the class at the top of a module of its own"
        )
    return f"{family.__module__}:{family.__qualname__}"

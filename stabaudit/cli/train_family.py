"""`stabaudit train FAMILY`: stabaudit trains the restarts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from stabaudit.cli.output import message

if TYPE_CHECKING:
    from stabaudit.data.published_files import DataFolder
    from stabaudit.engines.base import Engine
    from stabaudit.store.run.run_folder import Run
    from stabaudit.training.prepared_run import Job


@dataclass
class AskedFamily:
    """The options of `train` that concern a family; see there.

    Args:
        recipe: all that decides the latents but the number of restarts.
        engine: where it is trained.
        part: of the run that is trained; None: all.
        noted: what the user was told already.
    """

    recipe: dict[str, object]
    out: Path | None
    data_folder: "DataFolder"
    engine: "Engine"
    quiet: bool
    accept_change: bool
    strict: bool
    part: tuple[int, int] | None = None
    noted: set[str] = field(default_factory=set)

    def job(self, restarts: int, *, growing: bool = False) -> "Job":
        """The checked run; says what the user should know of it, once.

        Args:
            restarts: in all.
            growing: a run that has more already is meant as it is.

        Raises:
            StabauditError: whatever is wrong with the recipe or its data.
        """
        from stabaudit.config import checked
        from stabaudit.errors import strictly
        from stabaudit.store.run.find import recorded_restarts
        from stabaudit.training.prepare import job_of
        from stabaudit.training.recipe import Recipe

        def with_restarts(count: int) -> "Job":
            recipe = checked(Recipe, self.recipe | {"restarts": count}, "train")
            with strictly(self.strict):
                job = job_of(recipe, self.out, data_folder=self.data_folder, accept_change=self.accept_change)
            return replace(job, part=self.part)

        job = with_restarts(restarts)
        if growing and (known := recorded_restarts(job.folder)) > restarts:
            job = with_restarts(known)
        for note in job.prepared.notes:
            if note not in self.noted:
                message(note)
        self.noted.update(job.prepared.notes)
        return job

    def describe(self, restarts: int) -> None:
        """Say what would be trained."""
        job = self.job(restarts)
        typer.echo(job.prepared.describe(job.folder, self.engine.slots))

    def grow(self, restarts: int) -> "Run":
        """Train what is missing of so many restarts, or of those that the run was to have before, if they are more."""
        return self.train(restarts, growing=True)

    def train(self, restarts: int, *, growing: bool = False) -> "Run":
        """Train what is missing of so many restarts."""
        from stabaudit.cli.progress import watch
        from stabaudit.training.train import train as train_runs

        job = self.job(restarts, growing=growing)
        with watch([job], quiet=self.quiet) as (on_event, on_tick):
            (run,) = train_runs([job], self.engine, on_event, on_tick)
        return run


def settings_of_file(data: str, given: Mapping[str, object]) -> dict[str, object]:
    """Options that are for a file in --data, as settings.

    Raises:
        UsageError: given for other data.
    """
    from stabaudit.data import own_files
    from stabaudit.data.load import loader_of
    from stabaudit.errors import UsageError

    found = {name: value for name, value in given.items() if value is not None}
    if found and loader_of(data) is not own_files.load:
        raise UsageError(f"--{next(iter(found)).replace('_', '-')} is for a file of your own in --data, not for {data!r}")
    return {f"dataset.{name}": value for name, value in found.items()}


def agreeing(settings: Mapping[str, object], of_file: Mapping[str, object]) -> dict[str, object]:
    """Settings of --set and those that options of their own say.

    Raises:
        UsageError: two that differ.

    >>> agreeing({"dataset.scale": "none"}, {"dataset.scale": "none"})
    {'dataset.scale': 'none'}
    """
    from stabaudit.errors import UsageError

    for name, value in of_file.items():
        if name in settings and str(settings[name]) != str(value):
            option = name.removeprefix("dataset.").replace("_", "-")
            raise UsageError(f"--{option} {value} and --set {name}={settings[name]} differ; give one of them")
    return {**settings, **of_file}

"""Train the runs of a plan and compare them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from stabaudit.audit.plan import Plan
from stabaudit.comparison.records import Comparison
from stabaudit.comparison.settings import Settings
from stabaudit.comparison.surveys.references import Held, hold
from stabaudit.comparison.surveys.survey import Survey, survey
from stabaudit.comparison.views.run_origins import read_origins
from stabaudit.data.dataset import Dataset
from stabaudit.data.load import is_file
from stabaudit.data.published_files import DataFolder
from stabaudit.engines.base import Engine
from stabaudit.metrics.scores import measure
from stabaudit.registry import Kind, known
from stabaudit.reports.formats.csv_format import as_csv
from stabaudit.reports.sections.restarts import restart_records
from stabaudit.statistics.gate import parse_score
from stabaudit.store.files.atomic import write_bytes
from stabaudit.store.files.natural_order import natural
from stabaudit.training.prepare import dataset_options, job_of
from stabaudit.training.prepared_run import Job
from stabaudit.training.recipe import Recipe
from stabaudit.training.shards.messages import Event
from stabaudit.training.train import train


def prepare_plan(plan: Plan, folder: Path, *, data_folder: DataFolder | None = None) -> list[Job]:
    """Check every run of a plan before anything is trained.

    Args:
        plan: the plan.
        folder: where the run folders go, one per run.
        data_folder: where published files lie; by default as `DataFolder.locate` says.

    Raises:
        StabauditError: whatever is wrong with any of the runs.
    """
    jobs: list[Job] = []
    loaded: dict[str, Dataset] = {}  # runs on the same data share it
    for label, recipe in plan.recipes.items():
        wanted = repr((recipe.dataset, dataset_options(recipe)))
        job = job_of(recipe, folder / folder_name(label), data_folder=data_folder, dataset=loaded.get(wanted))
        loaded.setdefault(wanted, job.prepared.dataset)
        jobs.append(job)
    return jobs


def names_of_code(recipe: Recipe) -> dict[str, str]:
    """What of a recipe is named as `module:attribute`, which is imported and run when the run is prepared, by its kind."""
    kinds: dict[Kind, str | None] = {"family": recipe.family, "dataset": recipe.dataset, "architecture": recipe.architecture}
    if is_file(recipe.dataset):
        del kinds["dataset"]
    return {kind: name for kind, name in kinds.items() if name is not None and ":" in name and name not in known(kind)}


def describe_unprepared(recipe: Recipe, folder: Path) -> str:
    """Say in a few lines what a run asks for, without importing what it names."""
    asked = recipe.model_dump(exclude_unset=True)
    lines = {"folder": str(folder)} | {key: str(value) for key, value in asked.items() if value != {}}
    found = ", ".join(f"{kind} {name}" for kind, name in names_of_code(recipe).items())
    lines["not checked"] = f"a dry run imports nothing that a plan names ({found})"
    return "\n".join(f"{name:13}{text}" for name, text in lines.items())


def check_score(score: str) -> None:
    """Refuse a score that no run will have, before hours are spent on training.

    Raises:
        UsageError: unless it is the name of a score.
    """
    measure(parse_score(score).metric)


def run_plan(
    jobs: Sequence[Job], engine: Engine, settings: Settings, on_event: Callable[[Event], None], on_tick: Callable[[], None]
) -> Survey:
    """Train what is missing in a plan's runs, then compare the restarts of each.

    Args:
        jobs: as `prepare_plan` gives them.
        engine: where they are trained.
        settings: how pairs are scored.
        on_event: as in `stabaudit.training.train.train`.
        on_tick: likewise.

    Raises:
        BadRun: a folder that holds something else or cannot be written, or no run with two restarts that are done.
    """
    runs = train(jobs, engine, on_event, on_tick)
    # As `report` finds them, so that both print runs and families in one order.
    return survey(sorted((run.folder for run in runs), key=lambda folder: natural(folder.name)), settings)


def hold_references(plan: Plan, survey: Survey) -> list[Held]:
    """The plan's runs beside the numbers that others reported of them."""
    return [hold(replace(reference, run=folder_name(reference.run)), survey.comparison) for reference in plan.references]


def folder_name(label: str) -> str:
    """What the folder of a plan's run is called."""
    return label.replace("/", "_")


def write_tables(folder: Path, comparison: Comparison) -> None:
    """Write what figures are drawn from beside the runs: every score, and a row for every restart.

    Raises:
        BadRun: where they cannot be written.
    """
    restarts = restart_records(comparison, read_origins(comparison.runs))
    for name, records in (("scores", [asdict(score) for score in comparison.scores]), ("restarts", restarts)):
        write_bytes(folder / f"{name}.csv", as_csv(records).encode())

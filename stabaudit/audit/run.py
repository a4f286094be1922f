"""Audit plans: a grid of configurations to train, and then to compare. The only module that sees both wings.

summary = "what the plan asks"        # one line, shown by `stabaudit list plans`

[defaults]                            # keys of every run, as in `training.prepare.Recipe`
data = "digits"
restarts = 5
settings.dropout = 0.0

[grid]                                # every combination is a run
family = ["vae", "vade"]
latent_dim = [4, 8]
"""

import itertools
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from stabaudit.comparison.settings import Settings
from stabaudit.comparison.survey import Survey, survey
from stabaudit.config import checked
from stabaudit.data.dataset import Dataset
from stabaudit.errors import BadData, UsageError
from stabaudit.registry import unknown
from stabaudit.statistics.gate import parse_score
from stabaudit.store.files import missing, reason, shown
from stabaudit.training.messages import Event
from stabaudit.training.prepare import Recipe, dataset_options, prepare
from stabaudit.training.train import Job, train

SUFFIX = ".toml"
KEYS = {"summary", "defaults", "grid"}
_SOURCE_METRICS = ("source_strong_mcc", "source_weak_mcc", "sampled_source_strong_mcc", "sampled_source_weak_mcc")
METRICS = ("strong_mcc", "decorrelated_strong_mcc", "weak_mcc", "affine_r2", *_SOURCE_METRICS)  # scores of a run on its own


@dataclass(frozen=True)
class Plan:
    """A named list of runs to train and compare.

    Args:
        name: of the file, without its suffix.
        summary: what the plan asks, in one line.
        recipes: one per run, by a name that tells what distinguishes it.
    """

    name: str
    summary: str
    recipes: Mapping[str, Recipe]

    @property
    def families(self) -> int:
        """How many model families there are to compare."""
        return len({recipe.family for recipe in self.recipes.values()})


def built_in() -> dict[str, Path]:
    """Plans that come with stabaudit, by name."""
    folder = Path(str(files("stabaudit.plans")))
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def load_plan(name: str) -> Plan:
    """Read a plan, by the name of a built-in one or by the path of a file.

    Raises:
        UsageError: an unknown name, a key nobody knows, or a value that does not fit.
        BadData: a file that cannot be read or is not TOML.
    """
    known = built_in()
    path = known.get(name, Path(name))
    if name not in known and not name.endswith(SUFFIX):
        raise unknown("plan", name, known)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadData(f"plan {missing(path)}") from error
    except OSError as error:
        raise BadData(f"cannot read plan {shown(path)}: {reason(error)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadData(f"plan {shown(path)} is not TOML: {error}") from error
    return parse_plan(path.stem, content)


def parse_plan(name: str, content: Mapping[str, Any]) -> Plan:
    """Check a plan's content and multiply out its grid.

    Raises:
        UsageError: a key nobody knows, or a value that does not fit.

    Example:
        >>> plan = parse_plan("mine", {"defaults": {"data": "digits", "latent_dim": 4}, "grid": {"family": ["vae", "vade"]}})
        >>> list(plan.recipes)
        ['family=vae', 'family=vade']
    """
    for key in content:
        if key not in KEYS:
            raise unknown(f"key of plan {name}", key, KEYS)
    defaults, grid = (_dotted(_table(name, content, key)) for key in ("defaults", "grid"))
    for key, values in grid.items():
        if key == "settings":
            raise UsageError(f"plan {name}: grid.settings must name options, as in settings.dropout = [0.0, 0.1]")
        if not isinstance(values, list) or not values:
            raise UsageError(f"plan {name}: grid.{key} must be a list of values, not {values!r}")
    recipes: dict[str, Recipe] = {}
    for values in itertools.product(*grid.values()):
        cell = dict(zip(grid, values, strict=True))
        label = ",".join(f"{key.removeprefix('settings.')}={value}" for key, value in cell.items()) or "run"
        if label in recipes:
            raise UsageError(f"plan {name}: the grid lists {label} twice")
        recipes[label] = checked(Recipe, _undotted(defaults | cell), f"plan {name}, {label}")
    return Plan(name, str(content.get("summary", "")), recipes)


def prepare_plan(plan: Plan, folder: Path, *, data_dir: Path | None = None, download: bool = False) -> list[Job]:
    """Check every run of a plan before anything is trained.

    Args:
        plan: the plan.
        folder: where the run folders go, one per run.
        data_dir: where published files lie.
        download: fetch published files that are missing.

    Raises:
        StabauditError: whatever is wrong with any of the runs.
    """
    jobs: list[Job] = []
    loaded: dict[str, Dataset] = {}  # runs on the same data share it
    for label, recipe in plan.recipes.items():
        wanted = repr((recipe.data, dataset_options(recipe)))
        prepared = prepare(recipe, data_dir=data_dir, download=download, dataset=loaded.get(wanted))
        loaded.setdefault(wanted, prepared.dataset)
        jobs.append(Job(prepared, folder / label.replace("/", "_")))
    return jobs


def check_score(score: str) -> None:
    """Refuse a score that no run will have, before hours are spent on training.

    Raises:
        UsageError: unless it is the name of a score.
    """
    metric = parse_score(score).metric
    if metric not in METRICS:
        raise unknown("score", metric, METRICS)


def run_plan(
    jobs: Sequence[Job], workers: int, settings: Settings, on_event: Callable[[Event], None], on_tick: Callable[[], None]
) -> Survey:
    """Train what is missing in a plan's runs, then compare the restarts of each.

    Args:
        jobs: as `prepare_plan` gives them.
        workers: worker processes.
        settings: how pairs are scored.
        on_event: as in `stabaudit.training.train.train`.
        on_tick: likewise.

    Raises:
        BadRun: a folder that holds something else or cannot be written, or no run with two restarts that are done.
    """
    runs = train(jobs, workers, on_event, on_tick)
    return survey([run.folder for run in runs], settings)


def _table(name: str, content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = content.get(key, {})
    if not isinstance(table, Mapping):
        raise UsageError(f"plan {name}: {key} must be a table, not {table!r}")
    return table


def _dotted(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested tables: {"settings": {"prior": [...]}} to {"settings.prior": [...]}."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _dotted(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _undotted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Gather the settings again: {"settings.family.prior": …} to {"settings": {"family.prior": …}}."""
    prefix = "settings."
    settings = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    return {"settings": settings} | {key: value for key, value in values.items() if not key.startswith(prefix)}

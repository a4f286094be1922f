"""Files of audit plans: grids of configurations to train, and what others have reported of them.

summary = "what the plan asks"        # one line, shown by `stabaudit list plans`
deviations = ["20 epochs, not 200"]   # from what it repeats; printed with every result

[defaults]                            # keys of every run, as in `training.recipe.Recipe`
data = "digits"
restarts = 5
settings.dropout = 0.0

[grid]                                # every combination is a run; [[grid]] several times adds grids
family = ["vae", "vade"]
latent_dim = [4, 8]

[[adjust]]                            # what goes together, in order
when = { family = "vade", latent_dim = [8] }
set = { settings.components = 10 }

[[reference]]                         # numbers to hold the runs against: columns are keys of runs, `value` and `remark`
score = "strong_mcc"
source = "Somebody 2021, Table 1"
columns = ["family", "latent_dim", "value"]
rows = [["vade", 8, 0.63]]

[quick]                               # what `--quick` keeps of the grid, and sets in every run that is left
only = { latent_dim = 4 }
set = { steps = 100 }
"""

import itertools
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from stabaudit.audit.plan import SETTINGS, Plan, Quick, as_text, dotted, full_name, undotted, updated
from stabaudit.comparison.surveys.references import Reference
from stabaudit.config import checked
from stabaudit.errors import BadData, UsageError
from stabaudit.registry import unknown
from stabaudit.statistics.gate import parse_score
from stabaudit.store.files.atomic import missing, reason, shown
from stabaudit.store.files.regular import read_regular
from stabaudit.training.recipe import Recipe

SUFFIX = ".toml"
PLAN_BYTES = 16 << 20  # at most
COMBINATIONS = 10_000  # of a grid, at most: each is a run
KEYS = {"summary", "deviations", "defaults", "grid", "adjust", "reference", "quick"}


def built_in() -> dict[str, Path]:
    """Plans that come with stabaudit, by name."""
    folder = Path(str(files("stabaudit.plans")))
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def load_plan(name: str) -> Plan:
    """Read a plan, by the name of a built-in one or by the path of a file.

    Raises:
        UsageError: an unknown name, an unknown key, or a value that does not fit.
        BadData: a file that cannot be read or is not TOML.
    """
    known = built_in()
    path = known.get(name, Path(name))
    if name not in known and not name.endswith(SUFFIX):
        raise unknown("plan", name, known)
    try:
        content = tomllib.loads(read_regular(path, PLAN_BYTES).decode())
    except FileNotFoundError as error:
        raise BadData(f"plan {missing(path)}") from error
    except OSError as error:
        raise BadData(f"cannot read plan {shown(path)}: {reason(error)}") from error
    except (ValueError, RecursionError) as error:  # also of numbers with too many digits
        raise BadData(f"plan {shown(path)} is not TOML: {' '.join(str(error).split())[:200]}") from error
    return parse_plan(path.stem, content)


def parse_plan(name: str, content: Mapping[str, Any]) -> Plan:
    """Check a plan's content and multiply out its grid.

    Raises:
        UsageError: an unknown key, or a value that does not fit.

    Example:
        >>> plan = parse_plan("mine", {"defaults": {"data": "digits", "latent_dim": 4}, "grid": {"family": ["vae", "vade"]}})
        >>> list(plan.recipes)
        ['family=vae', 'family=vade']
    """
    for key in content:
        if key not in KEYS:
            raise unknown(f"key of plan {name}", key, KEYS)
    defaults = dotted(_table(name, content, "defaults"))
    adjustments = [_adjustment(name, number, table) for number, table in enumerate(_tables(name, content, "adjust"), start=1)]
    recipes: dict[str, Recipe] = {}
    for cell in _cells(name, content):
        label = ",".join(f"{key.removeprefix(SETTINGS)}={value}" for key, value in cell.items()) or "run"
        if label in recipes:
            raise UsageError(f"plan {name}: the grid lists {label} twice")
        values = updated(defaults, cell)
        for when, change in adjustments:
            if all(values.get(key) in alternatives for key, alternatives in when.items()):
                values = updated(values, change)
        recipes[label] = checked(Recipe, undotted(values), f"plan {name}, {label}")
    deviations = content.get("deviations", [])
    if not isinstance(deviations, list) or not all(isinstance(line, str) for line in deviations):
        raise UsageError(f"plan {name}: deviations must be a list of texts, not {deviations!r}")
    plan = Plan(name, str(content.get("summary", "")), recipes, deviations=tuple(deviations))
    references = [found for table in _tables(name, content, "reference") for found in _references(plan, table)]
    return replace(plan, references=tuple(references), quick=_quick(name, content))


def _cells(name: str, content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of every grid."""
    grids = _tables(name, content, "grid") or [{}]
    for grid in map(dotted, grids):
        for key, values in grid.items():
            if key == "settings":
                raise UsageError(f"plan {name}: grid.settings must name options, as in settings.dropout = [0.0, 0.1]")
            if not isinstance(values, list) or not values:
                raise UsageError(f"plan {name}: grid.{key} must be a list of values, not {values!r}")
        if (count := math.prod(map(len, grid.values()))) > COMBINATIONS:
            raise UsageError(f"plan {name}: the grid has {count:,} combinations, each a run; expected at most {COMBINATIONS:,}")
        for values in itertools.product(*grid.values()):
            yield dict(zip(grid, values, strict=True))


def _adjustment(name: str, number: int, table: Mapping[str, Any]) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """When to adjust, alternatives by key, and what."""
    if set(table) != {"when", "set"}:
        raise UsageError(f"plan {name}: adjust {number} must have the tables when and set, and nothing else")
    when, change = (dotted(_table(f"{name}, adjust {number}", table, key)) for key in ("when", "set"))
    for key in when:
        if not key.startswith(SETTINGS) and full_name(key) not in Recipe.model_fields:
            raise unknown(f"key of plan {name}, adjust {number}, when", key, Recipe.model_fields)
    return {full_name(key): value if isinstance(value, list) else [value] for key, value in when.items()}, change


def _references(plan: Plan, table: Mapping[str, Any]) -> Iterator[Reference]:
    where = f"plan {plan.name}: reference"
    needed = {"score", "source", "columns", "rows"}
    if set(table) != needed:
        raise UsageError(f"{where} must have {', '.join(sorted(needed))}, and nothing else")
    score, columns, rows = str(parse_score(str(table["score"]))), table["columns"], table["rows"]
    if not isinstance(columns, list) or not all(isinstance(column, str) for column in columns) or "value" not in columns:
        raise UsageError(f"{where}: columns must be a list of names, 'value' among them, not {columns!r}")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise UsageError(f"{where}: rows must be a list of lists, not {rows!r}")
    for row in rows:
        if len(row) != len(columns):
            raise UsageError(f"{where}: {row} has {len(row)} values for {len(columns)} columns")
        keys = dict(zip(columns, row, strict=True))
        value, remark = keys.pop("value"), str(keys.pop("remark", ""))
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise UsageError(f"{where}: {value!r} is no number")
        runs = [
            label
            for label, recipe in plan.recipes.items()
            if all(as_text(recipe, key) == str(wanted) for key, wanted in keys.items())
        ]
        if len(runs) != 1:
            raise UsageError(f"{where}: {keys} names {len(runs)} runs, and should name one")
        yield Reference(runs[0], score, float(value), str(table["source"]), remark)


def _quick(name: str, content: Mapping[str, Any]) -> Quick | None:
    if "quick" not in content:
        return None
    table = _table(name, content, "quick")
    for key in table:
        if key not in {"only", "set"}:
            raise unknown(f"key of plan {name}, quick", key, {"only", "set"})
    only, values = (dotted(_table(f"{name}, quick", table, key)) for key in ("only", "set"))
    return Quick({key: [str(v) for v in (value if isinstance(value, list) else [value])] for key, value in only.items()}, values)


def _table(name: str, content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = content.get(key, {})
    if not isinstance(table, Mapping):
        raise UsageError(f"plan {name}: {key} must be a table, not {table!r}")
    return table


def _tables(name: str, content: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    """A table, or an array of tables."""
    found = content.get(key, [])
    tables = [found] if isinstance(found, Mapping) else found
    if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
        raise UsageError(f"plan {name}: {key} must be a table, not {found!r}")
    return tables

"""Audit plans: grids of configurations to train, and what others have reported of them.

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
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from stabaudit.comparison.surveys.references import Reference
from stabaudit.config import checked
from stabaudit.errors import BadData, UsageError
from stabaudit.registry import unknown
from stabaudit.statistics.gate import parse_score
from stabaudit.store.files.atomic import missing, reason, shown
from stabaudit.store.files.regular import read_regular
from stabaudit.training.recipe import SHORT, Recipe

SUFFIX = ".toml"
PLAN_BYTES = 16 << 20  # at most
COMBINATIONS = 10_000  # of a grid, at most: each is a run
KEYS = {"summary", "deviations", "defaults", "grid", "adjust", "reference", "quick"}
_SETTINGS = "settings."
_NAMES = {short: name for name, short in SHORT.items()}
_BUDGETS = {"epochs": "steps", "steps": "epochs"}  # one excludes the other


@dataclass(frozen=True)
class Plan:
    """A named list of runs to train and compare.

    Args:
        name: of the file, without its suffix.
        summary: what the plan asks, in one line.
        recipes: one per run, by a name that tells what distinguishes it.
        references: what to hold them against.
        deviations: what differs from what the plan repeats, one line each.
        quick: what its quick form keeps, and sets; None where it has none.
    """

    name: str
    summary: str
    recipes: Mapping[str, Recipe]
    references: tuple[Reference, ...] = ()
    deviations: tuple[str, ...] = ()
    quick: "Quick | None" = None

    @property
    def families(self) -> int:
        """How many model families there are to compare."""
        return len({recipe.family for recipe in self.recipes.values()})

    def only(self, chosen: Mapping[str, Sequence[str]]) -> "Plan":
        """The part of the plan whose runs have one of the given values of each key, as text.

        Raises:
            UsageError: a key or value that no run has.
        """
        kept = dict(self.recipes)
        for key, values in chosen.items():
            had = {_text(recipe, key) for recipe in kept.values()} - {None}
            if not had:
                raise unknown(f"key of the runs of plan {self.name}", key, {name for r in kept.values() for name in _keys(r)})
            for value in values:
                if value not in had:
                    raise unknown(f"{key} of plan {self.name}", value, {str(value) for value in had})
            kept = {label: recipe for label, recipe in kept.items() if _text(recipe, key) in values}
        return replace(self, recipes=kept, references=tuple(r for r in self.references if r.run in kept))

    def changed(self, values: Mapping[str, Any]) -> "Plan":
        """The plan with keys set in every run; that it was, is a deviation.

        Raises:
            UsageError: an unknown key, or a value that does not fit.
        """
        recipes, said = {}, []
        for label, recipe in self.recipes.items():
            given = recipe.model_dump(exclude_unset=True)
            flat = _dotted({key: value for key, value in given.items() if key != "settings"})
            flat |= {f"{_SETTINGS}{name}": value for name, value in recipe.settings.items()}
            for key in values:
                instead = _named(key) if _named(key) in flat else _BUDGETS.get(key, "")
                before = flat.get(instead)
                planned = before if instead == _named(key) else f"{instead} = {before}"
                line = f"{key} = {values[key]}" + ("" if before is None else f", {planned} in the plan")
                if str(before) != str(values[key]) and line not in said:
                    said.append(line)
            recipes[label] = checked(Recipe, _undotted(_updated(flat, values)), f"plan {self.name}, {label}")
        return replace(self, recipes=recipes, deviations=(*self.deviations, *said))

    def quickly(self) -> "Plan":
        """The plan's quick form, which says that it is one.

        Raises:
            UsageError: a plan without one.
        """
        if self.quick is None:
            raise UsageError(f"plan {self.name} has no quick form: it has no table [quick]")
        quick = self.only(self.quick.only).changed(self.quick.set)
        said = "quick: too little training for its numbers to mean anything"
        return replace(quick, name=f"{self.name}-quick", deviations=(said, *quick.deviations))


@dataclass(frozen=True)
class Quick:
    """What the quick form of a plan keeps of it, and sets in every run."""

    only: Mapping[str, Sequence[str]]
    set: Mapping[str, Any]


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
    defaults = _dotted(_table(name, content, "defaults"))
    adjustments = [_adjustment(name, number, table) for number, table in enumerate(_tables(name, content, "adjust"), start=1)]
    recipes: dict[str, Recipe] = {}
    for cell in _cells(name, content):
        label = ",".join(f"{key.removeprefix(_SETTINGS)}={value}" for key, value in cell.items()) or "run"
        if label in recipes:
            raise UsageError(f"plan {name}: the grid lists {label} twice")
        values = _updated(defaults, cell)
        for when, change in adjustments:
            if all(values.get(key) in alternatives for key, alternatives in when.items()):
                values = _updated(values, change)
        recipes[label] = checked(Recipe, _undotted(values), f"plan {name}, {label}")
    deviations = content.get("deviations", [])
    if not isinstance(deviations, list) or not all(isinstance(line, str) for line in deviations):
        raise UsageError(f"plan {name}: deviations must be a list of texts, not {deviations!r}")
    plan = Plan(name, str(content.get("summary", "")), recipes, deviations=tuple(deviations))
    references = [found for table in _tables(name, content, "reference") for found in _references(plan, table)]
    return replace(plan, references=tuple(references), quick=_quick(name, content))


def _updated(values: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Values with some changed; a budget in epochs takes the place of one in steps, and the other way round."""
    named = {_named(key): value for key, value in change.items()}
    return {_named(key): value for key, value in values.items() if _BUDGETS.get(key) not in named} | named


def _cells(name: str, content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of every grid."""
    grids = _tables(name, content, "grid") or [{}]
    for grid in map(_dotted, grids):
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
    when, change = (_dotted(_table(f"{name}, adjust {number}", table, key)) for key in ("when", "set"))
    return {_named(key): value if isinstance(value, list) else [value] for key, value in when.items()}, change


def _references(plan: Plan, table: Mapping[str, Any]) -> Iterator[Reference]:
    where = f"plan {plan.name}: reference"
    needed = {"score", "source", "columns", "rows"}
    if set(table) != needed:
        raise UsageError(f"{where} must have {', '.join(sorted(needed))}, and nothing else")
    score, columns = str(parse_score(str(table["score"]))), table["columns"]
    if "value" not in columns:
        raise UsageError(f"{where}: columns must name 'value'")
    for row in table["rows"]:
        if len(row) != len(columns):
            raise UsageError(f"{where}: {row} has {len(row)} values for {len(columns)} columns")
        keys = dict(zip(columns, row, strict=True))
        value, remark = keys.pop("value"), str(keys.pop("remark", ""))
        if not isinstance(value, (int, float)):
            raise UsageError(f"{where}: {value!r} is no number")
        runs = [
            label
            for label, recipe in plan.recipes.items()
            if all(_text(recipe, key) == str(wanted) for key, wanted in keys.items())
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
    only, values = (_dotted(_table(f"{name}, quick", table, key)) for key in ("only", "set"))
    return Quick({key: [str(v) for v in (value if isinstance(value, list) else [value])] for key, value in only.items()}, values)


def _named(key: str) -> str:
    """What a recipe calls a key: learning_rate for lr."""
    return _NAMES.get(key, key)


def _keys(recipe: Recipe) -> set[str]:
    """Keys that a part of a plan can be chosen by."""
    return (set(Recipe.model_fields) - {"settings"}) | set(recipe.settings)


def _text(recipe: Recipe, key: str) -> str | None:
    """A recipe's value of a key, as text; None where it has none."""
    key = _named(key).removeprefix(_SETTINGS)
    value = getattr(recipe, key) if key in Recipe.model_fields else recipe.settings.get(key)
    return None if value is None else str(value)


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


def _dotted(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested tables: {"settings": {"prior": [...]}} to {"settings.prior": [...]}."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _dotted(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _undotted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Gather the settings again: {"settings.family.prior": …} to {"settings": {"family.prior": …}}."""
    settings = {key.removeprefix(_SETTINGS): value for key, value in values.items() if key.startswith(_SETTINGS)}
    return {"settings": settings} | {key: value for key, value in values.items() if not key.startswith(_SETTINGS)}

"""Audit plans: a named list of runs to train and compare, a part of it, and its quick form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stabaudit.comparison.surveys.references import Reference
from stabaudit.config import checked
from stabaudit.errors import UsageError
from stabaudit.registry import unknown
from stabaudit.training.recipe import SHORT, Recipe

SETTINGS = "settings."  # before the name of a family's option
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
            had = {as_text(recipe, key) for recipe in kept.values()} - {None}
            if not had:
                raise unknown(f"key of the runs of plan {self.name}", key, {name for r in kept.values() for name in _keys(r)})
            for value in values:
                if value not in had:
                    raise unknown(f"{key} of plan {self.name}", value, {value for value in had if value is not None})
            kept = {label: recipe for label, recipe in kept.items() if as_text(recipe, key) in values}
        return replace(self, recipes=kept, references=tuple(r for r in self.references if r.run in kept))

    def changed(self, values: Mapping[str, Any]) -> "Plan":
        """The plan with keys set in every run; that it was, is a deviation.

        Raises:
            UsageError: an unknown key, or a value that does not fit.
        """
        recipes, said = {}, []
        for label, recipe in self.recipes.items():
            given = recipe.model_dump(exclude_unset=True)
            flat = dotted({key: value for key, value in given.items() if key != "settings"})
            flat |= {f"{SETTINGS}{name}": value for name, value in recipe.settings.items()}
            for key in values:
                instead = full_name(key) if full_name(key) in flat else _BUDGETS.get(key, "")
                before = flat.get(instead)
                planned = before if instead == full_name(key) else f"{instead} = {before}"
                line = f"{key} = {values[key]}" + ("" if before is None else f", {planned} in the plan")
                if str(before) != str(values[key]) and line not in said:
                    said.append(line)
            recipes[label] = checked(Recipe, undotted(updated(flat, values)), f"plan {self.name}, {label}")
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


def updated(values: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Values with some changed; a budget in epochs takes the place of one in steps, and the other way round."""
    named = {full_name(key): value for key, value in change.items()}
    return {full_name(key): value for key, value in values.items() if _BUDGETS.get(key) not in named} | named


def full_name(key: str) -> str:
    """What a recipe calls a key: learning_rate for lr."""
    return _NAMES.get(key, key)


def _keys(recipe: Recipe) -> set[str]:
    """Keys that a part of a plan can be chosen by."""
    return (set(Recipe.model_fields) - {"settings"}) | set(recipe.settings)


def as_text(recipe: Recipe, key: str) -> str | None:
    """A recipe's value of a key, as text; None where it has none."""
    key = full_name(key).removeprefix(SETTINGS)
    value = getattr(recipe, key) if key in Recipe.model_fields else recipe.settings.get(key)
    return None if value is None else str(value)


def dotted(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested tables: {"settings": {"prior": [...]}} to {"settings.prior": [...]}."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= dotted(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def undotted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Gather the settings again: {"settings.family.prior": …} to {"settings": {"family.prior": …}}."""
    settings = {key.removeprefix(SETTINGS): value for key, value in values.items() if key.startswith(SETTINGS)}
    return {"settings": settings} | {key: value for key, value in values.items() if not key.startswith(SETTINGS)}

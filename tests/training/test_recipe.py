"""What users type is one name inside, whichever of its names they type."""

import pytest

from stabaudit import defaults
from stabaudit.audit.plan_file import parse_plan
from stabaudit.config import Training, checked
from stabaudit.errors import UsageError
from stabaudit.training.recipe import SHORT, Recipe

LONG = {"family": "vae", "dataset": "tcl", "architecture": "conv", "learning_rate": 0.1}


def test_short_names_and_long_ones_are_the_same_recipe():
    short = {SHORT.get(name, name): value for name, value in LONG.items()}
    assert set(short) == {"family", "data", "arch", "lr"}
    assert checked(Recipe, short, "train") == checked(Recipe, LONG, "train") == Recipe(**LONG)


@pytest.mark.parametrize("name", SHORT)
def test_both_names_of_one_thing_are_refused(name):
    with pytest.raises(UsageError, match=f"^train: {name} is given twice, by its short name too$"):
        checked(Recipe, LONG | {SHORT[name]: LONG[name]}, "train")


def test_a_plan_may_mix_them():
    plan = parse_plan(
        "mine",
        {
            "defaults": {"family": "vae", "data": "digits", "lr": 0.1},
            "grid": {"dataset": ["digits", "tcl"]},
            "adjust": {"when": {"data": "tcl"}, "set": {"learning_rate": 0.2}},
        },
    )
    assert [(name, recipe.learning_rate) for name, recipe in plan.recipes.items()] == [
        ("dataset=digits", 0.1),
        ("dataset=tcl", 0.2),
    ]
    assert list(plan.only({"data": ["tcl"]}).recipes) == ["dataset=tcl"]
    changed = plan.changed({"lr": 0.3})
    assert {recipe.learning_rate for recipe in changed.recipes.values()} == {0.3}
    assert changed.deviations == ("lr = 0.3, 0.1 in the plan", "lr = 0.3, 0.2 in the plan")


def test_defaults_stand_once():
    recipe, training = Recipe(family="vae", dataset="digits"), Training(steps=1)
    for name in ("batch_size", "learning_rate", "schedule"):
        assert getattr(recipe, name) == getattr(training, name) == getattr(defaults, name.upper())

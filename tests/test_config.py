"""Options as users type them, and what two configurations differ in."""

from typing import Annotated, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from stabaudit.config import (
    Choice,
    NonNegative,
    Positive,
    PositiveFloat,
    RunConfig,
    Training,
    checked,
    options_of,
    parse_options,
)
from stabaudit.errors import UsageError


class Made:
    """Something with an option of every kind."""

    def __init__(
        self,
        problem: object,
        *,
        count: Positive = 40,
        seed: NonNegative = 0,
        rate: PositiveFloat = 0.5,
        drop: Annotated[float, Field(ge=0, lt=1)] | None = None,
        widths: tuple[Positive, ...] | None = None,
        names: tuple[str, ...] = ("a", "b"),
        learned: bool = False,
        prior: Literal["gaussian", "laplace"] = "gaussian",
    ) -> None:
        pass


DEFAULTS = {
    "count": 40,
    "seed": 0,
    "rate": 0.5,
    "drop": None,
    "widths": None,
    "names": ["a", "b"],
    "learned": False,
    "prior": "gaussian",
}


def config_of(**changes):
    base = {
        "family": Choice(name="vae", options={"prior": "gaussian"}),
        "dataset": Choice(name="digits"),
        "architecture": Choice(name="mlp", options={"widths": [64, 64], "dropout": None}),
        "likelihood": Choice(name="bernoulli"),
        "latent_dim": 4,
        "restarts": 3,
        "training": Training(epochs=2),
    }
    return RunConfig(**base | changes)


def test_options_are_the_keyword_only_parameters():
    assert list(options_of(Made)) == list(DEFAULTS)


def test_defaults_are_filled_in():
    assert parse_options(Made, {}, "thing") == DEFAULTS


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("count", "7", 7),
        ("count", 7, 7),
        ("rate", "1e-3", 1e-3),
        ("drop", "0.25", 0.25),
        ("drop", 0, 0.0),
        ("widths", "50,30", [50, 30]),
        ("widths", "50", [50]),
        ("widths", [50, 30], [50, 30]),
        ("names", "x,y", ["x", "y"]),
        ("names", "", []),
        ("learned", "true", True),
        ("learned", "no", False),
        ("prior", "laplace", "laplace"),
    ],
)
def test_text_becomes_the_annotated_type(name, value, expected):
    parsed = parse_options(Made, {name: value}, "thing")
    assert parsed == DEFAULTS | {name: expected}
    assert type(parsed[name]) is type(expected)


@given(st.lists(st.integers(1, 10**6), min_size=1))
def test_numbers_with_commas_come_back(widths):
    assert parse_options(Made, {"widths": ",".join(map(str, widths))}, "thing")["widths"] == widths


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"wdths": "3"}, r"unknown option of family x 'wdths'; did you mean 'widths'\?"),
        ({"count": "0"}, "option 'count' of family x: '0' — Input should be greater than 0"),
        ({"count": "2.5"}, "option 'count' of family x: '2.5' — .*integer"),
        ({"seed": -1}, "option 'seed' of family x: -1 — Input should be greater than or equal to 0"),
        ({"rate": "nan"}, "option 'rate' of family x: 'nan' — Input should be a finite number"),
        ({"rate": "inf"}, "option 'rate' of family x: 'inf' — Input should be a finite number"),
        ({"drop": "1"}, "option 'drop' of family x: '1' — Input should be less than 1"),
        ({"widths": "8,0"}, r"option 'widths' of family x: \['8', '0'\] — Input should be greater than 0"),
        ({"widths": "8,x"}, r"option 'widths' of family x: \['8', 'x'\] — .*integer"),
        ({"learned": "perhaps"}, "option 'learned' of family x: 'perhaps' — .*boolean"),
        ({"prior": "lapl"}, "option 'prior' of family x: 'lapl' — Input should be 'gaussian' or 'laplace'"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(given, message):
    with pytest.raises(UsageError, match=message) as refused:
        parse_options(Made, given, "family x")
    assert "\n" not in str(refused.value)


def test_an_option_without_default_must_be_given():
    def load(*, path: str, rows: int = 3): ...

    assert parse_options(load, {"path": "a"}, "dataset x") == {"path": "a", "rows": 3}
    with pytest.raises(UsageError, match="dataset x needs the option 'path': --set path=…"):
        parse_options(load, {}, "dataset x")


def test_an_annotation_that_cannot_be_checked_is_said():
    def load(*, table: np.ndarray | None = None): ...

    with pytest.raises(UsageError, match="option 'table' of dataset x has an annotation that cannot be checked"):
        parse_options(load, {"table": "1"}, "dataset x")


@pytest.mark.parametrize("budget", [{}, {"epochs": 1, "steps": 1}])
def test_a_training_has_one_budget(budget):
    with pytest.raises(ValidationError, match="either epochs or steps"):
        Training(**budget)


def test_a_configuration_cannot_be_changed_and_comes_back_from_json():
    config = config_of()
    with pytest.raises(ValidationError, match="frozen"):
        config.latent_dim = 5
    assert RunConfig.model_validate_json(config.model_dump_json()) == config


def test_differences_name_the_keys():
    config = config_of()
    assert config.differences(config_of()) == {}
    other = config_of(
        family=Choice(name="vade", options={"components": 10}),
        architecture=Choice(name="mlp", options={"widths": [64, 32], "dropout": None}),
        training=Training(steps=8),
    )
    assert config.differences(other) == {
        "architecture.options.widths": ([64, 64], [64, 32]),
        "family.name": ("vae", "vade"),
        "family.options.components": (None, 10),
        "family.options.prior": ("gaussian", None),
        "training.epochs": (2, None),
        "training.steps": (None, 8),
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "train: epochs 0 — Input should be greater than 0"),
        ({"epoch": 1}, r"unknown key of train 'epoch'; did you mean 'epochs'\?"),
        ({"epochs": 1, "schedule": "step"}, "train: schedule 'step' — Input should be 'plateau', 'cosine' or 'constant'"),
    ],
)
def test_a_mapping_that_is_no_model_is_refused_by_its_first_key(values, message):
    with pytest.raises(UsageError, match=message):
        checked(Training, values, "train")


def test_a_missing_key_is_said_to_be_missing():
    with pytest.raises(UsageError, match=r"^plan x: name is missing$"):
        checked(Choice, {}, "plan x")
    assert checked(Choice, {"name": "vae"}, "plan x") == Choice(name="vae")

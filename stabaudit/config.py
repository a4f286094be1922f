"""Typed configuration: what a run is, and how options typed as text become values.

The keyword-only parameters of a family, dataset or architecture *are* its options: their annotations say what is allowed, their
defaults are the defaults. There is no second list of options to keep in step.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar, get_args, get_origin, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from stabaudit.defaults import BATCH_SIZE, LEARNING_RATE, SCHEDULE, Schedule
from stabaudit.errors import UsageError
from stabaudit.registry import unknown

Positive = Annotated[int, Field(gt=0)]
NonNegative = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Model = TypeVar("Model", bound=BaseModel)
Option = bool | int | float | str | list[Any] | None


class Frozen(BaseModel):
    """A value object: immutable, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def differences(self, other: Self) -> dict[str, tuple[object, object]]:
        """Dotted keys in which two of a kind differ, with both values; empty when they are equal."""
        mine, theirs = _flat(self.model_dump()), _flat(other.model_dump())
        return {
            key: (mine.get(key), theirs.get(key))
            for key in sorted(mine.keys() | theirs.keys())
            if mine.get(key) != theirs.get(key)
        }


class Choice(Frozen):
    """A registered name and the options it was given, defaults filled in."""

    name: str
    options: dict[str, Option] = {}


class Training(Frozen):
    """How one restart is trained: Adam (0.9, 0.999) over shuffled batches.

    Exactly one of `epochs` and `steps` is set. `schedule` "plateau" divides the learning rate by ten whenever the mean training
    loss has not improved at eleven checks in a row. It is checked at the end of an epoch, every 500 steps at the most often, so
    that budgets under 6,000 steps keep their rate. "cosine" lets it fall to 0 over the training, "constant" leaves it alone.
    """

    epochs: Positive | None = None
    steps: Positive | None = None
    batch_size: Positive = BATCH_SIZE
    learning_rate: PositiveFloat = LEARNING_RATE
    schedule: Schedule = SCHEDULE

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            message = "give either epochs or steps"
            raise ValueError(message)
        return self


VARIED = ("init", "order", "noise", "data")  # what makes restarts differ, in the order of a canonical text


def parse_vary(text: str) -> tuple[frozenset[str], float | None]:
    """Read what is varied: "init,order", "none", "all", "init,data=0.8".

    Returns:
        The sources, and the share of the training rows that each restart sees where "data" has one (None: a bootstrap).

    Raises:
        ValueError: an unknown source, one given twice, or a share that is not between 0 and 1.

    >>> parse_vary("none"), sorted(parse_vary("order,data=0.8")[0]), parse_vary("data=0.8")[1]
    ((frozenset(), None), ['data', 'order'], 0.8)
    """
    words = {"none": [], "all": list(VARIED)}.get(text.strip(), [word.strip() for word in text.split(",")])
    sources, share = [], None
    for word in words:
        name, equals, value = word.partition("=")
        if name not in VARIED or (equals and name != "data"):
            message = (
                f"{word!r}: expected none, all, or some of {', '.join(VARIED)} between commas (data=0.8: a share of the rows)"
            )
            raise ValueError(message)
        if equals:
            share = float(value) if re.fullmatch(r"0?\.\d+", value) else 0.0
            if not 0 < share < 1:
                message = f"{word!r}: expected a share of the rows between 0 and 1"
                raise ValueError(message)
        sources.append(name)
    if len(set(sources)) < len(sources):
        message = f"{text!r} names a source twice"
        raise ValueError(message)
    return frozenset(sources), share


def canonical_vary(text: str) -> str:
    """A text that says the same in one way: sources in a fixed order, "all", "none".

    >>> canonical_vary("order, init"), canonical_vary("data,noise,order,init"), canonical_vary("none")
    ('init,order', 'all', 'none')
    """
    sources, share = parse_vary(text)
    if len(sources) == len(VARIED) and share is None:
        return "all"
    named = [f"{name}={share:g}" if name == "data" and share is not None else name for name in VARIED if name in sources]
    return ",".join(named) or "none"


Vary = Annotated[str, AfterValidator(canonical_vary)]


class RunConfig(Frozen):
    """Everything that decides the latents of a run. Restart i is trained from the seed that `seed_of` says."""

    family: Choice
    dataset: Choice
    architecture: Choice
    likelihood: Choice
    latent_dim: Positive
    restarts: Positive
    seed: NonNegative = 0
    training: Training
    exact: bool = False
    device: Literal["cpu", "cuda"] = "cpu"
    precision: Literal["float32", "bf16"] = "float32"  # of what enters matrix products and convolutions
    compile: bool = False  # training steps went through torch.compile, which rounds in its own way
    eager: bool = False  # steps ran operation by operation, since the loss could not be traced
    geometry: bool = False  # distances between rows were measured by the decoder (see `stabaudit.training.geometry`)
    binarise: bool = False  # x is drawn as Bernoulli(x) anew at every training step
    encode_binarised: bool = False  # latents are of rows that each restart drew so for itself
    encode_dropout: bool = False  # dropout stayed on while latents were encoded
    vary: Vary | None = None  # what makes restarts differ; None: initial weights, order of rows and noise, from one seed

    def seed_of(self, restart: int) -> int:
        """The seed of a restart: that of the first where nothing is varied."""
        return self.seed if self.vary == "none" else self.seed + restart


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def options_of(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The options of a family, dataset or architecture: its keyword-only parameters, by name."""
    parameters = inspect.signature(target).parameters
    return {name: p for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


def parse_options(target: Callable[..., Any], given: Mapping[str, object], where: str) -> dict[str, Option]:
    """Check options against the keyword-only parameters of `target` and fill in the defaults.

    Text is converted to the annotated type; a tuple is written with commas: `widths=50,50`.

    Args:
        target: a function or class whose keyword-only parameters are annotated.
        given: option names and their values, as text or typed.
        where: what the options belong to, for messages: "family vade".

    Raises:
        UsageError: an unknown option (with the nearest known), a value of the wrong type or out of range, or a missing one.

    Example:
        >>> def load(*, segments: Positive = 40, widths: tuple[int, ...] | None = None) -> None: ...
        >>> parse_options(load, {"widths": "50,50"}, "dataset tcl")
        {'segments': 40, 'widths': [50, 50]}
    """
    parameters = options_of(target)
    for name in given:
        if name not in parameters:
            raise unknown(f"option of {where}", name, parameters)
    # A class keeps the annotations of its parameters on __init__.
    hints = get_type_hints(target.__init__ if inspect.isclass(target) else target, include_extras=True)
    options: dict[str, Option] = {}
    for name, parameter in parameters.items():
        if name in given:
            options[name] = _convert(given[name], hints.get(name, Any), f"option {name!r} of {where}")
        elif parameter.default is inspect.Parameter.empty:
            raise UsageError(f"{where} needs the option {name!r}: --set {name}=…")
        else:
            options[name] = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
    return options


def _convert(value: object, annotation: Any, what: str) -> Option:  # noqa: ANN401 -- an annotation can be any type form
    if isinstance(value, str) and any(get_origin(form) in {tuple, list} for form in (annotation, *get_args(annotation))):
        value = [part for part in value.split(",") if part]
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        converted = adapter.validate_python(value)
    except ValidationError as error:
        raise UsageError(f"{what}: {value!r} — {error.errors()[0]['msg']}") from None
    except PydanticUserError as error:
        raise UsageError(f"{what} has an annotation that cannot be checked: {annotation!r}") from error
    return list(converted) if isinstance(converted, tuple) else converted


def checked(model: type[Model], values: Mapping[str, object], where: str) -> Model:
    """Validate a mapping as a model.

    Raises:
        UsageError: naming the first key that does not fit, and why.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            if key in model.model_fields:
                raise UsageError(f"{where}: {key} is given twice, by its short name too") from None
            raise unknown(f"key of {where}", key, model.model_fields) from None
        if first["type"] == "missing":
            raise UsageError(f"{where}: {key} is missing") from None
        raise UsageError(f"{where}: {key} {first.get('input')!r} — {first['msg'].removeprefix('Value error, ')}") from None

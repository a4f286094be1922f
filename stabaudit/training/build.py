"""From a configuration to a function that builds one restart's family."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from stabaudit.config import Choice, RunConfig, options_of, parse_options
from stabaudit.errors import UsageError
from stabaudit.families.base import Family, Problem
from stabaudit.nets.likelihoods import LIKELIHOODS, Gaussian, Likelihood, output_shape
from stabaudit.registry import resolve, unknown

OWN = "own"  # what a configuration calls an architecture or likelihood that the family brings itself


def builder(
    config: RunConfig, x_shape: tuple[int, ...], u_dim: int, rows: int, *, categories: bool = True
) -> Callable[[], Family]:
    """A function that builds the configured family, freshly initialised from torch's global generator.

    Args:
        config: the configuration, options complete.
        x_shape: shape of one observation.
        u_dim: size of the auxiliary variable, 0 where there is none.
        rows: number of training rows.
        categories: whether u is one of `u_dim` categories.
    """
    family = resolve("family", config.family.name)
    # One with networks or a likelihood of its own does not look at these.
    architecture: Callable[..., Any] = (
        own if config.architecture.name == OWN else resolve("architecture", config.architecture.name)
    )
    likelihood: Callable[..., Likelihood] = Gaussian if config.likelihood.name == OWN else LIKELIHOODS[config.likelihood.name]

    def networks(context_dim: int, latent_dim: int | None = None) -> tuple[nn.Module, nn.Module]:
        size = latent_dim or config.latent_dim
        shape = output_shape(likelihood(**config.likelihood.options), x_shape)
        pair: tuple[nn.Module, nn.Module] = architecture(shape, size, context_dim, **config.architecture.options)
        return pair

    def build() -> Family:
        given = likelihood(**config.likelihood.options)
        problem = Problem(x_shape, u_dim, config.latent_dim, rows, networks, given, categories)
        built: Family = family(problem, **config.family.options)
        return built

    return build


def own() -> None:
    """Stand for what a family brings itself: its options, if any, are the family's."""


def choose(settings: Mapping[str, object], **named: tuple[str, Callable[..., object]]) -> dict[str, Choice]:
    """Give each setting to the one that knows it, and complete everyone's options with the defaults.

    Args:
        settings: option values by name; `family.prior` says whose option is meant where two have the same.
        named: for each part of a configuration ("family", "dataset", …) its name and the function whose keyword-only parameters
            are the options.

    Raises:
        UsageError: an unknown option, one that two parts know without a prefix that says which, or it is given twice.
    """
    owned: dict[str, dict[str, object]] = {part: {} for part in named}
    known = {part: options_of(target) for part, (_, target) in named.items()}
    for key, value in settings.items():
        prefix, _, option = key.rpartition(".")
        if prefix and prefix not in named:
            raise unknown("prefix of an option", prefix, named)
        owners = [prefix] if prefix else [part for part in named if option in known[part]]
        if len(owners) > 1:
            raise UsageError(
                f"option {option!r} belongs to {' and '.join(owners)}: write {owners[0]}.{option}=… or {owners[1]}.{option}=…"
            )
        if not owners:
            raise unknown("option", option, {name for options in known.values() for name in options})
        if option in owned[owners[0]]:
            raise UsageError(f"option {option!r} of {owners[0]} is given twice, as {option} and as {owners[0]}.{option}")
        owned[owners[0]][option] = value
    return {
        part: Choice(name=name, options=parse_options(target, owned[part], f"{part} {name}"))
        for part, (name, target) in named.items()
    }

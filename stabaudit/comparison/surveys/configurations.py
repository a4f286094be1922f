"""One value per configuration and family, from runs.

Two runs belong to one configuration when they agree in architecture, dataset (its fingerprint too: one name may stand for two
contents), latent dimension and every other option but those of the family; seeds, the number of restarts and where they were
trained do not matter. Of a run that stabaudit did not train no options are known: it belongs where its labels say.
"""

import math
from typing import Any

from stabaudit.comparison.gating.find_score import find_measured
from stabaudit.comparison.surveys.survey import Survey
from stabaudit.config import RunConfig
from stabaudit.errors import UsageError
from stabaudit.statistics.families import Configuration, FamilyTests, ScoreTable, compare_families
from stabaudit.statistics.gate import ScoreKey, parse_score
from stabaudit.statistics.signed_rank import Zeros

_IRRELEVANT = ("seed", "restarts", "exact", "device", "eager")


def table_of_runs(survey: Survey, key: ScoreKey) -> ScoreTable:
    """Arrange one score of each run by configuration and family.

    Args:
        survey: the runs and their scores; two runs of one family and configuration give the mean of their scores.
        key: which score.

    Raises:
        UsageError: a run without that score.
    """
    configs = survey.configs
    runs = {run.name: run for run in survey.comparison.runs if run.family is not None}
    options = {name: {"dataset.fingerprint": run.fingerprint} | _options(configs.get(name)) for name, run in runs.items()}
    trained = [flat for name, flat in options.items() if name in configs]
    varying = {name for flat in trained for name in flat if any(o.get(name) != flat[name] for o in trained)}
    if len({run.fingerprint for run in runs.values()}) > 1:
        varying.add("dataset.fingerprint")
    contents = {
        (configs[name].dataset.model_dump_json() if name in configs else run.dataset, run.fingerprint)
        for name, run in runs.items()
    }
    if len(contents) == len({name for name, _ in contents}):
        varying -= {"dataset.fingerprint"}  # it says no more than name and options
    found: dict[Configuration, dict[str, list[float]]] = {}
    for name, run in runs.items():
        value = find_measured(survey.comparison, name, key).value
        if value is None:
            raise UsageError(f"{name} has no {key}: that floor was not drawn or leaves no room above it")
        config = configs.get(name)
        configuration = Configuration(
            run.architecture or "",
            (config.dataset.name if config else run.dataset) or "",
            config.latent_dim if config else run.latent_dim,
            " ".join(f"{option}={_shown(options[name][option])}" for option in sorted(varying & options[name].keys())),
        )
        family = _family_label(config, configs.values()) if config else str(run.family)
        found.setdefault(configuration, {}).setdefault(family, []).append(value)
    return {
        configuration: {family: math.fsum(values) / len(values) for family, values in families.items()}
        for configuration, families in found.items()
    }


def _shown(value: object) -> str:
    """An option's value as configurations are named by it; what was left to the family is "default"."""
    return "default" if value is None else str(value)


def _options(config: RunConfig | None) -> dict[str, object]:
    """Everything that two runs of a configuration share beyond architecture, dataset and dimension, by dotted name."""
    if config is None:
        return {}
    dumped = config.model_dump(exclude={"family", "latent_dim", *_IRRELEVANT})
    flat: dict[str, object] = {}
    for part, values in dumped.items():
        if not isinstance(values, dict):
            flat[part] = values
            continue
        for name, value in values.items():
            if name == "options":
                flat |= {f"{part}.{option}": setting for option, setting in value.items()}
            elif name != "name" or part == "likelihood":
                flat[f"{part}.{name}"] = value
    return flat


def _family_label(config: RunConfig, every: Any) -> str:  # noqa: ANN401 -- any iterable of configurations
    """The family's name, with those of its options in which its runs differ: "vae(prior=laplace)"."""
    own = config.family
    siblings = [other.family.options for other in every if other.family.name == own.name]
    differing = sorted(name for name in own.options if any(other.get(name) != own.options[name] for other in siblings))
    return own.name + (f"({', '.join(f'{name}={own.options[name]}' for name in differing)})" if differing else "")


def family_tests(found: Survey, score: str, zeros: Zeros = "pratt") -> FamilyTests:
    """Families against each other over the configurations of a survey.

    Args:
        found: the runs and their scores.
        score: which score, as in `stabaudit.statistics.gate.parse_score`.
        zeros: what the signed-rank test does with differences of zero.

    Raises:
        UsageError: an unknown score, or families that cannot be tested.
    """
    key = parse_score(score)
    return compare_families(table_of_runs(found, key), score=str(key), zeros=zeros)

"""Which value of one setting: held-out fit against stability, for runs that differ in that setting and in nothing else.

Fit alone asks for ever more dimensions, stability alone for one. As in the stability-error plot of consensus matrix factorisation
(Kotliar et al. 2019, doi:10.7554/eLife.43803), the value to take is the one of best fit among those that are not less stable than
the most stable: whose interval reaches its mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stabaudit.comparison.records import Comparison
from stabaudit.comparison.views.run_origins import Origin
from stabaudit.config import RunConfig
from stabaudit.metrics.collapse import LOG_LIKELIHOOD
from stabaudit.metrics.scores import headlines

OBJECTIVE = "objective"  # what training made small, with its sign turned
_COMPARABLE = ("latent_dim", "architecture.")  # settings that do not change what the objective means
FEWEST = 3  # values of a setting, of which one is recommended


@dataclass(frozen=True)
class AlongKey:
    """One run among those that differ in one setting.

    Args:
        run: its name.
        key: the setting, "latent_dim" or "family.beta".
        of: what all of them have in common: their family, and what tells them from others of it that differ in this setting.
        value: of the setting.
        fit: mean held-out fit over restarts, nats per row: importance-weighted log-likelihood, or else the objective.
        fitted_by: "log_likelihood" or "objective".
        stability: chance-adjusted score, 0 at its floor and 1 for perfect agreement.
        stability_low, stability_high: its 95% interval.
        metric: of the score.
        axes: dimensions that are the same axes in every restart.
        dimensions: how many there are.
        recommended: whether it has the best fit among those that are not less stable than the most stable.
    """

    run: str
    key: str
    of: str
    value: float
    fit: float | None
    fitted_by: str
    stability: float
    stability_low: float | None
    stability_high: float | None
    metric: str
    axes: int
    dimensions: int
    recommended: bool


def along_key(comparison: Comparison, configs: Mapping[str, RunConfig], origins: Sequence[Origin]) -> list[AlongKey]:
    """A record for each run of three or more that differ in one number and in nothing else, families one after another."""
    flat = {run: _numbers(config) for run, config in configs.items()}
    found: list[AlongKey] = []
    for key in dict.fromkeys(key for numbers in flat.values() for key in numbers):
        groups: dict[str, list[str]] = {}
        for run, config in configs.items():
            if key in flat[run]:
                groups.setdefault(_rest(config, key), []).append(run)
        chosen = {rest: runs for rest, runs in groups.items() if len({flat[run][key] for run in runs}) >= FEWEST}
        named = _named([_without(configs[runs[0]], key) for runs in chosen.values()])
        for runs, of in zip(chosen.values(), named, strict=True):
            rows = [
                _row(comparison, origins, run, key, of, flat[run][key]) for run in sorted(runs, key=lambda run: flat[run][key])
            ]
            found += _recommended([row for row in rows if row is not None])
    return found


def _numbers(config: RunConfig) -> dict[str, float]:
    """Settings of a configuration that are numbers and decide what is modelled, by dotted name."""
    numbers: dict[str, float] = {"latent_dim": config.latent_dim}
    for part in ("family", "architecture", "likelihood"):  # fits to other data cannot be compared
        for name, value in getattr(config, part).options.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                numbers[f"{part}.{name}"] = float(value)
    return numbers


def _rest(config: RunConfig, key: str) -> str:
    """A configuration without one setting, as text."""
    return _without(config, key).model_dump_json()


def _without(config: RunConfig, key: str) -> RunConfig:
    part, _, name = key.rpartition(".")
    if not part:
        return config.model_copy(update={key: 1})
    choice = getattr(config, part)
    without = {option: value for option, value in choice.options.items() if option != name}
    return config.model_copy(update={part: choice.model_copy(update={"options": without})})


def _named(groups: Sequence[RunConfig]) -> list[str]:
    """What runs of each group have in common, as far as it tells them from the others: "vae", "vae architecture=resnet"."""
    names = []
    for own in groups:
        alike = [other for other in groups if other.family.name == own.family.name]
        apart = {key: value for other in alike for key, (value, _) in own.differences(other).items()}
        said = [f"{key.replace('.options.', '.').removesuffix('.name')}={value}" for key, value in sorted(apart.items())]
        names.append(" ".join([own.family.name, *said]))
    return names


def _row(  # noqa: PLR0917 -- where to look, then what for
    comparison: Comparison, origins: Sequence[Origin], run: str, key: str, of: str, value: float
) -> AlongKey | None:
    metric = headlines()[0].name
    score = comparison.out_of_sample(run).get(metric)
    if score is None or score.adjusted is None:
        return None
    low, high = score.interval("adjusted") or (None, None)
    fit, by = _fit(comparison, origins, run)
    own = [one for one in comparison.anatomy if one.run == run]
    axes = sum(one.verdict == "axis" for one in own)
    return AlongKey(run, key, of, value, fit, by, score.adjusted, low, high, metric, axes, len(own), recommended=False)


def _fit(comparison: Comparison, origins: Sequence[Origin], run: str) -> tuple[float | None, str]:
    """Held-out fit of a run, and what it is measured by."""
    likelihood = next((one.mean for one in comparison.collapse if (one.run, one.score) == (run, LOG_LIKELIHOOD.name)), None)
    if likelihood is not None:
        return likelihood, LOG_LIKELIHOOD.name
    objectives = [
        restart.objective
        for origin in origins
        if origin.run == run
        for restart in origin.restarts
        if restart.objective is not None
    ]
    return (sum(objectives) / len(objectives) if objectives else None), OBJECTIVE


def _recommended(rows: Sequence[AlongKey]) -> list[AlongKey]:
    """The same, one of them recommended where fit and intervals are known of all."""
    if len(rows) < FEWEST or len({row.fitted_by for row in rows}) > 1:
        return list(rows)
    if rows[0].fitted_by == OBJECTIVE and not rows[0].key.startswith(_COMPARABLE):
        return list(rows)  # an objective that the setting itself changes
    known = [(row, row.fit, row.stability_high) for row in rows if row.fit is not None and row.stability_high is not None]
    if len(known) < len(rows):
        return list(rows)
    most = max(row.stability for row in rows)
    best, _ = max(((row, fit) for row, fit, high in known if high >= most), key=lambda one: one[1])
    return [replace(row, recommended=row is best) for row in rows]

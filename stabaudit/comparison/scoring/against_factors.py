"""Each restart against known factors of variation: is every factor there, in one dimension, and alone in it?

The true sources of a dataset, or those of a file, are the factors. Encoder means are scored, whatever the correlation; a
restart is one value, so the interval of a mean over restarts is Student's. These scores are computed only where they are asked
for.
"""

from collections.abc import Sequence

import numpy as np

from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.records import RunSummary
from stabaudit.comparison.scoring.against_sources import AgainstSources
from stabaudit.comparison.scoring.floors import Floors
from stabaudit.comparison.scoring.pairs import as_score
from stabaudit.comparison.settings import Settings
from stabaudit.comparison.views.pair_values import PairTable
from stabaudit.errors import UsageError, counted
from stabaudit.metrics.factors import is_discrete, varying
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.score_factors import drawn, score_factors
from stabaudit.metrics.scores import Measure, measure
from stabaudit.metrics.split import split_halves
from stabaudit.statistics import jackknife


def against_factors(group: Group, settings: Settings) -> AgainstSources:
    """Score the restarts of a group against its known factors; nothing where there are none, or where no such score is wanted."""
    sources, measures = group.sources, _kept(group, settings)
    found = AgainstSources([], [])
    if sources is None or not measures:
        return found
    scored = score_factors(
        group.latents,
        sources,
        split_halves(group.sample_id),
        measures,
        floor_draws=settings.floor_draws,
        rng=np.random.default_rng(settings.seed),  # its own: floors do not depend on what else is compared
    )
    run = group.summary.name
    for name in scored[0].values:
        values = np.array([restart.values[name] for restart in scored])
        estimate = jackknife.over_restarts(values, scale=measure(name.metric).scale)
        floors = Floors.of(scored, [name])
        found.scores.append(as_score((run, run), name, estimate, restarts=len(values), floors=floors, dead=()))
        if name.sample == "out":
            found.tables.append(PairTable(run, "sources", name.metric, None, group.labels, ("sources",), values[:, None]))
    return found


def factor_warnings(groups: Sequence[Group], settings: Settings) -> list[str]:
    """What to know of scores against factors that are wanted: which are left out and why, and what was made of the factors.

    Raises:
        UsageError: where nothing else is wanted, and no group has factors.
    """
    wanted = settings.factor_measures
    if not wanted:
        return []
    found = []
    for group in groups:
        if left_out := _left_out(group, wanted, _kept(group, settings)):
            found.append(left_out)
        if group.sources is not None:
            found.append(_described(group.summary, group.sources))
    few = [one for one in wanted if drawn(one, settings.floor_draws) < settings.floor_draws]
    if few and any(group.sources is not None for group in groups):
        count = drawn(few[0], settings.floor_draws)
        found.append(
            f"{_names(few)}: floors are means over {counted(count, 'draw')}, not {settings.floor_draws}, since each takes long"
        )
    if not settings.measures and not any(_kept(group, settings) for group in groups):
        raise UsageError("; ".join(found))
    return found


def _kept(group: Group, settings: Settings) -> list[Measure]:
    """The wanted scores that the factors of a group allow."""
    count = 0 if group.sources is None else len(varying(group.sources))
    return [one for one in settings.factor_measures if one.factors is not None and count >= one.factors.fewest]


def _left_out(group: Group, wanted: Sequence[Measure], kept: Sequence[Measure]) -> str | None:
    lost = [one for one in wanted if one not in kept]
    run = group.summary
    if not lost:
        return None
    if group.has_sources and group.sources is None:
        why = "its latents are streamed and these scores need all rows; raise --memory"
    elif run.grid is not None:
        why = "latents on a grid are not scored against factors"
    elif group.sources is None:
        why = "no true factors of its rows are known; give them by --sources FILE"
    else:
        count = len(varying(group.sources))
        why = f"{count} of its factors {'varies' if count == 1 else 'vary'}, and these scores need more"
    return f"{run.name}: {_names(lost)}: left out, since {why}"


def _described(run: RunSummary, factors: Array) -> str:
    """Which factors are taken for classes, which for numbers, and which say nothing."""
    there = set(varying(factors).tolist())
    kinds: dict[str, list[str]] = {"classes": [], "numbers": [], "constant": []}
    called = run.source_names if len(run.source_names) == factors.shape[1] else [f"s{k}" for k in range(factors.shape[1])]
    for k, (name, values) in enumerate(zip(called, factors.T, strict=True)):
        if k not in there:
            kinds["constant"].append(name)
        elif is_discrete(values):
            kinds["classes"].append(f"{name} ({len(np.unique(values))})")
        else:
            kinds["numbers"].append(name)
    return f"{run.name}: factors: " + "; ".join(f"{kind} {', '.join(named)}" for kind, named in kinds.items() if named)


def _names(measures: Sequence[Measure]) -> str:
    return ", ".join(one.name for one in measures)

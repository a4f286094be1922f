"""Groups of restarts → every score within each group and between each two, and what was noticed on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, combinations

import numpy as np
from numpy.typing import NDArray

from stabaudit.comparison.groups import Group
from stabaudit.comparison.pairs import Floors, Member, Pairs, as_score
from stabaudit.comparison.records import Comparison, Score
from stabaudit.metrics.mcc import DEFAULT_K, Correlation
from stabaudit.metrics.pairwise import score_pairs, score_sources
from stabaudit.metrics.results import Scored
from stabaudit.metrics.split import split_halves
from stabaudit.statistics import jackknife

_SOURCE_METRICS = {"strong_mcc": "source_strong_mcc", "weak_mcc": "source_weak_mcc"}


@dataclass(frozen=True)
class Settings:
    """How pairs are scored.

    Args:
        k: canonical pairs that a weak MCC averages, beside the one over all.
        correlation: of strong MCC.
        floor_draws: draws of either floor, at least 1.
        seed: decides the draws of floors and permutations; the split into halves has a seed of its own, the same for everyone.
        allow_unequal: match the smaller number of dimensions instead of refusing unequal ones.
    """

    k: int = DEFAULT_K
    correlation: Correlation = "pearson"
    floor_draws: int = 20
    seed: int = 0
    allow_unequal: bool = False


def compare(groups: Sequence[Group], settings: Settings = Settings()) -> Comparison:
    """Compare restarts within every group and between every two, all rows joined as by `read_groups`.

    Raises:
        BadData: unequal dimensions, too few rows (n ≤ d).
    """
    rng = np.random.default_rng(settings.seed)
    fit = split_halves(groups[0].sample_id)
    labels = [label for group in groups for label in group.labels]
    scored = score_pairs(
        [z for group in groups for z in group.latents],
        fit,
        k=settings.k,
        correlation=settings.correlation,
        floor_draws=settings.floor_draws,
        rng=rng,
        allow_unequal=settings.allow_unequal,
        names=labels,
    )
    dead = _dead(scored, labels)
    pairs = Pairs({(pair.a, pair.b): pair for pair in scored.pairs}, dead)
    starts = accumulate((len(group.latents) for group in groups), initial=0)
    members = [
        Member(group.summary.name, tuple(range(start, start + len(group.latents))))
        for group, start in zip(groups, starts, strict=False)
    ]
    several = [member for member in members if len(member.positions) > 1]
    between = list(combinations(members, 2))
    return Comparison(
        runs=tuple(group.summary for group in groups),
        scores=(
            *(
                score
                for group, member in zip(groups, members, strict=True)
                for score in (*pairs.within(member), *_against_sources(group, fit, settings, rng))
            ),
            *(score for a, b in between for score in pairs.between(a, b)),
        ),
        differences=tuple(found for a, b in combinations(several, 2) for found in pairs.differences(a, b, rng=rng)),
        curves=(
            *(curve for member in several for curve in pairs.curves(member, member)),
            *(curve for a, b in between for curve in pairs.curves(a, b)),
        ),
        warnings=(*scored.warnings, *_warnings(groups, dead)),
    )


def _against_sources(group: Group, fit: NDArray[np.bool_], settings: Settings, rng: np.random.Generator) -> list[Score]:
    """Each restart against the true sources, where there are any: a restart is one value, its interval Student's."""
    if group.sources is None:
        return []
    scored = score_sources(
        group.latents,
        group.sources,
        fit,
        k=settings.k,
        correlation=settings.correlation,
        floor_draws=settings.floor_draws,
        rng=rng,
        allow_unequal=True,  # a model need not have as many dimensions as there are sources
        names=group.labels,
    )
    dead = tuple(name for names in _dead(scored, group.labels) for name in names)
    found = []
    for name in scored.pairs[0].values:
        if name.metric in _SOURCE_METRICS:
            estimate = jackknife.over_restarts(np.array([pair.values[name] for pair in scored.pairs]))
            run, restarts = group.summary.name, len(group.latents)
            score = as_score((run, run), name, estimate, restarts=restarts, floors=Floors.of(scored.pairs, [name]), dead=dead)
            found.append(replace(score, metric=_SOURCE_METRICS[name.metric]))
    return found


def _dead(scored: Scored, labels: Sequence[str]) -> list[tuple[str, ...]]:
    """Constant dimensions of each latents by name: "vade#3:z7"."""
    return [tuple(f"{label}:z{k}" for k in dead) for label, dead in zip(labels, scored.dead, strict=False)]


def _warnings(groups: Sequence[Group], dead: Sequence[tuple[str, ...]]) -> list[str]:
    found = []
    for group in groups:
        run = group.summary
        if run.lost:
            found.append(f"{run.name}: {run.restarts} of {run.trained} restarts; {'; '.join(run.lost)}")
        if len(group.latents) == 2:
            found.append(f"{run.name}: two restarts make one pair, which has no interval; train three or more")
    found += [f"{', '.join(names)}: constant on the rows fitted to, so the correlations count as 0" for names in dead if names]
    precisions = {group.summary.precision for group in groups if group.summary.precision}
    if len(precisions) > 1:
        named_runs = ", ".join(f"{g.summary.name} {g.summary.precision}" for g in groups if g.summary.precision)
        found.append(f"trained in different precisions ({named_runs}): a difference between them may be rounding")
    named = [named for group in groups for named in zip(group.labels, group.latents, strict=True)]
    for (a, z_a), (b, z_b) in combinations(named, 2):
        if z_a.shape == z_b.shape and np.array_equal(z_a[0], z_b[0]) and np.array_equal(z_a, z_b):
            found.append(f"{a} and {b} hold the same latents; were they trained from the same seed?")
    return found

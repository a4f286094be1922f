"""Groups of restarts → every score within each group and between each two, and what was noticed on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, combinations

import numpy as np

from stabaudit.comparison.groups import DEFAULT_MEMORY, Group
from stabaudit.comparison.pairs import Floors, Member, Pairs, as_score, floor_pairs
from stabaudit.comparison.records import Comparison, Score
from stabaudit.comparison.streaming import Stream, stream_moments
from stabaudit.errors import UsageError
from stabaudit.metrics.evidence import Evidence
from stabaudit.metrics.mcc import DEFAULT_K, Correlation
from stabaudit.metrics.pairwise import score
from stabaudit.metrics.results import Pair, Scored
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
        memory: bytes that latents may take; those that take more are streamed from their files.
    """

    k: int = DEFAULT_K
    correlation: Correlation = "pearson"
    floor_draws: int = 20
    seed: int = 0
    allow_unequal: bool = False
    memory: int = DEFAULT_MEMORY


def compare(groups: Sequence[Group], settings: Settings = Settings()) -> Comparison:
    """Compare restarts within every group and between every two, all rows joined as by `read_groups`.

    Raises:
        BadData: unequal dimensions, too few rows (n ≤ d); of files to be streamed, other ids or another order.
        UsageError: what cannot be streamed, or not in so little memory.
    """
    rng = np.random.default_rng(settings.seed)
    labels = [label for group in groups for label in group.labels]
    evidence, same = _evidence(groups, labels, settings)
    starts = accumulate((len(group.latents) for group in groups), initial=0)
    members = [
        Member(group.summary.name, tuple(range(start, start + len(group.latents))))
        for group, start in zip(groups, starts, strict=False)
    ]
    scored = score(
        evidence,
        list(combinations(range(len(labels)), 2)),
        floor_pairs=floor_pairs(members),
        k=settings.k,
        floor_draws=settings.floor_draws,
        rng=rng,
        allow_unequal=settings.allow_unequal,
    )
    dead = _dead(scored, labels)
    pairs = Pairs({(pair.a, pair.b): pair for pair in scored.pairs}, dead)
    several = [member for member in members if len(member.positions) > 1]
    between = list(combinations(members, 2))
    with_sources = [member for member, group in zip(members, groups, strict=True) if group.sources is not None]
    against = {
        member.run: _against_sources(member, len(labels) + place, evidence, settings, dead=pairs.dead_of(member), rng=rng)
        for place, member in enumerate(with_sources)
    }
    return Comparison(
        runs=tuple(group.summary for group in groups),
        scores=(
            *(found for member in members for found in (*pairs.within(member), *against.get(member.run, ()))),
            *(found for a, b in between for found in pairs.between(a, b)),
        ),
        differences=tuple(found for a, b in combinations(several, 2) for found in pairs.differences(a, b, rng=rng)),
        curves=(
            *(curve for member in several for curve in pairs.curves(member, member)),
            *(curve for a, b in between for curve in pairs.curves(a, b)),
        ),
        warnings=(*scored.warnings, *_warnings(groups, dead), *_floor_warnings(evidence, pairs), *_doubles(labels, same)),
    )


def _evidence(groups: Sequence[Group], labels: Sequence[str], settings: Settings) -> tuple[Evidence, list[Pair]]:
    """All latents, then the true sources of those groups that have some; and which of them are the same."""
    latents = [z for group in groups for z in group.latents]
    latents += [group.sources for group in groups if group.sources is not None]
    names = [*labels, *(f"sources of {group.summary.name}" for group in groups if group.sources is not None)]
    ids = groups[0].sample_id
    fit = split_halves(ids)
    streams = [z for z in latents if isinstance(z, Stream)]
    if streams:
        if settings.correlation != "pearson":
            raise UsageError(
                f"ranks need all rows in memory: raise --memory above {settings.memory}, or use --correlation pearson"
            )
        halves, same = stream_moments(streams, names, ids, fit, settings.memory)
        return Evidence.of_moments(halves, names), same
    rows = [z for z in latents if not isinstance(z, Stream)]
    evidence = Evidence.of_rows(rows, fit, settings.correlation, names)
    every = combinations(range(len(rows)), 2)
    return evidence, [(a, b) for a, b in every if np.array_equal(rows[a][:1], rows[b][:1]) and np.array_equal(rows[a], rows[b])]


def _against_sources(
    member: Member, sources: int, evidence: Evidence, settings: Settings, *, dead: tuple[str, ...], rng: np.random.Generator
) -> list[Score]:
    """Each restart against the true sources at a position: a restart is one value, its interval Student's."""
    scored = score(
        evidence,
        [(position, sources) for position in member.positions],
        k=settings.k,
        floor_draws=settings.floor_draws,
        rng=rng,
        allow_unequal=True,  # a model need not have as many dimensions as there are sources
    )
    found = []
    for name in scored.pairs[0].values:
        if name.metric in _SOURCE_METRICS:
            estimate = jackknife.over_restarts(np.array([pair.values[name] for pair in scored.pairs]))
            floors = Floors.of(scored.pairs, [name])
            restarts = len(member.positions)
            one = as_score((member.run, member.run), name, estimate, restarts=restarts, floors=floors, dead=dead)
            found.append(replace(one, metric=_SOURCE_METRICS[name.metric]))
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
    precisions = {group.summary.precision for group in groups if group.summary.precision}
    if len(precisions) > 1:
        named_runs = ", ".join(f"{g.summary.name} {g.summary.precision}" for g in groups if g.summary.precision)
        found.append(f"trained in different precisions ({named_runs}): a difference between them may be rounding")
    found += [f"{', '.join(names)}: constant on the rows fitted to, so the correlations count as 0" for names in dead if names]
    return found


def _floor_warnings(evidence: Evidence, pairs: Pairs) -> list[str]:
    """How floors were drawn, where that is not as always."""
    found = []
    if evidence.rows is None:
        found.append(
            "the latents were streamed, so the independence floor is drawn from their means and covariances, as of normal latents"
        )
    drawn = sum(1 for pair in pairs.scored.values() if pair.independence)
    if drawn < len(pairs.scored):
        found.append(f"the independence floor is the mean over {drawn} of {len(pairs.scored)} pairs, evenly over the restarts")
    return found


def _doubles(labels: Sequence[str], same: Sequence[Pair]) -> list[str]:
    return [
        f"{labels[a]} and {labels[b]} hold the same latents; were they trained from the same seed?"
        for a, b in same
        if max(a, b) < len(labels)  # sources are the same for every run on a dataset
    ]

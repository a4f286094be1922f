"""Groups of restarts → every score within each group and between each two, and what was noticed on the way."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, combinations

import numpy as np

from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.reading.streaming import stream_moments
from stabaudit.comparison.records import AnatomyRecord, Comparison, NonlinearRecord, Score
from stabaudit.comparison.scoring.active_dimensions import active_scores
from stabaudit.comparison.scoring.against_factors import against_factors, factor_warnings
from stabaudit.comparison.scoring.against_sources import AgainstSources, against_sources, in_batches, unequal_to_sources
from stabaudit.comparison.scoring.anatomy import (
    anatomy_records,
    followed_part,
    group_scores,
    part_warnings,
    run_anatomy,
    run_solutions,
)
from stabaudit.comparison.scoring.cluster_scores import cluster_scores
from stabaudit.comparison.scoring.collapse import Facts, collapse_scores, collapse_warnings, dimension_records
from stabaudit.comparison.scoring.densities import density_scores
from stabaudit.comparison.scoring.floors import floor_groups
from stabaudit.comparison.scoring.geometry_scores import geometry_scores
from stabaudit.comparison.scoring.grid import evidence_at, position_scores, score_positions, shared_size, together
from stabaudit.comparison.scoring.headline_warnings import headline_warnings
from stabaudit.comparison.scoring.members import Member, independent
from stabaudit.comparison.scoring.nonlinear import ALONE, STREAMED, nonlinear_records
from stabaudit.comparison.scoring.outliers import outlier_warnings
from stabaudit.comparison.scoring.pairs import Pairs, adjusted_over_all
from stabaudit.comparison.scoring.sampled_pairs import chosen_pairs, sampled_warnings
from stabaudit.comparison.settings import DEFAULT_SETTINGS, Settings
from stabaudit.comparison.views.matched_dimensions import typical_match
from stabaudit.engines.base import Engine
from stabaudit.errors import UsageError, are, counted
from stabaudit.metrics.evidence import Evidence
from stabaudit.metrics.pair_scores import Array, Pair, Scored
from stabaudit.metrics.score_pairs import score
from stabaudit.metrics.split import split_halves
from stabaudit.store.files.columns import names_of


def compare(groups: Sequence[Group], settings: Settings = DEFAULT_SETTINGS, engine: Engine | None = None) -> Comparison:
    """Compare restarts within every group and between every two, all rows joined as by `read_groups`.

    Args:
        groups: what is compared.
        settings: how.
        engine: where pairs are scored; None: in this process.

    Raises:
        BadData: unequal dimensions, too few rows (n ≤ d); of files to be streamed, other ids or another order.
        UsageError: what cannot be streamed, or not in so little memory.
    """
    rng = np.random.default_rng(settings.seed)
    labels = [label for group in groups for label in group.labels]
    size = shared_size(groups)
    starts = accumulate((len(group.labels) for group in groups), initial=0)
    members = [
        Member(group.summary.name, tuple(range(start, start + len(group.labels))), group.seeds)
        for group, start in zip(groups, starts, strict=False)
    ]

    wanted = chosen_pairs(members, settings.pairs, rng=np.random.default_rng(settings.seed))
    within_reach = set(wanted)

    def score_all(evidence: Evidence, rng: np.random.Generator) -> Scored:
        return score(
            evidence,
            wanted,
            measures=settings.measures,
            floor_groups=[[pair for pair in group if pair in within_reach] for group in floor_groups(members)],
            k=settings.k,
            floor_draws=settings.floor_draws,
            rotations=settings.rotations,
            engine=engine,
            rng=rng,
            allow_unequal=settings.allow_unequal,
        )

    of_factors = factor_warnings(groups, settings)
    facts = [(group.summary.name, group.labels, group.facts) for group in groups]
    positions: list[Scored] = []
    against: dict[str, list[AgainstSources]] = {}
    anatomies: list[AnatomyRecord] = []
    nonlinear: list[NonlinearRecord] = []
    active: list[Score] = []
    evidence = None
    if size is None:
        evidence, same = _evidence(groups, labels, settings)
        scored, streamed = score_all(evidence, rng), evidence.rows is None
        if streamed:
            facts = [_with_variances(group, member, evidence) for group, member in zip(groups, members, strict=True)]
        against = _against_sources(groups, members, evidence, settings)
        for group in groups:
            against.setdefault(group.summary.name, []).append(against_factors(group, settings))
        for member, (_, _, known) in zip(members, facts, strict=True):
            part = followed_part(member, evidence)
            places = [member.positions.index(position) for position in part.positions]
            if found := run_anatomy(part, [known[place] for place in places] if known else [], evidence):
                anatomies += anatomy_records(part, found, places[found.central])
                nonlinear += nonlinear_records(part, found, evidence, settings) if settings.nonlinear else []
            active += active_scores(member, known, evidence, settings)
    else:
        latents = [z for group in groups for z in group.latents]  # grids are never streamed
        at = evidence_at(latents, size, groups[0].sample_id, settings.correlation, labels)
        positions = score_positions(at, score_all, rng)
        scored, streamed = together(positions, [group.summary.latent_dim for group in groups for _ in group.latents]), False
        same = _same(latents)
    dead = _dead(scored, groups)
    pairs = Pairs({(pair.a, pair.b): pair for pair in scored.pairs}, dead)
    several = [member for member in members if len(member.positions) > 1]
    between = list(combinations(members, 2))
    densities = density_scores(groups, members, settings)
    clusters = cluster_scores(groups, members, settings)
    geometry = geometry_scores(groups, members, settings)

    def scored_by(*named: Member) -> list[Pairs]:
        return [pairs, *(found for found in (clusters.of(*named), geometry.of(*named)) if found is not None)]

    solutions = [found for member in members for found in run_solutions(member, labels, pairs)]
    return Comparison(
        runs=tuple(group.summary for group in groups),
        scores=(
            *(
                found
                for member in members
                for found in (
                    *pairs.within(member),
                    *(s for s in active if s.run_a == member.run),
                    *(s for own in scored_by(member)[1:] for s in own.within(member)),
                    *_flat(against, member),
                )
            ),
            *(found for a, b in between for own in scored_by(a, b) for found in own.between(a, b)),
        ),
        differences=adjusted_over_all(
            found for a, b in combinations(several, 2) for own in scored_by(a, b) for found in own.differences(a, b, rng=rng)
        ),
        curves=(
            *(curve for member in several for curve in pairs.curves(member, member)),
            *(curve for a, b in between for curve in pairs.curves(a, b)),
        ),
        warnings=(
            *scored.warnings,
            *_warnings(groups, dead),
            *of_factors,
            *outlier_warnings(groups, settings),
            *(warning for a, b in between for warning in _seed_warnings(a, b)),
            *_floor_warnings(pairs, streamed=streamed),
            *sampled_warnings(members, pairs),
            *(part_warnings(members, evidence) if evidence else []),
            *(headline_warnings(members, pairs, evidence, settings) if evidence else []),
            *([STREAMED] if streamed and settings.nonlinear else []),
            *([ALONE] if settings.nonlinear and not anatomies else []),
            *_one_seed(groups),
            *_doubles(labels, [seed for group in groups for seed in group.seeds], same),
            *(warning for name, labels, known in facts if known for warning in collapse_warnings(name, labels, known)),
            *densities.warnings,
            *clusters.warnings,
            *geometry.warnings,
        ),
        collapse=tuple(one for name, _, known in facts if known for one in collapse_scores(name, known)),
        dimensions=tuple(one for name, labels, known in facts if known for one in dimension_records(name, labels, known)),
        densities=densities.scores,
        floor_draws=settings.floor_draws,
        rotations=settings.rotations,
        anatomy=tuple(anatomies),
        nonlinear=tuple(nonlinear),
        solutions=tuple(solutions),
        group_scores=tuple(
            found for member in members for own in scored_by(member) for found in group_scores(member, labels, own, solutions)
        ),
        positions=tuple(position_scores(positions, size, members)) if size else (),
        pairs=(
            *(table for member in several for own in scored_by(member) for table in own.tables(member, member, labels)),
            *(table for found in against.values() for one in found for table in one.tables),
            *(table for a, b in between for own in scored_by(a, b) for table in own.tables(a, b, labels)),
        ),
        clusterings=clusters.clusterings,
        clusters=clusters.clusters,
        cluster_changes=clusters.changes,
        matches=tuple(match for both in zip(groups, members, strict=True) if (match := typical_match(*both, pairs))),
    )


def _with_variances(group: Group, member: Member, evidence: Evidence) -> tuple[str, tuple[str, ...], tuple[Facts, ...]]:
    """What is known of the collapse of streamed restarts, whose variances are those of the rows fitted to."""
    variances = [evidence.values.marginals[position].scale ** 2 for position in member.positions]
    known = tuple(replace(facts, variance=variance) for facts, variance in zip(group.facts, variances, strict=True))
    return group.summary.name, group.labels, known


def _evidence(groups: Sequence[Group], labels: Sequence[str], settings: Settings) -> tuple[Evidence, list[Pair]]:
    """All latents, then of each group that has some its true sources and samples; and which latents are the same."""
    names = [*labels]
    for group in groups:
        if group.has_sources:
            names += [
                f"sources of {group.summary.name}",
                *(f"samples of {label}" for label in group.labels[: len(group.samples)]),
            ]
    ids = groups[0].sample_id
    fit = split_halves(ids)
    if groups[0].streams:
        streams = [stream for group in groups for stream in group.streams[: len(group.labels)]]
        streams += [stream for group in groups for stream in group.streams[len(group.labels) :]]
        if settings.correlation != "pearson":
            raise UsageError(
                f"ranks need all rows in memory: raise --memory above {settings.memory}, or use --correlation pearson"
            )
        halves, same, seeds = stream_moments(streams, names, ids, fit, settings.memory)
        return Evidence.of_moments(halves, names, seeds), [pair for pair in same if max(pair) < len(labels)]
    rows = [z for group in groups for z in group.latents]
    rows += [z for group in groups if group.sources is not None for z in (group.sources, *group.samples)]
    evidence = Evidence.of_rows(rows, fit, settings.correlation, names)
    return evidence, _same(rows[: len(labels)])


def _same(latents: Sequence[Array]) -> list[Pair]:
    """Positions of latents that hold the same numbers throughout."""
    every = combinations(range(len(latents)), 2)
    return [(a, b) for a, b in every if np.array_equal(latents[a][:1], latents[b][:1]) and np.array_equal(latents[a], latents[b])]


def _against_sources(
    groups: Sequence[Group], members: Sequence[Member], evidence: Evidence, settings: Settings
) -> dict[str, list[AgainstSources]]:
    """Scores against true sources by run: those of means, then those of samples."""
    found: dict[str, list[AgainstSources]] = {}
    place = sum(len(group.labels) for group in groups)
    for group, member in zip(groups, members, strict=True):
        if group.has_sources:
            samples = range(place + 1, place + 1 + len(group.samples))
            found[member.run] = [against_sources(group, member.positions, place, evidence, settings)]
            if samples:
                found[member.run].append(against_sources(group, samples, place, evidence, settings, sampled=True))
                found[member.run].append(in_batches(group, settings))
            place = samples.stop
    return found


def _flat(against: dict[str, list[AgainstSources]], member: Member) -> list[Score]:
    return [score for found in against.get(member.run, []) for score in found.scores]


def _dead(scored: Scored, groups: Sequence[Group]) -> list[tuple[str, ...]]:
    """Constant dimensions of each latents by name: "vade#3:z7"."""
    found = []
    called = [(label, group.summary) for group in groups for label in group.labels]
    for (label, run), dead in zip(called, scored.dead, strict=False):
        names = names_of("z", run.latent_dim, run.grid)
        found.append(tuple(f"{label}:{names[k]}" for k in dead))
    return found


def _warnings(groups: Sequence[Group], dead: Sequence[tuple[str, ...]]) -> list[str]:
    found = []
    for group in groups:
        run = group.summary
        if run.lost:
            found.append(f"{run.name}: {run.restarts} of {run.trained} restarts; {'; '.join(run.lost)}")
        found += [f"{run.name}: {change}: its restarts are not of one model" for change in run.changes]
        found += [f"{run.name}: {said}" for said in (run.machines, run.unfinished) if said]
        if unequal := unequal_to_sources(group):
            found.append(unequal)
        if len(group.labels) == 2:
            found.append(f"{run.name}: two restarts make one pair, which has no interval; train three or more")
    precisions = {group.summary.precision for group in groups if group.summary.precision}
    if len(precisions) > 1:
        named_runs = ", ".join(f"{g.summary.name} {g.summary.precision}" for g in groups if g.summary.precision)
        found.append(f"trained in different precisions ({named_runs}): a difference between them may be rounding")
    found += [f"{', '.join(names)}: constant on the rows fitted to: their correlations count as 0" for names in dead if names]
    return found


def _seed_warnings(a: Member, b: Member) -> list[str]:
    """What became of pairs of restarts that were trained from one seed."""
    shared = len({seed for seed in a.seeds if seed is not None} & set(b.seeds))
    if not shared:
        return []
    used = len(independent(a, b))
    if used == len(a.positions) * len(b.positions):
        return [f"{a.run} and {b.run} were trained from the same seed, so they agree more than other pairs"]
    left_out = f"{counted(shared, 'pair')} of one seed {are(shared)} left out"
    return [f"between {a.run} and {b.run}: {left_out}, whose restarts start from the same random numbers"]


def _floor_warnings(pairs: Pairs, *, streamed: bool) -> list[str]:
    """How floors were drawn, where that is not as always."""
    found = []
    if streamed:
        found.append(
            "the latents were streamed, so the independence floor is drawn from their means and covariances, as of normal latents"
        )
    drawn = sum(1 for pair in pairs.scored.values() if pair.independence)
    if 0 < drawn < len(pairs.scored):
        found.append(f"the floors are means over {drawn} of {len(pairs.scored)} pairs, evenly over the restarts")
    return found


def _one_seed(groups: Sequence[Group]) -> list[str]:
    """That all restarts of a run were trained from one seed, so that their scores are no evidence of what others would give."""
    return [
        f"{group.summary.name}: its {len(group.seeds)} restarts were trained from one seed (--vary none), which says whether "
        "training is deterministic and nothing of other seeds"
        for group in groups
        if len(group.seeds) > 1 and None not in group.seeds and len(set(group.seeds)) == 1
    ]


def _doubles(labels: Sequence[str], seeds: Sequence[int | None], same: Sequence[Pair]) -> list[str]:
    return [
        f"{labels[a]} and {labels[b]} hold the same latents; were they trained from the same seed?"
        for a, b in same
        if seeds[a] is None or seeds[a] != seeds[b]
    ]

"""Anatomy of every run, and whether its restarts fall into groups, as records (see `stabaudit.metrics.anatomy`)."""

from collections.abc import Sequence

import numpy as np

from stabaudit.comparison.records import AnatomyRecord, GroupScore, Solution, limits
from stabaudit.comparison.scoring.collapse import Facts
from stabaudit.comparison.scoring.members import Member
from stabaudit.comparison.scoring.pairs import FloatArray, Pairs
from stabaudit.metrics.affine import SCORE as AFFINE_R2
from stabaudit.metrics.anatomy import Anatomy, anatomy
from stabaudit.metrics.evidence import Evidence
from stabaudit.metrics.halves_by_rows import MOST_COLUMNS, HalvesByRows
from stabaudit.metrics.mcc_decorrelated import SCORE as DECORRELATED
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.metrics.pair_scores import Array, ScoreName
from stabaudit.metrics.scores import measure
from stabaudit.statistics import jackknife
from stabaudit.statistics.solutions import Solutions, solutions, unseen_share


def run_anatomy(member: Member, facts: Sequence[Facts], evidence: Evidence) -> Anatomy | None:
    """The anatomy of a run; None for a single restart, or where its restarts differ in dimensions."""
    if len(member.positions) < 2 or len({len(evidence.values.marginals[at].scale) for at in member.positions}) > 1:
        return None
    known = [found.active for found in facts] or None
    if isinstance(evidence.values, HalvesByRows):
        return anatomy(evidence.values.of_restarts(member.positions), range(len(member.positions)), known)
    return anatomy(evidence.values, member.positions, known)


def followed_part(member: Member, evidence: Evidence) -> Member:
    """The restarts whose dimensions are followed: all of them, or as many as joint covariances can be kept of, evenly."""
    if not isinstance(evidence.values, HalvesByRows):
        return member
    count, width = len(member.positions), len(evidence.values.marginals[member.positions[0]].scale)
    places = np.unique(np.linspace(0, count - 1, min(count, MOST_COLUMNS // width)).astype(int))
    return Member(member.run, tuple(member.positions[p] for p in places), tuple(member.seeds[p] for p in places))


def part_warnings(members: Sequence[Member], evidence: Evidence) -> list[str]:
    """A line for every run of which only some restarts are followed dimension by dimension."""
    said = []
    for member in members:
        own, every = len(followed_part(member, evidence).positions), len(member.positions)
        if own < every:
            said.append(f"{member.run}: dimensions are followed through {own} of {every:,} restarts, evenly, as memory allows")
    return said


def anatomy_records(member: Member, found: Anatomy, central: int) -> list[AnatomyRecord]:
    """A record for every dimension of the central restart, with intervals over restarts.

    Args:
        member: the restarts that were followed.
        found: their anatomy.
        central: the place of the central restart in the run.
    """
    records = []
    for position, one in enumerate(found.dimensions):
        information = found.information[position]
        both_ways = np.nan_to_num((information + information.T) / 2)
        shared = limits(jackknife.within(both_ways, scale="log1m"))
        agreement = limits(jackknife.within(np.nan_to_num(found.agreement[position]), scale="logit"))
        records.append(
            AnatomyRecord(
                run=member.run,
                dimension=one.dimension,
                verdict=one.verdict,
                may_be_axis=one.may_be_axis,
                shared_information=one.shared_information,
                shared_information_low=shared[0],
                shared_information_high=shared[1],
                shared_information_floor=one.floor,
                axis_agreement=one.axis_agreement,
                axis_agreement_low=agreement[0],
                axis_agreement_high=agreement[1],
                correlation=one.correlation,
                purity=one.purity,
                lowest_purity=one.lowest_purity,
                purity_null=one.purity_null,
                p=one.p,
                p_holm=one.p_holm,
                active_restarts=one.active_restarts,
                restarts=len(member.positions),
                block=one.block,
                central_restart=central,
                members=tuple(int(k) for k in found.matching[:, one.dimension]),
                agreement_by_restart=_by_restart(found.agreement[position]),
            )
        )
    return records


def _by_restart(agreement: Array) -> tuple[float, ...]:
    """Mean squared correlation of each restart's member with those of the others."""
    return tuple(float(value) for value in np.nanmean(agreement, axis=1))


_GROUPED_BY = (DECORRELATED, STRONG, AFFINE_R2)  # on the axes first, then on the space


def run_solutions(member: Member, labels: Sequence[str], pairs: Pairs) -> list[Solution]:
    """The groups that the restarts of a run fall into, by the first score that shows groups, or else as one."""
    if len(member.positions) < 2 or pairs.sampled(member):
        return []
    computed = {name.metric for name in pairs.names}
    shown = [one for one in _GROUPED_BY if one.name in computed]
    if not shown:
        return []
    tried: list[tuple[str, FloatArray, Solutions]] = []
    shown_metrics = (shown[0], *(other for other in shown[1:] if other is AFFINE_R2))  # p is adjusted over both
    for one in shown_metrics:
        matrix = pairs.matrix(ScoreName(one.name, None, "out"), member.positions).clip(0.0, 1.0)
        tried.append((one.name, matrix, solutions(matrix, level=jackknife.LEVEL / len(shown_metrics))))
    metric, matrix, found = next((one for one in tried if len(one[2].groups) > 1), tried[0])
    several = len(found.groups) > 1
    return [
        Solution(
            run=member.run,
            solution=number,
            restarts=tuple(labels[member.positions[restart]] for restart in group),
            metric=metric,
            within=within,
            across=found.across,
            p=None if found.p is None else min(1.0, len(shown_metrics) * found.p),
            unseen_share=None if several else unseen_share(len(member.positions)),
            order=tuple(labels[member.positions[restart]] for restart in found.order if restart in group),
        )
        for number, (group, within) in enumerate(zip(found.groups, found.within, strict=True))
    ]


def group_scores(member: Member, labels: Sequence[str], pairs: Pairs, groups: Sequence[Solution]) -> list[GroupScore]:
    """Every score within each group of two restarts or more, where the restarts of a run fall into several."""
    own = [group for group in groups if group.run == member.run]
    if len(own) < 2:
        return []
    position = {labels[at]: at for at in member.positions}
    floors = {(score.metric, score.k): score.independence_floor for score in pairs.within(member) if score.sample == "out"}
    found = []
    for group in (one for one in own if len(one.restarts) > 1):
        inside = [position[restart] for restart in group.restarts]
        for name in (one for one in pairs.names if one.sample == "out"):
            estimate = jackknife.within(pairs.matrix(name, inside), scale=measure(name.metric).scale)
            low, high = limits(estimate)
            found.append(
                GroupScore(
                    run=member.run,
                    solution=group.solution,
                    metric=name.metric,
                    k=name.k,
                    mean=estimate.mean,
                    ci_low=low,
                    ci_high=high,
                    pairs=estimate.count,
                    restarts=len(inside),
                    independence_floor=floors[name.metric, name.k],
                )
            )
    return found

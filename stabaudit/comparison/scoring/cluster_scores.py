"""Agreement of the clusters of restarts, within every run that has clusters and between every two, with floors.

Floors come from shuffling the rows of one clustering of each pair, the same shuffle for all pairs of a draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from stabaudit.comparison.cluster_records import ClusterChange, ClusteringRecord, ClusterRecord
from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.records import limits
from stabaudit.comparison.scoring.cluster_recovery import cluster_changes, cluster_records
from stabaudit.comparison.scoring.clusterings import Clustered, clustered
from stabaudit.comparison.scoring.pairs import Member, Pairs, floor_pairs
from stabaudit.comparison.settings import Settings
from stabaudit.metrics.cluster_agreement import (
    INFORMATION,
    NORMALISED,
    SCORE,
    Agreement,
    Clustering,
    agreement,
    expected_information,
)
from stabaudit.metrics.pair_scores import Array, PairScores, ScoreName
from stabaudit.metrics.threads import in_parallel
from stabaudit.statistics import jackknife

_RAND = ScoreName(SCORE.name, None, "out")
_NAMES = (_RAND, *(ScoreName(one.name, None, "out") for one in (INFORMATION, NORMALISED)))  # in the order of `Agreement`


@dataclass(frozen=True)
class ClusterScores:
    """What was found of clusters.

    Args:
        pairs: scores of pairs of restarts that have clusters; None where fewer than two have.
        members: those of them that the pairs are of.
        clusterings, clusters, changes: records.
        warnings: what was noticed.
    """

    pairs: Pairs | None
    members: tuple[Member, ...]
    clusterings: tuple[ClusteringRecord, ...]
    clusters: tuple[ClusterRecord, ...]
    changes: tuple[ClusterChange, ...]
    warnings: tuple[str, ...]

    def of(self, *members: Member) -> Pairs | None:
        """The pairs, where all of some members have clusters."""
        return self.pairs if all(member in self.members for member in members) else None


def cluster_scores(groups: Sequence[Group], members: Sequence[Member], settings: Settings) -> ClusterScores:
    """Score the clusters of restarts, where they have some or settings ask for them.

    Raises:
        UsageError: clusters that cannot be had.
        BadData: names that are no clusters, or rows that cannot be clustered.
    """
    warnings: list[str] = []
    known = [(group, member, clustered(group, settings, warnings)) for group, member in zip(groups, members, strict=True)]
    there = [(group, member, found) for group, member, found in known if found is not None]
    restarts = {at: one for _, member, found in there for at, one in zip(member.positions, found.restarts, strict=True)}
    if len(restarts) < 2:
        return ClusterScores(None, (), (), (), (), tuple(warnings))
    rng = np.random.default_rng(settings.seed)  # its own: other floors do not depend on whether there are clusters
    orders = [rng.permutation(len(groups[0].sample_id)) for _ in range(settings.floor_draws)]
    of_members = tuple(member for _, member, _ in there)
    pairs = Pairs(_scored(restarts, of_members, orders), [()] * (max(restarts) + 1))
    clusterings, clusters, changes = [], [], []
    for group, member, found in there:
        if len(member.positions) < 2:
            continue
        matrix = pairs.matrix(_RAND, member.positions)
        central = int((matrix.sum(axis=1) - matrix.diagonal()).argmax())
        clusterings.append(_clustering(group, found, group.labels[central]))
        clusters += cluster_records(group, found, central, orders)
        changes += cluster_changes(group, found, central)
    return ClusterScores(pairs, of_members, tuple(clusterings), tuple(clusters), tuple(changes), tuple(warnings))


def _scored(
    restarts: dict[int, Clustering], members: Sequence[Member], orders: Sequence[Array]
) -> dict[tuple[int, int], PairScores]:
    """All pairs by their positions, with the draws of the floors of some."""
    drawn = set(floor_pairs(members))

    def work(pair: tuple[int, int]) -> PairScores:
        a, b = restarts[pair[0]], restarts[pair[1]]
        chance = expected_information(a, b)  # of all shuffles too, which have the same sizes
        values = _named(np.array(agreement(a, b, chance)))
        floors = [agreement(a, other, chance) for other in map(b.permuted, orders)] if pair in drawn else []
        return PairScores(*pair, {name: float(v) for name, v in values.items()}, _draws(floors), {})

    pairs = list(combinations(sorted(restarts), 2))
    return dict(zip(pairs, in_parallel(work, pairs), strict=True))


def _named(values: Array) -> dict[ScoreName, Array]:
    return dict(zip(_NAMES, values, strict=True))


def _draws(floors: Sequence[Agreement]) -> dict[ScoreName, Array]:
    return _named(np.array(floors).T) if floors else {}


def _clustering(group: Group, found: Clustered, central: str) -> ClusteringRecord:
    counts = [len(one) for one in found.restarts]
    record = ClusteringRecord(
        run=group.summary.name,
        by=found.by,
        asked=found.asked,
        fewest=min(counts),
        most=max(counts),
        rows=len(group.sample_id),
        restarts=len(counts),
        central=central,
        repeated=None,
        repeated_low=None,
        repeated_high=None,
    )
    if not found.again:
        return record
    repeated = [agreement(*both).rand for both in zip(found.restarts, found.again, strict=True)]
    estimate = jackknife.over_restarts(np.array(repeated), scale=SCORE.scale)
    low, high = limits(estimate) if len(repeated) > 2 else (None, None)
    return replace(record, repeated=estimate.mean, repeated_low=low, repeated_high=high)

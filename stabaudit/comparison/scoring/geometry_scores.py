"""Agreement of the distances that decoders measure, within every run that keeps them and between every two, with floors.

Floors come from shuffling the pairs of rows of one restart of each pair, the same shuffle for all pairs of a draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.reading.stored_geometry import Geometry
from stabaudit.comparison.scoring.pairs import Member, Pairs, floor_pairs
from stabaudit.comparison.settings import Settings
from stabaudit.metrics.pair_scores import Array, PairScores, ScoreName
from stabaudit.metrics.stored_geometry import EUCLIDEAN, GEODESIC, distance_agreement, varies

_GEODESIC, _EUCLIDEAN = (ScoreName(one.name, None, "out") for one in (GEODESIC, EUCLIDEAN))


@dataclass(frozen=True)
class GeometryScores:
    """What was found of distances.

    Args:
        pairs: scores of pairs of restarts whose distances are known; None where there are fewer than two.
        members: those of them that the pairs are of.
        warnings: what was noticed.
    """

    pairs: Pairs | None
    members: tuple[Member, ...]
    warnings: tuple[str, ...]

    def of(self, *members: Member) -> Pairs | None:
        """The pairs, where the distances of all of some members are known."""
        return self.pairs if all(member in self.members for member in members) else None


def geometry_scores(groups: Sequence[Group], members: Sequence[Member], settings: Settings) -> GeometryScores:
    """Correlate the distances of every two restarts that keep those of the same pairs of rows."""
    there = [(group, member) for group, member in zip(groups, members, strict=True) if group.geometry]
    if not there:
        return GeometryScores(None, (), ())
    lead = there[0][0]
    same = [
        (group, member)
        for group, member in there
        if all(np.array_equal(one.rows, lead.geometry[0].rows) for one in group.geometry)
    ]
    warnings = [
        f"{group.summary.name}: its geodesic distances are of other pairs of rows than those of {lead.summary.name}: left out"
        for group, member in there
        if (group, member) not in same
    ]
    constant = [
        f"{label} {name}"
        for group, _ in same
        for label, one in zip(group.labels, group.geometry, strict=True)
        for name, distances in (("geodesic", one.geodesic), ("Euclidean", one.euclidean))
        if not varies(distances)
    ]
    if constant:
        warnings.append(f"distances are the same between all rows, so that correlations count as 0: {', '.join(constant)}")
    restarts = {at: one for group, member in same for at, one in zip(member.positions, group.geometry, strict=True)}
    if len(restarts) < 2:
        return GeometryScores(None, (), tuple(warnings))
    of_members = tuple(member for _, member in same)
    rng = np.random.default_rng(settings.seed)  # its own: other floors do not depend on whether there are distances
    orders = [rng.permutation(len(lead.geometry[0].rows)) for _ in range(settings.floor_draws)]
    drawn = set(floor_pairs(of_members))
    scored = {
        (a, b): PairScores(
            a, b, _agreement(restarts[a], restarts[b]), _draws(restarts[a], restarts[b], orders if (a, b) in drawn else []), {}
        )
        for a, b in combinations(sorted(restarts), 2)
    }
    return GeometryScores(Pairs(scored, [()] * (max(restarts) + 1)), of_members, tuple(warnings))


def _agreement(a: Geometry, b: Geometry) -> dict[ScoreName, float]:
    return {
        _GEODESIC: distance_agreement(a.geodesic, b.geodesic),
        _EUCLIDEAN: distance_agreement(a.euclidean, b.euclidean),
    }


def _draws(a: Geometry, b: Geometry, orders: Sequence[Array]) -> dict[ScoreName, Array]:
    """The same of pairs of rows that have nothing to do with each other, shape (draws,) each; empty without any."""
    if not orders:
        return {}
    return {
        _GEODESIC: np.array([distance_agreement(a.geodesic, b.geodesic[order]) for order in orders]),
        _EUCLIDEAN: np.array([distance_agreement(a.euclidean, b.euclidean[order]) for order in orders]),
    }

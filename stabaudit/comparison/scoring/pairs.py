"""Scores of pairs → their mean, interval and floors, within a group of restarts and between two groups."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from stabaudit.comparison.records import Curve, Difference, Sample, Score, limits
from stabaudit.comparison.scoring.floors import Floors
from stabaudit.comparison.scoring.members import Member, independent
from stabaudit.comparison.views.pair_values import PairTable
from stabaudit.metrics.floor_shares import monte_carlo_error
from stabaudit.metrics.floors import p_value
from stabaudit.metrics.pair_scores import PairScores, ScoreName
from stabaudit.metrics.scores import measure
from stabaudit.statistics import jackknife
from stabaudit.statistics.equal_stability import permutation_p, smallest_p
from stabaudit.statistics.jackknife import Estimate
from stabaudit.statistics.signed_rank import holm

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """All pairs that were scored.

    Args:
        scored: by positions (a, b), a < b.
        dead: constant dimensions of each latents, by name.
    """

    scored: dict[tuple[int, int], PairScores]
    dead: Sequence[tuple[str, ...]]

    @property
    def names(self) -> list[ScoreName]:
        """Scores within a run: a directed one stands for both ways."""
        every = next(iter(self.scored.values())).values
        reverse = {measure(name.metric).reverse for name in every if measure(name.metric).directed}
        return [name for name in every if name.metric not in reverse]

    def within(self, member: Member) -> list[Score]:
        """Mean over the pairs of one run; none for a single restart."""
        if len(member.positions) < 2:
            return []
        chosen = [self.scored[pair] for pair in self.of(member, member)]
        return [
            as_score(
                (member.run, member.run),
                name,
                jackknife.within(self.matrix(name, member.positions), scale=measure(name.metric).scale),
                restarts=len(member.positions),
                floors=Floors.of(chosen, _both_ways(name)),
                dead=self.dead_of(member),
            )
            for name in self.names
        ]

    def between(self, a: Member, b: Member) -> list[Score]:
        """Mean over the pairs of a restart of `a` and one of `b` of different seeds."""
        chosen = [self.scored[pair] for pair in self.of(a, b)]
        return [
            as_score(
                (a.run, b.run),
                name,
                jackknife.between(self._rectangle(name, a, b), scale=measure(name.metric).scale),
                restarts=len(a.positions) + len(b.positions),
                floors=Floors.of(chosen, [name]),
                dead=self.dead_of(a, b),
            )
            for name in chosen[0].values
        ]

    def differences(self, a: Member, b: Member, *, rng: np.random.Generator) -> list[Difference]:
        """Out-of-sample scores within `a` minus those within `b`; both need two restarts or more."""
        return [self._difference(name, a, b, rng) for name in self.names if name.sample == "out"]

    def _difference(self, name: ScoreName, a: Member, b: Member, rng: np.random.Generator) -> Difference:
        matrices = [self.matrix(name, member.positions) for member in (a, b)]
        scale = measure(name.metric).scale
        estimate = jackknife.difference(*(jackknife.within(matrix, scale=scale) for matrix in matrices))
        low, high = limits(estimate)
        return Difference(
            run_a=a.run,
            run_b=b.run,
            metric=name.metric,
            k=name.k,
            sample=name.sample,
            difference=estimate.mean,
            ci_low=low,
            ci_high=high,
            p_welch=jackknife.two_sided_p(estimate),
            p_permutation=None if self.sampled(a) or self.sampled(b) else permutation_p(matrices[0], matrices[1], rng=rng),
            p_smallest=smallest_p(len(a.positions), len(b.positions)),
        )

    def curves(self, a: Member, b: Member) -> list[Curve]:
        """Cumulative curves of scores that have parts, in- and out-of-sample, over pairs within a run (a is b) or between two."""
        chosen = self.of(a, b)
        pairs = [self.scored[pair] for pair in chosen]
        rows, columns = _places(a), _places(b)
        cells = [(rows[i], columns[j]) for i, j in chosen]
        samples: tuple[Sample, ...] = ("in", "out")
        return [
            _curve(a, b, metric, sample, cells, [pair.curve(metric, sample) for pair in pairs])
            for metric in pairs[0].parts
            for sample in samples
            if all(len(pair.parts[metric].outside) for pair in pairs)
        ]

    def tables(self, a: Member, b: Member, labels: Sequence[str]) -> list[PairTable]:
        """Every out-of-sample score within a run (a is b) or between two, pair by pair; `labels` name all latents."""
        names = self.names if a is b else list(next(iter(self.scored.values())).values)
        return [
            PairTable(
                run_a=a.run,
                run_b=b.run,
                metric=name.metric,
                k=name.k,
                restarts_a=tuple(labels[position] for position in a.positions),
                restarts_b=tuple(labels[position] for position in b.positions),
                values=_no_diagonal(self.matrix(name, a.positions)) if a is b else self._rectangle(name, a, b),
            )
            for name in names
            if name.sample == "out"
        ]

    def _rectangle(self, name: ScoreName, a: Member, b: Member) -> FloatArray:
        """Scores between two groups, shape (N_a, N_b), NaN for pairs of one seed."""
        values = np.full((len(a.positions), len(b.positions)), np.nan)
        rows, columns = _places(a), _places(b)
        for i, j in self.of(a, b):
            values[rows[i], columns[j]] = self.scored[i, j].values[name]
        return values

    def matrix(self, name: ScoreName, positions: Sequence[int]) -> FloatArray:
        """Symmetric scores, shape (N, N), NaN for pairs that were not scored; a directed score is the mean of both ways."""
        places = {position: place for place, position in enumerate(positions)}
        matrix, ways = np.full((len(positions), len(positions)), np.nan), _both_ways(name)
        np.fill_diagonal(matrix, 0.0)
        own = [pair for pair in self.scored.values() if pair.a in places and pair.b in places]
        rows, columns = np.array([(places[pair.a], places[pair.b]) for pair in own]).reshape(-1, 2).T
        values = np.array([sum(pair.values[way] for way in ways) / len(ways) for pair in own])
        matrix[rows, columns] = matrix[columns, rows] = values
        return matrix

    def of(self, a: Member, b: Member) -> list[tuple[int, int]]:
        """Pairs that were scored, within a run (a is b) or of independent restarts of two."""
        return [pair for pair in (combinations(a.positions, 2) if a is b else independent(a, b)) if pair in self.scored]

    def sampled(self, member: Member) -> bool:
        """Whether only some pairs of a run were scored."""
        count = len(member.positions)
        return len(self.of(member, member)) < count * (count - 1) // 2

    def dead_of(self, *members: Member) -> tuple[str, ...]:
        """Constant dimensions of the restarts of some groups, by name."""
        return tuple(dead for member in members for position in member.positions for dead in self.dead[position])


def _places(member: Member) -> dict[int, int]:
    """The place of each position in its group."""
    return {position: place for place, position in enumerate(member.positions)}


def _curve(  # noqa: PLR0917 -- of what, then what from
    a: Member,
    b: Member,
    metric: str,
    sample: Sample,
    cells: list[tuple[int, int]],
    of_pairs: list[FloatArray],
) -> Curve:
    """The mean of the curves of pairs, which lie in the given cells of a table of restarts, with a band at each position."""
    length = min(map(len, of_pairs))  # ranks can differ
    curves = np.array([curve[:length] for curve in of_pairs])
    rows, columns = np.array(cells).T
    estimates, scale = [], measure(metric).scale
    for values in curves.T:
        table = np.full((len(a.positions), len(b.positions)), np.nan)
        table[rows, columns] = values
        if a is b:
            table[columns, rows] = values
        estimates.append(jackknife.within(table, scale=scale) if a is b else jackknife.between(table, scale=scale))
    intervals = [found for estimate in estimates if (found := estimate.interval()) is not None]
    low, high = zip(*intervals, strict=True) if intervals else ((), ())
    sd = tuple(estimate.sd for estimate in estimates if estimate.sd is not None)
    return Curve(a.run, b.run, metric, sample, tuple(curves.mean(axis=0).tolist()), sd, low, high)


def _no_diagonal(matrix: FloatArray) -> FloatArray:
    return np.where(np.eye(len(matrix), dtype=bool), np.nan, matrix)


def _both_ways(name: ScoreName) -> list[ScoreName]:
    one = measure(name.metric)
    return [name, name._replace(metric=one.reverse)] if one.directed else [name]


def adjusted_over_all(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """Differences with p-values adjusted over all of them that have one."""
    every = list(differences)
    tested = [(position, found.p_welch) for position, found in enumerate(every) if found.p_welch is not None]
    adjusted = dict(zip([position for position, _ in tested], holm([p for _, p in tested]), strict=True))
    return tuple(replace(found, p_holm=adjusted.get(position)) for position, found in enumerate(every))


def as_score(
    runs: tuple[str, str], name: ScoreName, estimate: Estimate, *, restarts: int, floors: Floors, dead: tuple[str, ...]
) -> Score:
    """Put a mean, its interval and its floors into one record."""
    low, high = limits(estimate)
    independence = None if floors.independence is None else float(floors.independence.mean())
    rotation = None if floors.rotation is None else float(floors.rotation.mean())
    p_rotation = None
    if floors.rotation is not None:
        sign = 1 if measure(name.metric).higher_is_better else -1
        p_rotation = p_value(sign * estimate.mean, sign * floors.rotation)
    return Score(
        run_a=runs[0],
        run_b=runs[1],
        relation="within" if runs[0] == runs[1] else "between",
        metric=name.metric,
        k=name.k,
        sample=name.sample,
        mean=estimate.mean,
        sd=estimate.sd,
        se=estimate.se,
        df=estimate.df,
        scale=estimate.scale,
        ci_low=low,
        ci_high=high,
        pairs=estimate.count,
        restarts=restarts,
        independence_floor=independence,
        rotation_floor=rotation,
        adjusted=measure(name.metric).above_floor(estimate.mean, independence),
        axis_alignment=measure(name.metric).above_floor(estimate.mean, rotation),
        p_rotation=p_rotation,
        dead_dimensions=dead,
        independence_floor_se=None if floors.independence is None else monte_carlo_error(floors.independence),
        rotation_floor_se=None if floors.rotation is None else monte_carlo_error(floors.rotation),
    )

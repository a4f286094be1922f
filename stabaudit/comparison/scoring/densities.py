"""Affine density distances between restarts: do they learn the same mixture up to an affine map?

Every restart has a mixture: the prior it learned, or, where that was asked for, one fitted to its latents. The distance depends
on the direction, so a pair has two; within a run they are averaged, between runs either way has a score of its own. It is to be
held against that of a single Gaussian, which has no clusters, under its own best affine map.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.records import DensityScore, limits
from stabaudit.comparison.scoring.members import Member, independent
from stabaudit.comparison.settings import Settings
from stabaudit.errors import BadData
from stabaudit.metrics.density_distance import (
    DISTANCE,
    MOST_DIMENSIONS,
    RELATIVE_DISTANCE,
    DensityDistance,
    affine_density_distance,
)
from stabaudit.metrics.mixtures import GaussianMixture, fit_mixture, unimodal
from stabaudit.metrics.scores import measure
from stabaudit.metrics.threads import in_parallel
from stabaudit.statistics import jackknife

FloatArray = NDArray[np.float64]
Unit = Callable[[DensityDistance], float]  # that a relative distance is multiplied by

_MOST_WORK = 80_000  # of one run or two, unless asked for; about ten seconds
_OVERHEAD = 50  # pairs of components whose work is that of calling anything at all
_UNITS: dict[str, Unit] = {DISTANCE.name: lambda found: found.norm, RELATIVE_DISTANCE.name: lambda _: 1.0}


@dataclass(frozen=True)
class Densities:
    """Scores, and what was noticed on the way."""

    scores: tuple[DensityScore, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Known:
    """The mixtures of the restarts of a run, in order, and where they are from."""

    member: Member
    mixtures: tuple[GaussianMixture, ...]
    source: str

    @property
    def d(self) -> int:
        return self.mixtures[0].dimensions

    def at(self, position: int) -> GaussianMixture:
        return self.mixtures[self.member.positions.index(position)]


def density_scores(groups: Sequence[Group], members: Sequence[Member], settings: Settings) -> Densities:
    """Distances within every group and between every two, of those that have mixtures of at most 10 dimensions.

    Learned priors are always compared where that takes seconds; with `settings.densities` however long it takes, and mixtures are
    fitted to the latents of groups that have none.
    """
    warnings: list[str] = []
    known = [found for both in zip(groups, members, strict=True) if (found := _mixtures(*both, settings, warnings))]
    scores: list[DensityScore] = []
    for a, b in (*((one, one) for one in known if len(one.mixtures) > 1), *combinations(known, 2)):
        pairs = list(permutations(a.member.positions, 2)) if a is b else _both_ways(independent(a.member, b.member))
        if a.d != b.d:
            continue
        runs = " and ".join(dict.fromkeys((a.member.run, b.member.run)))
        if not settings.densities and _work(a, b, pairs) > _MOST_WORK:
            warnings.append(f"{runs}: the density distance would take long and is left out; --densities asks for it")
            continue
        try:
            scores += _scores(a, b, pairs, settings.seed)
        except BadData as error:  # covariances that rounding leaves without an inverse; the other scores stand
            warnings.append(f"{runs}: no density distance: {error}")
    return Densities(tuple(scores), tuple(warnings))


def _mixtures(group: Group, member: Member, settings: Settings, warnings: list[str]) -> _Known | None:
    """The learned priors of a group, or what was fitted to its latents; None where there is neither."""
    run, d = group.summary, group.summary.latent_dim
    if group.priors:
        return _Known(member, group.priors, "learned prior")
    if not settings.densities:
        return None
    if d > MOST_DIMENSIONS:
        warnings.append(f"{run.name}: no density distance, which is sensible for d ≤ {MOST_DIMENSIONS}; here d = {d}")
    elif run.grid is not None or group.streams:
        warnings.append(f"{run.name}: no density distance of latents on a grid, or that are streamed")
    else:
        try:
            return _Known(member, tuple(fit_mixture(z, seed=settings.seed) for z in group.latents), "fitted mixture")
        except BadData as error:
            warnings.append(f"{run.name}: no density distance: {error}")
    return None


def _both_ways(pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    return [way for i, j in pairs for way in ((i, j), (j, i))]


def _work(a: _Known, b: _Known, pairs: Sequence[tuple[int, int]]) -> int:
    """In units of about 150 microseconds."""
    components = max(len(m.weight) for m in a.mixtures) * max(len(m.weight) for m in b.mixtures)
    return len(pairs) * (components + _OVERHEAD) * a.d**3


def _scores(a: _Known, b: _Known, pairs: Sequence[tuple[int, int]], seed: int) -> list[DensityScore]:
    """Both metrics within a run (a is b), or each of them both ways between two."""
    mixtures = {position: one.at(position) for one in (a, b) for position in one.member.positions}
    targets = sorted({j for _, j in pairs})

    def between(pair: tuple[int, int]) -> DensityDistance:
        return affine_density_distance(mixtures[pair[0]], mixtures[pair[1]], rng=np.random.default_rng([seed, *pair]))

    def by_chance(target: int) -> DensityDistance:
        return affine_density_distance(unimodal(a.d), mixtures[target], rng=np.random.default_rng([seed, target]))

    found = dict(zip(pairs, in_parallel(between, pairs, "densities compared"), strict=True))
    chance = dict(zip(targets, in_parallel(by_chance, targets, "densities turned"), strict=True))
    own = set(a.member.positions)
    ways = {"": {pair: distance for pair, distance in found.items() if pair[0] in own}}
    if a is not b:
        ways["_reverse"] = {pair: distance for pair, distance in found.items() if pair[0] not in own}
    return [
        _score(a, b, f"{metric}{suffix}", way, chance, unit) for metric, unit in _UNITS.items() for suffix, way in ways.items()
    ]


def _score(  # noqa: PLR0917 -- of what, then what from
    a: _Known,
    b: _Known,
    metric: str,
    found: dict[tuple[int, int], DensityDistance],
    chance: dict[int, DensityDistance],
    unit: Unit,
) -> DensityScore:
    """One way between two runs, or all pairs within one, of which `found` then holds both ways."""
    places = [{position: place for place, position in enumerate(one.member.positions)} for one in (a, b)]
    table = np.full((len(a.mixtures), len(b.mixtures)), np.nan)
    for pair, distance in found.items():
        i, j = pair if pair[0] in places[0] else reversed(pair)
        table[places[0][i], places[1][j]] = distance.relative * unit(distance)
    scale = measure(metric.removesuffix("_reverse")).scale
    estimate = jackknife.within((table + table.T) / 2, scale=scale) if a is b else jackknife.between(table, scale=scale)
    low, high = limits(estimate)
    return DensityScore(
        run_a=a.member.run,
        run_b=b.member.run,
        relation="within" if a is b else "between",
        metric=metric,
        mean=estimate.mean,
        sd=estimate.sd,
        ci_low=low,
        ci_high=high,
        pairs=estimate.count,
        restarts=len(a.mixtures) + (0 if a is b else len(b.mixtures)),
        chance=float(np.mean([chance[j].relative * unit(chance[j]) for _, j in found])),
        spread=float(np.mean([distance.spread * unit(distance) for distance in found.values()])),
        components=max(len(mixture.weight) for one in (a, b) for mixture in one.mixtures),
        dimensions=a.d,
        source=", ".join(dict.fromkeys((a.source, b.source))),
    )

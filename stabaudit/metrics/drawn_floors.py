"""Draws of the floors of scores of pairs (see `stabaudit.metrics.floors`).

Every draw is made for a share of the pairs of each group whose floor is wanted (see `stabaudit.metrics.floor_shares`), and what a
draw gives for a pair has its place among as many as there are draws: NaN where the pair had no part in it.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

import numpy as np

from stabaudit.metrics.evidence import Rows
from stabaudit.metrics.floor_shares import of_permutations, of_rotations, shares
from stabaudit.metrics.floors import turned_cross, turnings
from stabaudit.metrics.pair_scores import Array, Pair, ScoreName
from stabaudit.metrics.scores import Measure, OneSide
from stabaudit.metrics.scoring import Scoring, halves_of, of_both_ways, of_rows, ways_of
from stabaudit.metrics.threads import in_parallel
from stabaudit.steps import steps

Drawn = dict[Pair, dict[ScoreName, Array]]
Groups = Sequence[Sequence[Pair]]
_Draws = list[list[Pair]]  # the pairs of every draw
_Task = tuple[Pair, bool]  # a pair, and whether its first is turned, else its second
_ROUND = 2**22  # matrix entries and rows of draws that are made at one time, 32 MB


def independence_floors(scoring: Scoring, groups: Groups, draws: int, *, whole: bool, rng: np.random.Generator) -> Drawn:
    """Draw the independence floor of every score.

    Args:
        scoring: the measures at work.
        groups: pairs whose floors are averaged, group by group.
        draws: K.
        whole: whether every draw is of all pairs, not of a share of them.
        rng: draws them.

    Returns:
        Shape (K,) for every pair and score.
    """
    of_draws = _draws(scoring, groups, draws, None if whole else lambda _: _permuted_pairs(scoring))
    drawn = _undrawn(of_draws, len(scoring.names))
    for several in steps(_rounds(scoring, of_draws), "rounds of floors drawn"):
        of_round = [of_draws[draw] for draw in several]
        pairs = [pair for own in of_round for pair in own]
        orders = scoring.evidence.shuffled(of_round, rng=rng)
        batches = scoring.batches(pairs)
        crosses = scoring.evidence.unrelated(of_round, orders, batches, rng=rng) if scoring.by_moments else []
        found = scoring.of_moments(pairs, crosses)[-1]
        ends = accumulate(map(len, of_round), initial=0)
        for number, (draw, (start, stop)) in enumerate(zip(several, pairwise(ends), strict=True)):
            if orders is not None:
                scoring.add_rows(found[start:stop], of_draws[draw], orders[number])
            for pair, own in zip(of_draws[draw], found[start:stop], strict=True):
                drawn[pair][:, draw] = own
    return {pair: dict(zip(scoring.names, own, strict=True)) for pair, own in drawn.items()}


def rotation_floors(scoring: Scoring, groups: Groups, draws: int, few: int, *, whole: bool, seed: int) -> Drawn:
    """Draw the rotation floor of every score that has one: b turned in the first half of the draws, a in the others.

    A restart's rotations follow from `seed` and its own values, so a pair's floor does not depend on what else is scored.

    Args:
        scoring: the measures at work.
        groups: pairs whose floors are averaged, group by group.
        draws: K of scores that follow from moments.
        few: at most so many of scores that need rows.
        whole: whether every draw is of all pairs, not of a share of them.
        seed: with which rotations are drawn.

    Returns:
        Shape (K,) for every pair and score.
    """
    turnable = [one for one in scoring.measures if "rotation" in one.floors]
    rows = scoring.evidence.rows
    by_moments = [one for one in turnable if one.from_moments]
    drawn = _turned(scoring, by_moments, _draws(scoring, groups, draws, None if whole else of_rotations), seed)
    if rows is not None:
        by_rows = [one for one in turnable if not one.from_moments]
        of_draws = _draws(scoring, groups, min(draws, few), None if whole else lambda _: _permuted_pairs(scoring))
        for pair, found in _turned(scoring, by_rows, of_draws, seed, rows).items():
            drawn.setdefault(pair, {}).update(found)
    return drawn


def _permuted_pairs(scoring: Scoring) -> int:
    """How many pairs a draw is the mean of whose spread follows from the number of rows."""
    values = scoring.evidence.values
    return of_permutations(values.fit.n + values.score.n, of_moments=len(scoring.by_moments) == len(scoring.measures))


def _draws(scoring: Scoring, groups: Groups, draws: int, most: Callable[[int], int] | None) -> _Draws:
    """The pairs of every draw, group by group; `most` says of how many pairs of so many dimensions, None: of all."""
    marginals = scoring.evidence.values.marginals
    of_groups = []
    for group in groups:
        widest = max((len(marginals[at].scale) for pair in group for at in pair), default=1)
        of_groups.append(shares(group, draws, len(group) if most is None else most(widest)))
    return [[pair for share in several for pair in share] for several in zip(*of_groups, strict=True)]


def _undrawn(draws: _Draws, names: int) -> dict[Pair, Array]:
    """Room for the draws of every pair that has a part in one."""
    return {pair: np.full((names, len(draws)), np.nan) for pairs in draws for pair in pairs}


def _rounds(scoring: Scoring, draws: _Draws) -> list[list[int]]:
    """Numbers of the draws that are made at one time, as many as take little memory."""
    values = scoring.evidence.values
    entries = max(len(marginal.scale) for marginal in values.marginals) ** 2
    rounds: list[list[int]] = []
    room = 0
    for draw, pairs in enumerate(draws):
        cost = len(pairs) * (entries + values.fit.n + values.score.n)
        if not rounds or cost > room:
            rounds.append([])
            room = _ROUND
        rounds[-1].append(draw)
        room -= cost
    return rounds


def _turned(scoring: Scoring, measures: Sequence[Measure], draws: _Draws, seed: int, rows: Rows | None = None) -> Drawn:
    """Draws of scores that follow from moments or, where rows are given, of scores that need them."""
    if not measures:
        return {}
    if rows is not None:
        for one in measures:
            if one.sides is not None:
                scoring.sides_of(one, rows)  # before the threads that turn want them
    tasks = _tasks(draws)

    def work(turned: int) -> list[tuple[Pair, list[int], Array]]:
        marginal, given = scoring.evidence.values.marginals[turned], scoring.evidence.seeds[turned]
        own = sorted({draw for several in tasks[turned].values() for draw in several})
        maps = turnings(marginal, [np.random.default_rng([seed, given, draw]) for draw in own])
        sides = {} if rows is None else _turned_sides(measures, rows, rows.latents[turned], marginal.in_own_units(maps))
        found = []
        for task, several in tasks[turned].items():
            places = np.searchsorted(own, several)
            if rows is None:
                values = _turned_moments(scoring, task, maps[places], measures)
            else:
                linear = marginal.in_own_units(maps[places])
                of_sides = {of_one: [every[place] for place in places] for of_one, every in sides.items()}
                values = np.concatenate([_turned_rows(scoring, one, rows, task, linear, of_sides) for one in measures])
            found.append((task[0], several, values))
        return found

    names = [name for one in measures for name in scoring.names_of(one)]
    drawn = _undrawn(draws, len(names))
    for found in in_parallel(work, sorted(tasks), "restarts turned"):
        for pair, several, values in found:
            drawn[pair][:, several] = values
    return {pair: dict(zip(names, own, strict=True)) for pair, own in drawn.items()}


def _tasks(draws: _Draws) -> dict[int, dict[_Task, list[int]]]:
    """By the restart that is turned: for which pairs, in which draws."""
    tasks: dict[int, dict[_Task, list[int]]] = {}
    for draw, pairs in enumerate(draws):
        first_turned = draw >= len(draws) - len(draws) // 2
        for pair in pairs:
            tasks.setdefault(pair[not first_turned], {}).setdefault((pair, first_turned), []).append(draw)
    return tasks


def _turned_moments(scoring: Scoring, task: _Task, maps: Array, measures: Sequence[Measure]) -> Array:
    """Scores of one pair with one of the two turned by maps of shape (draws, d, d); shape (names, draws)."""
    pair, first_turned = task
    turned, fixed = pair if first_turned else pair[::-1]
    values = scoring.evidence.values
    still, moved = values.marginals[fixed].repeated(len(maps)), values.marginals[turned].turned(maps)
    cross = turned_cross(values.cross(fixed, turned), maps)
    columns = []
    for one in measures:
        sides = (moved, still, cross.transposed) if first_turned and one.directed else (still, moved, cross)
        columns += scoring.values_of(one, ways_of(one, *sides))
    return np.array(columns)


_TurnedSides = dict[Callable[..., OneSide], list[tuple[OneSide, ...]]]


def _turned_sides(measures: Sequence[Measure], rows: Rows, z: Array, maps: Array) -> _TurnedSides:
    """What scores that have sides need of latents turned in several ways; found once for all pairs of a restart."""
    steps = {one.sides.of_one: one.sides for one in measures if one.sides is not None}
    return {of_one: [halves_of(sides, z @ each, rows.fit) for each in maps] for of_one, sides in steps.items()}


def _turned_rows(  # noqa: PLR0917 -- of what, then what from
    scoring: Scoring, one: Measure, rows: Rows, task: _Task, maps: Array, turned_sides: _TurnedSides
) -> Array:
    """A score that needs rows of one pair with one of the two turned, shape (names, draws)."""
    pair, first_turned = task
    turned, fixed = pair if first_turned else pair[::-1]
    if one.sides is not None:
        still = scoring.sides_of(one, rows)[fixed]
        ways = [(moved, still) if first_turned else (still, moved) for moved in turned_sides[one.sides.of_one]]
        return np.array([of_both_ways(one, *way) for way in ways]).T
    z = rows.latents[fixed].astype(np.float64)
    others = (rows.latents[turned] @ each for each in maps)
    return np.array([of_rows(one, y, z, rows.fit) if first_turned else of_rows(one, z, y, rows.fit) for y in others]).T

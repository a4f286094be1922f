"""Measures at work on latents: every score of many pairs at once.

Pairs of one shape are scored in batches, stacked, and the batches on all cores. Measures that need rows are called pair by pair;
what they need of one side is found once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stabaudit.errors import UsageError
from stabaudit.metrics.evidence import Evidence, Orders, Rows
from stabaudit.metrics.halves import Cross, Marginal
from stabaudit.metrics.pair_scores import Array, Pair, ScoreName
from stabaudit.metrics.scores import Measure, OneSide, Parts, Sides, mean_of_first
from stabaudit.metrics.threads import in_parallel
from stabaudit.steps import steps

_BATCH = 2**15  # matrix entries of a batch, 256 kB: few enough for the cache of a core, many enough to share what a call costs


@dataclass(frozen=True)
class Scoring:
    """The measures at work on some latents."""

    evidence: Evidence
    measures: Sequence[Measure]
    k: int

    @cached_property
    def names(self) -> list[ScoreName]:
        """All scores, in the order of tables."""
        return [name for one in self.measures for name in self.names_of(one)]

    def _counts(self, one: Measure) -> list[int | None]:
        return [self.k, None] if one.counted else [None]

    def names_of(self, one: Measure) -> list[ScoreName]:
        """What the scores of a measure are called."""
        called = [one.name, one.reverse] if one.directed else [one.name]
        return [
            name
            for metric in called
            for k in self._counts(one)
            for name in (ScoreName(metric, k, "in"), ScoreName(metric, k, "out"))
        ]

    def values_of(self, one: Measure, ways: Sequence[Parts]) -> list[Array]:
        """Columns of scores, in the order of `names_of`, from the parts of a→b and, of directed ones, b→a."""
        return [mean_of_first(k, half) for parts in ways for k in self._counts(one) for half in (parts.inside, parts.outside)]

    def scores(self, pairs: Sequence[Pair]) -> tuple[list[dict[str, Parts]], Array]:
        """Score every pair (a, b): the parts of scores that have curves, and all scores, shape (pairs, names)."""
        parts, values = self.of_moments(pairs)
        self.add_rows(values, pairs, None)
        return parts, values

    def of_moments(self, pairs: Sequence[Pair], crosses: Sequence[Cross] | None = None) -> tuple[list[dict[str, Parts]], Array]:
        """The same without those that need rows, whose columns are still to be filled; of given cross-moments without parts."""
        marginals, halves = self.evidence.values.marginals, self.evidence.values
        values = np.empty((len(pairs), len(self.names)))
        parts: list[dict[str, Parts]] = [{} for _ in pairs]

        def of_batch(batch: list[int], cross: Cross) -> None:
            first, second = (Marginal.stacked([marginals[pairs[p][side]] for p in batch]) for side in (0, 1))
            for one in self.by_moments:
                ways = ways_of(one, first, second, cross)
                values[np.ix_(batch, self._columns(one))] = np.column_stack(self.values_of(one, ways))
                if one.parts is not None and crosses is None:
                    for row, position in enumerate(batch):
                        parts[position][one.name] = ways[0].of(row)

        def of_unit(unit: list[int]) -> None:
            own = [pairs[p] for p in unit]
            made = halves.crosses(own) if crosses is None else [crosses[p] for p in unit]
            for batch in self.batches(own):
                of_batch([unit[p] for p in batch], Cross.stacked([made[p] for p in batch]))

        if self.by_moments:
            tiles = halves.tiles(pairs) if crosses is None else []
            in_parallel(of_unit, tiles if len(tiles) > 1 else self.batches(pairs), "" if crosses else "pairs scored")
        return parts, values

    @cached_property
    def by_moments(self) -> list[Measure]:
        """The measures that follow from moments."""
        return [one for one in self.measures if one.from_moments]

    def _columns(self, one: Measure) -> list[int]:
        return [self.names.index(name) for name in self.names_of(one)]

    def add_rows(self, values: Array, pairs: Sequence[Pair], orders: Orders | None) -> None:
        """Scores of pairs that need rows, those of b in some order."""
        by_sides = [one for one in self.measures if one.sides]
        by_rows = [one for one in self.measures if not one.from_moments and not one.sides]
        rows = self.evidence.rows
        if rows is None:
            return
        for one in by_sides:
            values[:, self._columns(one)] = self._of_sides(one, rows, pairs, orders)
        for position, (a, b) in enumerate(steps(pairs if by_rows else (), "pairs scored by rows")):
            first, second = (rows.latents[at].astype(np.float64) for at in (a, b))
            second = second if orders is None else second[orders[b]]
            for one in by_rows:
                values[position, self._columns(one)] = of_rows(one, first, second, rows.fit)

    def _of_sides(self, one: Measure, rows: Rows, pairs: Sequence[Pair], orders: Orders | None) -> Array:
        """A score that has sides, of pairs, shape (pairs, names): in-sample and out-of-sample."""
        sides = self.sides_of(one, rows)
        others = dict(enumerate(sides)) if orders is None else _permuted(sides, rows.fit, orders)

        def work(pair: Pair) -> list[float]:
            return of_both_ways(one, sides[pair[0]], others[pair[1]])

        return np.array(in_parallel(work, pairs, f"pairs scored by {one.label}"))

    def sides_of(self, one: Measure, rows: Rows) -> list[tuple[OneSide, ...]]:
        """What the score needs of every restart, on *fit* and on *score* or on both together; found once."""
        if one.sides is None:
            raise UsageError(f"{one.name} has no sides")
        two_steps, of_one = one.sides, one.sides.of_one
        if of_one not in self._known_sides:
            self._known_sides[of_one] = in_parallel(
                lambda z: halves_of(two_steps, z, rows.fit), rows.latents, f"restarts prepared for {one.label}"
            )
        return self._known_sides[of_one]

    @cached_property
    def _known_sides(self) -> dict[Callable[..., OneSide], list[tuple[OneSide, ...]]]:
        return {}

    def batches(self, pairs: Sequence[Pair]) -> list[list[int]]:
        """Positions of pairs of one shape, a batch at a time."""
        marginals = self.evidence.values.marginals
        alike: dict[tuple[tuple[int, ...], ...], list[int]] = {}
        for position, pair in enumerate(pairs):
            alike.setdefault(tuple(marginals[at].whitening.shape for at in pair), []).append(position)
        batches = []
        for ((d_a, _), (d_b, _)), positions in alike.items():
            size = max(1, _BATCH // (d_a * d_b))
            batches += [positions[start : start + size] for start in range(0, len(positions), size)]
        return batches


def halves_of(two_steps: Sides, z: Array, fit: Array) -> tuple[OneSide, ...]:
    """What a score needs of latents, on *fit* and on *score* or on both together."""
    if two_steps.estimates:
        return (two_steps.of_one(z.astype(np.float64), fit),)
    return tuple(two_steps.of_one(z[half].astype(np.float64)) for half in (fit, ~fit))


def of_both_ways(one: Measure, a: tuple[OneSide, ...], b: tuple[OneSide, ...]) -> list[float]:
    """A score of two sides, in and out of sample, and of a directed one both ways."""
    return [found for way in ([(a, b), (b, a)] if one.directed else [(a, b)]) for found in one.of_sides(*way)]


def _permuted(sides: list[tuple[OneSide, ...]], fit: Array, orders: Orders) -> dict[int, tuple[OneSide, ...]]:
    """Sides with their rows in orders that keep every row in its half."""
    places = [np.flatnonzero(half) for half in (fit, ~fit)]

    def work(position: int) -> tuple[OneSide, ...]:
        own, order = sides[position], orders[position]
        if len(own) == 1:
            return (own[0].permuted(order),)
        # Positions among the rows of a half, in place of those among all rows.
        return tuple(side.permuted(np.searchsorted(half, order[half])) for side, half in zip(own, places, strict=True))

    return dict(zip(orders, in_parallel(work, list(orders)), strict=True))


def of_rows(one: Measure, a: Array, b: Array, fit: Array) -> list[float]:
    """A score that needs rows, in and out of sample, and of a directed one both ways."""
    ways = [(a, b), (b, a)] if one.directed else [(a, b)]
    return [found for way in ways for found in one.of_rows(*way, fit)]


def ways_of(one: Measure, a: Marginal, b: Marginal, cross: Cross) -> list[Parts]:
    """The parts of a score of a pair, or of stacked ones: from a to b and, of a directed one, from b to a."""
    if one.from_moments is None:
        raise UsageError(f"{one.name} does not follow from moments")
    forward = one.from_moments(a, b, cross)
    return [forward, one.from_moments(b, a, cross.transposed)] if one.directed else [forward]

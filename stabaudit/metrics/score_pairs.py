"""Scores of many pairs at once, with their floors.

Every restart is standardised and whitened once, the cross-moments of all restarts come from one matrix product per half (and per
draw of the independence floor), and what is left for a pair is what its measures do with d × d matrices. Pairs of one shape are
scored in batches, stacked, and the batches on all cores. Measures that need rows are called pair by pair.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np

from stabaudit.errors import UsageError
from stabaudit.metrics.checks import require_equal_dimensions
from stabaudit.metrics.evidence import Evidence, Rows
from stabaudit.metrics.floors import turned_cross, turnings
from stabaudit.metrics.halves import Cross, Marginal
from stabaudit.metrics.pair_scores import DEFAULT_K, Array, Pair, PairScores, Scored, ScoreName
from stabaudit.metrics.ranks import Correlation
from stabaudit.metrics.scores import Measure, OneSide, Parts, Sides, chosen, chosen_of_pairs, default_scores, mean_of_first
from stabaudit.metrics.threads import in_parallel

SOURCES = -1  # the position that stands for the true sources in a pair
_BATCH = 2**15  # matrix entries of a batch, 256 kB: few enough for the cache of a core, many enough to share what a call costs


def score_pairs(
    latents: Sequence[Array],
    fit: Array,
    *,
    pairs: Sequence[Pair] | None = None,
    scores: Sequence[str] | None = None,
    k: int = DEFAULT_K,
    correlation: Correlation = "pearson",
    floor_draws: int = 20,
    rotations: int | None = None,
    rng: np.random.Generator,
    allow_unequal: bool = False,
    names: Sequence[str] | None = None,
) -> Scored:
    """Score pairs of latents, with their floors.

    Args:
        latents: one array per restart, shapes (n, d_r), rows joined on their sample ids; float32 or float64.
        fit: True for the rows to estimate on, False for those to score on, shape (n,), as from `split_halves`.
        pairs: positions (a, b) in `latents`; None for all a < b.
        scores: names of scores; None for the default ones.
        k: parts averaged by counted scores, largest first, beside the mean over all. It names the score also where there are
            fewer.
        correlation: "spearman" replaces values by ranks.
        floor_draws: draws of the independence floor; 0 for none.
        rotations: draws of the rotation floor; None for as many.
        rng: draws the floors.
        allow_unequal: match min(d_a, d_b) dimensions instead of refusing d_a ≠ d_b.
        names: what to call each of the latents in messages.

    Raises:
        BadData: NaN or infinity, unequal rows or dimensions, or n ≤ d rows in *fit*.
        UsageError: an unknown score.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics.pair_scores import ScoreName
        >>> from stabaudit.metrics.score_pairs import score_pairs
        >>> rng = np.random.default_rng(0)
        >>> z = rng.standard_normal((1000, 2))
        >>> turned = z @ np.array([[1.0, -1.0], [1.0, 1.0]])
        >>> scored = score_pairs([z, turned], np.arange(1000) % 2 == 0, rng=rng)
        >>> for metric in ("strong_mcc", "weak_mcc"):
        ...     print(metric, round(scored.pairs[0].values[ScoreName(metric, None, "out")], 2))
        strong_mcc 0.71
        weak_mcc 1.0
    """
    evidence = Evidence.of_rows(latents, fit, correlation, names)
    measures = chosen_of_pairs(default_scores() if scores is None else scores)
    return score(
        evidence,
        pairs,
        measures=measures,
        k=k,
        floor_draws=floor_draws,
        rotations=rotations,
        rng=rng,
        allow_unequal=allow_unequal,
    )


def score_sources(
    latents: Sequence[Array],
    sources: Array,
    fit: Array,
    *,
    scores: Sequence[str] | None = None,
    k: int = DEFAULT_K,
    correlation: Correlation = "pearson",
    floor_draws: int = 20,
    rotations: int | None = None,
    rng: np.random.Generator,
    allow_unequal: bool = False,
    names: Sequence[str] | None = None,
) -> Scored:
    """Score every latents against the true sources, shape (n, d_s): pairs (a, −1). Otherwise as `score_pairs`."""
    called = [*(names or [f"latents {position}" for position in range(len(latents))]), "sources"]
    evidence = Evidence.of_rows([*latents, sources], fit, correlation, called)
    pairs = [(position, len(latents)) for position in range(len(latents))]
    measures = chosen_of_pairs(default_scores() if scores is None else scores)
    scored = score(
        evidence,
        pairs,
        measures=measures,
        k=k,
        floor_draws=floor_draws,
        rotations=rotations,
        rng=rng,
        allow_unequal=allow_unequal,
    )
    return replace(scored, pairs=tuple(replace(pair, b=SOURCES) for pair in scored.pairs))


def score(
    evidence: Evidence,
    pairs: Sequence[Pair] | None = None,
    *,
    measures: Sequence[Measure] | None = None,
    floor_pairs: Sequence[Pair] | None = None,
    rotation_pairs: Sequence[Pair] | None = None,
    k: int = DEFAULT_K,
    floor_draws: int = 20,
    rotations: int | None = None,
    rng: np.random.Generator,
    allow_unequal: bool = False,
) -> Scored:
    """Score pairs of what has been taken in.

    Args:
        evidence: the latents, or their moments.
        pairs: positions (a, b); None for all a < b.
        measures: what to score, None for the default scores; those that need rows are left out, with a warning, where only
            moments are known.
        floor_pairs: those of them that the independence floor is drawn for; None for all.
        rotation_pairs: those of them that the rotation floor is drawn for; None for all.
        k: as in `score_pairs`, like the following.
        floor_draws: draws of the independence floor.
        rotations: draws of the rotation floor, None for as many; of measures that need rows never more than `floor_draws`.
        rng: draws the independence floor, and one number that the rotations are drawn with.
        allow_unequal: match min(d_a, d_b) dimensions.

    Raises:
        BadData: unequal dimensions.
        UsageError: k < 1, or nothing that moments are enough for.
    """
    if k < 1:
        raise UsageError(f"a counted score is the mean of at least one part, not of {k}")
    every = list(combinations(range(len(evidence.names)), 2)) if pairs is None else list(pairs)
    d = [len(marginal.scale) for marginal in evidence.values.marginals]
    if not allow_unequal:
        for a, b in every:
            require_equal_dimensions(d[a], d[b], f"{evidence.names[a]} and {evidence.names[b]}")
    measures = chosen(default_scores()) if measures is None else measures
    kept, warnings = _computable(measures, evidence, [(d[a], d[b]) for a, b in every])
    scoring = _Scoring(evidence, kept, k)
    seed = int(rng.integers(2**63))
    with redirect_stdout(sys.stderr):  # whatever functions of users print: results are what stdout is for; once, for all threads
        independence = scoring.independence(every if floor_pairs is None else floor_pairs, floor_draws, rng)
        rotation = scoring.rotation(
            every if rotation_pairs is None else rotation_pairs,
            floor_draws if rotations is None else rotations,
            floor_draws,
            seed,
        )
        parts, values = scoring.scores(every)
    scored = tuple(
        PairScores(
            a=a,
            b=b,
            values=dict(zip(scoring.names, values[position].tolist(), strict=True)),
            independence=independence.get((a, b), {}),
            rotation=rotation.get((a, b), {}),
            parts=parts[position],
        )
        for position, (a, b) in enumerate(every)
    )
    return Scored(scored, evidence.dead, (*evidence.warnings, *warnings))


def _computable(
    measures: Sequence[Measure], evidence: Evidence, pairs: Sequence[tuple[int, int]]
) -> tuple[list[Measure], list[str]]:
    """The measures that pairs of so many dimensions allow, and a warning on those that they do not.

    Raises:
        UsageError: where they allow none of those that are wanted.
    """
    streamed = [one for one in measures if evidence.rows is None and not one.from_moments]
    n, d = evidence.values.fit.n, max(len(marginal.scale) for marginal in evidence.values.marginals)
    short = [one for one in measures if n < one.rows_per_dimension * d and one not in streamed]
    sizes = {size for both in pairs for size in both}
    unequal = [one for one in measures if one.equal_dimensions and len(sizes) > 1]
    least = min(n, evidence.values.score.n)
    few = [one for one in measures if one.sides and least < one.sides.fewest and one not in (*streamed, *short)]
    kept = [one for one in measures if one not in (*streamed, *short, *unequal, *few)]
    warnings = []
    if few:
        needed = max(one.sides.fewest for one in few if one.sides)
        warnings.append(
            f"{', '.join(one.name for one in few)}: left out, since a half of the rows has {least}; {needed} are needed"
        )
    if unequal:
        names = ", ".join(one.name for one in unequal)
        warnings.append(
            f"{names}: left out, since latents of {min(sizes)} and of {max(sizes)} dimensions are no copies of each other"
        )
    if streamed:
        names = ", ".join(one.name for one in streamed)
        warnings.append(f"{names}: left out, since the latents are streamed and these scores need all rows; raise --memory")
    if short:
        names = ", ".join(one.name for one in short)
        needed = max(one.rows_per_dimension for one in short) * d
        warnings.append(f"{names}: left out, since {n} rows to fit on for {d} dimensions leave it arbitrary; {needed} are needed")
    if measures and not kept:
        raise UsageError("; ".join(warnings))
    return kept, warnings


TurnedSides = dict[Callable[..., OneSide], list[tuple[OneSide, ...]]]


@dataclass(frozen=True)
class _Scoring:
    """The measures at work on some latents."""

    evidence: Evidence
    measures: Sequence[Measure]
    k: int

    @cached_property
    def names(self) -> list[ScoreName]:
        """All scores, in the order of tables."""
        return [name for one in self.measures for name in self._names_of(one)]

    def _counts(self, one: Measure) -> list[int | None]:
        return [self.k, None] if one.counted else [None]

    def _names_of(self, one: Measure) -> list[ScoreName]:
        called = [one.name, one.reverse] if one.directed else [one.name]
        return [
            name
            for metric in called
            for k in self._counts(one)
            for name in (ScoreName(metric, k, "in"), ScoreName(metric, k, "out"))
        ]

    def _values_of(self, one: Measure, ways: Sequence[Parts]) -> list[Array]:
        """Columns of scores, in the order of `_names_of`, from the parts of a→b and, of directed ones, b→a."""
        return [mean_of_first(k, half) for parts in ways for k in self._counts(one) for half in (parts.inside, parts.outside)]

    def scores(
        self, pairs: Sequence[Pair], crosses: Sequence[Cross] | None = None, order: Array | None = None
    ) -> tuple[list[dict[str, Parts]], Array]:
        """Score every pair: the parts of scores that have curves, and all scores, shape (pairs, names).

        Args:
            pairs: positions (a, b).
            crosses: cross-moments in place of the pairs' own.
            order: of the rows of b, in place of their own.
        """
        marginals = self.evidence.values.marginals

        def work(batch: list[int]) -> list[tuple[Measure, list[Parts]]]:
            given = [self.evidence.values.cross(*pairs[p]) if crosses is None else crosses[p] for p in batch]
            first, second = (Marginal.stacked([marginals[pairs[p][side]] for p in batch]) for side in (0, 1))
            cross = Cross.stacked(given)
            return [(one, _ways(one, first, second, cross)) for one in self._by_moments]

        batches = self._batches(pairs)
        values = np.empty((len(pairs), len(self.names)))
        parts: list[dict[str, Parts]] = [{} for _ in pairs]
        for batch, found in zip(batches, in_parallel(work, batches), strict=True):
            for one, ways in found:
                values[np.ix_(batch, self._columns(one))] = np.column_stack(self._values_of(one, ways))
                if one.parts is not None and crosses is None:
                    for row, position in enumerate(batch):
                        parts[position][one.name] = ways[0].of(row)
        self._add_rows(values, pairs, order)
        return parts, values

    @cached_property
    def _by_moments(self) -> list[Measure]:
        return [one for one in self.measures if one.from_moments]

    def _columns(self, one: Measure) -> list[int]:
        return [self.names.index(name) for name in self._names_of(one)]

    def _add_rows(self, values: Array, pairs: Sequence[Pair], order: Array | None) -> None:
        """Scores of pairs that need rows."""
        by_sides = [one for one in self.measures if one.sides]
        by_rows = [one for one in self.measures if not one.from_moments and not one.sides]
        rows = self.evidence.rows
        if rows is None:
            return
        for one in by_sides:
            values[:, self._columns(one)] = self._of_sides(one, rows, pairs, order)
        for position, (a, b) in enumerate(pairs if by_rows else ()):
            first, second = (rows.latents[at].astype(np.float64) for at in (a, b))
            second = second if order is None else second[order]
            for one in by_rows:
                values[position, self._columns(one)] = _of_rows(one, first, second, rows.fit)

    def _of_sides(self, one: Measure, rows: Rows, pairs: Sequence[Pair], order: Array | None) -> Array:
        """A score that has sides, of pairs, shape (pairs, names): in-sample and out-of-sample."""
        sides = self._sides_of(one, rows)
        others = sides if order is None else _permuted(sides, rows.fit, order)

        def work(pair: Pair) -> list[float]:
            return _of_both_ways(one, sides[pair[0]], others[pair[1]])

        return np.array(in_parallel(work, pairs))

    def _sides_of(self, one: Measure, rows: Rows) -> list[tuple[OneSide, ...]]:
        """What the score needs of every restart, on *fit* and on *score* or on both together; found once."""
        if one.sides is None:
            raise UsageError(f"{one.name} has no sides")
        two_steps, of_one = one.sides, one.sides.of_one
        if of_one not in self._known_sides:
            self._known_sides[of_one] = in_parallel(lambda z: _sides(two_steps, z, rows.fit), rows.latents)
        return self._known_sides[of_one]

    @cached_property
    def _known_sides(self) -> dict[Callable[..., OneSide], list[tuple[OneSide, ...]]]:
        return {}

    def independence(self, pairs: Sequence[Pair], draws: int, rng: np.random.Generator) -> dict[Pair, dict[ScoreName, Array]]:
        """Draws of the independence floor of every score, shape (K,) each."""
        batches = self._batches(pairs)
        drawn = np.empty((draws, len(pairs), len(self.names)))
        for draw in drawn:
            order = self.evidence.shuffled(rng=rng)
            draw[:] = self.scores(pairs, self.evidence.unrelated(pairs, batches, order, rng=rng), order)[-1]
        return {pair: dict(zip(self.names, drawn[:, position].T, strict=True)) for position, pair in enumerate(pairs)}

    def rotation(self, pairs: Sequence[Pair], draws: int, of_rows: int, seed: int) -> dict[Pair, dict[ScoreName, Array]]:
        """Draws of the rotation floor, shape (K,) each: b turned in the first half of them, a in the others.

        A restart's rotations follow from `seed` and its own values, so a pair's floor does not depend on what else is scored.

        Args:
            pairs: positions (a, b).
            draws: K of scores that follow from moments.
            of_rows: at most so many of scores that need rows.
            seed: with which rotations are drawn.
        """
        turnable = [one for one in self.measures if "rotation" in one.floors]
        if not turnable or not draws:
            return {}
        if self.evidence.rows is not None:
            for one in turnable:
                if one.sides is not None:
                    self._sides_of(one, self.evidence.rows)  # before the threads that turn want them
        found: dict[tuple[Pair, bool], dict[ScoreName, Array]] = {}
        marginals, counts = self.evidence.values.marginals, (draws - draws // 2, draws // 2)  # b turned, a turned
        of_turned: dict[int, list[tuple[Pair, bool]]] = {}
        for a, b in pairs:
            of_turned.setdefault(b, []).append(((a, b), False))
            of_turned.setdefault(a, []).append(((a, b), True))

        def work(turned: int) -> list[tuple[tuple[Pair, bool], dict[ScoreName, Array]]]:
            rng = np.random.default_rng([seed, self.evidence.seeds[turned]])
            maps = turnings(marginals[turned], max(counts), rng=rng)
            sides = self._turned_sides(turned, maps[: of_rows - of_rows // 2], turnable)
            return [(task, self._turned(task, maps[: counts[task[1]]], turnable, of_rows, sides)) for task in of_turned[turned]]

        for several in in_parallel(work, sorted(of_turned)):
            found |= dict(several)
        return {
            pair: {
                name: np.concatenate([found[pair, False][name], found[pair, True][name]])
                for one in turnable
                for name in self._names_of(one)
            }
            for pair in pairs
        }

    def _turned_sides(self, turned: int, maps: Array, measures: Sequence[Measure]) -> TurnedSides:
        """What scores that have sides need of one restart turned in several ways; found once for all of its pairs."""
        rows = self.evidence.rows
        found: TurnedSides = {}
        for one in measures:
            if one.sides is not None and rows is not None and one.sides.of_one not in found:
                turn = self.evidence.values.marginals[turned].in_own_units
                found[one.sides.of_one] = [_sides(one.sides, rows.latents[turned] @ turn(each), rows.fit) for each in maps]
        return found

    def _turned(
        self, task: tuple[Pair, bool], maps: Array, measures: Sequence[Measure], of_rows: int, turned_sides: TurnedSides
    ) -> dict[ScoreName, Array]:
        """Scores of one pair with one of the two turned in several ways, shape (draws,) each.

        Args:
            task: the pair, and whether its first is turned, else its second.
            maps: that turn it, shape (draws, d, d).
            measures: that see axes.
            of_rows: at most so many draws of scores that need rows.
            turned_sides: what scores that have sides need of the one that is turned.
        """
        (a, b), first_turned = task
        fixed, turned = (b, a) if first_turned else (a, b)
        marginals = self.evidence.values.marginals
        count = len(maps)
        if not count:
            return {name: np.empty(0) for one in measures for name in self._names_of(one)}
        still, moved = marginals[fixed].repeated(count), marginals[turned].turned(maps)
        cross = turned_cross(self.evidence.values.cross(fixed, turned), maps)
        rows = self.evidence.rows
        found: dict[ScoreName, Array] = {}
        for one in measures:
            if one.from_moments:
                sides = (moved, still, cross.transposed) if first_turned and one.directed else (still, moved, cross)
                columns = np.array(self._values_of(one, _ways(one, *sides)))
            elif rows is not None:
                count_of_rows = of_rows // 2 if first_turned else of_rows - of_rows // 2
                if one.sides is not None:
                    fixed_side = self._sides_of(one, rows)[fixed]
                    ways = [(side, fixed_side) if first_turned else (fixed_side, side) for side in turned_sides[one.sides.of_one]]
                    columns = np.array([_of_both_ways(one, *way) for way in ways[:count_of_rows]]).T
                    found |= dict(zip(self._names_of(one), columns, strict=True))
                    continue
                z = rows.latents[fixed].astype(np.float64)
                limited = maps[:count_of_rows]
                others = (rows.latents[turned] @ marginals[turned].in_own_units(turning) for turning in limited)
                columns = np.array(
                    [_of_rows(one, y, z, rows.fit) if first_turned else _of_rows(one, z, y, rows.fit) for y in others]
                ).T
            found |= dict(zip(self._names_of(one), columns, strict=True))
        return found

    def _batches(self, pairs: Sequence[Pair]) -> list[list[int]]:
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


def _sides(two_steps: Sides, z: Array, fit: Array) -> tuple[OneSide, ...]:
    """What a score needs of latents, on *fit* and on *score* or on both together."""
    if two_steps.estimates:
        return (two_steps.of_one(z.astype(np.float64), fit),)
    return tuple(two_steps.of_one(z[half].astype(np.float64)) for half in (fit, ~fit))


def _of_both_ways(one: Measure, a: tuple[OneSide, ...], b: tuple[OneSide, ...]) -> list[float]:
    """A score of two sides, in and out of sample, and of a directed one both ways."""
    return [found for way in ([(a, b), (b, a)] if one.directed else [(a, b)]) for found in one.of_sides(*way)]


def _permuted(sides: list[tuple[OneSide, ...]], fit: Array, order: Array) -> list[tuple[OneSide, ...]]:
    """All sides with their rows in an order that keeps every row in its half."""
    # Positions among the rows of a half, in place of those among all rows.
    halves = [np.searchsorted(np.flatnonzero(half), order[half]) for half in (fit, ~fit)]

    def work(one: tuple[OneSide, ...]) -> tuple[OneSide, ...]:
        return tuple(side.permuted(own) for side, own in zip(one, [order] if len(one) == 1 else halves, strict=True))

    return in_parallel(work, sides)


def _of_rows(one: Measure, a: Array, b: Array, fit: Array) -> list[float]:
    """A score that needs rows, in and out of sample, and of a directed one both ways."""
    ways = [(a, b), (b, a)] if one.directed else [(a, b)]
    return [found for way in ways for found in one.of_rows(*way, fit)]


def _ways(one: Measure, a: Marginal, b: Marginal, cross: Cross) -> list[Parts]:
    """The parts of a score of a pair, or of stacked ones: from a to b and, of a directed one, from b to a."""
    if one.from_moments is None:
        raise UsageError(f"{one.name} does not follow from moments")
    forward = one.from_moments(a, b, cross)
    return [forward, one.from_moments(b, a, cross.transposed)] if one.directed else [forward]

"""Scores of many pairs at once, with their floors.

Every restart is standardised and whitened once, the cross-moments of all restarts come from one matrix product per half (and per
draw of the independence floor), and what is left for a pair is what its measures do with d × d matrices. Pairs of one shape are
scored in batches, stacked, and the batches on all cores. Measures that need rows are called pair by pair.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np

from stabaudit.errors import UsageError
from stabaudit.metrics.checks import require_equal_dimensions
from stabaudit.metrics.evidence import Evidence, PairMoments
from stabaudit.metrics.floors import turn, turned_cross
from stabaudit.metrics.halves import Cross, Halves, Marginal
from stabaudit.metrics.pair_scores import DEFAULT_K, Array, Pair, PairScores, Scored, ScoreName
from stabaudit.metrics.ranks import Correlation, ranked
from stabaudit.metrics.scores import Measure, Parts, chosen, default_scores, mean_of_first
from stabaudit.metrics.threads import in_parallel, single_threaded

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
        correlation: of scores by rank and their floors.
        floor_draws: draws of either floor; 0 for none.
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
    measures = chosen(default_scores() if scores is None else scores)
    return score(evidence, pairs, measures=measures, k=k, floor_draws=floor_draws, rng=rng, allow_unequal=allow_unequal)


def score_sources(
    latents: Sequence[Array],
    sources: Array,
    fit: Array,
    *,
    scores: Sequence[str] | None = None,
    k: int = DEFAULT_K,
    correlation: Correlation = "pearson",
    floor_draws: int = 20,
    rng: np.random.Generator,
    allow_unequal: bool = False,
    names: Sequence[str] | None = None,
) -> Scored:
    """Score every latents against the true sources, shape (n, d_s): pairs (a, −1). Otherwise as `score_pairs`."""
    called = [*(names or [f"latents {position}" for position in range(len(latents))]), "sources"]
    evidence = Evidence.of_rows([*latents, sources], fit, correlation, called)
    pairs = [(position, len(latents)) for position in range(len(latents))]
    measures = chosen(default_scores() if scores is None else scores)
    scored = score(evidence, pairs, measures=measures, k=k, floor_draws=floor_draws, rng=rng, allow_unequal=allow_unequal)
    return replace(scored, pairs=tuple(replace(pair, b=SOURCES) for pair in scored.pairs))


def score(
    evidence: Evidence,
    pairs: Sequence[Pair] | None = None,
    *,
    measures: Sequence[Measure] | None = None,
    floor_pairs: Sequence[Pair] | None = None,
    k: int = DEFAULT_K,
    floor_draws: int = 20,
    rng: np.random.Generator,
    allow_unequal: bool = False,
) -> Scored:
    """Score pairs of what has been taken in.

    Args:
        evidence: the latents, or their moments.
        pairs: positions (a, b); None for all a < b.
        measures: what to score, None for the default scores; those that need rows are left out, with a warning, where only
            moments are known.
        floor_pairs: those of them that the independence floor is drawn for; None for all. The rotation floor is drawn for all.
        k: as in `score_pairs`, like the following.
        floor_draws: draws of either floor.
        rng: draws them.
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
    kept = [one for one in measures if evidence.rows is not None or one.from_moments]
    left = [one.name for one in measures if one not in kept]
    if not kept:
        raise UsageError(f"{', '.join(left)}: these scores need all rows in memory; raise --memory")
    scoring = _Scoring(evidence, kept, k)
    # Generators of their own, so that the rotation floor does not depend on how the other one is drawn.
    rng_independence, rng_rotation = rng.spawn(2)
    independence = scoring.independence(every if floor_pairs is None else floor_pairs, floor_draws, rng_independence)
    turns = [every if draw % 2 == 0 else [(b, a) for a, b in every] for draw in range(floor_draws)]
    rotated = scoring.rotated_names
    rotation = np.array([scoring.turned(turned, rng_rotation) for turned in turns] if rotated else []).reshape(
        floor_draws if rotated else 0, len(every), len(rotated)
    )
    parts, values = scoring.scores(every)
    scored = tuple(
        PairScores(
            a=a,
            b=b,
            values=dict(zip(scoring.names, values[position].tolist(), strict=True)),
            independence=independence.get((a, b), {}),
            rotation=dict(zip(rotated, rotation[:, position].T, strict=True)),
            parts=parts[position],
        )
        for position, (a, b) in enumerate(every)
    )
    warnings = [f"{', '.join(left)}: left out, since the latents are streamed and these scores need all rows"] if left else []
    return Scored(scored, evidence.dead, (*evidence.warnings, *warnings))


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

    @cached_property
    def rotated_names(self) -> list[ScoreName]:
        """Those that have a rotation floor."""
        return [name for one in self._turnable for name in self._names_of(one)]

    @cached_property
    def _turnable(self) -> list[Measure]:
        return [one for one in self.measures if "rotation" in one.floors]

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
        self, pairs: Sequence[Pair], moments: Sequence[PairMoments] | None = None, order: Array | None = None
    ) -> tuple[list[dict[str, Parts]], Array]:
        """Score every pair: the parts of scores that have curves, and all scores, shape (pairs, names).

        Args:
            pairs: positions (a, b).
            moments: in place of the pairs' own.
            order: of the rows of b, in place of their own.
        """
        marginals, axes = self.evidence.values.marginals, self.evidence.axes.marginals

        def work(batch: list[int]) -> list[tuple[Measure, list[Parts]]]:
            given = [self.evidence.observed(*pairs[p]) if moments is None else moments[p] for p in batch]
            sides = [[pairs[p][side] for p in batch] for side in (0, 1)]
            first, second = (Marginal.stacked([marginals[at] for at in side]) for side in sides)
            cross = Cross.stacked([pair.values for pair in given])
            by_rank = first, second, cross
            if self.evidence.by_rank:
                ranks = (Marginal.stacked([axes[at] for at in side]) for side in sides)
                by_rank = *ranks, Cross.stacked([pair.axes for pair in given])  # type: ignore[assignment]  # two of them
            return [(one, _ways(one, *(by_rank if one.by_rank else (first, second, cross)))) for one in self._by_moments]

        batches = self._batches(pairs)
        values = np.empty((len(pairs), len(self.names)))
        parts: list[dict[str, Parts]] = [{} for _ in pairs]
        for batch, found in zip(batches, in_parallel(work, batches), strict=True):
            for one, ways in found:
                values[np.ix_(batch, self._columns(one))] = np.column_stack(self._values_of(one, ways))
                if one.parts is not None and moments is None:
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
        by_rows = [one for one in self.measures if not one.from_moments]
        rows = self.evidence.rows
        if rows is None or not by_rows:
            return
        for position, (a, b) in enumerate(pairs):
            first, second = (rows.latents[at].astype(np.float64) for at in (a, b))
            second = second if order is None else second[order]
            for one in by_rows:
                ways = [(first, second), (second, first)] if one.directed else [(first, second)]
                values[position, self._columns(one)] = [found for way in ways for found in one.of_rows(*way, rows.fit)]

    def independence(self, pairs: Sequence[Pair], draws: int, rng: np.random.Generator) -> dict[Pair, dict[ScoreName, Array]]:
        """Draws of the independence floor of every score, shape (K,) each."""
        batches = self._batches(pairs)
        drawn = np.empty((draws, len(pairs), len(self.names)))
        for draw in drawn:
            order = self.evidence.shuffled(rng=rng)
            draw[:] = self.scores(pairs, self.evidence.unrelated(pairs, batches, order, rng=rng), order)[-1]
        return {pair: dict(zip(self.names, drawn[:, position].T, strict=True)) for position, pair in enumerate(pairs)}

    def turned(self, pairs: Sequence[Pair], rng: np.random.Generator) -> Array:
        """One draw of the rotation floor, the second of each pair turned; a restart is turned once.

        Returns:
            Shape (pairs, names that have this floor).
        """
        marginals = self.evidence.values.marginals
        with single_threaded():
            turnings = {b: turn(marginals[b], rng=rng) for b in sorted({b for _, b in pairs})}
            turned = {b: marginals[b].turned(turning) for b, turning in turnings.items()}
        by_value = [one for one in self._turnable if one.from_moments and not (one.by_rank and self.evidence.by_rank)]
        found = np.empty((len(pairs), len(self.rotated_names)))

        def work(batch: list[int]) -> list[list[Parts]]:
            first = Marginal.stacked([marginals[pairs[p][0]] for p in batch])
            second = Marginal.stacked([turned[pairs[p][1]] for p in batch])
            cross = Cross.stacked([turned_cross(self.evidence.values.cross(*pairs[p]), turnings[pairs[p][1]]) for p in batch])
            return [_ways(one, first, second, cross) for one in by_value]

        batches = self._batches(pairs, turned)
        for batch, of_measures in zip(batches, in_parallel(work, batches), strict=True):
            for one, ways in zip(by_value, of_measures, strict=True):
                found[np.ix_(batch, self._rotated_columns(one))] = np.column_stack(self._values_of(one, ways))
        if others := [one for one in self._turnable if one not in by_value]:
            self._turn_rows(found, pairs, turnings, others)
        return found

    def _rotated_columns(self, one: Measure) -> list[int]:
        return [self.rotated_names.index(name) for name in self._names_of(one)]

    def _turn_rows(self, found: Array, pairs: Sequence[Pair], turnings: dict[int, Array], measures: Sequence[Measure]) -> None:
        """The same of ranks, and of measures that need rows: these do not follow from moments, so rows are turned."""
        rows, marginals = self.evidence.rows, self.evidence.values.marginals
        if rows is None:
            raise UsageError("ranks need the rows themselves, not only their moments")
        turned = {b: rows.latents[b] @ marginals[b].in_own_units(turning) for b, turning in turnings.items()}
        by_rank = [one for one in measures if one.from_moments]
        if by_rank:
            ranks = ranked(list(turned.values()), rows.fit, [marginals[b] for b in turned])
            axes = Halves.of_rows([*rows.ranks, *ranks], rows.fit)
            place = {b: len(rows.latents) + position for position, b in enumerate(turned)}
        for position, (a, b) in enumerate(pairs):
            for one in measures:
                if one.from_moments:
                    second = place[b]
                    ways = _ways(one, axes.marginals[a], axes.marginals[second], axes.cross(a, second))
                    values = [float(value) for value in self._values_of(one, ways)]
                else:
                    first = rows.latents[a].astype(np.float64)
                    values = [*one.of_rows(first, turned[b], rows.fit)]
                    values += one.of_rows(turned[b], first, rows.fit) if one.directed else ()
                found[position, self._rotated_columns(one)] = values

    def _batches(self, pairs: Sequence[Pair], turned: dict[int, Marginal] | None = None) -> list[list[int]]:
        """Positions of pairs of one shape, a batch at a time."""
        values, axes = self.evidence.values.marginals, self.evidence.axes.marginals

        def shape(at: int, side: int) -> tuple[tuple[int, ...], ...]:
            if turned is not None and side == 1:
                return (turned[at].whitening.shape,)
            return values[at].whitening.shape, axes[at].whitening.shape

        alike: dict[tuple[tuple[tuple[int, ...], ...], ...], list[int]] = {}
        for position, pair in enumerate(pairs):
            alike.setdefault(tuple(shape(at, side) for side, at in enumerate(pair)), []).append(position)
        batches = []
        for ((((d_a, _), *_)), ((d_b, _), *_)), positions in alike.items():
            size = max(1, _BATCH // (d_a * d_b))
            batches += [positions[start : start + size] for start in range(0, len(positions), size)]
        return batches


def _ways(one: Measure, a: Marginal, b: Marginal, cross: Cross) -> list[Parts]:
    """The parts of a score of a pair, or of stacked ones: from a to b and, of a directed one, from b to a."""
    if one.from_moments is None:
        raise UsageError(f"{one.name} does not follow from moments")
    forward = one.from_moments(a, b, cross)
    return [forward, one.from_moments(b, a, cross.transposed)] if one.directed else [forward]

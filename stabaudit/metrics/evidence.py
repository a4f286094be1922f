"""What scores are computed from: the moments of all latents, their rows where they are in memory, and draws of unrelated ones.

Rows in memory give both: the independence floor permutes them. Moments alone, as of rows that were streamed, are enough for
scores that follow from moments; the independence floor is then drawn from them (see `stabaudit.metrics.floors`).

Under Spearman's correlation every restart is replaced by the ranks of its values, within each half by itself, so that nothing of
*score* enters *fit*. Scores, floors and verdicts are then those of ranks, all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stabaudit.errors import counted
from stabaudit.metrics.checks import require_scorable, warn_of_few_rows
from stabaudit.metrics.floors import Roots, StandardisedRows, chance_cross, permuted_crosses, permuted_within_halves, roots
from stabaudit.metrics.halves import Cross, Halves
from stabaudit.metrics.halves_by_rows import halves_of_rows
from stabaudit.metrics.pair_scores import Array, Pair
from stabaudit.metrics.ranks import Correlation, ranked
from stabaudit.metrics.threads import in_parallel, single_threaded

Orders = dict[int, Array]  # of the rows of restarts, shape (n,) each


@dataclass(frozen=True)
class Rows:
    """Latents in memory.

    Args:
        fit: True for rows of *fit*, shape (n,).
        latents: one array per restart, shapes (n, d_r).
    """

    fit: Array
    latents: Sequence[Array]


@dataclass(frozen=True)
class Evidence:
    """All latents that are to be scored.

    Args:
        names: what to call each of them in messages.
        values: their moments.
        rows: the latents themselves, or None where only their moments are known.
        seeds: a number that follows from the values of each, so that random draws for one do not depend on the others.
        warnings: what was noticed, one line each.
    """

    names: Sequence[str]
    values: Halves
    rows: Rows | None
    seeds: Sequence[int]
    warnings: tuple[str, ...]

    @classmethod
    def of_rows(
        cls, latents: Sequence[Array], fit: Array, correlation: Correlation = "pearson", names: Sequence[str] | None = None
    ) -> "Evidence":
        """Take in rows in memory.

        Args:
            latents: one array per restart, shapes (n, d_r), rows joined on their sample ids; float32 or float64.
            fit: True for the rows to estimate on, False for those to score on, shape (n,), as from `split_halves`.
            correlation: "spearman" replaces values by ranks.
            names: what to call each of the latents in messages.

        Raises:
            BadData: NaN or infinity, unequal rows, or n ≤ d rows in *fit*.
        """
        called = names or [f"latents {position}" for position in range(len(latents))]
        warnings = require_scorable(latents, called, fit)
        values = halves_of_rows(latents, fit)
        if correlation == "spearman":
            latents = ranked(latents, fit, values.marginals)
            values = halves_of_rows(latents, fit)
        seeds = in_parallel(seed_of, latents, "restarts digested")
        return cls(called, values, Rows(fit, latents), seeds, (*warnings, *_dependent(values, called)))

    @classmethod
    def of_moments(cls, halves: Halves, names: Sequence[str], seeds: Sequence[int]) -> "Evidence":
        """Take in moments.

        Raises:
            BadData: n ≤ d rows in *fit*, or fewer than two in *score*.
        """
        d = max(block.stop - block.start for block in halves.blocks)
        warnings = warn_of_few_rows(halves.fit.n, halves.score.n, d)
        return cls(names, halves, None, seeds, (*warnings, *_dependent(halves, names)))

    @property
    def dead(self) -> tuple[tuple[int, ...], ...]:
        """The dimensions of each latents that do not vary on *fit*."""
        return tuple(marginal.dead for marginal in self.values.marginals)

    def shuffled(self, draws: Sequence[Sequence[Pair]], *, rng: np.random.Generator) -> list[Orders] | None:
        """Draw orders of the rows of every b, in which it is unrelated to a; None where only moments are known.

        Args:
            draws: positions (a, b) of the pairs of every draw.
            rng: draws them.
        """
        if self.rows is None:
            return None
        fit = self.rows.fit
        return [{b: permuted_within_halves(fit, rng=rng) for b in sorted({b for _, b in pairs})} for pairs in draws]

    def unrelated(
        self,
        draws: Sequence[Sequence[Pair]],
        orders: Sequence[Orders] | None,
        batches: Sequence[Sequence[int]],
        *,
        rng: np.random.Generator,
    ) -> list[Cross]:
        """Draw the cross-moments that pairs would have were a and b unrelated, those of the first draw first.

        Args:
            draws: positions (a, b) of the pairs of every draw.
            orders: of the rows of every b in every draw, as from `shuffled`; None where only moments are known.
            batches: positions in all pairs of all draws of those of one shape, each in one batch.
            rng: draws them where only moments are known.
        """
        if orders is None:
            return self._by_chance([pair for pairs in draws for pair in pairs], batches, rng)
        shared: dict[tuple[int, int], list[int]] = {}  # pairs of one draw and one b, whose rows are then permuted once
        every = [(draw, pair) for draw, pairs in enumerate(draws) for pair in pairs]
        for position, (draw, (_, b)) in enumerate(every):
            shared.setdefault((draw, b), []).append(position)

        standardised = self._standardised  # before the threads that multiply want it

        def multiply(task: tuple[Array, list[int]]) -> list[Cross]:
            order, positions = task
            return permuted_crosses(standardised, order, [every[position][1] for position in positions])

        tasks = [(orders[draw][b], positions) for (draw, b), positions in shared.items()]
        found: dict[int, Cross] = {}
        for (_, positions), crosses in zip(tasks, in_parallel(multiply, tasks), strict=True):
            found |= dict(zip(positions, crosses, strict=True))
        return [found[position] for position in range(len(every))]

    def _by_chance(self, pairs: Sequence[Pair], batches: Sequence[Sequence[int]], rng: np.random.Generator) -> list[Cross]:
        sizes = self._sizes

        def draw(task: tuple[Sequence[int], np.random.Generator]) -> list[Cross]:
            batch, own = task
            a, b = (Roots(*map(np.stack, zip(*(self._roots[pairs[p][side]] for p in batch), strict=True))) for side in (0, 1))
            return list(map(Cross, *chance_cross(a, b, sizes, rng=own)))

        found: dict[int, Cross] = {}
        drawn = in_parallel(draw, list(zip(batches, rng.spawn(len(batches)), strict=True)))
        for batch, crosses in zip(batches, drawn, strict=True):
            found |= dict(zip(batch, crosses, strict=True))
        return [found[position] for position in range(len(pairs))]

    @cached_property
    def _standardised(self) -> StandardisedRows:
        if self.rows is None:
            raise ValueError("only moments are known")
        return StandardisedRows(self.values, self.rows.latents, self.rows.fit)

    @property
    def _sizes(self) -> tuple[int, int]:
        return self.values.fit.n, self.values.score.n

    @cached_property
    def _roots(self) -> list[Roots]:
        with single_threaded():
            return [roots(marginal, self._sizes) for marginal in self.values.marginals]


class Digest:
    """A number that follows from the values of rows, in whatever order and of whatever type of number they come."""

    def __init__(self) -> None:
        self._sum = np.uint64(0)

    def add(self, rows: Array) -> None:
        """Take in further rows, shape (m, d)."""
        bits = np.ascontiguousarray(rows, dtype=np.float64).view(np.uint64)
        with np.errstate(over="ignore"):  # arithmetic modulo 2⁶⁴
            mixed = (bits * (_ODD ** np.arange(1, bits.shape[1] + 1, dtype=np.uint64))).sum(axis=1)
            mixed = (mixed ^ (mixed >> np.uint64(33))) * _ODD
            self._sum += (mixed ^ (mixed >> np.uint64(29))).sum()

    @property
    def seed(self) -> int:
        """The number, of 64 bits."""
        return int(self._sum)


_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ divided by the golden ratio (Steele et al. 2014, doi:10.1145/2660193.2660195)


def seed_of(latents: Array) -> int:
    """A number that follows from the values of latents, shape (n, d), in whatever order their rows come."""
    digest = Digest()
    digest.add(latents)
    return digest.seed


def _dependent(halves: Halves, names: Sequence[str]) -> list[str]:
    found = []
    for name, marginal in zip(names, halves.marginals, strict=True):
        alive = len(marginal.scale) - len(marginal.dead)
        if marginal.rank < alive:
            found.append(f"{name}: its {alive} dimensions that vary span only {counted(marginal.rank, 'direction')}")
    return found

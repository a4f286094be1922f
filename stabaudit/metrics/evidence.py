"""What scores are computed from: the moments of all latents, and a way to draw those of unrelated ones.

Rows in memory give both: the independence floor permutes them. Moments alone, as of rows that were streamed, are enough for every
score but those of ranks; the independence floor is then drawn from the moments (see `stabaudit.metrics.floors`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from stabaudit.metrics.checks import require_scorable, warn_of_few_rows
from stabaudit.metrics.floors import Roots, chance_cross, permuted_crosses, permuted_within_halves, roots
from stabaudit.metrics.halves import Cross, Halves
from stabaudit.metrics.pair_scores import Array, Pair
from stabaudit.metrics.ranks import Correlation, ranked
from stabaudit.metrics.threads import in_parallel, single_threaded


class PairMoments(NamedTuple):
    """Cross-moments of a pair: of the values, and of what scores by rank correlate, which is the values again or their ranks."""

    values: Cross
    axes: Cross


@dataclass(frozen=True)
class Rows:
    """Latents in memory.

    Args:
        fit: True for rows of *fit*, shape (n,).
        latents: one array per restart, shapes (n, d_r).
        ranks: the same ranked, or the latents themselves where strong MCC correlates values.
    """

    fit: Array
    latents: Sequence[Array]
    ranks: Sequence[Array]


@dataclass(frozen=True)
class Evidence:
    """All latents that are to be scored.

    Args:
        names: what to call each of them in messages.
        values: their moments.
        axes: the moments of what strong MCC correlates: `values` again, or those of ranks.
        rows: the latents themselves, or None where only their moments are known.
        warnings: what was noticed, one line each.
    """

    names: Sequence[str]
    values: Halves
    axes: Halves
    rows: Rows | None
    warnings: tuple[str, ...]

    @classmethod
    def of_rows(
        cls, latents: Sequence[Array], fit: Array, correlation: Correlation = "pearson", names: Sequence[str] | None = None
    ) -> "Evidence":
        """Take in rows in memory.

        Args:
            latents: one array per restart, shapes (n, d_r), rows joined on their sample ids; float32 or float64.
            fit: True for the rows to estimate on, False for those to score on, shape (n,), as from `split_halves`.
            correlation: of strong MCC.
            names: what to call each of the latents in messages.

        Raises:
            BadData: NaN or infinity, unequal rows, or n ≤ d rows in *fit*.
        """
        called = names or [f"latents {position}" for position in range(len(latents))]
        warnings = require_scorable(latents, called, fit)
        values = Halves.of_rows(latents, fit)
        if correlation == "pearson":
            return cls(called, values, values, Rows(fit, latents, latents), (*warnings, *_dependent(values, called)))
        ranks = ranked(latents, fit, values.marginals)
        rows = Rows(fit, latents, ranks)
        return cls(called, values, Halves.of_rows(ranks, fit), rows, (*warnings, *_dependent(values, called)))

    @classmethod
    def of_moments(cls, halves: Halves, names: Sequence[str]) -> "Evidence":
        """Take in moments.

        Raises:
            BadData: n ≤ d rows in *fit*, or fewer than two in *score*.
        """
        d = max(block.stop - block.start for block in halves.blocks)
        warnings = warn_of_few_rows(halves.fit.n, halves.score.n, d)
        return cls(names, halves, halves, None, (*warnings, *_dependent(halves, names)))

    @property
    def by_rank(self) -> bool:
        """Whether strong MCC correlates ranks."""
        return self.axes is not self.values

    @property
    def dead(self) -> tuple[tuple[int, ...], ...]:
        """The dimensions of each latents that do not vary on *fit*."""
        return tuple(marginal.dead for marginal in self.values.marginals)

    def observed(self, a: int, b: int) -> PairMoments:
        """The moments of a pair as it is."""
        values = self.values.cross(a, b)
        return PairMoments(values, self.axes.cross(a, b) if self.by_rank else values)

    def shuffled(self, *, rng: np.random.Generator) -> Array | None:
        """Draw an order of the rows in which b is unrelated to a, shape (n,); None where only moments are known."""
        return None if self.rows is None else permuted_within_halves(self.rows.fit, rng=rng)

    def unrelated(
        self, pairs: Sequence[Pair], batches: Sequence[Sequence[int]], order: Array | None, *, rng: np.random.Generator
    ) -> list[PairMoments]:
        """Draw the moments that pairs would have were a and b unrelated.

        Args:
            pairs: positions (a, b).
            batches: positions in `pairs` of pairs of one shape, each pair in one batch.
            order: of the rows of b, as from `shuffled`.
            rng: draws them where only moments are known.
        """
        if self.rows is None or order is None:
            return self._by_chance(pairs, batches, rng)
        rows = self.rows
        values = permuted_crosses(self.values, rows.latents, rows.fit, order, pairs)
        axes = permuted_crosses(self.axes, rows.ranks, rows.fit, order, pairs) if self.by_rank else values
        return [PairMoments(*both) for both in zip(values, axes, strict=True)]

    def _by_chance(self, pairs: Sequence[Pair], batches: Sequence[Sequence[int]], rng: np.random.Generator) -> list[PairMoments]:
        sizes = self._sizes

        def draw(task: tuple[Sequence[int], np.random.Generator]) -> list[PairMoments]:
            batch, own = task
            a, b = (Roots(*map(np.stack, zip(*(self._roots[pairs[p][side]] for p in batch), strict=True))) for side in (0, 1))
            drawn = chance_cross(a, b, sizes, rng=own)
            return [PairMoments(cross, cross) for cross in map(Cross, *drawn)]

        found: dict[int, PairMoments] = {}
        drawn = in_parallel(draw, list(zip(batches, rng.spawn(len(batches)), strict=True)))
        for batch, moments in zip(batches, drawn, strict=True):
            found |= dict(zip(batch, moments, strict=True))
        return [found[position] for position in range(len(pairs))]

    @property
    def _sizes(self) -> tuple[int, int]:
        return self.values.fit.n, self.values.score.n

    @cached_property
    def _roots(self) -> list[Roots]:
        with single_threaded():
            return [roots(marginal, self._sizes) for marginal in self.values.marginals]


def _dependent(halves: Halves, names: Sequence[str]) -> list[str]:
    found = []
    for name, marginal in zip(names, halves.marginals, strict=True):
        alive = len(marginal.scale) - len(marginal.dead)
        if marginal.rank < alive:
            found.append(f"{name}: its {alive} dimensions that vary span only {marginal.rank} directions")
    return found

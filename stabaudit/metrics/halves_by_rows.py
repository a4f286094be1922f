"""The moments of many restarts whose joint covariances would take too much memory: each restart by itself, each pair when asked.

The covariances of D stacked dimensions take 16·D² bytes: 6 GB for 400 restarts of 50 dimensions, 40 GB for 1,000. Beyond a limit
they are not kept. The cross-moments of pairs are then products of rows, made tile by tile: some restarts against some others,
for both halves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Self

import numpy as np

from stabaudit.metrics.halves import Cross, Halves, reciprocal
from stabaudit.metrics.moments import Moments, moments_of
from stabaudit.metrics.pair_scores import Array, Pair
from stabaudit.metrics.threads import in_parallel

MOST_COLUMNS = 20_480  # D, beyond which joint covariances are not kept: they would take 6.7 GB
TILE = 2**22  # numbers of a tile's rows on either side, 32 MB


@dataclass(frozen=True)
class HalvesByRows(Halves):
    """Restarts of which only the rows are kept; `fit` and `score` hold no covariances.

    Args:
        latents: one array per restart, shapes (n, d_r).
        rows: numbers of the rows of *fit* and of *score*.
    """

    latents: Sequence[Array] = ()
    rows: tuple[Array, Array] = field(default=(np.empty(0, int), np.empty(0, int)))

    @classmethod
    def of_latents(cls, latents: Sequence[Array], fit: Array) -> Self:
        """Take in rows in memory; arguments as of `Halves.of_rows`."""
        rows = np.flatnonzero(fit), np.flatnonzero(~fit)
        own = in_parallel(lambda z: [moments_of([z], half) for half in rows], latents, "restarts measured")
        blocks = tuple(slice(*ends) for ends in pairwise(accumulate((z.shape[1] for z in latents), initial=0)))
        marginals = tuple(Halves.of_moments(one, other, [len(one.mean)]).marginals[0] for one, other in own)
        means = [np.concatenate([both[half].mean for both in own]) for half in (0, 1)]
        on_fit, on_score = (Moments(len(half), mean, np.empty((0, 0))) for half, mean in zip(rows, means, strict=True))
        return cls(on_fit, on_score, blocks, marginals, latents, rows)

    def of_dimensions(self, chosen: Mapping[int, Array]) -> Halves:
        """As of all halves."""
        fit = np.zeros(sum(map(len, self.rows)), dtype=bool)
        fit[self.rows[0]] = True
        return halves_of_rows([self.latents[restart][:, own] for restart, own in chosen.items()], fit)

    def of_restarts(self, restarts: Sequence[int]) -> Halves:
        """Some restarts by themselves, with their joint covariances."""
        fit = np.zeros(sum(map(len, self.rows)), dtype=bool)
        fit[self.rows[0]] = True
        return Halves.of_rows([self.latents[restart] for restart in restarts], fit)

    def cross(self, a: int, b: int) -> Cross:
        """Cross-moments of restarts a and b."""
        return self.crosses([(a, b)])[0]

    def crosses(self, pairs: Sequence[Pair]) -> list[Cross]:
        """Cross-moments of pairs, from one product of all their firsts with all their seconds for each half."""
        first, second = (sorted({pair[side] for pair in pairs}) for side in (0, 1))
        products = [
            self._standardised(first, half).T @ self._standardised(second, half) / len(self.rows[half]) for half in (0, 1)
        ]
        rows, columns = self._places(first), self._places(second)
        return [Cross(*(np.ascontiguousarray(product[rows[a], columns[b]]) for product in products)) for a, b in pairs]

    def tiles(self, pairs: Sequence[Pair]) -> list[list[int]]:
        """Positions of pairs that share a product, a tile at a time."""
        widest = max(len(marginal.scale) for marginal in self.marginals)
        side = max(1, TILE // (sum(map(len, self.rows)) * widest))
        found: dict[Pair, list[int]] = {}
        for position, (a, b) in enumerate(pairs):
            found.setdefault((a // side, b // side), []).append(position)
        return list(found.values())

    def _standardised(self, restarts: Sequence[int], half: int) -> Array:
        """Rows of restarts in a half, centred there and in units of *fit*, side by side."""
        means = (self.fit, self.score)[half].mean
        return np.hstack(
            [
                (self.latents[at][self.rows[half]].astype(np.float64) - means[self.blocks[at]])
                * reciprocal(self.marginals[at].scale)
                for at in restarts
            ]
        )

    def _places(self, restarts: Sequence[int]) -> dict[int, slice]:
        """The columns of each of some restarts side by side."""
        ends = pairwise(accumulate((len(self.marginals[at].scale) for at in restarts), initial=0))
        return {at: slice(*own) for at, own in zip(restarts, ends, strict=True)}


def halves_of_rows(latents: Sequence[Array], fit: Array) -> Halves:
    """The moments of rows in memory, with joint covariances where these are not too many."""
    if sum(z.shape[1] for z in latents) > MOST_COLUMNS:
        return HalvesByRows.of_latents(latents, fit)
    return Halves.of_rows(latents, fit)

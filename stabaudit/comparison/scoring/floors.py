"""The floors of a mean over pairs: for which pairs they are drawn, and the draws of the mean."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from stabaudit.comparison.scoring.members import Member, independent
from stabaudit.metrics.pair_scores import Pair, PairScores, ScoreName

FloatArray = NDArray[np.float64]

FLOOR_PAIRS = 200  # pairs within a run, or between two, over which floors are averaged; their error is then small


def floor_groups(members: Sequence[Member]) -> list[list[Pair]]:
    """Pairs to draw floors for: within each group and between each two all that are scored, or some 200.

    Those some are spread evenly: every restart with its next, its next but one, and so on, in a circle, and in this order.

    >>> floor_groups([Member("a", (0, 1, 2), (0, 1, 2)), Member("b", (3,), (None,))])
    [[(0, 1), (1, 2), (0, 2)], [], [(0, 3), (1, 3), (2, 3)]]
    """
    within = [_some(_circles(one.positions, one.positions), set(combinations(one.positions, 2))) for one in members]
    return within + [_some(_circles(a.positions, b.positions), set(independent(a, b))) for a, b in combinations(members, 2)]


def floor_pairs(members: Sequence[Member]) -> set[Pair]:
    """The same pairs, of all groups together."""
    return {pair for group in floor_groups(members) for pair in group}


def _some(circles: Iterable[list[Pair]], allowed: set[Pair]) -> list[Pair]:
    """Pairs of as many circles as it takes, each once."""
    found: dict[Pair, None] = {}
    for circle in circles:
        if len(found) >= FLOOR_PAIRS:
            break
        found |= dict.fromkeys(pair for pair in circle if pair in allowed)
    return list(found)


def _circles(a: Sequence[int], b: Sequence[int]) -> Iterator[list[Pair]]:
    """Every position of the longer with the one so many places on in the other, in ascending order within a pair."""
    longest = max(len(a), len(b))
    for step in range(1, longest + 1):
        pairs = ((a[i % len(a)], b[(i + step) % len(b)]) for i in range(longest))
        yield [(min(pair), max(pair)) for pair in pairs]


@dataclass(frozen=True)
class Floors:
    """Draws of the mean over pairs by chance, shape (K,); None where a floor does not apply or was not drawn."""

    independence: FloatArray | None
    rotation: FloatArray | None

    @classmethod
    def of(cls, pairs: Iterable[PairScores], names: Sequence[ScoreName]) -> "Floors":
        """Average each draw over the pairs that have a part in it (and over several names); draws of other pairs are left out."""
        chosen = list(pairs)

        def mean_of(draws: Callable[[PairScores], dict[ScoreName, FloatArray]]) -> FloatArray | None:
            found = np.array([draws(pair)[name] for pair in chosen for name in names if name in draws(pair)])
            if not found.size:
                return None
            drawn = ~np.isnan(found)
            counts = drawn.sum(axis=0)
            mean: FloatArray = np.where(drawn, found, 0.0).sum(axis=0)[counts > 0] / counts[counts > 0]
            return mean

        return cls(mean_of(lambda pair: pair.independence), mean_of(lambda pair: pair.rotation))

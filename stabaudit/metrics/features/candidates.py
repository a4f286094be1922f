"""The c most similar features of the other dictionary, for every feature of either: all that a matching needs to be chosen from.

The c largest of a line are those above the c-th largest of a part of it, of which there are few; so most entries are compared
once and never sorted.
"""

from dataclasses import dataclass

import numpy as np

from stabaudit.defaults import CANDIDATES
from stabaudit.metrics.features.columns import Array
from stabaudit.metrics.features.tiles import Tiles


@dataclass(frozen=True)
class Candidates:
    """Pairs of features that may be matched, sorted by feature of a, then of b.

    Args:
        shape: (d_a, d_b).
        of_a, of_b: both features of each pair, shape (e,).
        strength: their |similarity|, or (1 + similarity)/2 where signs count, shape (e,).
        limit_a: for each feature of a, what no strength exceeds that is not among them, shape (d_a,).
        limit_b: the same for each feature of b, shape (d_b,).
    """

    shape: tuple[int, int]
    of_a: Array
    of_b: Array
    strength: Array
    limit_a: Array
    limit_b: Array

    def best_of_a(self) -> tuple[Array, Array]:
        """For each feature of a its most similar one of b, and how similar it is, shapes (d_a,)."""
        return _best(self.of_a, self.of_b, self.strength, self.shape[0])

    def best_of_b(self) -> tuple[Array, Array]:
        """For each feature of b its most similar one of a, and how similar it is, shapes (d_b,)."""
        return _best(self.of_b, self.of_a, self.strength, self.shape[1])

    def flipped(self) -> "Candidates":
        """The same with a and b exchanged."""
        order = np.lexsort((self.of_a, self.of_b))
        return Candidates(self.shape[::-1], self.of_b[order], self.of_a[order], self.strength[order], self.limit_b, self.limit_a)

    def also(self, of_a: Array, of_b: Array, strength: Array) -> "Candidates":
        """With further pairs; those that are known already change nothing."""
        of_a, of_b, strength = (
            np.concatenate(both) for both in ((self.of_a, of_a), (self.of_b, of_b), (self.strength, strength))
        )
        _, first = np.unique(of_a * self.shape[1] + of_b, return_index=True)
        return Candidates(self.shape, of_a[first], of_b[first], strength[first], self.limit_a, self.limit_b)


def candidates(tiles: Tiles, count: int = CANDIDATES) -> Candidates:
    """The pairs that are among the `count` most similar of either of their features."""
    d_a, d_b = tiles.shape
    threshold = np.full(d_b, -1.0, dtype=np.float32)
    columns = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
    rows: list[tuple[Array, Array, Array]] = []

    def pick(of_a: Array, strength: Array) -> tuple[tuple[Array, Array, Array], tuple[Array, Array, Array]]:
        i, j, found = _above(strength, _part_threshold(strength, count)[:, None])
        i, j, found = _largest(i, j, found, count)
        least = np.maximum(threshold, _part_threshold(strength.T, count)) if len(rows) == 0 else threshold
        k, m, value = _above(strength, least)
        return (of_a[i], j, found), (m, of_a[k], value)

    for results in tiles.over_blocks(pick):
        rows += [own for own, _ in results]
        line, other, value = (np.concatenate(part) for part in zip(columns, *(own for _, own in results), strict=True))
        columns = _largest(line, other, value, count)
        held = np.bincount(columns[0], minlength=d_b)
        full = held == count
        starts = np.concatenate([[0], np.cumsum(held)])[:-1]
        threshold[full] = columns[2][(starts + held - 1)[full]]
    row = tuple(np.concatenate(part) for part in zip(*rows, strict=True))
    of_a, of_b = np.concatenate([row[0], columns[1]]), np.concatenate([row[1], columns[0]])
    _, first = np.unique(of_a * d_b + of_b, return_index=True)
    strength = np.concatenate([row[2], columns[2]]).astype(np.float64)
    return Candidates(
        (d_a, d_b),
        of_a[first],
        of_b[first],
        strength[first],
        _limit(row[0], row[2], d_a, count if count < d_b else None),
        _limit(columns[0], columns[2], d_b, count if count < d_a else None),
    )


def _part_threshold(strength: Array, count: int) -> Array:
    """For each line a number that at least `count` of its entries reach, shape (lines,); −1 where it has no more than that."""
    width = strength.shape[1]
    step = max(1, min(8, width // (4 * count)))
    part = strength[:, ::step]
    if part.shape[1] <= count:
        return np.full(len(strength), -1.0, dtype=np.float32)
    found: Array = np.partition(part, part.shape[1] - count, axis=1)[:, part.shape[1] - count]
    return found


def _above(strength: Array, threshold: Array) -> tuple[Array, Array, Array]:
    place = np.flatnonzero(strength >= threshold)
    i, j = np.divmod(place, strength.shape[1])
    return i, j, strength[i, j]


def _largest(line: Array, other: Array, value: Array, count: int) -> tuple[Array, Array, Array]:
    """The `count` largest of every line, the largest first, lines in order; of equal ones those with the lower `other`."""
    order = np.lexsort((other, -value, line))
    line, other, value = line[order], other[order], value[order]
    begins = np.flatnonzero(np.diff(line, prepend=-1))
    rank = np.arange(len(line)) - np.repeat(begins, np.diff(begins, append=len(line)))
    kept = rank < count
    return line[kept], other[kept], value[kept]


def _limit(line: Array, value: Array, lines: int, count: int | None) -> Array:
    """The smallest value kept of each line; 0 where all were."""
    if count is None:
        return np.zeros(lines)
    least = np.full(lines, np.inf)
    np.minimum.at(least, line, value)
    return np.where(np.isfinite(least), least, 0.0)


def _best(line: Array, other: Array, value: Array, lines: int) -> tuple[Array, Array]:
    order = np.lexsort((other, -value, line))
    _, first = np.unique(line[order], return_index=True)
    best = order[first]
    found, strength = np.zeros(lines, dtype=np.int64), np.zeros(lines)
    found[line[best]], strength[line[best]] = other[best], value[best]
    return found, strength

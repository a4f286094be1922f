"""Similarities of all features of one dictionary with all of another, a block of rows of that matrix at a time.

65,536 × 65,536 similarities take 17 GB, a block of them as little as is asked for. Sparse columns are multiplied as such where
that is quicker: a scattered multiplication takes about as long as 250 of a dense product, so up to a product of densities of
1/250.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from stabaudit.errors import UsageError
from stabaudit.metrics.features.columns import LARGE_OFFSETS, Array, Columns, SparseColumns, count_of
from stabaudit.metrics.threads import in_parallel

Result = TypeVar("Result")

IN_FLIGHT = 4  # blocks at a time, on as many threads at most
MOST_ROWS = 1024  # of a block; larger ones are no faster
BYTES_PER_ENTRY = 28  # of a block: sparse and dense product, a mask, and what is picked from them
SCATTERED = 1 / 250


@dataclass(frozen=True)
class Tiles:
    """Two dictionaries on the same rows, and how much memory their similarities may take.

    Args:
        a: features of the one, d_a.
        b: features of the other, d_b.
        memory: bytes, beside a and b.
        signed: whether −1 is the least similar rather than as similar as 1. Strength, in [0, 1], then is (1 + similarity)/2.
    """

    a: Columns
    b: Columns
    memory: int
    signed: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """(d_a, d_b)."""
        return count_of(self.a), count_of(self.b)

    @cached_property
    def height(self) -> int:
        """Rows of a block.

        Raises:
            UsageError: less memory than a row needs.
        """
        per_row = IN_FLIGHT * BYTES_PER_ENTRY * self.shape[1]
        if self.memory // 2 < per_row:
            raise UsageError(f"--memory {self.memory}: {self.shape[1]:,} features need {2 * per_row // 10**6 + 1} MB; raise it")
        return int(min(MOST_ROWS, self.memory // 2 // per_row))

    def over_blocks(self, work: Callable[[Array, Array], Result], of_a: Array | None = None) -> Iterator[list[Result]]:
        """What `work` makes of every block: of the features of a that it is of, and their strength with all of b.

        Args:
            work: of positions, shape (t,), and single-precision strengths, shape (t, d_b), which it may overwrite.
            of_a: features of a; None: all.

        Yields:
            Results of a few blocks at a time, in the order of the blocks.
        """
        every = np.arange(self.shape[0]) if of_a is None else of_a
        blocks = [every[start : start + self.height] for start in range(0, len(every), self.height)]
        for start in range(0, len(blocks), IN_FLIGHT):
            yield in_parallel(lambda block: work(block, self._strength(block)), blocks[start : start + IN_FLIGHT])

    def _strength(self, of_a: Array) -> Array:
        found = self._scattered(of_a) if self._is_scattered else self._multiplied(of_a)
        if self.signed:
            found += np.float32(1.0)
            found *= np.float32(0.5)
            return np.clip(found, np.float32(0.0), np.float32(1.0), out=found)
        np.abs(found, out=found)
        return np.minimum(found, np.float32(1.0), out=found)

    @cached_property
    def _is_scattered(self) -> bool:
        sparse = isinstance(self.a, SparseColumns) and isinstance(self.b, SparseColumns)
        return sparse and self.a.density * self.b.density <= SCATTERED

    @cached_property
    def _sides(self) -> tuple[SparseColumns, SparseColumns, type]:
        a, b = self.a, self.b
        if not (isinstance(a, SparseColumns) and isinstance(b, SparseColumns)):
            raise TypeError
        blurred = np.abs(a.offset).max(initial=0.0) * np.abs(b.offset).max(initial=0.0) > LARGE_OFFSETS
        return a, b, np.float64 if blurred else np.float32

    @cached_property
    def _transposed(self) -> tuple[object, object]:
        a, b, precision = self._sides
        return a.scaled.T.astype(precision), b.by_row.astype(precision)

    def _scattered(self, of_a: Array) -> Array:
        a, b, precision = self._sides
        left, right = self._transposed
        found = (left[of_a] @ right).toarray()  # type: ignore[index]
        found -= np.multiply.outer(a.offset[of_a].astype(precision), b.offset.astype(precision))
        narrowed: Array = found.astype(np.float32, copy=False)
        return narrowed

    @cached_property
    def _rows_together(self) -> int:
        """Rows of a and b that are standardised at a time."""
        width = self.shape[1] + self.height
        return int(max(1, min(len(self.a.rows), self.memory // 4 // (IN_FLIGHT * 20 * width))))

    @cached_property
    def _kept(self) -> Array | None:
        """All of b, standardised, where that takes a quarter of the memory or less."""
        n = len(self.b.rows)
        if 12 * n * self.shape[1] > self.memory // 4:
            return None
        return self.b.standardised(slice(0, n), slice(None))

    def _multiplied(self, of_a: Array) -> Array:
        found = np.zeros((len(of_a), self.shape[1]), dtype=np.float32)
        n, kept = len(self.a.rows), self._kept
        step = n if kept is not None else self._rows_together
        for start in range(0, n, max(step, 1)):
            rows = slice(start, start + step)
            right = self.b.standardised(rows, slice(None)) if kept is None else kept
            found += self.a.standardised(rows, of_a).T @ right
        return found

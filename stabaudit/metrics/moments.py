"""Means and covariances of all restarts side by side: everything that the scores need to know of the rows.

The restarts' dimensions are stacked, D = Σ d_r columns, so that one matrix product YᵀY per chunk of rows gives the covariances
within every restart and between every two. Strong and weak MCC, affine R² and the rotation floor follow from these moments alone;
memory is that of one chunk and one D × D matrix, whatever the number of rows.

Rows are shifted by the mean of the first chunk before they are multiplied. The mean left after the shift is at most that between
chunks, which the variance itself contains, so Σyyᵀ − n·ȳȳᵀ loses no more digits than the number of chunks has. A constant column
becomes exactly zero. Arithmetic is in float64.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stabaudit.metrics.results import Array

CHUNK_ROWS = 4096


@dataclass(frozen=True)
class Moments:
    """Moments of n rows of the stacked dimensions.

    Args:
        n: number of rows.
        mean: shape (D,).
        covariance: shape (D, D), sums divided by n.
    """

    n: int
    mean: Array
    covariance: Array


class MomentSums:
    """Running sums over chunks of rows.

    Example:
        >>> sums = MomentSums()
        >>> sums.add(np.array([[0.0], [2.0]]))
        >>> sums.add(np.array([[4.0]]))
        >>> sums.moments().mean, sums.moments().covariance.round(3)
        (array([2.]), array([[2.667]]))
    """

    def __init__(self) -> None:
        self._n = 0

    def add(self, rows: Array) -> None:
        """Take in a chunk of rows, shape (m, D), finite."""
        if self._n == 0 and len(rows):
            # Relative to the first row, so that the mean of a constant column is that constant to the last bit.
            self._shift = rows[0] + (rows - rows[0]).mean(axis=0)
            self._sum = np.zeros(rows.shape[1])
            self._products = np.zeros((rows.shape[1], rows.shape[1]))
        shifted = rows - self._shift
        self._n += len(rows)
        self._sum += shifted.sum(axis=0)
        self._products += shifted.T @ shifted

    def moments(self) -> Moments:
        """Moments of all rows so far, of which there must be at least one."""
        left = self._sum / self._n
        return Moments(self._n, self._shift + left, self._products / self._n - np.outer(left, left))


def stacked_chunks(latents: Sequence[Array], rows: Array) -> Iterator[Array]:
    """The given rows of all latents side by side, in float64, a chunk at a time.

    Args:
        latents: one array per restart, shapes (n, d_r).
        rows: row numbers, shape (m,).
    """
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = rows[start : start + CHUNK_ROWS]
        yield np.concatenate([z[chunk] for z in latents], axis=1, dtype=np.float64)


def moments_of(latents: Sequence[Array], rows: Array) -> Moments:
    """Moments of the given rows of all latents stacked; arguments as of `stacked_chunks`."""
    sums = MomentSums()
    for chunk in stacked_chunks(latents, rows):
        sums.add(chunk)
    return sums.moments()

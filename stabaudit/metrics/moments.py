"""Means and covariances of all restarts side by side: everything that the scores need from the rows.

The restarts' dimensions are stacked, D = Σ d_r columns, so that one symmetric product YᵀY per chunk of rows gives the covariances
within every restart and between every two. Strong and weak MCC, affine R² and the rotation floor follow from these moments alone;
memory is that of one chunk and one D × D matrix, whatever the number of rows.

Rows are shifted by the mean of the first chunk before they are multiplied. The mean left after the shift is at most that between
chunks, which the variance itself contains, so Σyyᵀ − n·ȳȳᵀ loses no more digits than the number of chunks has. A constant column
becomes exactly zero. Arithmetic is in float64.

Only one triangle is summed, panel by panel, and the panels are dealt out to one thread each: as fast as the library's own
threads on an idle machine, where those lost two thirds of their time waiting for each other on a busy one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.threads import in_parallel

_CHUNK = 2**21  # numbers in a chunk, 16 MB of float64
_PANEL = 128  # columns of a panel


def chunk_rows(width: int) -> int:
    """Rows multiplied at a time: a chunk's worth, but never so few that a product waits for memory."""
    return max(1024, _CHUNK // width)


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

    Args:
        sizes: dimensions of each restart.

    Example:
        >>> sums = MomentSums([1, 1])
        >>> sums.add([np.array([[0.0], [2.0]]), np.array([[1.0], [1.0]])])
        >>> sums.add([np.array([[4.0]]), np.array([[1.0]])])
        >>> moments = sums.moments()
        >>> print(moments.mean, moments.covariance.round(3).tolist())
        [2. 1.] [[2.667, 0.0], [0.0, 0.0]]
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._blocks = [slice(*ends) for ends in pairwise(accumulate(sizes, initial=0))]
        width = sum(sizes)
        self._n = 0
        self._shift = np.zeros(width)
        self._sum = np.zeros(width)
        self._products = np.zeros((width, width))  # the upper triangle
        self._panels = [slice(start, min(start + _PANEL, width)) for start in range(0, width, _PANEL)]
        self._chunk = np.empty((chunk_rows(width), width))

    def add(self, latents: Sequence[Array], rows: Array | None = None) -> None:
        """Take in rows of all restarts.

        Args:
            latents: one array per restart, shapes (m, d_r), finite, of any type of number.
            rows: numbers of the rows to take in; None for all.
        """
        count = len(latents[0]) if rows is None else len(rows)
        for start in range(0, count, len(self._chunk)):
            part = slice(start, start + len(self._chunk))
            self._add(latents, part if rows is None else rows[part], min(len(self._chunk), count - start))

    def _add(self, latents: Sequence[Array], rows: slice | Array, count: int) -> None:
        chunk, first, ones = self._chunk[:count], self._n == 0, np.ones(count)

        def shifted(restart: int) -> None:
            # Shifted and summed side by side in memory, by a product with ones, before they go between other restarts' columns.
            block, own = self._blocks[restart], latents[restart][rows].astype(np.float64)
            if first:
                # Relative to the first row, so that the mean of a constant column is that constant to the last bit.
                self._shift[block] = own[0] + ones @ (own - own[0]) / count
            own -= self._shift[block]
            self._sum[block] += ones @ own
            chunk[:, block] = own

        def multiply(panel: slice) -> None:
            own = chunk[:, panel]
            self._products[panel, panel] += own.T @ own  # which numpy knows to be symmetric
            self._products[panel, panel.stop :] += own.T @ chunk[:, panel.stop :]

        in_parallel(shifted, range(len(latents)))
        in_parallel(multiply, self._panels, "panels of moments")
        self._n += count

    def moments(self) -> Moments:
        """Moments of all rows, of which there must be at least one; the sums end here, their memory is that of the moments."""
        left, covariance = self._sum / self._n, self._products
        for panel in self._panels:
            beyond = slice(panel.start, None)
            covariance[panel, beyond] /= self._n
            covariance[panel, beyond] -= left[panel, None] * left[beyond]
            covariance[beyond, panel] = covariance[panel, beyond].T
        return Moments(self._n, self._shift + left, covariance)


def moments_of(latents: Sequence[Array], rows: Array) -> Moments:
    """Moments of some rows of all latents stacked.

    Args:
        latents: one array per restart, shapes (n, d_r).
        rows: row numbers, shape (m,), at least one.
    """
    sums = MomentSums([z.shape[1] for z in latents])
    sums.add(latents, rows)
    return sums.moments()

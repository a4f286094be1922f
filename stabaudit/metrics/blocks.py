"""Blocks: dimensions of a run that share a subspace, because their information goes to the same dimensions of other restarts.

The profile of dimension k says how much of its information other restarts hold in their members of l = 1 … d. Two dimensions
belong together where the cosine between their profiles exceeds 0.05: it is 0.6 or more within a plane or subspace turned at
random, 0.1 in a plane turned by up to 15°, 0 between subspaces. Blocks are the connected components. Entries of a profile within
four standard errors of 0 count as 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components

from stabaudit.metrics.pair_scores import Array

_LEAST_COSINE = 0.05
_STANDARD_ERRORS = 4.0


@dataclass(frozen=True)
class Block:
    """Dimensions that share a subspace.

    Args:
        dimensions: of the central restart, ascending.
        information: what the restarts share of it, in dimensions: the sum of squared correlations over independent directions,
            in [0, size]. A direction that several dimensions repeat counts once.
    """

    dimensions: tuple[int, ...]
    information: float

    @property
    def size(self) -> int:
        """Number of dimensions."""
        return len(self.dimensions)


def blocks_of(profile: Array, own: Array, noise: float, together: Sequence[int], alone: Sequence[int]) -> tuple[Block, ...]:
    """Group dimensions into blocks.

    Args:
        profile: information about k in l, shape (d, d).
        own: information about k in all dimensions, shape (d,).
        noise: standard error of an entry of `profile`.
        together: dimensions to group.
        alone: dimensions that are blocks by themselves.

    Returns:
        Ordered by their first dimension.

    Example:
        >>> profile = np.array([[0.5, 0.4, 0.0], [0.4, 0.5, 0.0], [0.0, 0.0, 0.9]])
        >>> [block.dimensions for block in blocks_of(profile, profile.sum(axis=1), 0.001, [0, 1], [2])]
        [(0, 1), (2,)]
    """
    chosen = np.asarray(together, dtype=int)
    found = [(k,) for k in alone]
    if len(chosen):
        entries = profile[np.ix_(chosen, chosen)]
        entries = np.where(entries > _STANDARD_ERRORS * noise, entries, 0.0)
        length = np.linalg.norm(entries, axis=1, keepdims=True)
        directions = np.divide(entries, length, out=np.zeros_like(entries), where=length > 0)
        _, labels = connected_components(directions @ directions.T > _LEAST_COSINE, directed=False)
        found += [tuple(chosen[labels == label].tolist()) for label in range(labels.max() + 1)]
    return tuple(Block(block, float(own[list(block)].sum().clip(0.0, len(block)))) for block in sorted(found))

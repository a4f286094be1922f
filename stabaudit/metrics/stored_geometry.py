"""Agreement of the distances between rows that decoders measure (Syrota et al. 2025, arXiv:2502.13757).

Coordinates of latents are not identifiable, yet lengths of curves in data space are: two models of the same data, however their
latents are bent, have the same geodesic distances between the same rows under the metrics that their decoders pull back. Training
keeps such distances of fixed pairs of rows (`train --geometry`); here those of two restarts are correlated, and beside them the
Euclidean distances of the same latents, which may change with coordinates. That distances are correlated over pairs of rows is
our definition: such a score has a floor and does not change with the unit of a restart.
"""

from dataclasses import replace

import numpy as np

from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import Measure

_CONSTANT = 1e-6  # spread of distances relative to their size, below which float32 does not tell them apart


def varies(distances: Array) -> bool:
    """Whether distances, shape (pairs,), differ by more than rounding.

    >>> varies(np.array([1.0, 2.0])), varies(np.array([2.0, 2.0]))
    (True, False)
    """
    return bool(np.ptp(distances) > _CONSTANT * np.abs(distances).max())


def distance_agreement(a: Array, b: Array) -> float:
    """Pearson correlation of the distances of the same pairs of rows in two restarts, in [−1, 1]; 0 where one is constant.

    Args:
        a: distances in the first, shape (pairs,), finite.
        b: in the second.

    >>> distance_agreement(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 30.0]))
    1.0
    """
    if not (varies(a) and varies(b)):
        return 0.0
    x, y = (_standard(side.astype(np.float64)) for side in (a, b))
    return float(np.clip(x @ y, -1.0, 1.0))


def _standard(distances: Array) -> Array:
    """Centred, of length 1; divided by the largest first, so that no square leaves the range of numbers."""
    scaled = distances / np.abs(distances).max()
    centred = scaled - scaled.mean()
    standard: Array = centred / np.linalg.norm(centred)
    return standard


GEODESIC = Measure(
    name="geodesic_correlation",
    label="geodesic distances",
    meaning="are the same rows far apart as decoders measure it? correlation of shortest lengths in data space",
    low=-1.0,
    high=1.0,
    reference="lengths of curves: Syrota et al. 2025, arXiv:2502.13757; their correlation is our definition",
    floors=("independence",),
    needs="model",
    of_sources=False,
    option="train --geometry",
    cost="200 curves for each restart, when it has been trained",
)
EUCLIDEAN = replace(
    GEODESIC,
    name="euclidean_correlation",
    label="Euclidean distances",
    meaning="correlation of the straight latent distances between those rows, to hold geodesic ones against",
    reference="compared by Syrota et al. 2025, arXiv:2502.13757; their correlation is our definition",
)

"""What scores of features would be by chance: the other dictionary is replaced by one that has nothing to do with the first.

Of activations, by the same columns with their rows shuffled, which keeps how often and how strongly every feature fires. Of
decoder weights, by as many random directions (Haar): columns of standard normal numbers divided by their length.
"""

import numpy as np

from stabaudit.metrics.features.columns import DenseColumns

ENOUGH = 4096  # features of all draws together, from which on means over them are known well


def draws_needed(features: int, most: int) -> int:
    """How many draws of the floor are made: several of few features, one of many.

    >>> draws_needed(16_384, 20), draws_needed(100, 20), draws_needed(1000, 20)
    (1, 20, 5)
    """
    return max(1, min(most, -(-ENOUGH // max(features, 1))))


def random_directions(count: int, dimensions: int, rng: np.random.Generator) -> DenseColumns:
    """Directions that are uniform on the sphere, as columns."""
    return DenseColumns.of_directions(rng.standard_normal((count, dimensions), dtype=np.float32), "random directions")

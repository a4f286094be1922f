"""What scoring a pair of latents gives."""

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Metric = Literal["strong_mcc", "decorrelated_strong_mcc", "weak_mcc", "affine_r2", "affine_r2_reverse"]
Sample = Literal["in", "out"]
Pair = tuple[int, int]  # positions of two latents


class ScoreName(NamedTuple):
    """A score is named by its metric, by k (canonical pairs averaged by `weak_mcc`; None: all dimensions) and by the sample.

    Sample "in" is the half that the matching, directions or map were estimated on (*fit*), "out" the other (*score*).
    """

    metric: Metric
    k: int | None
    sample: Sample


@dataclass(frozen=True)
class PairScores:
    """Every score of one pair (a, b).

    Args:
        a: position of the first latents.
        b: position of the second latents.
        values: the scores; MCCs in [0, 1], R² in (−∞, 1].
        independence: K draws of each score had a and b been unrelated, everything refitted, shape (K,) each; empty where this
            pair's floor was not asked for.
        rotation: K draws of either strong MCC with one of the two whitened and turned by a Haar-random rotation, shape (K,) each.
        matching: dimensions of a and of b that were matched on *fit*, shape (m, 2), in descending order of |correlation| there.
        matched_in: |correlation| of the matched dimensions on *fit*, shape (m,), descending.
        matched_out: |correlation| of the same dimensions on *score*, shape (m,), in the order of `matching`.
        canonical_in: canonical correlations on *fit*, shape (rank,), descending; none for a grid, whose positions have their own.
        canonical_out: |correlation| of the same canonical pairs on *score*, shape (rank,), in the same order.
    """

    a: int
    b: int
    values: dict[ScoreName, float]
    independence: dict[ScoreName, Array]
    rotation: dict[ScoreName, Array]
    matching: Array
    matched_in: Array
    matched_out: Array
    canonical_in: Array = field(default_factory=lambda: np.empty(0))
    canonical_out: Array = field(default_factory=lambda: np.empty(0))

    def curve(self, sample: Sample) -> Array:
        """Cumulative MCC curve (Willetts 2021, Figs 2–4): running mean of matched correlations, descending, shape (m,)."""
        return _running_mean(np.sort(self.matched_in if sample == "in" else self.matched_out)[::-1])

    def weak_curve(self, sample: Sample) -> Array:
        """Cumulative weak MCC (Willetts 2021, Figs C.3–C.5), shape (rank,): position k holds weak MCC@(k+1)."""
        return _running_mean(self.canonical_in if sample == "in" else self.canonical_out)


def _running_mean(values: Array) -> Array:
    running: Array = np.cumsum(values) / np.arange(1, len(values) + 1)
    return running


@dataclass(frozen=True)
class Scored:
    """Every pair that was asked for, and what was noticed on the way.

    Args:
        pairs: in the order asked for.
        dead: the dimensions of each latents that do not vary on *fit*, by position; those of true sources come last.
        warnings: one line each.
    """

    pairs: tuple[PairScores, ...]
    dead: tuple[tuple[int, ...], ...]
    warnings: tuple[str, ...]

"""What scoring pairs of latents gives."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from stabaudit.metrics.scores import Parts

Array = NDArray[Any]
Sample = Literal["in", "out"]
Pair = tuple[int, int]  # positions of two latents

DEFAULT_K = 20  # canonical pairs averaged in both papers (Khemakhem et al. 2020; Willetts and Paige 2021)


class ScoreName(NamedTuple):
    """A score is named by its measure, by k (parts averaged by a counted one; None: all) and by the sample.

    Sample "in" is the half that the matching, directions or map were estimated on (*fit*), "out" the other (*score*).
    """

    metric: str
    k: int | None
    sample: Sample


@dataclass(frozen=True)
class PairScores:
    """Every score of one pair (a, b).

    Args:
        a: position of the first latents.
        b: position of the second latents.
        values: the scores.
        independence: K draws of each score had a and b been unrelated, everything refitted, shape (K,) each, NaN for draws that
            are of other pairs; empty where this pair's floor was not asked for.
        rotation: K draws of each score that has this floor, one of the two whitened and turned by a Haar-random rotation,
            shape (K,) each, NaN for draws that are of other pairs.
        parts: by score, what it is the mean of, where there is a curve of it.
    """

    a: int
    b: int
    values: dict[ScoreName, float]
    independence: dict[ScoreName, Array]
    rotation: dict[ScoreName, Array]
    parts: "dict[str, Parts]" = field(default_factory=dict)

    def curve(self, metric: str, sample: Sample) -> Array:
        """Cumulative curve: the running mean of a score's parts, shape (m,); its last point is the score over all of them.

        Parts that are matched dimensions are in descending order (Willetts 2021, Figs 2–4); canonical pairs keep their order on
        *fit*, so that position k holds the score of the first k + 1 (Figs C.3–C.5).
        """
        parts = self.parts[metric]
        values = parts.inside if sample == "in" else parts.outside
        ordered = values if parts.matching is None else np.sort(values)[::-1]
        running: Array = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
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

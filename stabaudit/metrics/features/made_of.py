"""Splitting and absorption: how many features of one dictionary does it take to make a feature of another?

Feature k of a is regressed on 1, 2 and 4 features of b that orthogonal matching pursuit picks, one after another, among its
most similar ones (Pati et al. 1993, doi:10.1109/ACSSC.1993.342465): each time the one that correlates most with what is left,
all coefficients anew.

    R²(p) = max(0, 1 − ‖x_k − x̂_k(p)‖² / ‖x_k − x̄_k‖²)

Of activations, features and coefficients are from *fit* and R² is on *score*. It is 0 where x̂ is worse than the mean: of
features that hardly fire on *score* the ratio has no bound, and their mean would say nothing. For the same reason R²(4) can lie
below R²(1): coefficients of features that fire in a few rows of *fit* carry little to others. Of decoder weights, R²(p) is the
squared length of w_k/‖w_k‖ in the span of p directions. A feature that b has split in two has R²(1) well below R²(2); one that
b lacks has R²(4) near its floor. Coefficients may be negative.
"""

from dataclasses import dataclass

import numpy as np

from stabaudit.metrics.features.candidates import Candidates
from stabaudit.metrics.features.columns import Array, Columns, count_of, crossed

PARTS = (1, 2, 4)
SAMPLED = 256  # features of a, drawn at random
AT_ONCE = 1024  # features of b, all similarities of which are found together
MADE = 0.8  # R² from which on a feature counts as made of others


@dataclass(frozen=True)
class Sides:
    """Two dictionaries on *fit* and on *score*, the same columns each time; of decoder weights both are the same."""

    a_fit: Columns
    b_fit: Columns
    a_score: Columns
    b_score: Columns

    def flipped(self) -> "Sides":
        """A and b exchanged."""
        return Sides(self.b_fit, self.a_fit, self.b_score, self.a_score)


def explained(sides: Sides, known: Candidates, of_a: Array) -> Array:
    """R² of features of a from 1, 2 and 4 features of b.

    Args:
        sides: both dictionaries.
        known: candidates, among which those of each feature of a are looked at.
        of_a: which features of a, shape (s,).

    Returns:
        Shape (s', 3), each in [0, 1], of those that vary on both.
    """
    of_a = of_a[sides.a_fit.varies[of_a] & sides.a_score.varies[of_a]]
    fit, score = (_Products.of(a, b, of_a) for a, b in ((sides.a_fit, sides.b_fit), (sides.a_score, sides.b_score)))
    starts = np.searchsorted(known.of_a, np.arange(known.shape[0] + 1))
    found = np.empty((len(of_a), len(PARTS)))
    for place, k in enumerate(of_a):
        others = known.of_b[starts[k] : starts[k + 1]]
        for position, (chosen, weights) in enumerate(_pursued(*fit.among(place, others))):
            held = others[chosen]
            gram, target = score.among(place, held)
            shift, scaled = _carried(sides, int(k), held, weights)
            found[place, position] = max(0.0, 2 * scaled @ target - scaled @ gram @ scaled - shift)
    return found


@dataclass(frozen=True)
class _Products:
    """Similarities of features of b with each other and with some of a: all of them at once where b is small."""

    a: Columns
    b: Columns
    of_a: Array
    every: tuple[Array, Array] | None

    @classmethod
    def of(cls, a: Columns, b: Columns, of_a: Array) -> "_Products":
        whole = np.arange(count_of(b))
        if len(whole) > AT_ONCE:
            return cls(a, b, of_a, None)
        return cls(a, b, of_a, (crossed(b, whole, b, whole), crossed(a, of_a, b, whole)))

    def among(self, place: int, others: Array) -> tuple[Array, Array]:
        """Those of some features of b with each other, shape (m, m), and with a's feature at `place`, shape (m,)."""
        if self.every is not None:
            gram, target = self.every
            return gram[np.ix_(others, others)], target[place, others]
        return crossed(self.b, others, self.b, others), crossed(self.a, self.of_a[[place]], self.b, others)[0]


def _pursued(gram: Array, target: Array) -> list[tuple[Array, Array]]:
    """Features and coefficients after 1, 2 and 4 steps; after fewer where no other feature adds anything."""
    chosen: list[int] = []
    weights = np.empty(0)
    found = []
    for step in range(1, max(PARTS) + 1):
        left = target - gram[:, chosen] @ weights
        left[chosen] = 0.0
        # What a feature can add is relative to what of it is not yet spanned; one that is spanned adds nothing.
        if len(chosen) < len(target) and np.abs(left).max() > 1e-9:
            wanted = [*chosen, int(np.abs(left).argmax())]
            chosen = wanted
            weights = np.linalg.lstsq(gram[np.ix_(chosen, chosen)], target[chosen], rcond=1e-8)[0]
        if step in PARTS:
            found.append((np.array(chosen, dtype=np.int64), weights))
    return found


def _carried(sides: Sides, k: int, others: Array, weights: Array) -> tuple[float, Array]:
    """What was fitted on *fit* in units of *score*: the loss of R² to the shift of means, and coefficients, shape (m,)."""
    a_fit, b_fit, a, b = sides.a_fit, sides.b_fit, sides.a_score, sides.b_score
    raw = weights * a_fit.length[k] / b_fit.length[others]  # in the units of the values
    shift = (a.mean[k] - a_fit.mean[k] - raw @ (b.mean[others] - b_fit.mean[others])) / a.length[k]
    return float(len(a.rows) * shift**2), raw * b.length[others] / a.length[k]

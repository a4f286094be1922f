"""Strong MCC: are the axes the same, up to order, sign and scale? (Khemakhem et al. 2020; Willetts and Paige 2021).

With C_kl = corr(a_k, b_l), the dimensions are matched and the correlations averaged:

    π = argmax_π Σ_k |C_kπ(k)|  (Hungarian algorithm),      strong = mean_k |C_kπ(k)|.

The matching is estimated on *fit*; in-sample scores are its own. Out-of-sample the same dimensions are correlated on *score*,
with no new assignment. Dead dimensions correlate 0 and stay in the mean.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from stabaudit.metrics.checks import require_equal_dimensions, require_scorable
from stabaudit.metrics.halves import Cross, Halves, Marginal, correlation
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.ranks import Correlation, ranked
from stabaudit.metrics.scores import AXES, Measure, Parts


def strong_mcc(
    a: Array, b: Array, fit: Array | None = None, *, correlation: Correlation = "pearson", allow_unequal: bool = False
) -> float:
    """Strong MCC of one pair: agreement up to order, sign, scale and offset of the dimensions.

    Args:
        a: first latents, shape (n, d_a).
        b: second latents, shape (n, d_b), of the same rows.
        fit: True for the rows to match dimensions on, shape (n,); the others are scored (out-of-sample). None: all rows do both.
        correlation: "pearson", or "spearman" for correlations of ranks.
        allow_unequal: match min(d_a, d_b) dimensions instead of refusing d_a ≠ d_b.

    Returns:
        Mean |correlation| of the matched dimensions, in [0, 1].

    Raises:
        BadData: NaN or infinity, unequal rows or dimensions, or n ≤ d rows to fit on.

    Example:
        A permuted, rescaled, shifted, sign-flipped copy is the same representation; a rotated one is not.

        >>> import numpy as np
        >>> from stabaudit.metrics import strong_mcc
        >>> a = np.random.default_rng(0).standard_normal((1000, 3))
        >>> b = a[:, [2, 0, 1]] * [3.0, -0.1, 2.0] + 7.0
        >>> round(strong_mcc(a, b), 12)
        1.0
        >>> round(strong_mcc(a[:, :2], a[:, :2] @ [[1.0, -1.0], [1.0, 1.0]]), 2)
        0.71
    """
    require_scorable([a, b], ["a", "b"], fit)
    if not allow_unequal:
        require_equal_dimensions(a.shape[1], b.shape[1], "a and b")
    halves = Halves.of_rows([a, b], fit)
    if correlation == "spearman":
        halves = Halves.of_rows(ranked([a, b], fit, halves.marginals), fit)
    return float(matched(*halves.pair(0, 1)).outside.mean())


def matched(a: Marginal, b: Marginal, cross: Cross) -> Parts:
    """Match the dimensions of one pair, or of stacked ones: |correlation| of the matched dimensions."""
    return matched_by_variance(cross, a.variance_on_score, b.variance_on_score)


def matched_by_variance(cross: Cross, variance_a: Array, variance_b: Array) -> Parts:
    """The same where only the variances on *score* are known.

    Args:
        cross: cross-moments, shape (…, d_a, d_b).
        variance_a: variances of a on *score* in units of *fit*, shape (…, d_a).
        variance_b: the same of b, shape (…, d_b).
    """
    strength = np.abs(cross.fit)
    stack, shape = strength.shape[:-2], strength.shape[-2:]
    pairs = [linear_sum_assignment(one, maximize=True) for one in strength.reshape(-1, *shape)]
    matching = np.array(pairs).mT.reshape(*stack, min(shape), 2)
    order = np.argsort(-_entries(strength, matching), axis=-1, kind="stable")
    matching = np.take_along_axis(matching, order[..., None], axis=-2)
    of_a, of_b = (np.take_along_axis(own, matching[..., side], axis=-1) for side, own in enumerate((variance_a, variance_b)))
    outside = correlation(_entries(cross.score, matching), of_a, of_b)
    return Parts(_entries(strength, matching).clip(max=1.0), np.abs(outside), matching)


def _entries(matrices: Array, matching: Array) -> Array:
    """The entries of stacked matrices at (row, column) pairs of shape (…, m, 2)."""
    flat = matrices.reshape(*matrices.shape[:-2], -1)
    found: Array = np.take_along_axis(flat, matching[..., 0] * matrices.shape[-1] + matching[..., 1], axis=-1)
    return found


SCORE = Measure(
    name="strong_mcc",
    label="strong MCC",
    meaning="are the axes the same, up to order, sign and scale? mean |correlation| of matched dimensions",
    low=0.0,
    high=1.0,
    reference="Khemakhem et al. 2020, arXiv:1907.04809; Willetts and Paige 2021, arXiv:2106.05238",
    function=strong_mcc,
    from_moments=matched,
    question="axes",
    invariances=AXES,
    floors=("independence", "rotation"),
    needs="moments",
    default=True,
    headline=True,
    parts="best matched dimensions",
    cost="n d² + d³",
)

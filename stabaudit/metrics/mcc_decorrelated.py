"""Strong MCC of decorrelated dimensions: do axes agree beyond a direction that they share?

Where the dimensions of one restart share a direction, any dimension of a resembles any of b, and strong MCC is high whatever the
axes are. This is strong MCC after ZCA-cor whitening of either side on *fit* (Kessy et al. 2018): it removes such common
directions, and is still 1 for permuted, rescaled, shifted and sign-flipped copies.
"""

from stabaudit.metrics.checks import require_equal_dimensions, require_scorable
from stabaudit.metrics.halves import Cross, Halves, Marginal
from stabaudit.metrics.mcc_strong import matched_by_variance
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import AXES, Measure, Parts


def decorrelated_strong_mcc(a: Array, b: Array, fit: Array | None = None, *, allow_unequal: bool = False) -> float:
    """Strong MCC of one pair once the dimensions of either side are uncorrelated on *fit*; arguments as of `strong_mcc`.

    Returns:
        In [0, 1].

    Raises:
        BadData: NaN or infinity, unequal rows or dimensions, or n ≤ d rows to fit on.

    Example:
        One direction that all dimensions carry makes strong MCC high, and is taken out here.

        >>> import numpy as np
        >>> from stabaudit.metrics import decorrelated_strong_mcc, strong_mcc
        >>> rng = np.random.default_rng(0)
        >>> shared = 3 * rng.standard_normal((2000, 1))
        >>> a, b = (shared + rng.standard_normal((2000, 3)) for _ in range(2))
        >>> round(strong_mcc(a, b), 1), round(decorrelated_strong_mcc(a, b), 1)
        (0.9, 0.3)
    """
    require_scorable([a, b], ["a", "b"], fit)
    if not allow_unequal:
        require_equal_dimensions(a.shape[1], b.shape[1], "a and b")
    halves = Halves.of_rows([a, b], fit)
    return float(decorrelated_matched(*halves.pair(0, 1)).outside.mean())


def decorrelated_matched(a: Marginal, b: Marginal, cross: Cross) -> Parts:
    """|Correlation| of the matched dimensions of a pair, or of stacked ones, once either side is decorrelated."""
    apart = decorrelated(a, b, cross)
    return matched_by_variance(apart, a.decorrelated_variance_on_score, b.decorrelated_variance_on_score)


def decorrelated(a: Marginal, b: Marginal, cross: Cross) -> Cross:
    """Cross-moments of a and b, a pair or stacked ones, once the dimensions of either are made uncorrelated on *fit*."""
    left, right = a.decorrelation.mT, b.decorrelation
    return Cross(left @ cross.fit @ right, left @ cross.score @ right)


SCORE = Measure(
    name="decorrelated_strong_mcc",
    label="decorrelated",
    meaning="strong MCC once dimensions that share a direction within a restart are made uncorrelated",
    low=0.0,
    high=1.0,
    reference="ZCA-cor: Kessy, Lewin and Strimmer 2018, doi:10.1080/00031305.2016.1277159",
    function=decorrelated_strong_mcc,
    from_moments=decorrelated_matched,
    question="axes",
    invariances=AXES,
    floors=("independence", "rotation"),
    needs="moments",
    default=True,
    of_sources=False,
    cost="n d² + d³",
)

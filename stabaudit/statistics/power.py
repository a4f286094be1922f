"""How large a loss must be for a regression gate to find it.

The gate fails if the interval of d = new − baseline lies below −δ: (d + δ)/se < −t, with t the quantile of Student's distribution
with ν degrees of freedom. If the true difference is −L, (d + δ)/se has a noncentral t distribution with noncentrality
−(L − δ)/se, so the loss that is found with probability π is

    L = δ + λ·se,   where a noncentral t with noncentrality λ exceeds t with probability π.
"""

from scipy.special import nctdtrinc, stdtrit

from stabaudit.statistics.jackknife import Estimate


def detectable_loss(difference: Estimate, margin: float, *, power: float = 0.8, level: float = 0.95) -> float | None:
    """The true loss at which a regression gate fails with probability `power`.

    Args:
        difference: new − baseline, or that of two runs as the next ones are expected to be; only its se and df count.
        margin: δ ≥ 0 of the gate, in units of the score.
        power: in (0.5, 1).
        level: of the gate's interval.

    Returns:
        In units of the score, at least the margin; None where the difference has no standard error: no loss is then found.

    >>> round(detectable_loss(Estimate(0.0, None, 0.02, 8, 20), 0.02), 3)
    0.084
    """
    if difference.se is None:
        return None
    quantile = float(stdtrit(difference.df, 0.5 + level / 2))
    return margin + difference.se * float(nctdtrinc(difference.df, 1 - power, quantile))

"""Numbers and names as people read them. A mean never stands without its interval, nor a score without its floor."""

from stabaudit.comparison.records import Comparison
from stabaudit.metrics.scores import measure

NONE = "–"  # where there is no such number


def score_name(metric: str, k: int | None) -> str:
    """A score as it is called in tables.

    >>> score_name("weak_mcc", 20), score_name("weak_mcc", None), score_name("strong_mcc", None)
    ('weak MCC@20', 'weak MCC@all', 'strong MCC')
    """
    one = measure(metric)
    return f"{one.label}@{'all' if k is None else k}" if one.counted else one.label


def shared_k(comparison: Comparison, metric: str) -> int | None:
    """The k that heads a column of a score: None where no run has more dimensions than that, so that it averages all of them."""
    k = next((score.k for score in comparison.scores if score.metric == metric and score.k), None)
    return k if k is not None and any(run.latent_dim > k for run in comparison.runs) else None


def number(value: float | None, digits: int = 3) -> str:
    """A number with fixed decimals, or a dash.

    >>> number(0.62712), number(-0.0001), number(None)
    ('0.627', '0.000', '–')
    """
    if value is None:
        return NONE
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """Both limits in brackets, or words where there is no interval.

    >>> interval(0.6, 0.65), interval(None, None)
    ('[0.600, 0.650]', '[no interval]')
    """
    return "[no interval]" if low is None or high is None else f"[{number(low, digits)}, {number(high, digits)}]"


def mean_with_interval(mean: float, low: float | None, high: float | None, digits: int = 3) -> str:
    """A mean and its interval: "0.627 [0.600, 0.650]"."""
    return f"{number(mean, digits)} {interval(low, high, digits)}"


def p_value(p: float | None, digits: int = 3) -> str:
    """A p-value with fixed decimals, or the bound that it lies below.

    >>> p_value(0.0291), p_value(0.0002), p_value(None)
    ('0.029', '<0.001', '–')
    """
    smallest = 10.0**-digits
    return NONE if p is None else f"<{smallest:.{digits}f}" if p < smallest else f"{p:.{digits}f}"


def p_is(p: float | None, digits: int = 3) -> str:
    """A p-value in a sentence.

    >>> p_is(0.0291), p_is(0.0002)
    ('p = 0.029', 'p < 0.001')
    """
    said = p_value(p, digits)
    return f"p < {said[1:]}" if said.startswith("<") else f"p = {said}"

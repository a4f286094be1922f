"""Numbers and names as people read them. A mean never stands without its interval, nor a score without its floor."""

from collections.abc import Mapping
from typing import Literal

from stabaudit.comparison.records import Comparison, Score
from stabaudit.metrics.mcc_decorrelated import SCORE as DECORRELATED
from stabaudit.metrics.mcc_strong import SCORE as STRONG
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


def counted(count: int, what: str) -> str:
    """A count with its noun.

    >>> counted(1, "pair"), counted(1200, "row")
    ('1 pair', '1,200 rows')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


Verdict = Literal["reproducible", "one direction", "not settled", "no better than turned", "none seen"]


def axes(strong: Score, decorrelated: Score) -> Verdict:
    """What strong MCC says of the axes, as it is and decorrelated.

    Its whole interval has to lie above a floor, or below it, to say anything; above the rotation floor it says that axes are
    reproducible only if it stays there once common directions of the axes are taken out.
    """
    low, high, chance, rotation = strong.ci_low, strong.ci_high, strong.independence_floor, strong.rotation_floor
    if low is None or high is None or chance is None or rotation is None:
        return "not settled"
    if low > rotation:
        return "reproducible" if _above_rotations(decorrelated) else "one direction"
    if high >= rotation:
        return "not settled"
    return "no better than turned" if low > chance else "none seen"


def _above_rotations(score: Score) -> bool:
    return score.ci_low is not None and score.rotation_floor is not None and score.ci_low > score.rotation_floor


def axes_scores(scores: Mapping[str, Score]) -> tuple[Score, Score] | None:
    """Of the out-of-sample scores of a run, by name, the two that say whether axes agree; None where one was not computed."""
    return (scores[STRONG.name], scores[DECORRELATED.name]) if {STRONG.name, DECORRELATED.name} <= scores.keys() else None


def out_of_sample(comparison: Comparison, run: str) -> dict[str, Score]:
    """A run's own scores out-of-sample by name; of several k the first, which was asked for."""
    own = [score for score in comparison.scores if score.run_a == score.run_b == run and score.sample == "out"]
    return {score.metric: score for score in reversed(own)}


def explain_p(strong: Score, draws: int) -> str:
    """The p-value against rotations, in a sentence of its own; "" where there is none."""
    if strong.p_rotation is None:
        return ""
    least = strong.p_rotation * (1 + draws) < 1.5  # not one of the draws did as well
    said = f" p = {p_value(strong.p_rotation)} against {draws} rotations"
    return f"{said}, the least that so many can give." if least else f"{said}."


def explain(strong: Score, decorrelated: Score) -> str:
    """What a strong MCC says, held against chance and against rotations."""
    low, chance, rotation = strong.ci_low, strong.independence_floor, strong.rotation_floor
    said = f"strong MCC {mean_with_interval(strong.mean, low, strong.ci_high, 2)}"
    turned, unrelated = f"rotation floor {number(rotation, 2)}", f"chance ({number(chance, 2)})"
    if low is None:
        return f"{said}, {turned}, {unrelated}: too few restarts to say how sure that is."
    match axes(strong, decorrelated):
        case "reproducible":
            return f"{said} lies above the {turned}: the axes themselves are reproducible, not only their span."
        case "one direction":
            left = mean_with_interval(decorrelated.mean, decorrelated.ci_low, decorrelated.ci_high, 2)
            return (
                f"{said} lies above the {turned}, but decorrelated {left} is not shown to lie above "
                f"{number(decorrelated.rotation_floor, 2)}: a direction that the axes share explains it, not the axes themselves."
            )
        case "no better than turned":
            return f"{said} lies above {unrelated} but below the {turned}: the axes agree no better than after a rotation."
        case "none seen":
            return f"{said} does not lie above {unrelated}: no common axes can be seen."
        case _:
            return f"{said}, {unrelated}: whether it lies above the {turned} is not settled; more restarts would tell."

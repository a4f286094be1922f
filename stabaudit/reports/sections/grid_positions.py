"""Scores of latents on a grid, position by position: how far apart they lie."""

from collections.abc import Sequence
from statistics import median, stdev

from stabaudit.comparison.records import PositionScore
from stabaudit.errors import counted
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.reports.report import Section
from stabaudit.reports.wording import number, score_name


def position_section(title: str, positions: Sequence[PositionScore]) -> Section:
    """The spread over positions of each score, out-of-sample.

    Args:
        title: of the runs whose scores they are.
        positions: of one run, or between two.
    """
    shown = [position for position in positions if position.sample == "out"]
    names = dict.fromkeys((position.metric, position.k) for position in shown)
    rows, words = [], []
    for metric, k in names:
        alike = [position for position in shown if (position.metric, position.k) == (metric, k)]
        means = [position.mean for position in alike]
        sd = stdev(means) if len(means) > 1 else None
        rows.append([score_name(metric, k), *map(number, (min(means), median(means), max(means), sd))])
        if metric == STRONG.name:
            words.append(_explain(alike))
    return Section(f"{title}, over positions, out-of-sample", ["score", "min", "median", "max", "sd"], rows, words)


def _explain(strong: Sequence[PositionScore]) -> str:
    above = sum(1 for p in strong if p.ci_low is not None and p.rotation_floor is not None and p.ci_low > p.rotation_floor)
    lowest, highest = min(strong, key=lambda p: p.mean), max(strong, key=lambda p: p.mean)
    return (
        f"strong MCC by position: lowest {number(lowest.mean, 2)} in row {lowest.row}, column {lowest.column}, highest "
        f"{number(highest.mean, 2)} in row {highest.row}, column {highest.column}; its interval lies above the rotation floor at "
        f"{above} of {counted(len(strong), 'position')}."
    )

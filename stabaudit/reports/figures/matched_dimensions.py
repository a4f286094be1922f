"""What matched dimensions of two restarts look like against each other, row by row."""

import numpy as np

from stabaudit.comparison.records import Comparison
from stabaudit.comparison.views.pair_values import Match, MatchedDimension
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.reports.figures.axes import fitted_axis
from stabaudit.reports.figures.elements import FAINT, Array, Axis, Figure, Key, Line, Mark, Panel, Points
from stabaudit.reports.figures.panels import floor_name, floor_of
from stabaudit.reports.wording import number

_NAMES = {1: ("only",), 2: ("best", "worst"), 3: ("best", "middle", "worst")}
_REACH = 3.5  # standard deviations shown; what lies beyond is drawn at the edge


def match_figure(comparison: Comparison) -> Figure | None:
    """A panel for each run: best, middle and worst matched dimension of its typical pair; None where no run has one."""
    if not comparison.matches:
        return None
    most = max(len(match.dimensions) for match in comparison.matches)
    return Figure(
        name="match",
        title="Matched dimensions of a typical pair",
        caption="The pair of restarts whose strong MCC is the median; rows that nothing was estimated on. Values in standard "
        "deviations, signs turned to agree. Identical dimensions lie on the diagonal.",
        panels=tuple(_panel(match, comparison) for match in comparison.matches),
        legend=tuple(Key(f"{name} matched dimension", series, "point") for series, name in enumerate(_NAMES[most])),
    )


def _panel(match: Match, comparison: Comparison) -> Panel:
    ends = np.array([-_REACH, _REACH])
    marks: list[Mark] = [Line(ends, ends, FAINT)]
    words: list[str] = []
    for series, dimension in reversed(list(enumerate(match.dimensions))):
        rows = _standardised(dimension)
        marks.append(Points(rows[:, 0], rows[:, 1], series, 2.2))
        words.insert(0, f"z{dimension.a} with z{dimension.b}: |r| {number(dimension.outside, 2)}")
    a, b = (name.rpartition("#")[2] for name in (match.restart_a, match.restart_b))
    floor = f"{floor_name(STRONG.name)} {number(floor_of(comparison.scores, (match.run, match.run), STRONG.name), 2)}"
    return Panel(
        title=f"{match.run}, restarts {a} and {b}",
        description=f"Strong MCC of the pair {number(match.score, 2)}, {floor}; from best to worst, {', '.join(words)}.",
        x=_axis(f"restart {a}"),
        y=_axis(f"restart {b}"),
        marks=marks,
        height=300,
    )


def _standardised(dimension: MatchedDimension) -> Array:
    rows = dimension.rows.astype(float) - dimension.rows.mean(axis=0)
    scale = rows.std(axis=0)
    rows /= np.where(scale > 0, scale, 1.0)
    if rows[:, 0] @ rows[:, 1] < 0:
        rows[:, 1] *= -1
    clipped: Array = rows.clip(-_REACH, _REACH)
    return clipped


def _axis(label: str) -> Axis:
    axis = fitted_axis(label, np.array([-_REACH, _REACH]))
    ticks = tuple((tick, f"{tick:g}") for tick in (-2.0, 0.0, 2.0))
    return Axis(label, axis.low, axis.high, ticks)

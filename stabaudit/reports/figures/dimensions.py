"""Dimensions of a run: which are the same axes in every restart, which turn within a subspace, which share nothing.

One figure holds shared information against purity, a point for each dimension; the other shows how well every restart agrees on
each of them. See `stabaudit.metrics.anatomy` for what the numbers mean.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from stabaudit.comparison.records import AnatomyRecord, Comparison
from stabaudit.errors import counted
from stabaudit.reports.figures.axes import named_axis
from stabaudit.reports.figures.elements import (
    INK,
    Array,
    Axis,
    Band,
    Cells,
    Figure,
    Key,
    Line,
    Mark,
    Panel,
    Points,
    Segments,
    Shape,
)
from stabaudit.reports.figures.point_labels import Place, labels_beside
from stabaudit.reports.figures.restart_order import (
    MOST,
    Shown,
    group_lines,
    group_words,
    order_words,
    restart_axis,
    shown_restarts,
)
from stabaudit.reports.sections.dimensions import in_order
from stabaudit.reports.verdict import dimensions_sentence
from stabaudit.reports.wording import interval, number

_VERDICTS: dict[str, tuple[str, int, Shape]] = {  # by verdict, in the order of the table: its words, colour and shape
    "axis": ("axis", 0, "disc"),
    "subspace": ("subspace", 1, "square"),
    "not_shared": ("not shared", 3, "cross"),
    "inactive": ("inactive", 6, "ring"),
}
_LABELLED = 20  # dimensions of a run, up to which points have labels
_TOLD = 10  # dimensions that a description goes through
_HEIGHT, _MARGIN = 320, 48  # of a panel with points, pixels
_LEFT_EDGE, _LANE = -0.06, -0.1  # lowest shared information that has a place; height of dimensions without purity
_HIGHEST_PURITY = 1.3  # that has a place; noise can lift it above 1
_SAME = 7.0  # pixels: points so near cover each other and share a label
_NAMES = 5  # dimensions in a line of a label

_ROWS = 100  # dimensions in a strip
_ROW = 15  # pixels of a dimension in a strip with few of them
_TALLEST = 780  # pixels of all rows together
_PRINTED = (30, 10)  # dimensions and restarts, up to which values are printed


def dimensions_figure(comparison: Comparison) -> Figure | None:
    """Shared information against purity, a panel for each run; None where no run has an anatomy."""
    runs = _by_run(comparison)
    if not runs:
        return None
    seen = {one.verdict for one in comparison.anatomy}
    return Figure(
        name="dimensions",
        title="Dimensions: shared information against purity",
        caption="A point for each dimension of the central restart. Shared information: R² of it from all of another restart, "
        "out-of-sample, with its 95% interval; below 0 it is drawn at the left edge. Purity: the part of it that a single "
        "dimension of the other restart carries; the bar ends at the restart with the least. An axis must lie above the dashed "
        "line (a band where it differs among dimensions), which planes turned at random stay below. Dimensions that share "
        "nothing or are inactive have no purity.",
        panels=tuple(_scatter(run, own) for run, own in runs.items()),
        legend=(
            *(Key(words, series, "point", shape) for verdict, (words, series, shape) in _VERDICTS.items() if verdict in seen),
            *([Key("purity of turned planes", INK, "dashed")] if seen & {"axis", "subspace"} else []),
        ),
    )


def strip_figure(comparison: Comparison) -> Figure | None:
    """How well each restart agrees with the others on each dimension, a panel for each run; None without an anatomy."""
    runs = _by_run(comparison)
    if not runs:
        return None
    columns = {run: shown_restarts(comparison, run, _restarts(comparison, run, own)) for run, own in runs.items()}
    cut = ""
    if any(len(own) > _ROWS for own in runs.values()):
        cut += f" Of more than {_ROWS} dimensions the first {_ROWS} of the table are shown."
    if any(own[0].restarts > MOST for own in runs.values()):
        cut += f" Of more than {MOST} restarts {MOST} are shown."
    return Figure(
        name="strip",
        title="Agreement of every restart on every dimension",
        caption="A row for each dimension of the central restart, in the order of the table, a column for each restart: the "
        "mean squared correlation of its matched dimension with those of the other restarts, decorrelated and out-of-sample. "
        f"{order_words(list(columns.values()))}{cut}",
        panels=tuple(_strip(run, own, columns[run]) for run, own in runs.items()),
        ramp=("axis agreement", "0", "1"),
    )


def _by_run(comparison: Comparison) -> dict[str, list[AnatomyRecord]]:
    """The anatomy of every run that has one, in the order of the table."""
    own = {run.name: [one for one in comparison.anatomy if one.run == run.name] for run in comparison.runs}
    return {run: in_order(found) for run, found in own.items() if found}


def _restarts(comparison: Comparison, run: str, own: Sequence[AnatomyRecord]) -> tuple[str, ...]:
    """Names of a run's restarts by position."""
    named = (table.restarts_a for table in comparison.pairs if table.run_a == table.run_b == run)
    return next(named, tuple(f"{run}#{restart}" for restart in range(own[0].restarts)))


def _scatter(run: str, own: Sequence[AnatomyRecord]) -> Panel:
    tops = [value for one in own for value in (one.purity, one.purity_null) if value is not None]
    highest = min(_HIGHEST_PURITY, max([1.0, *tops])) + 0.04
    x_axis = Axis("shared information, R²", _LEFT_EDGE - 0.03, 1.03, _fifths(1.0))
    y_axis = Axis("purity", _LANE - 0.07, highest, ((_LANE, "none"), *_fifths(highest)))
    x = np.array([_across(one.shared_information) for one in own])
    y = np.array([_up(one.purity) for one in own])
    marks: list[Mark] = []
    nulls = [_up(one.purity_null) for one in own if one.purity_null is not None]
    if nulls:
        ends = np.array([x_axis.low, x_axis.high])
        if max(nulls) - min(nulls) > 0.005:
            marks.append(Band(ends, np.full(2, min(nulls)), np.full(2, max(nulls)), INK))
        marks.append(Line(ends, np.full(2, max(nulls)), INK, "dashed", 1.2))
    bars = np.array([_bars(one) for one in own])
    for verdict, (_, series, shape) in reversed(_VERDICTS.items()):
        these = np.array([one.verdict == verdict for one in own])
        if these.any():
            low, high, lowest, _ = bars[these].T
            marks.append(Segments(low, y[these], high, y[these], series))
            marks.append(Segments(x[these], lowest, x[these], y[these], series))
            marks.append(Points(x[these], y[these], series, 3.4, shape))
    if len(own) <= _LABELLED:
        marks += _labelled(own, x, y, bars, (x_axis, y_axis), nulls)
    return Panel(run, _scatter_words(own), x_axis, y_axis, marks, _HEIGHT, _MARGIN)


def _fifths(highest: float) -> tuple[tuple[float, str], ...]:
    return tuple((fifth / 5, f"{fifth / 5:g}") for fifth in range(math.floor(highest * 5 + 1e-9) + 1))


def _across(information: float) -> float:
    return max(_LEFT_EDGE, min(1.0, information))


def _up(purity: float | None) -> float:
    return _LANE if purity is None else max(0.0, min(_HIGHEST_PURITY, purity))


def _bars(one: AnatomyRecord) -> tuple[float, float, float, float]:
    """Both ends of a dimension's interval, the lower end of its bar, and its height."""
    middle = one.shared_information
    low, high = (middle if end is None else end for end in (one.shared_information_low, one.shared_information_high))
    return _across(low), _across(high), _up(one.lowest_purity), _up(one.purity)


def _labelled(  # noqa: PLR0917 -- what is drawn already
    own: Sequence[AnatomyRecord], x: Array, y: Array, bars: Array, axes: tuple[Axis, Axis], nulls: Sequence[float]
) -> list[Mark]:
    """A label for each point, or several that cover each other."""
    place = Place(axes, _HEIGHT, _MARGIN)
    clusters = _clusters(place.pixels(x, y))
    ends = np.full(len(nulls), axes[0].low), np.full(len(nulls), axes[0].high)
    lines = [
        np.column_stack([bars[:, 0], y, bars[:, 1], y]),
        np.column_stack([x, y, x, bars[:, 2]]),
        np.column_stack([ends[0], nulls, ends[1], nulls]),
    ]
    return labels_beside(
        place,
        np.array([(x[cluster].mean(), y[cluster].mean()) for cluster in clusters]),
        [_names([own[at] for at in cluster]) for cluster in clusters],
        discs=np.column_stack([x, y]),
        lines=np.concatenate(lines),
    )


def _clusters(discs: Array) -> list[list[int]]:
    """Positions of points that cover the first of them, in pixels of shape (m, 2); a point by itself where there are none."""
    left, clusters = list(range(len(discs))), []
    while left:
        near = np.hypot(*(discs[left] - discs[left[0]]).T) < _SAME
        clusters.append([at for at, is_near in zip(left, near, strict=True) if is_near])
        left = [at for at, is_near in zip(left, near, strict=True) if not is_near]
    return clusters


def _names(own: Sequence[AnatomyRecord]) -> list[str]:
    """Names of dimensions, in lines."""
    names = [f"z{dimension}" for dimension in sorted(one.dimension for one in own)]
    return [" ".join(names[start : start + _NAMES]) for start in range(0, len(names), _NAMES)]


def _scatter_words(own: Sequence[AnatomyRecord]) -> str:
    told = [
        f"z{one.dimension} {_VERDICTS[one.verdict][0]}: shared information {number(one.shared_information, 2)} "
        f"{interval(one.shared_information_low, one.shared_information_high, 2)}"
        + ("" if one.purity is None else f", purity {number(one.purity, 2)} (null {number(one.purity_null, 2)})")
        for one in own[:_TOLD]
    ]
    rest = "" if len(own) <= _TOLD else f"; and {counted(len(own) - _TOLD, 'dimension')} more, in the table"
    return f"{dimensions_sentence(own)}. {'; '.join(told)}{rest}."


def _strip(run: str, own: Sequence[AnatomyRecord], columns: Shown) -> Panel:
    rows = own[:_ROWS]
    values = np.array([[one.agreement_by_restart[at] for at in columns.at] for one in rows])
    names = [f"z{one.dimension} {_group(one)}" for one in rows]
    height = max(3, min(_ROW, _TALLEST // len(rows)))
    every = -(-12 // height)  # a label needs 12 pixels
    y = named_axis(names)
    ends = [at for at in range(1, len(rows)) if _group(rows[at]) != _group(rows[at - 1])]
    few = len(rows) <= _PRINTED[0] and len(columns.at) <= _PRINTED[1]
    return Panel(
        title=run + (f", {MOST} of {own[0].restarts} restarts" if own[0].restarts > MOST else ""),
        description=_strip_words(own, columns),
        x=restart_axis(columns.names, "restart"),
        y=Axis("", y.low, y.high, y.ticks[::every]),
        marks=[
            Cells(values, printed=few),
            *group_lines(len(rows), len(columns.at), after_rows=ends, after_columns=columns.ends),
        ],
        height=height * len(rows) + 44,
        margin=16 + round(6.8 * max(map(len, names))),
    )


def _group(one: AnatomyRecord) -> str:
    """Verdict of a dimension, and the number of its subspace."""
    return _VERDICTS[one.verdict][0] + (f" {one.block}" if one.verdict == "subspace" else "")


def _strip_words(own: Sequence[AnatomyRecord], columns: Shown) -> str:
    by_group: dict[str, list[float]] = {}
    for one in own:
        by_group.setdefault(_group(one), []).extend(one.agreement_by_restart)
    sizes = Counter(_group(one) for one in own)
    said = [
        f"{counted(sizes[group], 'dimension')} {group}: axis agreement {number(float(np.mean(values)), 2)}, of single restarts "
        f"{number(min(values), 2)} to {number(max(values), 2)}"
        for group, values in by_group.items()
    ]
    return " ".join([f"{'; '.join(said)}.", *filter(None, [group_words(columns.groups)])])

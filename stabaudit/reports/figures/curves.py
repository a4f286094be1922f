"""Cumulative MCC curves with their bands (Willetts & Paige 2021, Figs 2–4 strong, C.3–C.5 weak)."""

from typing import Literal

import numpy as np

from stabaudit.comparison.records import Comparison, Curve
from stabaudit.metrics.scores import measure
from stabaudit.reports.figures.axes import counting_axis, unit_axis
from stabaudit.reports.figures.elements import INK, Array, Band, Figure, Key, Line, Mark, Panel
from stabaudit.reports.figures.panels import Arrangement, arranged, floor_name, floor_of
from stabaudit.reports.wording import number

SpreadBand = Literal["interval", "sd"]

_POINTS = 40  # of a curve; more cannot be told apart


def curves_figure(comparison: Comparison, metric: str, band: SpreadBand = "interval") -> Figure | None:
    """A panel for each configuration, a curve for each run; None where no run has two restarts.

    Args:
        comparison: runs and their curves.
        metric: a score that has parts, such as matched dimensions or canonical directions.
        band: 95% interval of the mean over pairs, or one standard deviation over pairs as in the paper.
    """
    chosen = [curve for curve in comparison.curves if curve.metric == metric]
    if not chosen:
        return None
    arrangement = arranged(comparison.runs)
    one = measure(metric)
    panels = []
    for name, runs in arrangement.groups.items():
        names = {run.name for run in runs}
        within = [curve for curve in chosen if curve.run_a == curve.run_b and curve.run_a in names]
        if within:
            panels.append(_panel(comparison, arrangement, name, within, metric, band))
    between = dict.fromkeys((curve.run_a, curve.run_b) for curve in chosen if curve.run_a != curve.run_b)
    for a, b in between:
        curves = [curve for curve in chosen if (curve.run_a, curve.run_b) == (a, b)]
        panels.append(_panel(comparison, None, f"between {a} and {b}", curves, metric, band))
    spread = "95% interval of the mean, the restart being the unit" if band == "interval" else "one standard deviation over pairs"
    return Figure(
        name=f"{metric.partition('_')[0]}-curves",
        title=f"Cumulative {one.label}",
        caption=f"Mean |correlation| over the first m of the {one.parts}, averaged over pairs of restarts; the last "
        f"point is the score itself. Shaded: {spread}, out-of-sample.",
        panels=tuple(panels),
        legend=(
            *arrangement.legend(),
            Key("out-of-sample", INK),
            Key("in-sample", INK, "dashed"),
            Key(floor_name(metric), INK, "dotted"),
        ),
    )


def _panel(  # noqa: PLR0917 -- what and how
    comparison: Comparison, arrangement: Arrangement | None, name: str, curves: list[Curve], metric: str, band: SpreadBand
) -> Panel:
    marks: list[Mark] = []
    words = []
    length = max(len(curve.values) for curve in curves)
    for curve in sorted(curves, key=lambda curve: curve.sample):  # in-sample below
        series = INK if arrangement is None else arrangement.series_of(curve.run_a)
        values = np.array(curve.values)
        at = np.unique(np.linspace(0, len(values) - 1, _POINTS).round().astype(int))
        if curve.sample == "in":
            marks.append(Line(at + 1, values[at], series, "dashed", 1.2))
            continue
        low, high = _band(curve, values, band)
        if len(low):
            marks.append(Band(at + 1, low[at].clip(0, 1), high[at].clip(0, 1), series))
        marks.append(Line(at + 1, values[at], series))
        floor = floor_of(comparison.scores, (curve.run_a, curve.run_b), metric)
        if floor is not None:
            marks.append(Line(np.array([1, max(length, 1.5)]), np.array([floor, floor]), series, "dotted", 1.2))
        label = name if arrangement is None else arrangement.labels[curve.run_a]
        best = number(float(values[0]), 2)
        said = f"{label}: from {best} for the best to {number(float(values[-1]), 2)} over all {len(values)}"
        words.append(said + (f", {floor_name(metric)} {number(floor, 2)}" if floor is not None else ""))
    return Panel(
        name, "; ".join(words) + ".", counting_axis(measure(metric).parts or "parts", length), unit_axis("mean |r|"), marks
    )


def _band(curve: Curve, values: Array, band: SpreadBand) -> tuple[Array, Array]:
    if band == "interval":
        return np.array(curve.ci_low), np.array(curve.ci_high)
    if not curve.sd:
        return np.empty(0), np.empty(0)
    return values - np.array(curve.sd), values + np.array(curve.sd)

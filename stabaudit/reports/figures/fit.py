"""Held-out fit against stability along one setting, as in the stability-error plot of consensus matrix factorisation.

See `stabaudit.comparison.surveys.along_key`, which recommends one of the values.
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from stabaudit.comparison.surveys.along_key import AlongKey
from stabaudit.errors import counted
from stabaudit.reports.figures.axes import fitted_axis, margin_beside, unit_axis
from stabaudit.reports.figures.elements import INK, Array, Figure, Key, Line, Mark, Panel, Points, Segments
from stabaudit.reports.figures.point_labels import Place, labels_beside
from stabaudit.reports.sections.along_key import fit_name, recommendation
from stabaudit.reports.wording import interval, number, score_name

_HEIGHT = 320  # pixels
_POINT, _RING = 3.6, 6.5  # radius of a point, and of the ring around the recommended one, pixels


def fit_figure(found: Sequence[AlongKey]) -> Figure | None:
    """A panel for each family and setting, a point for each value; None where no fit is known."""
    known = [row for row in found if row.fit is not None]
    if not known:
        return None
    score = score_name(known[0].metric, None)
    axes = " In brackets: dimensions that are the same axis in every restart." if any(row.axes for row in known) else ""
    groups = groupby(known, key=lambda row: (row.key, row.of, row.fitted_by))
    return Figure(
        name="fit",
        title="Fit against stability",
        caption=f"A point for each value of a setting, joined in order: to the right its {score} above chance (0 at chance, 1 at "
        "perfect agreement) with its 95% interval, upwards the mean fit of held-out rows. Recommended is the best fit among "
        f"the values whose interval reaches the dashed line.{axes}",
        panels=tuple(_panel(list(rows), score) for _, rows in groups),
        legend=(
            Key("value, with its 95% interval", 0, "point"),
            Key("recommended", INK, "point", "ring"),
            Key("the most stable", INK, "dashed"),
        ),
    )


def _panel(rows: Sequence[AlongKey], score: str) -> Panel:
    first = rows[0]
    fit = np.array([row.fit for row in rows], dtype=float)
    ends = np.array([_ends(row) for row in rows])
    stability = np.array([row.stability for row in rows])
    x = unit_axis(f"{score} above chance", float(ends.min()))
    y = fitted_axis(f"{fit_name(first)}, nats", fit)
    margin = margin_beside(y)
    low, high = ends.clip(x.low, x.high).T
    most = float(stability.max())
    best = np.array([row.recommended for row in rows])
    marks: list[Mark] = [
        Line(np.full(2, most), np.array([y.low, y.high]), INK, "dashed", 1.0),
        Line(stability, fit, INK, "dotted", 1.0),
        Segments(low, fit, high, fit, 0),
        Points(stability, fit, 0, _POINT),
    ]
    if best.any():
        marks.append(Points(stability[best], fit[best], INK, _RING, "ring"))
    marks += labels_beside(
        Place((x, y), _HEIGHT, margin),
        np.column_stack([stability, fit]),
        [[f"{row.value:g}" + (f" ({row.axes} {'axis' if row.axes == 1 else 'axes'})" if row.axes else "")] for row in rows],
        discs=np.column_stack([stability, fit]),
        lines=np.concatenate([np.column_stack([low, fit, high, fit]), _line(most, y.low, y.high)]),
    )
    return Panel(f"{first.of} by {first.key}", _words(rows), x, y, marks, _HEIGHT, margin)


def _ends(row: AlongKey) -> tuple[float, float]:
    """The interval of a value, or its stability alone."""
    if row.stability_low is None or row.stability_high is None:
        return row.stability, row.stability
    return row.stability_low, row.stability_high


def _line(x: float, low: float, high: float) -> Array:
    return np.array([[x, low, x, high]])


def _words(rows: Sequence[AlongKey]) -> str:
    told = [
        f"{row.value:g}: stability {number(row.stability, 2)} {interval(row.stability_low, row.stability_high, 2)}, "
        f"fit {number(row.fit, 2)}, {row.axes} of {counted(row.dimensions, 'dimension')} "
        f"{'is an axis' if row.axes == 1 else 'are axes'}"
        for row in rows
    ]
    return f"{'; '.join(told)}. {recommendation(rows)}"

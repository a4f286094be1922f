"""Two-dimensional latents of every restart side by side (Kivva et al. 2022, Fig. 2; Khemakhem et al. 2020, Fig. 1)."""

from collections.abc import Sequence

import numpy as np

from stabaudit.comparison.views.aligned_latents import Plane, Planes
from stabaudit.reports.figures.axes import fitted_axis
from stabaudit.reports.figures.classes import class_legend, class_points, class_ramp, class_series
from stabaudit.reports.figures.elements import INK, Array, Figure, Mark, Panel, Points
from stabaudit.reports.wording import number

_ALIGNED = {
    "none": "as they are",
    "permutation": "each dimension matched, scaled and shifted onto {}",
    "orthogonal": "turned and scaled onto {}",
    "affine": "mapped onto {} by an affine map",
}


def latents_figure(runs: Sequence[Planes]) -> Figure:
    """A panel for each restart, after the reference; one colour for each label."""
    classes = class_series([planes.label for planes in runs if planes.label is not None])
    how = _ALIGNED[runs[0].align].format("the first panel of the run")
    return Figure(
        name="latents",
        title=f"Latents of every restart, {how}",
        caption="Encoder means of evaluation rows that the alignment was not estimated on. R² over dimensions of "
        "equal weight; chance: R² of rows in another order.",
        panels=tuple(_panel(planes, plane, classes) for planes in runs for plane in planes.planes),
        legend=class_legend(classes),
        ramp=class_ramp(classes),
    )


def _panel(planes: Planes, plane: Plane, classes: dict[str, int]) -> Panel:
    x, y = plane.points.T
    marks: list[Mark] = []
    if planes.label is None:
        marks.append(Points(x, y, INK, 1.3))
    else:
        marks += class_points(x, y, planes.label, classes)
    r2 = "" if plane.r2 is None else f", R² {number(plane.r2, 2)}, chance {number(plane.floor, 2)}"
    own = planes.align == "none" and plane.name != planes.reference
    names = [f"z{k}" if own or planes.reference != "true sources" else f"source {k}" for k in planes.dimensions]
    shared = plane.points if planes.align == "none" else np.concatenate([other.points for other in planes.planes])
    return Panel(
        title=f"{plane.name}{r2}",
        description=f"{len(x)} rows of {plane.name}, dimensions {names[0]} and {names[1]}, {_spread(plane.points)}{r2}.",
        x=fitted_axis(names[0], shared[:, 0]),
        y=fitted_axis(names[1], shared[:, 1]),
        marks=marks,
        height=340,
    )


def _spread(points: Array) -> str:
    low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return " and ".join(f"from {number(a, 1)} to {number(b, 1)}" for a, b in zip(low, high, strict=True))

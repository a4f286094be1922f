"""The consensus of aligned restarts: where they put each sample on average, and which samples they place most differently."""

from collections.abc import Mapping

import numpy as np

from stabaudit.comparison.views.aligned_latents import SHOWN_ROWS
from stabaudit.comparison.views.aligned_run import AlignedRun, Consensus
from stabaudit.errors import UsageError, counted
from stabaudit.reports.figures.axes import fitted_axis, named_axis
from stabaudit.reports.figures.classes import class_legend, class_points, class_ramp, class_series
from stabaudit.reports.figures.elements import INK, Array, Axis, Figure, Key, Line, Mark, Panel, Points, Segments
from stabaudit.reports.figures.point_labels import Place, labels_beside
from stabaudit.reports.sections.alignment import MOST_MOVED, VISIBLE
from stabaudit.reports.wording import number

_HEIGHT, _MARGIN = 340, 48  # of a panel, pixels
_ROWS = 24  # classes that have a row each in the strip
_LONGEST = 16  # letters of a name beside a point
_GOLDEN = 0.618034  # its multiples spread evenly over a row
_WIDE = 0.7  # part of a row that points take


def consensus_figure(aligned: AlignedRun, dimensions: tuple[int, int] | None = None) -> Figure | None:
    """Two panels for each group of restarts that agree; None where none has two restarts.

    Args:
        aligned: the run.
        dimensions: that the first panel shows; None for the two on which restarts agree best. There is no such panel of latents
            of one dimension.

    Raises:
        UsageError: dimensions that the latents have not.
    """
    if not aligned.consensus:
        return None
    d = aligned.consensus[0].mean.shape[1]
    if dimensions is not None and (len(set(dimensions)) < 2 or max(dimensions) >= d):
        raise UsageError(f"{aligned.run} has dimensions 0 to {d - 1}; --dims wants two of them, such as 0,1")
    classes = class_series([] if aligned.label is None else [aligned.label])
    panels = []
    for found in aligned.consensus:
        if d > 1:
            panels.append(_plane(aligned, found, dimensions or _steadiest(found), classes))
        panels.append(_strip(aligned, found, classes))
    return Figure(
        name="consensus",
        title=f"Consensus of {aligned.run}, aligned by {aligned.by}",
        caption="A point for each sample: the mean over aligned restarts. The samples that restarts place most differently are "
        "named; bars reach one standard deviation over restarts to either side. Displacement: root mean square distance of the "
        "restarts from the consensus over all dimensions, in standard deviations of a dimension over samples.",
        panels=tuple(panels),
        legend=(*class_legend(classes), Key("moves most", INK, "point", "ring")),
        ramp=class_ramp(classes),
    )


def _steadiest(found: Consensus) -> tuple[int, int]:
    """The two dimensions whose spread over restarts is least against that over samples, in ascending order."""
    over_samples = found.mean.var(axis=0)
    noise = (found.spread**2).mean(axis=0)
    relative = np.divide(noise, over_samples, out=np.full_like(noise, np.inf), where=over_samples > 0)
    first, second = sorted(np.argsort(relative, kind="stable")[:2].tolist())
    return first, second


def _plane(aligned: AlignedRun, found: Consensus, dimensions: tuple[int, int], classes: Mapping[str, int]) -> Panel:
    rows, moved = _shown(found)
    points, spread = found.mean[:, dimensions], found.spread[:, dimensions]
    low, high = points[moved] - spread[moved], points[moved] + spread[moved]
    seen = np.concatenate([points[rows], low, high])
    x, y = (fitted_axis(_name(aligned, k), seen[:, place]) for place, k in enumerate(dimensions))
    at = points[moved]
    marks: list[Mark] = [*_cloud(points[rows], _label(aligned, rows), classes)]
    marks.append(Segments(low[:, 0], at[:, 1], high[:, 0], at[:, 1], INK, 0.8))
    marks.append(Segments(at[:, 0], low[:, 1], at[:, 0], high[:, 1], INK, 0.8))
    bars = [
        np.column_stack([low[:, 0], at[:, 1], high[:, 0], at[:, 1]]),
        np.column_stack([at[:, 0], low[:, 1], at[:, 0], high[:, 1]]),
    ]
    marks += _highlighted(aligned, moved, at, (x, y), np.concatenate(bars))
    members = counted(len([one for one in aligned.restarts if one.group == found.group]), "restart")
    names = ", ".join(_moved_words(aligned, found, row) for row in moved.tolist()) or "none"
    words = f"{counted(len(rows), 'sample')} of the consensus of {members}. Those that move most: {names}."
    return Panel(f"{_title(aligned, found)}, {x.label} and {y.label}", words, x, y, marks, _HEIGHT, _MARGIN)


def _strip(aligned: AlignedRun, found: Consensus, classes: Mapping[str, int]) -> Panel:
    """Displacement of every sample, in a row for each class while there is room."""
    rows, moved = _shown(found)
    names = list(classes) if 0 < len(classes) <= _ROWS else []
    y = named_axis(names or ["all"])
    place = {name: float(position) for position, name in enumerate(names)}
    row_of = (
        np.zeros(len(found.displacement))
        if not names or aligned.label is None
        else np.array([place[str(one)] for one in aligned.label.tolist()])
    )
    height = row_of + _WIDE * ((np.arange(len(row_of)) * _GOLDEN) % 1.0 - 0.5)
    x = fitted_axis("displacement", np.append(found.displacement, 0.0))
    marks: list[Mark] = [*_cloud(np.column_stack([found.displacement, height])[rows], _label(aligned, rows), classes)]
    words = []
    for position, name in enumerate(names or ["all"]):
        middle = float(np.median(found.displacement[row_of == position]))
        marks.append(Line(np.full(2, middle), np.array([position - 0.4, position + 0.4]), INK, "solid", 1.6))
        words.append(f"{name} {number(middle, 2)}")
    margin = min(150, 20 + 6 * max(map(len, names or ["all"])))
    at = np.column_stack([found.displacement[moved], height[moved]])
    marks += _highlighted(aligned, moved, at, (x, y), np.empty((0, 4)), margin)
    title = f"{_title(aligned, found)}, displacement" + (" by label" if names else "")
    return Panel(title, f"Median displacement: {'; '.join(words)}. The upright lines show it.", x, y, marks, _HEIGHT, margin)


def _shown(found: Consensus) -> tuple[Array, Array]:
    """Rows that are drawn, evenly over the ids, and those of them that move most."""
    moved = found.most_moved(MOST_MOVED)
    moved = moved[found.displacement[moved] >= VISIBLE]
    even = np.linspace(0, len(found.mean) - 1, SHOWN_ROWS).astype(int)
    return np.union1d(even, moved), moved


def _cloud(at: Array, label: Array | None, classes: Mapping[str, int]) -> list[Points]:
    x, y = at.T
    return [Points(x, y, INK, 1.3)] if label is None else class_points(x, y, label, classes)


def _highlighted(  # noqa: PLR0917 -- what is drawn, and where
    aligned: AlignedRun,
    moved: Array,
    at: Array,
    axes: tuple[Axis, Axis],
    lines: Array,
    margin: int = _MARGIN,
) -> list[Mark]:
    """Rings around some samples, and their names."""
    if not len(moved):
        return []
    texts = [[_short(str(name))] for name in aligned.sample_id[moved].tolist()]
    beside = labels_beside(Place(axes, _HEIGHT, margin), at, texts, discs=at, lines=lines)
    return [Points(at[:, 0], at[:, 1], INK, 3.6, "ring"), *beside]


def _label(aligned: AlignedRun, rows: Array) -> Array | None:
    return None if aligned.label is None else aligned.label[rows]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _name(aligned: AlignedRun, k: int) -> str:
    return f"source {k}" if aligned.to == "sources" else f"z{k}"


def _title(aligned: AlignedRun, found: Consensus) -> str:
    return aligned.run if len(aligned.groups) == 1 else f"{aligned.run} group {found.group}"


def _moved_words(aligned: AlignedRun, found: Consensus, row: int) -> str:
    label = "" if aligned.label is None else f" ({aligned.label[row]})"
    return f"{aligned.sample_id[row]}{label} {number(float(found.displacement[row]), 2)}"

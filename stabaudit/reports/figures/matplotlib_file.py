"""Figures as PNG or PDF by matplotlib, from the description that is also drawn as SVG. No display is needed."""

import io
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure as Canvas
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from stabaudit.reports.figures import colors
from stabaudit.reports.figures.elements import (
    FAINT,
    INK,
    PAPER,
    RAMP_SERIES,
    Band,
    Box,
    Cells,
    Dash,
    Figure,
    Key,
    Labels,
    Line,
    Mark,
    Panel,
    Points,
    Segments,
    Shape,
    columns_of,
)
from stabaudit.reports.figures.svg import WIDTH
from stabaudit.reports.figures.text_lines import tick_lines, wrapped
from stabaudit.reports.formats.plain_text import clean

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_PRINT_DPI = 300
_EDGE, _RAMP = 0.08, 0.6  # inches below the panels, without and with a colour bar
_TITLE = 11.5  # characters of a panel's title to an inch
_LINE, _LINES = 0.17, 5  # inches of a line of titles or of the legend; so many the page has room for beside its panels
_INCH = 100  # pixels of a panel's description
_INK, _FAINT = "#1b1f24", "#e4e7eb"
_MARKERS: dict[Shape, dict[str, Any]] = {
    "disc": {"marker": "o", "linewidths": 0},
    "square": {"marker": "s", "linewidths": 0},
    "cross": {"marker": "x", "linewidths": 1.2},
    "ring": {"marker": "o", "linewidths": 1.2, "facecolors": "none"},
}
_DASHES: dict[Dash, Literal["-", "--", ":"]] = {"solid": "-", "dashed": "--", "dotted": ":"}


def figure_bytes(figure: Figure, form: Literal["png", "pdf"], inches: float | None = None) -> bytes:
    """Draw a figure, `inches` wide; the same figure gives the same bytes."""
    file = io.BytesIO()
    # No date, so that the same figure is the same file.
    metadata = {"CreationDate": None} if form == "pdf" else {"Software": None}
    with rc_context({"pdf.fonttype": 42}):  # text stays text, in a font that editors and journals take
        drawn(figure, inches).savefig(file, format=form, dpi=150 if inches is None else _PRINT_DPI, metadata=metadata)
    return file.getvalue()


def drawn(figure: Figure, inches: float | None = None) -> Canvas:
    """A figure as matplotlib has it, `inches` wide; letters have one size at any width."""
    columns = columns_of(figure, inches)
    rows = -(-len(figure.panels) // columns)
    width = columns * (WIDTH + 40) / _INCH if inches is None else inches
    keys, in_row = _legend(figure, width)
    title = wrapped(clean(figure.title), int(width * 11))
    heads = max(len(wrapped(clean(panel.title), int(_TITLE * width / columns))) for panel in figure.panels)
    lines = -(-len(keys) // in_row) + len(title) + rows * heads
    height = rows * (max(panel.height for panel in figure.panels) + 60) / _INCH + 1.2 + _LINE * max(0, lines - _LINES)
    edge = (_RAMP if figure.ramp else _EDGE) / height
    canvas = Canvas(figsize=(width, height), layout=ConstrainedLayoutEngine(h_pad=0.08, rect=(0, edge, 1, 1 - edge)))
    FigureCanvasAgg(canvas)
    canvas.suptitle(_plain("\n".join(title)), fontsize=11, color=_INK)
    grid = canvas.subplots(rows, columns, squeeze=False)
    for position, axes in enumerate(grid.flat):
        if position < len(figure.panels):
            _draw_panel(axes, figure.panels[position], int(_TITLE * width / columns))
        else:
            axes.set_axis_off()
    if figure.ramp:
        _draw_ramp(canvas, figure.ramp, 1 / columns)
    if keys:
        canvas.legend(handles=keys, loc="outside lower center", ncols=in_row, fontsize=8, frameon=False)
    return canvas


def _draw_ramp(canvas: Canvas, ramp: tuple[str, str, str], wide: float) -> None:
    """A colour bar at the foot of the page, over a share of its width."""
    name, *ends = (_plain(clean(text)) for text in ramp)
    height = canvas.get_figheight()
    place = canvas.add_axes((0.5 - 0.4 * wide, 0.4 / height, 0.8 * wide, 0.1 / height))
    place.set_in_layout(False)
    bar = canvas.colorbar(ScalarMappable(cmap=ListedColormap(colors.RAMP)), cax=place, orientation="horizontal")
    bar.set_ticks([0.0, 1.0], labels=ends, fontsize=7.5)
    bar.set_label(name, fontsize=8, labelpad=-4)
    bar.outline.set_visible(False)


def _legend(figure: Figure, width: float) -> tuple[list["Artist"], int]:
    """The keys of the legend, and how many stand side by side on so many inches."""
    handles = [_handle(key) for key in figure.legend]
    longest = max((len(str(handle.get_label())) for handle in handles), default=0)
    return handles, max(1, min(len(handles), int(width / (0.5 + 0.075 * longest))))  # inches of a key and of a letter


def _draw_panel(axes: "Axes", panel: Panel, characters: int) -> None:
    for mark in panel.marks:
        _draw(axes, mark)
    axes.set_title(_plain("\n".join(wrapped(clean(panel.title), characters))), fontsize=8.5, color=_INK)
    axes.set_xlim(panel.x.low, panel.x.high)
    axes.set_ylim(panel.y.low, panel.y.high)
    axes.set_xticks([tick for tick, _ in panel.x.ticks], [_plain(clean(name)) for _, name in panel.x.ticks], fontsize=7.5)
    names = [_plain("\n".join(tick_lines(clean(name)))) for _, name in panel.y.ticks]
    axes.set_yticks([tick for tick, _ in panel.y.ticks], names, fontsize=7.5)
    axes.set_xlabel(_plain(clean(panel.x.label)), fontsize=8)
    axes.set_ylabel(_plain(clean(panel.y.label)), fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    if not any(isinstance(mark, Cells) for mark in panel.marks):
        axes.grid(axis="y", color=_FAINT, linewidth=0.8)
        axes.set_axisbelow(True)


def _draw(axes: "Axes", mark: Mark) -> None:
    match mark:
        case Line(x, y, series, dash, width):
            axes.plot(x, y, color=_color(series), linestyle=_DASHES[dash], linewidth=0.8 * width)
        case Band(x, low, high, series):
            axes.fill_between(x, low, high, color=_color(series), alpha=0.2, linewidth=0)
        case Points() | Segments() | Labels():
            _draw_places(axes, mark)
        case Box(at, values, series):
            own = {"color": _color(series)}
            axes.boxplot(
                [values],
                positions=[at],
                orientation="horizontal",
                widths=0.5,
                manage_ticks=False,
                boxprops=own,
                whiskerprops=own,
                capprops=own,
                medianprops=own | {"linewidth": 2},
                flierprops={"marker": "o", "markersize": 2, "markeredgecolor": _color(series)},
            )
        case Cells(values):
            shades = np.full((*values.shape, 3), 1.0)
            for i, j in np.argwhere(np.isfinite(values)).tolist():
                color = colors.RAMP[step := colors.step_of(float(values[i, j]))]
                shades[i, j] = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
                if mark.is_printed(i, j):
                    tone = "#111" if step >= colors.FIRST_LIGHT_STEP else "#fff"
                    axes.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize=5.5, color=tone)
            axes.imshow(shades, aspect="auto")


def _draw_places(axes: "Axes", mark: Points | Segments | Labels) -> None:
    match mark:
        case Points(x, y, series, radius, shape):
            colored: dict[str, Any] = {"edgecolors" if shape == "ring" else "color": _color(series)}
            axes.scatter(x, y, s=(1.4 * radius) ** 2, zorder=2.5, **colored, **_MARKERS[shape])
        case Segments(x, y, x_end, y_end, series, width):
            ends = np.stack([np.column_stack([x, y]), np.column_stack([x_end, y_end])], axis=1)
            axes.add_collection(LineCollection(list(ends), colors=_color(series), linewidths=0.8 * width), autolim=False)
        case Labels(x, y, texts):
            halo = [withStroke(linewidth=2, foreground="#fff")]
            for px, py, text in zip(x.tolist(), y.tolist(), texts, strict=True):
                axes.text(px, py, _plain(clean(text)), ha="center", va="center", fontsize=6.5, color=_INK, path_effects=halo)


def _handle(key: Key) -> "Artist":
    color, label = _color(key.series), f"\u200a{_plain(clean(key.label))}"  # matplotlib leaves out labels that begin with "_"
    if key.kind == "band":
        return Patch(color=color, alpha=0.2, label=label)
    if key.kind == "point":
        marker = _MARKERS[key.shape]["marker"]
        fill = "none" if key.shape == "ring" else color
        return Line2D([], [], color=color, marker=marker, markerfacecolor=fill, linestyle="", markersize=4, label=label)
    return Line2D([], [], color=color, linestyle=_DASHES["solid" if key.kind == "line" else key.kind], label=label)


def _color(series: int) -> str:
    if series >= RAMP_SERIES:
        return colors.RAMP[series - RAMP_SERIES]
    return {INK: _INK, FAINT: _FAINT, PAPER: "#fff"}.get(series) or colors.LIGHT[series % colors.SERIES]


def _plain(text: str) -> str:
    """Text in which no dollar sign begins a formula."""
    return text.replace("$", r"\$")

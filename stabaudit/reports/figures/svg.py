"""Panels and legends as SVG, for a page, whose style sheet gives the colours, or for `sheet`, which makes a file of them.

Text is escaped and holds no control characters, so that no name can end an element or turn the reading direction.
"""

import math
from collections.abc import Iterable
from html import escape

import numpy as np

from stabaudit.reports.figures import colors
from stabaudit.reports.figures.elements import (
    FAINT,
    INK,
    PAPER,
    RAMP_SERIES,
    Array,
    Band,
    Box,
    Cells,
    Dash,
    Key,
    Labels,
    Line,
    Mark,
    Panel,
    Points,
    Segments,
    Shape,
)
from stabaudit.reports.figures.text_lines import tick_lines
from stabaudit.reports.formats.plain_text import clean

WIDTH = 360  # of a panel, pixels
_TOP, _RIGHT, _BOTTOM = 8, 12, 36  # margins of a panel
_BETWEEN = 0.8  # cells, pixels
_DASHES: dict[Dash, str] = {"solid": "", "dashed": ' stroke-dasharray="6 3"', "dotted": ' stroke-dasharray="1.5 3.5"'}

STYLE = (
    ".plot text{font:11px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:var(--soft)}"
    ".plot .axis{fill:var(--ink)}.plot path,.plot line{fill:none}"
    ".plot .grid{stroke:var(--grid);stroke-width:1}.plot .frame{stroke:var(--soft);stroke-width:1}"
    ".plot .ink{stroke:var(--ink)}.plot .faint{stroke:var(--grid)}.plot .paper{stroke:var(--page)}"
    ".plot .band{stroke:none;fill-opacity:.2}"
    ".plot .box{fill:var(--page);stroke-width:1.4}.plot .printed text{font-size:9px;text-anchor:middle}"
    ".plot .dark text{fill:#111}.plot .pale text{fill:#fff}"
    ".plot .labels text{font-size:10px;text-anchor:middle;fill:var(--ink);stroke:var(--page);stroke-width:3px;paint-order:stroke}"
    + "".join(f".plot .s{i}{{stroke:var(--s{i})}}.plot .f{i}{{fill:var(--s{i})}}" for i in range(colors.SERIES))
    + "".join(
        f".plot path.r{i}{{fill:var(--r{i});stroke:var(--page);stroke-width:.8}}.plot .q{i}{{stroke:var(--r{i})}}"
        for i in range(len(colors.RAMP))
    )
)


def panel_svg(panel: Panel, name: str, at: tuple[float, float] | None = None) -> str:
    """A panel: a picture with its text alternative.

    Args:
        panel: what to draw; its title is for the page to set above it.
        name: unique in the page or file.
        at: where in a file its upper left corner lies; None in a page, which decides how wide it is.
    """
    place = "" if at is None else f' x="{short(at[0])}" y="{short(at[1])}" width="{WIDTH}" height="{panel.height}"'
    frame = _Frame(panel)
    body = "".join([*frame.axes(), *(part for mark in panel.marks for part in frame.draw(mark))])
    return (
        f'<svg class="plot"{place} viewBox="0 0 {WIDTH} {panel.height}" role="img" aria-label="{escaped(panel.title)}" '
        f'aria-describedby="{name}-d"><desc id="{name}-d">{escaped(panel.description)}</desc>{body}</svg>'
    )


def key_svg(key: Key) -> str:
    """The sign of a legend's line, 26 by 12."""
    return f'<svg class="plot key" width="26" height="12" aria-hidden="true">{sign(key, 0, 6)}</svg>'


def plot_area(height: int, margin: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the plot in a panel of that height and margin, in pixels."""
    return margin, _TOP, WIDTH - _RIGHT, height - _BOTTOM


class _Frame:
    """A panel's plot and its coordinates."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.left, self.top, self.right, self.bottom = plot_area(panel.height, panel.margin)

    def x(self, value: Array | float) -> Array:
        """Pixels from the left."""
        axis = self.panel.x
        return self.left + (np.asarray(value, dtype=float) - axis.low) / (axis.high - axis.low) * (self.right - self.left)

    def y(self, value: Array | float) -> Array:
        """Pixels from the top."""
        axis = self.panel.y
        return self.bottom - (np.asarray(value, dtype=float) - axis.low) / (axis.high - axis.low) * (self.bottom - self.top)

    def axes(self) -> Iterable[str]:
        """Grid lines, marks and labels."""
        panel, cells = self.panel, any(isinstance(mark, Cells) for mark in self.panel.marks)
        for tick, name in panel.y.ticks:
            y = float(self.y(tick))
            if not cells:
                yield f'<path class="grid" d="M{self.left} {short(y)}H{self.right}"/>'
            yield from _tick_texts(self.left - 6, y + 4, name)
        for tick, name in panel.x.ticks:
            x = float(self.x(tick))
            yield f'<text text-anchor="middle" x="{short(x)}" y="{self.bottom + 15}">{escaped(name)}</text>'
        if not cells:
            yield f'<path class="frame" d="M{self.left} {self.bottom}H{self.right}"/>'
        at = f'x="{short((self.left + self.right) / 2)}" y="{panel.height - 5}"'
        yield f'<text class="axis" text-anchor="middle" {at}>{escaped(panel.x.label)}</text>'
        if panel.y.label:
            y = (self.top + self.bottom) / 2
            yield (
                f'<text class="axis" text-anchor="middle" transform="translate(11 {short(y)})rotate(-90)">'
                f"{escaped(panel.y.label)}</text>"
            )

    def draw(self, mark: Mark) -> Iterable[str]:
        """The elements of a mark."""
        match mark:
            case Line(x, y, series, dash, width):
                drawn = f'd="{_path(self.x(x), self.y(y))}" stroke-width="{width:g}" stroke-linejoin="round"'
                yield f'<path class="{_stroke(series)}" {drawn}{_DASHES[dash]}/>'
            case Band(x, low, high, series):
                there, back = _path(self.x(x), self.y(high)), _path(self.x(x)[::-1], self.y(low)[::-1])
                yield f'<path class="band" style="fill:{_variable(series)}" d="{there}L{back[1:]}z"/>'
            case Points(x, y, series, radius, shape):
                places = zip(self.x(x).tolist(), self.y(y).tolist(), strict=True)
                yield _dots(places, series, radius, shape)
            case Segments(x, y, x_end, y_end, series, width):
                ends = zip(self.x(x), self.y(y), self.x(x_end), self.y(y_end), strict=True)
                drawn = "".join(_segment(*map(short, four)) for four in ends)
                yield f'<path class="{_stroke(series)}" stroke-width="{width:g}" d="{drawn}"/>'
            case Labels(x, y, texts):
                named = zip(self.x(x).tolist(), self.y(y).tolist(), texts, strict=True)
                inner = "".join(f'<text x="{short(px)}" y="{short(py + 3.5)}">{escaped(text)}</text>' for px, py, text in named)
                yield f'<g class="labels">{inner}</g>'
            case Box():
                yield from self._box(mark)
            case Cells():
                yield from self._cells(mark)

    def _box(self, box: Box) -> Iterable[str]:
        y, half = float(self.y(box.at)), 6
        low, middle, high = (short(float(self.x(value))) for value in box.quartiles)
        start, end = (short(float(self.x(value))) for value in box.whiskers)
        top, bottom = short(y - half), short(y + half)
        stroke = _stroke(box.series)
        ends = f"M{start} {short(y - 3)}v6M{end} {short(y - 3)}v6"
        yield f'<path class="{stroke}" stroke-width="1.4" d="M{start} {short(y)}H{end}{ends}"/>'
        yield f'<path class="box {stroke}" style="fill:var(--page)" d="M{low} {top}H{high}V{bottom}H{low}z"/>'
        yield f'<path class="{stroke}" stroke-width="2.6" d="M{middle} {top}V{bottom}"/>'
        if len(box.outliers):
            yield from self.draw(Points(box.outliers, np.full(len(box.outliers), box.at), box.series, 1.6))

    def _cells(self, cells: Cells) -> Iterable[str]:
        values = cells.values
        rows, columns = values.shape
        width, height = (self.right - self.left) / columns, (self.bottom - self.top) / rows
        runs: dict[int, list[list[int]]] = {}  # by step: row, first column and number of cells that are alike
        texts: dict[str, list[str]] = {"dark": [], "pale": []}
        for i, j in np.argwhere(np.isfinite(values)).tolist():
            x, y, value = self.left + j * width, self.top + i * height, float(values[i, j])
            step = colors.step_of(value)
            alike = runs.setdefault(step, [])
            if alike and alike[-1][0] == i and sum(alike[-1][1:]) == j:
                alike[-1][2] += 1
            else:
                alike.append([i, j, 1])
            if cells.is_printed(i, j):
                tone = "dark" if step >= colors.FIRST_LIGHT_STEP else "pale"
                at = f'x="{short(x + width / 2)}" y="{short(y + height / 2 + 3)}"'
                texts[tone].append(f"<text {at}>{_hundredths(value)}</text>")
        # Thick dashed lines, a dash for each cell: a quarter of what as many rectangles take.
        stroke = f'stroke-width="{short(height - _BETWEEN)}" stroke-dasharray="{width - _BETWEEN:.4f} {_BETWEEN}"'
        for step, alike in sorted(runs.items()):
            drawn = "".join(
                f"M{short(self.left + j * width)} {short(self.top + (i + 0.5) * height)}h{short(count * width - _BETWEEN)}"
                for i, j, count in alike
            )
            yield f'<path class="q{step}" {stroke} d="{drawn}"/>'
        yield from (f'<g class="printed {tone}">{"".join(found)}</g>' for tone, found in texts.items() if found)


def sign(key: Key, x: float, y: float) -> str:
    """The sign of a legend's line, 26 wide, its middle at the height y."""
    stroke = _stroke(key.series)
    if key.kind == "point":
        return _dots([(x + 13, y)], key.series, 3.5, key.shape)
    if key.kind == "band":
        return f'<path class="band" style="fill:{_variable(key.series)}" d="M{short(x)} {short(y - 5)}h26v10h-26z"/>'
    dash = _DASHES["solid" if key.kind == "line" else key.kind]
    return f'<path class="{stroke}" stroke-width="2.2"{dash} d="M{short(x)} {short(y)}h26"/>'


def _segment(x: str, y: str, x_end: str, y_end: str) -> str:
    """A straight line as a part of a path."""
    return f"M{x} {y}" + (f"H{x_end}" if y == y_end else f"V{y_end}" if x == x_end else f"L{x_end} {y_end}")


def _dots(places: Iterable[tuple[float, float]], series: int, radius: float, shape: Shape) -> str:
    """Points as one path."""
    stroke = f'class="{_stroke(series)}"'
    if shape in {"disc", "square"}:
        # Lines without length and with round or square ends: a tenth of what as many circles take.
        ends = "".join(f"M{short(x)} {short(y)}h0" for x, y in places)
        wide = 2 * radius if shape == "disc" else 1.8 * radius
        return f'<path {stroke} stroke-width="{wide:g}" stroke-linecap="{"round" if shape == "disc" else "square"}" d="{ends}"/>'
    r = short(radius)
    one = f"m-{r} -{r}l{2 * radius:g} {2 * radius:g}m0 -{2 * radius:g}l-{2 * radius:g} {2 * radius:g}"
    if shape == "ring":
        one = f"m-{r} 0a{r} {r} 0 1 0 {2 * radius:g} 0a{r} {r} 0 1 0 -{2 * radius:g} 0"
    return f'<path {stroke} stroke-width="1.5" d="{"".join(f"M{short(x)} {short(y)}{one}" for x, y in places)}"/>'


def _tick_texts(x: float, y: float, name: str) -> Iterable[str]:
    lines = tick_lines(name)
    for number, line in enumerate(lines):
        up = 11 * (number - (len(lines) - 1) / 2)
        yield f'<text text-anchor="end" x="{short(x)}" y="{short(y + up)}">{escaped(line)}</text>'


def _stroke(series: int) -> str:
    """The class of a series: its colour; those from 100 on are steps of the ramp."""
    if series >= RAMP_SERIES:
        return f"q{series - RAMP_SERIES}"
    return {INK: "ink", FAINT: "faint", PAPER: "paper"}.get(series) or f"s{series % colors.SERIES}"


def _variable(series: int) -> str:
    return {INK: "var(--ink)", FAINT: "var(--grid)", PAPER: "var(--page)"}.get(series) or f"var(--s{series % colors.SERIES})"


def _path(x: Array, y: Array) -> str:
    return "M" + "L".join(f"{short(px)} {short(py)}" for px, py in zip(x, y, strict=True))


def short(value: float) -> str:
    """A coordinate to a tenth of a pixel, as short as it can be.

    >>> short(12.0), short(-0.04), short(3.14159)
    ('12', '0', '3.1')
    """
    if not math.isfinite(value):
        return "0"
    return f"{value:.1f}".rstrip("0").rstrip(".").replace("-0", "0") if abs(value) < 0.05 else f"{value:.1f}".removesuffix(".0")


def _hundredths(value: float) -> str:
    """A score in two digits: ".63", "1", "−.1".

    >>> _hundredths(0.628), _hundredths(0.999), _hundredths(-0.1)
    ('.63', '1', '−.10')
    """
    text = f"{abs(value):.2f}".removeprefix("0").replace("1.00", "1")
    return ("−" if value < -0.005 else "") + text


def escaped(text: str) -> str:
    """Text as the content of an element or an attribute."""
    return escape(clean(text))

"""Figures as SVG: a panel for a page, whose style sheet gives the colours, or a whole figure as a file that stands alone.

Text is escaped and holds no control characters, so that no name can end an element or turn the reading direction.
"""

import math
import textwrap
from collections.abc import Iterable
from html import escape

import numpy as np

from stabaudit.reports.figures import colors
from stabaudit.reports.figures.marks import (
    FAINT,
    INK,
    RAMP_SERIES,
    Array,
    Band,
    Box,
    Cells,
    Dash,
    Figure,
    Key,
    Line,
    Mark,
    Panel,
    Points,
)

WIDTH = 360  # of a panel, pixels
_TOP, _RIGHT, _BOTTOM = 8, 12, 36  # margins of a panel
_GAP = 24  # between panels of a file
_CHARACTERS = 52  # of a title that fits above a panel
_TICK_CHARACTERS, _TICK_LINES = 22, 3  # of a name beside an axis
_DASHES: dict[Dash, str] = {"solid": "", "dashed": ' stroke-dasharray="6 3"', "dotted": ' stroke-dasharray="1.5 3.5"'}

STYLE = (
    ".plot text{font:11px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:var(--soft)}"
    ".plot .axis{fill:var(--ink)}.plot path,.plot line{fill:none}"
    ".plot .grid{stroke:var(--grid);stroke-width:1}.plot .frame{stroke:var(--soft);stroke-width:1}"
    ".plot .ink{stroke:var(--ink)}.plot .faint{stroke:var(--grid)}.plot .band{stroke:none;fill-opacity:.2}"
    ".plot .box{fill:var(--page);stroke-width:1.4}.plot .printed text{font-size:9px;text-anchor:middle}"
    ".plot .dark text{fill:#111}.plot .pale text{fill:#fff}"
    + "".join(f".plot .s{i}{{stroke:var(--s{i})}}.plot .f{i}{{fill:var(--s{i})}}" for i in range(colors.SERIES))
    + "".join(
        f".plot path.r{i}{{fill:var(--r{i});stroke:var(--page);stroke-width:.8}}.plot .q{i}{{stroke:var(--r{i})}}"
        for i in range(len(colors.RAMP))
    )
)
_PAPER = "--page:#fff;--ink:#1b1f24;--soft:#57606a;--grid:#e4e7eb;"


def clean(text: str) -> str:
    r"""Text without control characters, which neither XML nor a reader can bear.

    >>> clean("a\x00b\u202ec")
    'a\ufffdb\ufffdc'
    """
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def figure_svg(figure: Figure, columns: int = 3) -> str:
    """A figure as a file: title, legend, and panels in rows."""
    columns = min(columns, len(figure.panels))
    width = columns * WIDTH + (columns + 1) * _GAP
    # A narrow figure breaks its title and caption into more lines.
    head = [*_lines(figure.title, width // 8), *_lines(figure.caption, width // 6)]
    parts, y = [], 30.0
    for number, line in enumerate(head):
        bold = number < len(_lines(figure.title, width // 8))
        parts.append(f'<text class="axis" x="{_GAP}" y="{_n(y)}"{_BOLD if bold else ""}>{_text(line)}</text>')
        y += 18 if bold else 15
    legend, y = _legend(figure, width, y + 4)
    parts += legend
    for start in range(0, len(figure.panels), columns):
        row = figure.panels[start : start + columns]
        titles = [_lines(panel.title, _CHARACTERS) for panel in row]
        y += 16 * max(map(len, titles)) + 6
        for place, (panel, title) in enumerate(zip(row, titles, strict=True)):
            x = _GAP + place * (WIDTH + _GAP)
            parts += [
                f'<text class="axis" x="{x}" y="{_n(y - 8 - 15 * (len(title) - 1 - n))}"{_BOLD}>{_text(line)}</text>'
                for n, line in enumerate(title)
            ]
            parts.append(panel_svg(panel, f"p{start + place}", at=(x, y)))
        y += max(panel.height for panel in row) + _GAP
    said = f"{figure.title}. {figure.caption}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" aria-label="{_text(said)}" width="{width}" '
        f'height="{_n(y)}" viewBox="0 0 {width} {_n(y)}"><style>svg{{{_PAPER}{colors.css(dark=False)}}}{STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


_BOLD = ' style="font-weight:600;font-size:13px"'


def panel_svg(panel: Panel, name: str, at: tuple[float, float] | None = None) -> str:
    """A panel: a picture with its text alternative.

    Args:
        panel: what to draw; its title is for the page to set above it.
        name: unique in the page or file.
        at: where in a file its upper left corner lies; None in a page, which decides how wide it is.
    """
    place = "" if at is None else f' x="{_n(at[0])}" y="{_n(at[1])}" width="{WIDTH}" height="{panel.height}"'
    frame = _Frame(panel)
    body = "".join([*frame.axes(), *(part for mark in panel.marks for part in frame.draw(mark))])
    return (
        f'<svg class="plot"{place} viewBox="0 0 {WIDTH} {panel.height}" role="img" aria-label="{_text(panel.title)}" '
        f'aria-describedby="{name}-d"><desc id="{name}-d">{_text(panel.description)}</desc>{body}</svg>'
    )


def key_svg(key: Key) -> str:
    """The sign of a legend's line, 26 by 12."""
    return f'<svg class="plot key" width="26" height="12" aria-hidden="true">{_sign(key, 0, 6)}</svg>'


class _Frame:
    """A panel's plot and its coordinates."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.left, self.right = panel.margin, WIDTH - _RIGHT
        self.top, self.bottom = _TOP, panel.height - _BOTTOM

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
                yield f'<path class="grid" d="M{self.left} {_n(y)}H{self.right}"/>'
            yield from _tick_lines(self.left - 6, y + 4, name)
        for tick, name in panel.x.ticks:
            x = float(self.x(tick))
            yield f'<text text-anchor="middle" x="{_n(x)}" y="{self.bottom + 15}">{_text(name)}</text>'
        if not cells:
            yield f'<path class="frame" d="M{self.left} {self.bottom}H{self.right}"/>'
        middle = (self.left + self.right) / 2
        yield f'<text class="axis" text-anchor="middle" x="{_n(middle)}" y="{panel.height - 5}">{_text(panel.x.label)}</text>'
        if panel.y.label:
            y = (self.top + self.bottom) / 2
            yield (
                f'<text class="axis" text-anchor="middle" transform="translate(11 {_n(y)})rotate(-90)">'
                f"{_text(panel.y.label)}</text>"
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
            case Points(x, y, series, radius):
                # Lines without length and with round ends: a tenth of what as many circles take.
                dots = "".join(f"M{_n(px)} {_n(py)}h0" for px, py in zip(self.x(x), self.y(y), strict=True))
                yield f'<path class="{_stroke(series)}" stroke-width="{2 * radius:g}" stroke-linecap="round" d="{dots}"/>'
            case Box():
                yield from self._box(mark)
            case Cells():
                yield from self._cells(mark)

    def _box(self, box: Box) -> Iterable[str]:
        y, half = float(self.y(box.at)), 6
        low, middle, high = (_n(float(self.x(value))) for value in box.quartiles)
        start, end = (_n(float(self.x(value))) for value in box.whiskers)
        top, bottom = _n(y - half), _n(y + half)
        stroke = _stroke(box.series)
        yield f'<path class="{stroke}" stroke-width="1.4" d="M{start} {_n(y)}H{end}M{start} {_n(y - 3)}v6M{end} {_n(y - 3)}v6"/>'
        yield f'<path class="box {stroke}" style="fill:var(--page)" d="M{low} {top}H{high}V{bottom}H{low}z"/>'
        yield f'<path class="{stroke}" stroke-width="2.6" d="M{middle} {top}V{bottom}"/>'
        if len(box.outliers):
            yield from self.draw(Points(box.outliers, np.full(len(box.outliers), box.at), box.series, 1.6))

    def _cells(self, cells: Cells) -> Iterable[str]:
        values = cells.values
        rows, columns = values.shape
        width, height = (self.right - self.left) / columns, (self.bottom - self.top) / rows
        steps: dict[int, list[str]] = {}
        texts: dict[str, list[str]] = {"dark": [], "pale": []}
        for i, j in np.argwhere(np.isfinite(values)).tolist():
            x, y, value = self.left + j * width, self.top + i * height, float(values[i, j])
            step = colors.step_of(value)
            steps.setdefault(step, []).append(f"M{_n(x)} {_n(y)}h{_n(width)}v{_n(height)}h{_n(-width)}z")
            if cells.is_printed(i, j):
                tone = "dark" if step >= colors.FIRST_LIGHT_STEP else "pale"
                at = f'x="{_n(x + width / 2)}" y="{_n(y + height / 2 + 3)}"'
                texts[tone].append(f"<text {at}>{_hundredths(value)}</text>")
        for step, squares in sorted(steps.items()):
            yield f'<path class="r{step}" d="{"".join(squares)}"/>'
        yield from (f'<g class="printed {tone}">{"".join(found)}</g>' for tone, found in texts.items() if found)


def _legend(figure: Figure, width: float, y: float) -> tuple[list[str], float]:
    """The legend's elements, line by line, and where it ends."""
    parts, x = [], float(_GAP)
    for key in figure.legend:
        space = 40 + 6.5 * len(key.label)
        if x + space > width - _GAP and x > _GAP:
            x, y = float(_GAP), y + 18
        parts.append(_sign(key, x, y))
        parts.append(f'<text class="axis" x="{_n(x + 32)}" y="{_n(y + 4)}">{_text(key.label)}</text>')
        x += space
    y += 14 if figure.legend else 0
    if figure.ramp:
        name, low, high = figure.ramp
        parts.append(f'<text class="axis" x="{_GAP}" y="{_n(y + 4)}">{_text(f"{name}: {low}")}</text>')
        x = _GAP + 12 + 6.5 * len(f"{name}: {low}")
        parts += [f'<path class="r{step}" d="M{_n(x + 7 * step)} {_n(y - 6)}h7v12h-7z"/>' for step in range(len(colors.RAMP))]
        parts.append(f'<text class="axis" x="{_n(x + 7 * len(colors.RAMP) + 6)}" y="{_n(y + 4)}">{_text(high)}</text>')
        y += 18
    return parts, y


def _sign(key: Key, x: float, y: float) -> str:
    stroke = _stroke(key.series)
    if key.kind == "point":
        return f'<path class="{stroke}" stroke-width="7" stroke-linecap="round" d="M{_n(x + 13)} {_n(y)}h0"/>'
    if key.kind == "band":
        return f'<path class="band" style="fill:{_variable(key.series)}" d="M{_n(x)} {_n(y - 5)}h26v10h-26z"/>'
    dash = _DASHES["solid" if key.kind == "line" else key.kind]
    return f'<path class="{stroke}" stroke-width="2.2"{dash} d="M{_n(x)} {_n(y)}h26"/>'


def _tick_lines(x: float, y: float, name: str) -> Iterable[str]:
    lines = _lines(name, _TICK_CHARACTERS)
    if len(lines) > _TICK_LINES:
        lines = [*lines[: _TICK_LINES - 1], lines[_TICK_LINES - 1][:-1] + "…"]
    for number, line in enumerate(lines):
        up = 11 * (number - (len(lines) - 1) / 2)
        yield f'<text text-anchor="end" x="{_n(x)}" y="{_n(y + up)}">{_text(line)}</text>'


def _stroke(series: int) -> str:
    """The class of a series: its colour; those from 100 on are steps of the ramp."""
    if series >= RAMP_SERIES:
        return f"q{series - RAMP_SERIES}"
    return {INK: "ink", FAINT: "faint"}.get(series) or f"s{series % colors.SERIES}"


def _variable(series: int) -> str:
    return {INK: "var(--ink)", FAINT: "var(--grid)"}.get(series) or f"var(--s{series % colors.SERIES})"


def _path(x: Array, y: Array) -> str:
    return "M" + "L".join(f"{_n(px)} {_n(py)}" for px, py in zip(x, y, strict=True))


def _n(value: float) -> str:
    """A coordinate to a tenth of a pixel, as short as it can be.

    >>> _n(12.0), _n(-0.04), _n(3.14159)
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


def _lines(text: str, characters: int) -> list[str]:
    return textwrap.wrap(text, characters) or [""]


def _text(text: str) -> str:
    return escape(clean(text))

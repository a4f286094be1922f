"""A whole figure as one SVG file that stands alone: title, legend, and panels in rows, on white."""

from stabaudit.reports.figures import colors
from stabaudit.reports.figures.elements import Figure, columns_of
from stabaudit.reports.figures.svg import STYLE, WIDTH, escaped, panel_svg, short, sign
from stabaudit.reports.figures.text_lines import wrapped

_GAP = 24  # between panels, pixels
_CHARACTERS = 42  # of a title that fits above a panel
_PAPER = "--page:#fff;--ink:#1b1f24;--soft:#57606a;--grid:#e4e7eb;"
_BOLD = ' style="font-weight:600;font-size:13px"'


def figure_svg(figure: Figure, inches: float | None = None) -> str:
    """A figure as a file: title, legend, and panels in rows.

    Args:
        figure: what to draw.
        inches: its width on paper; None: as wide as three panels at most, on a screen.
    """
    columns = columns_of(figure, inches)
    width = columns * WIDTH + (columns + 1) * _GAP
    # A narrow figure breaks its title and caption into more lines.
    room = width - 2 * _GAP
    heading = wrapped(figure.title, int(room / 8.5))
    head = [*heading, *wrapped(figure.caption, int(room / 6.5))]
    parts, y = [], 30.0
    for number, line in enumerate(head):
        bold = number < len(heading)
        parts.append(f'<text class="axis" x="{_GAP}" y="{short(y)}"{_BOLD if bold else ""}>{escaped(line)}</text>')
        y += 18 if bold else 15
    legend, y = _legend(figure, width, y + 4)
    parts += legend
    for start in range(0, len(figure.panels), columns):
        row = figure.panels[start : start + columns]
        titles = [wrapped(panel.title, _CHARACTERS) for panel in row]
        y += 16 * max(map(len, titles)) + 6
        for place, (panel, title) in enumerate(zip(row, titles, strict=True)):
            x = _GAP + place * (WIDTH + _GAP)
            parts += [
                f'<text class="axis" x="{x}" y="{short(y - 8 - 15 * (len(title) - 1 - n))}"{_BOLD}>{escaped(line)}</text>'
                for n, line in enumerate(title)
            ]
            parts.append(panel_svg(panel, f"p{start + place}", at=(x, y)))
        y += max(panel.height for panel in row) + _GAP
    said = f"{figure.title}. {figure.caption}"
    size = f'width="{width}" height="{short(y)}"'
    if inches is not None:
        size = f'width="{inches:g}in" height="{inches * y / width:.3f}in"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" aria-label="{escaped(said)}" {size} '
        f'viewBox="0 0 {width} {short(y)}"><style>svg{{{_PAPER}{colors.css(dark=False)}}}{STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _legend(figure: Figure, width: float, y: float) -> tuple[list[str], float]:
    """The legend's elements, line by line, and where it ends."""
    parts, x = [], float(_GAP)
    room = int((width - 3 * _GAP) / 6.5) - 6  # characters of a label in a line of its own
    for key in figure.legend:
        label = key.label if len(key.label) <= room else key.label[: room - 1] + "…"
        space = 40 + 6.5 * len(label)
        if x + space > width - _GAP and x > _GAP:
            x, y = float(_GAP), y + 18
        parts.append(sign(key, x, y))
        parts.append(f'<text class="axis" x="{short(x + 32)}" y="{short(y + 4)}">{escaped(label)}</text>')
        x += space
    y += 14 if figure.legend else 0
    if figure.ramp:
        name, low, high = figure.ramp
        parts.append(f'<text class="axis" x="{_GAP}" y="{short(y + 4)}">{escaped(f"{name}: {low}")}</text>')
        x = _GAP + 12 + 6.5 * len(f"{name}: {low}")
        parts += [
            f'<path class="r{step}" d="M{short(x + 7 * step)} {short(y - 6)}h7v12h-7z"/>' for step in range(len(colors.RAMP))
        ]
        parts.append(f'<text class="axis" x="{short(x + 7 * len(colors.RAMP) + 6)}" y="{short(y + 4)}">{escaped(high)}</text>')
        y += 18
    return parts, y

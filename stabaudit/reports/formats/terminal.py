"""Sections as tables for a terminal. Nothing is ever cut off: a table without room becomes lines; piped text is not folded."""

import io
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, Group, JustifyMethod
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stabaudit.reports.column_heads import footer
from stabaudit.reports.formats.plain_text import plain
from stabaudit.reports.report import Report, Section
from stabaudit.reports.wording import NONE

UNLIMITED = 100_000  # columns; rich wants a width
_GAP = 2  # between columns
_TEXT = 12  # columns of a text at least, before a table is given up for lines
_COLORS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}


def write(report: Report, *, width: int | None = None, color: bool = False) -> str:
    """The sections of a report, and one line on those column heads that do not say it themselves."""
    said = footer(report.sections)
    noted = [*report.sections, Section("columns", words=[said])] if said else report.sections
    return as_table(noted, width=width, color=color)


def as_table(sections: Sequence[Section], *, width: int | None, color: bool) -> str:
    """Write sections as text.

    Args:
        sections: titles, tables and words.
        width: columns to fit into; None never breaks a line.
        color: whether to colour.
    """
    text = io.StringIO()
    console = Console(
        file=text,
        width=width or UNLIMITED,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for position, section in enumerate(sections):
        if position:
            console.print()
        console.print(Text(plain(section.title), style="bold"), soft_wrap=width is None)
        if section.rows:
            widths = _fitted(section, width)
            console.print(_stacked(section) if widths is None else _table(section, widths))
        for words in section.words:
            console.print(
                Padding(Text(plain(words)), (0, 0, 0, 2), expand=False) if width else Text(f"  {plain(words)}"),
                soft_wrap=width is None,
            )
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _fitted(section: Section, room: int | None) -> list[int] | None:
    """Widths of columns in which no number is broken over lines and texts get what is left; None where that is too little."""
    columns = range(len(section.header))
    full = [max(_widest(section, at), cell_len(plain(section.header[at]))) for at in columns]
    if room is None or sum(full) + _GAP * (len(full) - 1) <= room:
        return full
    least = [_least(section, at) for at in columns]
    left = room - sum(least[section.left :]) - _GAP * (len(full) - 1)
    widths = list(least)
    narrowest_first = sorted(range(section.left), key=lambda at: full[at])
    for place, at in enumerate(narrowest_first):
        widths[at] = min(full[at], left // (section.left - place))
        left -= widths[at]
        if widths[at] < min(_TEXT, _widest(section, at)):
            return None
    for at in columns[section.left :]:  # what texts leave goes to the heads of numbers
        more = min(full[at] - widths[at], left)
        widths[at], left = widths[at] + more, left - more
    return widths


def _widest(section: Section, column: int) -> int:
    return max(cell_len(plain(row[column])) for row in section.rows)


def _least(section: Section, column: int) -> int:
    """The width at which a number stands in one line and its head breaks at blanks alone."""
    return max(_widest(section, column), *map(cell_len, plain(section.header[column]).split()), 1)


def _stacked(section: Section) -> Group:
    """Each row as its name and, below it, its cells with their heads: for a terminal that has no room for the table."""
    parts: list[Text | Padding] = []
    for row in section.rows:
        parts.append(Text(plain(row[0]), style="bold"))
        cells = [
            Text(f"{plain(head)} ").append(plain(cell), style=_COLORS.get(cell, ""))
            for head, cell in zip(section.header[1:], row[1:], strict=True)
            if cell not in {"", NONE}
        ]
        parts.append(Padding(Text("; ").join(cells), (0, 0, 0, 2), expand=False))
    return Group(*parts)


def _table(section: Section, widths: Sequence[int]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for position, name in enumerate(section.header):
        justify: JustifyMethod = "right" if position >= section.left else "left"
        table.add_column(Text(plain(name)), justify=justify, overflow="fold", width=widths[position])
    for row in section.rows:
        table.add_row(*(Text(plain(cell), style=_COLORS.get(cell, "")) for cell in row))
    return table

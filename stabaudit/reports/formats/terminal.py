"""Sections as tables for a terminal. Nothing is ever cut off: a table without room becomes lines; piped text is not folded."""

import io
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stabaudit.reports.column_heads import footer
from stabaudit.reports.formats.plain_text import plain
from stabaudit.reports.report import Report, Section
from stabaudit.reports.wording import NONE

UNLIMITED = 100_000  # columns; rich wants a width
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
            console.print(_table(section) if width is None or _needs(section) <= width else _stacked(section))
        for words in section.words:
            console.print(
                Padding(Text(plain(words)), (0, 0, 0, 2), expand=False) if width else Text(f"  {plain(words)}"),
                soft_wrap=width is None,
            )
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _needs(section: Section) -> int:
    """Columns that a table takes if no number is broken over lines and texts get some room."""
    columns = range(len(section.header))
    return sum(_least(section, at) if at >= section.left else min(_TEXT, _widest(section, at)) for at in columns) + 2 * (
        len(columns) - 1
    )


def _widest(section: Section, column: int) -> int:
    return max(len(plain(row[column])) for row in section.rows)


def _least(section: Section, column: int) -> int:
    """The width at which a number stands in one line and its head breaks at blanks alone."""
    return max(_widest(section, column), *map(len, plain(section.header[column]).split()), 1)


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


def _table(section: Section) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for position, name in enumerate(section.header):
        is_number = position >= section.left
        table.add_column(
            Text(plain(name)),
            justify="right" if is_number else "left",
            overflow="fold",
            min_width=_least(section, position) if is_number else None,
        )
    for row in section.rows:
        table.add_row(*(Text(plain(cell), style=_COLORS.get(cell, "")) for cell in row))
    return table

"""Sections as tables for a terminal. Nothing is ever cut off: what does not fit is folded, and piped output is never folded."""

import io
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stabaudit.reports.formats.plain_text import plain
from stabaudit.reports.report import Report, Section

UNLIMITED = 100_000  # columns; rich wants a width
_COLORS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}


def write(report: Report, *, width: int | None = None, color: bool = False) -> str:
    """The sections of a report."""
    return as_table(report.sections, width=width, color=color)


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
            console.print(_table(section))
        for words in section.words:
            console.print(
                Padding(Text(plain(words)), (0, 0, 0, 2), expand=False) if width else Text(f"  {plain(words)}"),
                soft_wrap=width is None,
            )
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _table(section: Section) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for position, name in enumerate(section.header):
        table.add_column(Text(plain(name)), justify="left" if position < section.left else "right", overflow="fold")
    for row in section.rows:
        table.add_row(*(Text(plain(cell), style=_COLORS.get(cell, "")) for cell in row))
    return table

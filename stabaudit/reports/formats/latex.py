r"""A report as LaTeX to paste into a paper: a booktabs table for each section, numbers aligned at their points by siunitx.

A column of numbers is an `S` column with the `table-format` that its widest cell needs; what is no number in it ("–", "<0.001")
is braced. "0.627 [0.600, 0.650]" becomes two columns under one head: the mean, aligned, and its interval. A column in which other
cells are mixed, such as two floors "0.05/0.40", is right-aligned text. What a section says in words stands below its table, with
the meaning of heads that do not say it themselves; a long table goes over pages with its head repeated. Everything is escaped to
ASCII (see `latex_text`), so that it compiles with any engine; captions have no labels, which would clash where two are pasted.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stabaudit.reports.column_heads import footer
from stabaudit.reports.formats.latex_text import escaped
from stabaudit.reports.report import Report, Section
from stabaudit.reports.wording import NONE

_HEADER = r"""% Needed in the preamble: \usepackage{array,booktabs,longtable,siunitx}
"""
_LONG = 40  # rows; more than a page takes
_WIDE_TEXT = 45  # characters; a longer text is broken over lines
_FOR_WIDE = 0.5  # of a line, for all columns of such text together
_MANY_COLUMNS = 8  # of a table that needs small print
_SMALL = r"\footnotesize\setlength{\tabcolsep}{4pt}"
_NUMBER = re.compile(r"(?P<sign>[-+−]?)(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<decimals>\d+))?")
_WITH_INTERVAL = re.compile(rf"(?P<number>{_NUMBER.pattern}) (?P<interval>\[.+\])")
_MISSING = ("", NONE)


@dataclass(frozen=True)
class Column:
    """A column as LaTeX sets it.

    Args:
        kind: of the tabular's preamble.
        head: braced where siunitx would read it as a number.
        cells: of the rows.
        span: columns that the head stands over.
    """

    kind: str
    head: str
    cells: Sequence[str]
    span: int = 1


def write(report: Report, **_: object) -> str:
    """The sections of a report and its warnings, with a comment that says which packages they need."""
    warnings = [str(record["warning"]) for record in report.records.get("warnings", ())]
    sections = [*report.sections, *([Section("Warnings", words=warnings)] if warnings else [])]
    return _HEADER + "\n" + "\n\n".join(map(section_latex, sections)) + "\n"


def section_latex(section: Section) -> str:
    """One section, without the line end."""
    title = escaped(section.title)
    if not section.rows:
        return "\n".join([rf"\paragraph{{{title}}}", *_paragraphs(section.words)])
    columns = list(columns_of(section))
    return (_long_table if len(section.rows) > _LONG else _table)(columns, title, _notes(section))


def columns_of(section: Section) -> Iterator[Column]:
    """The columns of a table: one for each of the section's, or two where means stand with their intervals."""
    columns = [[row[place].strip() for row in section.rows] for place in range(len(section.header))]
    wide = [max(map(len, cells)) > _WIDE_TEXT for cells in columns]
    share = _FOR_WIDE / max(1, sum(wide[: section.left]))
    for place, (head, cells) in enumerate(zip(section.header, columns, strict=True)):
        if place < section.left:
            kind = rf">{{\raggedright\arraybackslash}}p{{{share:.2f}\linewidth}}" if wide[place] else "l"
            yield Column(kind, escaped(head), ["--" if cell == NONE else escaped(cell) for cell in cells])
        else:
            yield from _numbers(head, cells)


def _numbers(head: str, cells: Sequence[str]) -> Iterator[Column]:
    present = [cell for cell in cells if cell not in _MISSING]
    if present and all(_WITH_INTERVAL.fullmatch(cell) for cell in present):
        split = [_WITH_INTERVAL.fullmatch(cell) for cell in cells]
        means = [cell if found is None else found["number"] for found, cell in zip(split, cells, strict=True)]
        intervals = ["" if found is None else escaped(found["interval"]) for found in split]
        yield Column(_aligned(means), _centred(head, 2), list(map(_cell, means)), 2)
        yield Column(r"@{\,}l", "", intervals, 0)
    elif any(_NUMBER.fullmatch(cell) for cell in present) and all(_NUMBER.fullmatch(c) or c.startswith("<") for c in present):
        yield Column(_aligned(cells), f"{{{escaped(head)}}}", list(map(_cell, cells)))
    else:
        yield Column("r", escaped(head), ["--" if cell == NONE else escaped(cell) for cell in cells])


def _aligned(cells: Sequence[str]) -> str:
    """An `S` column that holds these cells: sign, digits before and after the point."""
    found = [match for cell in cells if (match := _NUMBER.fullmatch(cell))]
    whole = max(len(one["whole"].replace(",", "")) for one in found)
    decimals = max(len(one["decimals"] or "") for one in found)
    signed = "-" if any(one["sign"] in {"-", "−"} for one in found) else "+" if any(one["sign"] for one in found) else ""
    return f"S[table-format={signed}{whole}{f'.{decimals}' if decimals else ''}]"


def _cell(text: str) -> str:
    """A cell of an `S` column: a number as siunitx reads it, anything else braced."""
    if _NUMBER.fullmatch(text):
        return text.replace(",", "").replace("−", "-")
    return "{--}" if text == NONE else f"{{{escaped(text)}}}"


def _centred(head: str, span: int) -> str:
    return rf"\multicolumn{{{span}}}{{c}}{{{escaped(head)}}}"


def _lines(columns: Sequence[Column]) -> tuple[str, list[str]]:
    """The line of heads and those of the rows."""
    heads = " & ".join(column.head for column in columns if column.span)
    rows = zip(*(column.cells for column in columns), strict=True)
    return rf"{heads} \\", [rf"{' & '.join(row)} \\" for row in rows]


def _table(columns: Sequence[Column], title: str, notes: Sequence[str]) -> str:
    heads, rows = _lines(columns)
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering",
            rf"\caption{{{title}}}",
            *([_SMALL] if len(columns) > _MANY_COLUMNS or any("p{" in column.kind for column in columns) else []),
            rf"\begin{{tabular}}{{{' '.join(column.kind for column in columns)}}}",
            r"\toprule",
            heads,
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            *_below(notes),
            r"\end{table}",
        ]
    )


def _long_table(columns: Sequence[Column], title: str, notes: Sequence[str]) -> str:
    heads, rows = _lines(columns)
    return "\n".join(
        [
            rf"\begin{{longtable}}{{{' '.join(column.kind for column in columns)}}}",
            rf"\caption{{{title}}} \\",
            r"\toprule",
            heads,
            r"\midrule",
            r"\endfirsthead",
            r"\toprule",
            heads,
            r"\midrule",
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            *rows,
            r"\end{longtable}",
            *_below(notes),
        ]
    )


def _notes(section: Section) -> list[str]:
    """What is said below a table."""
    return [*section.words, *filter(None, [footer([section])])]


def _below(notes: Sequence[str]) -> list[str]:
    return [r"\begin{flushleft}", r"\footnotesize", *_paragraphs(notes), r"\end{flushleft}"] if notes else []


def _paragraphs(words: Sequence[str]) -> list[str]:
    """A paragraph each."""
    return [rf"{escaped(text)}\par" for text in words]

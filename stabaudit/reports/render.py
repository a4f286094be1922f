"""A report as text: a table for a terminal, Markdown, strict JSON or CSV."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from stabaudit.reports.report import Record, Report, Section

SCHEMA_VERSION = 1

Format = Literal["table", "json", "csv", "markdown"]


def render(report: Report, form: Format, *, width: int | None = None, color: bool = False) -> str:
    """Write a report as text, ending in a newline.

    Args:
        report: what to write.
        form: how.
        width: columns of the terminal, for a table; None never breaks a line.
        color: whether a table may be coloured.
    """
    match form:
        case "table":
            from stabaudit.reports.terminal import as_table  # noqa: PLC0415 -- rich is not needed for the others

            return as_table(report.sections, width=width, color=color)
        case "markdown":
            return as_markdown(report.sections)
        case "json":
            return as_json(report.records)
        case "csv":
            return as_csv(report.records[report.main])


def as_json(records: Mapping[str, Sequence[Record]]) -> str:
    """All records as one strict JSON object; what is no finite number is null."""
    document = {"schema_version": SCHEMA_VERSION} | {
        name: [_strict(record) for record in found] for name, found in records.items()
    }
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def as_csv(records: Sequence[Record]) -> str:
    """One list of records; nested values are joined by blanks, and no cell can be taken for a formula."""
    text = io.StringIO()
    if records:
        writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in record.items()} for record in records)
    return text.getvalue()


def as_markdown(sections: Sequence[Section]) -> str:
    """Sections with headings and pipe tables."""
    return "\n\n".join("\n\n".join(_markdown_parts(section)) for section in sections) + "\n"


def _markdown_parts(section: Section) -> list[str]:
    parts = [f"## {_markdown(section.title)}"]
    if section.rows:
        lines = [section.header, [":--" if i < section.left else "--:" for i in range(len(section.header))]]
        cells = [
            [_markdown(cell) for cell in section.header],
            lines[1],
            *([_markdown(cell) for cell in row] for row in section.rows),
        ]
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in cells))
    return parts + [_markdown(words) for words in section.words]


def _markdown(text: str) -> str:
    """Text that Markdown leaves as it is, on one line."""
    for special in "\\`*_[]<>|#":
        text = text.replace(special, f"\\{special}")
    return " ".join(text.split())


def _strict(value: Any) -> Any:  # noqa: ANN401 -- whatever a record holds
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _strict(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    return value


def _cell(value: Any) -> Any:  # noqa: ANN401 -- whatever a record holds
    value = _strict(value)
    if isinstance(value, list):
        value = " ".join(map(str, value))
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"  # a spreadsheet would run it
    return value

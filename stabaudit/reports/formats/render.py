"""A report as text: a table for a terminal, Markdown, strict JSON or CSV, or what build servers read.

Names come from outside and may hold anything: whatever reads the text takes them for text. JSON holds them as they are; a cell of
a CSV is one line, with a quote before what a spreadsheet would run.
"""

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from stabaudit.reports.formats.markdown import as_markdown
from stabaudit.reports.formats.plain_text import plain
from stabaudit.reports.report import Record, Report

SCHEMA_VERSION = 1

Format = Literal["table", "json", "csv", "markdown", "junit", "github"]

_FORMULA = tuple("=+-@＝＋－＠")  # with which a spreadsheet begins a formula
# Within JSON strings: what a terminal acts on or does not show, halves of characters, and a command of GitHub's runner, "##[".
_UNSEEN = re.compile(
    "[\\x7f-\\xa0\\xad\\u061c\\u200b-\\u200f\\u2028-\\u202f\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\ud800-\\udfff]|#(?=#\\[)"
)


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
            from stabaudit.reports.formats.terminal import as_table  # noqa: PLC0415 -- rich is not needed for the others

            return as_table(report.sections, width=width, color=color)
        case "markdown":
            return as_markdown(report.sections)
        case "json":
            return as_json(report.records)
        case "csv":
            return as_csv(report.records[report.main])
        case "junit":
            from stabaudit.reports.formats.junit import as_junit  # noqa: PLC0415 -- its library is not needed for the others

            return as_junit(report)
        case "github":
            from stabaudit.reports.formats.github import as_github  # noqa: PLC0415

            return as_github(report)


def as_json(records: Mapping[str, Sequence[Record]]) -> str:
    """All records as one strict JSON object; what is no finite number is null."""
    document = {"schema_version": SCHEMA_VERSION} | {
        name: [_strict(record) for record in found] for name, found in records.items()
    }
    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def as_csv(records: Sequence[Record]) -> str:
    """One list of records; nested values are joined by blanks, and no cell can be taken for a formula."""
    text = io.StringIO()
    if records:
        writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in record.items()} for record in records)
    return text.getvalue()


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
    if isinstance(value, str):
        value = plain(value)
        return f"'{value}" if value.lstrip().startswith(_FORMULA) else value
    return value

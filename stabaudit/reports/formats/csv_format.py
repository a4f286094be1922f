"""A report's main list of records as CSV, safe to open in a spreadsheet: a cell is one line, with a quote before a formula."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from stabaudit.reports.formats.json_format import strict
from stabaudit.reports.formats.plain_text import plain
from stabaudit.reports.report import Record, Report

_FORMULA = tuple("=+-@＝＋－＠")  # with which a spreadsheet begins a formula


def write(report: Report, **_: object) -> str:
    """The main list of a report, without scores of the first k parts where these are all parts: the row without k says it."""
    records = report.records[report.main]
    whole = [_but_k(record) for record in records if record.get("k") is None]
    return as_csv([record for record in records if record.get("k") is None or _but_k(record) not in whole])


def others(report: Report) -> dict[str, str]:
    """The other lists of a report that hold anything, each a CSV of its own, by name."""
    return {name: as_csv(records) for name, records in report.records.items() if name != report.main and records}


def _but_k(record: Record) -> Record:
    return {name: value for name, value in record.items() if name != "k"}


def as_csv(records: Sequence[Record]) -> str:
    """One list of records; nested values are joined by blanks, and no cell can be taken for a formula."""
    text = io.StringIO()
    if records:
        columns = {name: None for record in records for name in record}  # in the order in which they come up
        writer = csv.DictWriter(text, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in record.items()} for record in records)
    return text.getvalue()


def _cell(value: Any) -> Any:  # noqa: ANN401 -- whatever a record holds
    value = strict(value)
    if isinstance(value, list):
        value = " ".join(map(str, value))
    if isinstance(value, str):
        value = plain(value)
        return f"'{value}" if value.lstrip().startswith(_FORMULA) else value
    return value

"""A report as strict JSON: all records, and nothing that is no JSON."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from stabaudit.reports.report import Record, Report

SCHEMA_VERSION = 1

# Within JSON strings: what a terminal acts on or does not show, halves of characters, and a command of GitHub's runner, "##[".
_UNSEEN = re.compile(
    "[\\x7f-\\xa0\\xad\\u061c\\u200b-\\u200f\\u2028-\\u202f\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\ud800-\\udfff]|#(?=#\\[)"
)


def write(report: Report, **_: object) -> str:
    """All records of a report."""
    return as_json(report.records)


def as_json(records: Mapping[str, Sequence[Record]]) -> str:
    """All records as one strict JSON object; what is no finite number is null."""
    document = {"schema_version": SCHEMA_VERSION} | {
        name: [strict(record) for record in found] for name, found in records.items()
    }
    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def strict(value: Any) -> Any:  # noqa: ANN401 -- whatever a record holds
    """A value without NaN, infinities and tuples."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): strict(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(item) for item in value]
    return value

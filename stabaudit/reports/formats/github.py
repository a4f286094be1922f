"""A report for GitHub Actions: annotations on the workflow's page and, as Markdown, a job summary.

An annotation is a line on stdout, "::error title=…::message", in which per cent signs, line ends and, in properties, colons and
commas are percent-encoded (the toolkit's `core/src/command.ts`). GitHub shows ten of each kind per step, and we give ten in all:
failures first, then what is not sure, then the rest. A step's summary may take 1 MiB (GitHub's page on workflow commands).
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from stabaudit.reports.formats.markdown import section_markdown
from stabaudit.reports.formats.plain_text import clean
from stabaudit.reports.report import Report

ANNOTATIONS = 10
SUMMARY_BYTES = 2**20

_KINDS = ("error", "warning", "notice")
_CUT = "\n\nThe rest does not fit into a job summary; `--format markdown` writes all of it.\n"


class Annotation(NamedTuple):
    """One line that GitHub shows."""

    kind: Literal["error", "warning", "notice"]
    title: str
    message: str

    def __str__(self) -> str:
        """Return the workflow command."""
        title = _data(self.title).replace(":", "%3A").replace(",", "%2C")
        return f"::{self.kind} title={title}::{_data(self.message)}"


def write(report: Report, **_: object) -> str:
    """Write the annotations of a report, most important first; where there are too many the last says how many are not shown."""
    found = sorted(_annotations(report), key=lambda annotation: _KINDS.index(annotation.kind))
    if len(found) > ANNOTATIONS:
        left = found[ANNOTATIONS - 1 :]
        found = found[: ANNOTATIONS - 1]
        found.append(Annotation(left[0].kind, "stabaudit", f"{len(left)} more; the job summary has all of them"))
    return "".join(f"{annotation}\n" for annotation in found)


def job_summary(report: Report, room: int = SUMMARY_BYTES) -> str:
    """Write a report as Markdown in at most so many bytes of UTF-8: whole sections, and a word on those that do not fit."""
    parts = [f"{section_markdown(section)}\n\n" for section in report.sections]
    sizes = [len(part.encode()) for part in parts]
    if sum(sizes) <= room:
        return "".join(parts)
    kept, left = "", room - len(_CUT.encode())
    for part, size in zip(parts, sizes, strict=True):
        if size > left:
            break
        kept, left = kept + part, left - size
    return kept + _CUT if left >= 0 else ""


def _annotations(report: Report) -> Iterator[Annotation]:
    kinds: dict[str, Literal["error", "warning", "notice"]] = {"fail": "error", "inconclusive": "warning", "pass": "notice"}
    for outcome in report.outcomes:
        title = f"{outcome.verdict}: {outcome.of}, {outcome.name}"
        doubtful = (outcome.verdict, outcome.counts_as) == ("inconclusive", "pass")  # let pass, and no less in doubt
        yield Annotation("warning" if doubtful else kinds[outcome.counts_as], title, outcome.message)
    for record in report.records.get("warnings", ()):
        yield Annotation("warning", "stabaudit", str(record["warning"]))
    if not report.outcomes:
        for section in report.sections:
            yield from (Annotation("notice", section.title, words) for words in section.words)


def _data(text: str) -> str:
    """Text of a command's message: one line, since what else would be percent-encoded was made blank."""
    return clean(" ".join(text.split())).replace("%", "%25")

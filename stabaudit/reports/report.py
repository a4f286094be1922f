"""A report: the same results as words and tables for people, and as flat records for programs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stabaudit.reports.figures.elements import Figure
from stabaudit.statistics.gate import Verdict

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Section:
    """A table for people, and what it means in plain words.

    Args:
        title: what the table is about.
        header: names of the columns; empty for a section without a table.
        rows: cells as text.
        words: one sentence or more on each result, in full.
        left: how many of the first columns hold text and are aligned left; the others hold numbers.
    """

    title: str
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    words: Sequence[str] = ()
    left: int = 1


@dataclass(frozen=True)
class Outcome:
    """One thing that was tested, for programs that list tests.

    Args:
        name: what was tested: "strong_mcc.out >= 0.6".
        of: what it was tested on, a run or families.
        verdict: what came out.
        counts_as: what it does to the exit status: an inconclusive gate may have been declared to pass or to fail.
        message: one sentence with the numbers.
    """

    name: str
    of: str
    verdict: Verdict
    counts_as: Verdict
    message: str


@dataclass(frozen=True)
class Report:
    """Sections for people, records and outcomes for programs.

    Args:
        sections: in the order they are shown.
        records: lists of flat records by name: "scores", "families", …
        main: the name of the list that a CSV on stdout holds.
        outcomes: what was tested, if anything.
        figures: for pages.
    """

    sections: Sequence[Section]
    records: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    main: str = "scores"
    outcomes: Sequence[Outcome] = ()
    figures: Sequence[Figure] = ()


def joined(reports: Iterable[Report]) -> Report:
    """Several reports as one, whose CSV is that of the last."""
    every = list(reports)
    records: dict[str, list[Record]] = {}
    for report in every:
        for name, found in report.records.items():
            records.setdefault(name, []).extend(found)
    return Report(
        [section for report in every for section in report.sections],
        records,
        every[-1].main,
        [outcome for report in every for outcome in report.outcomes],
        [figure for report in every for figure in report.figures],
    )

"""A comparison, or many, as a page."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from stabaudit.comparison.records import Comparison
from stabaudit.comparison.surveys.survey import Survey
from stabaudit.comparison.views.aligned_run import AlignedRun
from stabaudit.comparison.views.run_origins import origin_of, read_origins
from stabaudit.reports.figures.consensus import consensus_figure
from stabaudit.reports.figures.elements import Figure
from stabaudit.reports.formats.html import Page, page_of
from stabaudit.reports.report import Report, Section, joined
from stabaudit.reports.sections.alignment import alignment_report, alignment_words
from stabaudit.reports.sections.collapse import collapse_summary
from stabaudit.reports.sections.comparison import comparison_report
from stabaudit.reports.sections.lead import lead
from stabaudit.reports.sections.overview import overview_section
from stabaudit.reports.sections.reproduce import reproduce_sections
from stabaudit.reports.sections.survey import details
from stabaudit.statistics.families import FamilyTests
from stabaudit.store.run.layout import MANIFEST


def survey_page(survey: Survey, tests: FamilyTests | None, command: str, others: Iterable[Report] = ()) -> Page:
    """Many runs: a row each, collapse, tests of families, and every figure.

    Args:
        survey: the runs and their scores.
        tests: families against each other, or None.
        command: that makes the page.
        others: further reports, whose sections and figures come last: numbers that others reported, and the like.
    """
    beside = joined([Report([]), *others])
    comparison = survey.comparison
    sections = [section for report in (*details(tests), beside) for section in report.sections]
    if comparison.collapse:
        sections.insert(0, collapse_summary([run.name for run in comparison.runs], comparison.collapse))
    return _page(comparison, "Stability of representations", lead(comparison, tests), sections, command, beside.figures)


def comparison_page(comparison: Comparison, command: str) -> Page:
    """Some runs against each other: every score within and between them, differences, and every figure."""
    title = "Stability of " + " and ".join(run.name for run in comparison.runs)
    return _page(comparison, title, lead(comparison), comparison_report(comparison).sections, command)


def alignment_page(aligned: AlignedRun, path: Path, command: str) -> Page:
    """An aligned run: how each restart was aligned, the samples that move most, clusters, and the consensus.

    Args:
        aligned: the run.
        path: where it lies.
        command: that makes the page.
    """
    report, figure = alignment_report(aligned), consensus_figure(aligned)
    origins = [origin_of(aligned.run, str(path))] if (path / MANIFEST).is_file() else []
    return Page(
        title=f"Restarts of {aligned.run} in the terms of one",
        lead=alignment_words(aligned),
        sections=report.sections,
        figures=[] if figure is None else [figure],
        warnings=(),
        reproduce=reproduce_sections(origins, command),
        scored=False,
    )


def _page(  # noqa: PLR0917 -- the parts of a page
    comparison: Comparison,
    title: str,
    words: list[str],
    sections: Iterable[Section],
    command: str,
    figures: Sequence[Figure] = (),
) -> Page:
    return page_of(
        comparison,
        read_origins(comparison.runs),
        title=title,
        lead=words,
        sections=[overview_section(comparison), *sections],
        command=command,
        figures=figures,
    )

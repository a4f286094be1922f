"""`stabaudit report`: all runs below some paths, or a table of scores; with `--wilcoxon`, families against each other."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stabaudit.cli.compare import (
    ClusterByOption,
    ClustersOption,
    CorrelationOption,
    FloorDrawsOption,
    KOption,
    RotationsOption,
    ScoresOption,
    SeedOption,
    clusters_of,
    named_scores,
)
from stabaudit.cli.latents_options import MemoryOption, StrictOption
from stabaudit.cli.output import OutputOption, PageFormatOption, command_line, deliver, deliver_page, message
from stabaudit.defaults import MEMORY
from stabaudit.errors import UsageError, strictly
from stabaudit.published import score_table

if TYPE_CHECKING:
    from stabaudit.reports.report import Report

Zeros = Literal["pratt", "drop", "split"]


def report(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH …]", help="Folders of runs, or one table of scores: a file, or willetts2021."),
    ] = None,
    wilcoxon: Annotated[bool, typer.Option("--wilcoxon", help="Test families against each other over configurations.")] = False,
    score: Annotated[
        str | None,
        typer.Option(help="Score to test, as in check --require; of a table, its column."),
    ] = None,
    zeros: Annotated[Zeros, typer.Option(help="What the test does with differences of zero.")] = "pratt",
    scores: ScoresOption = None,
    k: KOption = 20,
    correlation: CorrelationOption = "pearson",
    floor_draws: FloorDrawsOption = 20,
    rotations: RotationsOption = 199,
    seed: SeedOption = 0,
    clusters: ClustersOption = None,
    cluster_by: ClusterByOption = "k-means",
    memory: MemoryOption = MEMORY,
    strict: StrictOption = False,
    form: PageFormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Summarise runs, and test model families against each other."""
    from stabaudit.comparison.surveys.score_table import TABLES
    from stabaudit.store.imports.foreign_files import kind

    paths = [score_table(str(path)) or path for path in paths or [Path("runs")]]
    if any(kind(path) in TABLES and path.is_file() for path in paths):
        if len(paths) > 1:
            raise UsageError("give either one table of scores or folders of runs")
        if form == "html":
            raise UsageError("a page needs runs, which a table of scores has not; give folders of runs, or --format markdown")
        with strictly(strict):
            found_in_table = _of_table(paths[0], score, zeros)
        deliver(found_in_table, form, output)
        return
    from stabaudit.api import report as report_runs
    from stabaudit.comparison.settings import Settings

    settings = Settings(
        k=k,
        correlation=correlation,
        floor_draws=floor_draws,
        rotations=rotations,
        seed=seed,
        memory=memory,
        scores=named_scores(scores),
        clusters=None if clusters is None else clusters_of(clusters),
        cluster_by=cluster_by,
    )
    found = report_runs(*paths, wilcoxon=wilcoxon, score=score, zeros=zeros, settings=settings)
    for warning in found.comparison.warnings:
        message(warning)
    if form == "html":
        from stabaudit.reports.page_contents import survey_page

        deliver_page(survey_page(found.survey, found.tests, command_line()), output)
        return
    from stabaudit.reports.sections.survey import survey_report

    deliver(survey_report(found.survey, found.tests), form, output)


def _of_table(path: Path, score: str | None, zeros: Zeros) -> "Report":
    from stabaudit.comparison.surveys.score_table import read_score_table
    from stabaudit.reports.sections.families import families_report
    from stabaudit.statistics.families import compare_families

    table, name, averaged = read_score_table(path, score)  # not by the library, which loads what runs need too
    return families_report(replace(compare_families(table, score=name, zeros=zeros), averaged=averaged))

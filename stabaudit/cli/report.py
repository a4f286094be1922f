"""`stabaudit report`: all runs below some paths, or a table of scores; with `--wilcoxon`, families against each other."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stabaudit.cli.compare import CorrelationOption, FloorDrawsOption, KOption, MemoryOption, SeedOption
from stabaudit.cli.output import OutputOption, PageFormatOption, command_line, deliver, deliver_page, message
from stabaudit.errors import UsageError

if TYPE_CHECKING:
    from stabaudit.reports.report import Report

Zeros = Literal["pratt", "drop", "split"]


def report(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH …]", help="Folders of runs, or one table of scores.")
    ] = None,
    wilcoxon: Annotated[bool, typer.Option("--wilcoxon", help="Test families against each other over configurations.")] = False,
    score: Annotated[
        str | None, typer.Option(help="Score to test: strong_mcc by default, as in check --require; of a table, its column.")
    ] = None,
    zeros: Annotated[Zeros, typer.Option(help="What the test does with differences of zero.")] = "pratt",
    k: KOption = 20,
    correlation: CorrelationOption = "pearson",
    floor_draws: FloorDrawsOption = 20,
    seed: SeedOption = 0,
    memory: MemoryOption = "1GB",  # type: ignore[assignment]  # parsed like what a user types
    form: PageFormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Summarise runs, and test model families against each other."""
    paths = paths or [Path("runs")]
    if any(path.suffix.lower() in {".csv", ".parquet"} and path.is_file() for path in paths):
        if len(paths) > 1:
            raise UsageError("give either one table of scores or folders of runs")
        if form == "html":
            raise UsageError("a page needs runs, which a table of scores has not; give folders of runs, or --format markdown")
        deliver(_of_table(paths[0], score, zeros), form, output)
        return
    from stabaudit.comparison.settings import Settings
    from stabaudit.comparison.survey import survey
    from stabaudit.reports.survey import family_tests, survey_report

    found = survey(paths, Settings(k=k, correlation=correlation, floor_draws=floor_draws, seed=seed, memory=memory))
    for warning in found.comparison.warnings:
        message(warning)
    if form == "html":
        from stabaudit.reports.pages import survey_page

        tests = family_tests(found, score or "strong_mcc", zeros) if wilcoxon else None
        deliver_page(survey_page(found, tests, command_line()), output)
        return
    deliver(survey_report(found, score or "strong_mcc", zeros, wilcoxon=wilcoxon), form, output)


def _of_table(path: Path, score: str | None, zeros: Zeros) -> "Report":
    from stabaudit.comparison.score_table import read_score_table
    from stabaudit.reports.families import families_report
    from stabaudit.statistics.families import compare_families

    table, name = read_score_table(path, score)
    return families_report(compare_families(table, score=name, zeros=zeros))

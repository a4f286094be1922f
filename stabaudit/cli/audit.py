"""`stabaudit audit`: train every run of a plan, then compare them."""

from pathlib import Path
from typing import Annotated

import typer

from stabaudit.cli.compare import FloorDrawsOption, KOption, SeedOption
from stabaudit.cli.output import FormatOption, OutputOption, deliver, message
from stabaudit.cli.train import DataDirOption, DownloadOption, QuietOption, WorkersOption


def audit(
    plan: Annotated[str, typer.Argument(help="A TOML plan, or a built-in one; see 'stabaudit list plans'.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the runs; audits/PLAN by default.")] = None,
    score: Annotated[str, typer.Option(help="Score on which families are tested, as in check --require.")] = "strong_mcc",
    k: KOption = 20,
    floor_draws: FloorDrawsOption = 20,
    seed: SeedOption = 0,
    workers: WorkersOption = None,
    data_dir: DataDirOption = None,
    download: DownloadOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained, and stop.")] = False,
    quiet: QuietOption = False,
    form: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Train every run of a plan, then compare them."""
    from stabaudit.training.workers import default_workers, warm_up

    if not dry_run:
        warm_up()
    from stabaudit.audit import check_score, load_plan, prepare_plan, run_plan
    from stabaudit.cli.progress import watch
    from stabaudit.comparison.settings import Settings
    from stabaudit.reports.survey import survey_report

    check_score(score)
    chosen = load_plan(plan)
    folder = out or Path("audits") / chosen.name
    jobs = prepare_plan(chosen, folder, data_dir=data_dir, download=download)
    count = workers or default_workers()
    message(f"{chosen.name}: {len(jobs)} runs, {sum(job.prepared.config.restarts for job in jobs)} restarts, in {folder}")
    if dry_run:
        for job in jobs:
            typer.echo(job.prepared.describe(job.folder, count) + "\n")
        return
    with watch(jobs, quiet=quiet) as (on_event, on_tick):
        found = run_plan(jobs, count, Settings(k=k, floor_draws=floor_draws, seed=seed), on_event, on_tick)
    for warning in found.comparison.warnings:
        message(warning)
    deliver(survey_report(found, score, "pratt", wilcoxon=chosen.families > 1), form, output)

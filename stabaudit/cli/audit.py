"""`stabaudit audit`: train every run of a plan, then compare them."""

from pathlib import Path
from typing import Annotated

import typer

from stabaudit.cli.compare import FloorDrawsOption, KOption, RotationsOption, ScoresOption, SeedOption, named_scores
from stabaudit.cli.engine_options import EngineOption, EngineSetOption, WorkersOption, chosen_engine
from stabaudit.cli.latents_options import StrictOption
from stabaudit.cli.output import OutputOption, PageFormatOption, command_line, deliver, deliver_page, message
from stabaudit.cli.train import DataDirOption, DownloadOption, QuietOption, UncheckedOption, parse_settings
from stabaudit.data.published_files import DataFolder
from stabaudit.errors import counted


def audit(
    plan: Annotated[str, typer.Argument(help="A TOML plan, or a built-in one; see 'stabaudit list plans'.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the runs; audits/PLAN by default.")] = None,
    score: Annotated[str | None, typer.Option(help="Score on which families are tested, as in check --require.")] = None,
    scores: ScoresOption = None,
    k: KOption = 20,
    floor_draws: FloorDrawsOption = 20,
    rotations: RotationsOption = 199,
    seed: SeedOption = 0,
    engine: EngineOption = "local",
    engine_set: EngineSetOption = None,
    workers: WorkersOption = None,
    data_dir: DataDirOption = None,
    download: DownloadOption = False,
    unchecked_data: UncheckedOption = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="The plan's quick form: everything is run, too little to mean anything.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE[,…]", help="Only these runs; several values of a key allow each of them."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A key of every run, as in plans: epochs=20 or settings.dropout=0; repeat it."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained, and stop.")] = False,
    strict: StrictOption = False,
    quiet: QuietOption = False,
    form: PageFormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Train every run of a plan, then compare them.

    A plan that names a module:Class or module:function runs that code; --dry-run imports none of it.
    """
    from dataclasses import replace

    from stabaudit.engines.local import warm_up

    if not dry_run and engine == "local":
        warm_up()
    from stabaudit.audit.plan_file import load_plan
    from stabaudit.audit.reports import reports_beside
    from stabaudit.audit.run import (
        check_score,
        describe_unprepared,
        folder_name,
        names_of_code,
        prepare_plan,
        run_plan,
        write_tables,
    )
    from stabaudit.cli.progress import watch
    from stabaudit.comparison.settings import Settings
    from stabaudit.comparison.surveys.configurations import family_tests
    from stabaudit.errors import strictly
    from stabaudit.metrics.scores import headlines
    from stabaudit.reports.report import joined
    from stabaudit.reports.sections.survey import survey_report
    from stabaudit.statistics.gate import parse_score

    tested = score or headlines()[0].name
    check_score(tested)
    compared = Settings(k=k, floor_draws=floor_draws, rotations=rotations, seed=seed, scores=named_scores(scores)).including(
        [parse_score(tested).metric]
    )
    chosen = load_plan(plan).only(parse_choices(only or []))
    if quick:
        chosen = chosen.quickly()
    if settings:
        chosen = chosen.changed(parse_settings(settings))
    folder = out or Path("audits") / chosen.name
    unprepared = {name: one for name, one in chosen.recipes.items() if names_of_code(one)} if dry_run else {}
    with strictly(strict):
        jobs = prepare_plan(
            replace(chosen, recipes={name: one for name, one in chosen.recipes.items() if name not in unprepared}),
            folder,
            data_folder=DataFolder.locate(data_dir, download=download, unchecked=unchecked_data),
        )
    where = chosen_engine(engine, workers, engine_set)
    restarts = sum(recipe.restarts for recipe in chosen.recipes.values())
    message(f"{chosen.name}: {counted(len(chosen.recipes), 'run')}, {counted(restarts, 'restart')}, in {folder}")
    if dry_run:
        described = [describe_unprepared(recipe, folder / folder_name(name)) for name, recipe in unprepared.items()]
        typer.echo("\n\n".join([*(job.prepared.describe(job.folder, where.slots) for job in jobs), *described]) + "\n")
        return
    with watch(jobs, quiet=quiet) as (on_event, on_tick):
        found = run_plan(jobs, where, compared, on_event, on_tick)
    for warning in found.comparison.warnings:
        message(warning)
    tests = family_tests(found, tested) if chosen.families > 1 else None
    beside = reports_beside(chosen, found)
    write_tables(folder, found.comparison)
    message(f"figures' data: {folder / 'scores.csv'}, {folder / 'restarts.csv'}")
    if form == "html":
        from stabaudit.reports.page_contents import survey_page

        deliver_page(survey_page(found, tests, command_line(), beside), output)
        return
    deliver(joined([survey_report(found, tests), *beside]), form, output)


def parse_choices(texts: list[str]) -> dict[str, list[str]]:
    """Alternatives by key from texts like "dataset=mnist,latent_dim=50,90".

    Raises:
        UsageError: a text that does not begin with `key=`.
    """
    from stabaudit.errors import UsageError

    chosen: dict[str, list[str]] = {}
    for text in texts:
        key = ""
        for part in text.split(","):
            name, equals, value = part.partition("=")
            key = name.strip() if equals else key  # a part without a key is another value of the one before
            if not key:
                raise UsageError(f"--only {part!r}: expected key=value")
            chosen.setdefault(key, []).append((value if equals else part).strip())
    return chosen

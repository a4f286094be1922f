"""`stabaudit check`: does a run keep its bounds, and is it no less stable than the baseline?"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from stabaudit.cli.compare import CorrelationOption, FloorDrawsOption, KOption, MemoryOption, SeedOption
from stabaudit.cli.output import FormatOption, OutputOption, deliver, message
from stabaudit.errors import UsageError

EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3}


def check(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A run folder.")],
    require: Annotated[
        list[str] | None, typer.Option(help='A bound that a score must keep, such as "strong_mcc>=0.6"; may be repeated.')
    ] = None,
    baseline: Annotated[Path | None, typer.Option(help="Scores of an earlier run, kept by --update-baseline.")] = None,
    margin: Annotated[float, typer.Option(min=0, help="Loss of strong and weak MCC that the baseline allows.")] = 0.02,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Write the baseline instead of testing against it.")
    ] = False,
    inconclusive: Annotated[
        Literal["pass", "fail"] | None, typer.Option(help="Exit as if an inconclusive gate had passed or failed.")
    ] = None,
    k: KOption = 20,
    correlation: CorrelationOption = "pearson",
    floor_draws: FloorDrawsOption = 20,
    seed: SeedOption = 0,
    memory: MemoryOption = "1GB",  # type: ignore[assignment]  # parsed like what a user types
    form: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Gate a run: exit 0 it passes, 1 it fails, 3 inconclusive."""
    if not require and baseline is None:
        raise UsageError("nothing to check: give --require SCORE>=NUMBER, --baseline FILE, or both")
    if update_baseline and baseline is None:
        raise UsageError("--update-baseline needs --baseline FILE to write to")
    from stabaudit.comparison.baseline import as_baseline, read_baseline, require_comparable, write_baseline
    from stabaudit.comparison.compare import compare
    from stabaudit.comparison.gates import judge_against, judge_requirement
    from stabaudit.comparison.groups import read_groups
    from stabaudit.comparison.settings import Settings
    from stabaudit.reports.gates import gates_report
    from stabaudit.statistics.gate import parse_requirement, worst
    from stabaudit.store.run import Run

    requirements = [parse_requirement(text) for text in require or []]
    old = read_baseline(baseline) if baseline is not None and not update_baseline else None
    settings = Settings(k=k, correlation=correlation, floor_draws=floor_draws, seed=seed, memory=memory)
    config = Run.open(Path(path)).manifest.config
    comparison = compare(read_groups([path], memory), settings)
    for warning in comparison.warnings:
        message(warning)

    gates = [judge_requirement(comparison, requirement) for requirement in requirements]
    new = as_baseline(comparison, settings, config)
    if old is not None and baseline is not None:
        require_comparable(old, new, baseline)
        if old.config is not None and config is not None and (changed := old.config.differences(config)):
            message(f"configured otherwise than the baseline: {', '.join(changed)}")
        gates += judge_against(comparison, old, margin)
    verdict = worst([gate.verdict for gate in gates])
    if gates:
        deliver(gates_report(gates, comparison), form, output)
    if update_baseline and baseline is not None:
        if verdict == "fail":
            message(f"{baseline}: no baseline was written, the run fails its requirements")
        else:
            write_baseline(baseline, new)
            message(f"wrote the baseline {baseline}")
    raise typer.Exit(EXIT_CODES[inconclusive or verdict if verdict == "inconclusive" else verdict])

"""`stabaudit check`: do runs keep their bounds, and is a run no less stable than its baseline?"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from stabaudit.cli.compare import CorrelationOption, FloorDrawsOption, KOption, MemoryOption, SeedOption
from stabaudit.cli.output import GateFormatOption, OutputOption, deliver, message
from stabaudit.errors import UsageError

_REQUIRE = (
    'A bound that every run must keep, such as "strong_mcc>=0.6", "weak_mcc@all.in>0.9", "strong_mcc.adjusted>=0.5", '
    '"active_units>=0.8", "kl<5"; or, of families over the runs\' configurations, "wilcoxon(vade,vae).p_holm<0.05" (also p, '
    'p_block, hodges_lehmann: how much higher the first is; another score: "wilcoxon(vade,vae,weak_mcc).p<0.05"). Repeat it.'
)
EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3}


def check(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A run folder, or one with runs below it, all of which are gated.")
    ],
    require: Annotated[list[str] | None, typer.Option(metavar="BOUND", help=_REQUIRE)] = None,
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
    form: GateFormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Gate runs: exit 0 all pass, 1 one fails, 3 inconclusive."""
    if not require and baseline is None:
        raise UsageError("nothing to check: give --require SCORE>=NUMBER, --baseline FILE, or both")
    if update_baseline and baseline is None:
        raise UsageError("--update-baseline needs --baseline FILE to write to")
    from stabaudit.comparison.baseline import as_baseline, read_baseline, require_comparable, write_baseline
    from stabaudit.comparison.gates import judge_against, judge_requirement, only_run, survey_for_gates
    from stabaudit.comparison.settings import Settings
    from stabaudit.reports.gates import gates_report
    from stabaudit.statistics.gate import parse_requirement, worst

    requirements = [parse_requirement(text) for text in require or []]
    old = read_baseline(baseline) if baseline is not None and not update_baseline else None
    settings = Settings(k=k, correlation=correlation, floor_draws=floor_draws, seed=seed, memory=memory)
    found = survey_for_gates(path, settings)
    comparison = found.comparison
    for warning in comparison.warnings:
        message(warning)

    gates = [gate for requirement in requirements for gate in judge_requirement(found, requirement)]
    if baseline is not None:
        config = found.configs.get(only_run(comparison, path).name)
        new = as_baseline(comparison, settings, config)
        if old is not None:
            require_comparable(old, new, baseline)
            if old.config is not None and config is not None and (changed := old.config.differences(config)):
                message(f"configured otherwise than the baseline: {', '.join(changed)}")
            gates += judge_against(comparison, old, margin)
    verdict = worst([gate.verdict for gate in gates])
    if gates:
        deliver(gates_report(gates, comparison, inconclusive or "inconclusive"), form, output)
    if update_baseline and baseline is not None:
        if verdict == "fail":
            message(f"{baseline}: no baseline was written, the run fails its requirements")
        else:
            write_baseline(baseline, new)
            message(f"wrote the baseline {baseline}")
    raise typer.Exit(EXIT_CODES[inconclusive or verdict if verdict == "inconclusive" else verdict])

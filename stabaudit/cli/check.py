"""`stabaudit check`: do runs keep their bounds, and is a run no less stable than its baseline?"""

from pathlib import Path
from typing import Annotated, Literal

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
from stabaudit.cli.latents_options import MemoryOption
from stabaudit.cli.output import GateFormatOption, OutputOption, deliver, message
from stabaudit.defaults import MARGIN, MEMORY

EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3}


def check(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A run folder, or one with runs below it, all of which are gated.")
    ],
    require: Annotated[
        list[str] | None, typer.Option(metavar="BOUND", help="What every run must keep; see above. Repeat it.")
    ] = None,
    baseline: Annotated[Path | None, typer.Option(help="Scores of an earlier run, kept by --update-baseline.")] = None,
    margin: Annotated[
        float | None,
        typer.Option(min=0, help=f"Loss of the headline scores that is allowed; by default the baseline's own, or {MARGIN}."),
    ] = None,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Write the baseline instead of testing against it.")
    ] = False,
    inconclusive: Annotated[
        Literal["pass", "fail"] | None, typer.Option(help="Exit as if an inconclusive gate had passed or failed.")
    ] = None,
    scores: ScoresOption = None,
    k: KOption = 20,
    correlation: CorrelationOption = "pearson",
    floor_draws: FloorDrawsOption = 20,
    rotations: RotationsOption = 199,
    seed: SeedOption = 0,
    clusters: ClustersOption = None,
    cluster_by: ClusterByOption = "k-means",
    memory: MemoryOption = MEMORY,
    form: GateFormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Gate runs: exit 0 all pass, 1 one fails, 3 inconclusive.

    A BOUND is on a score: "strong_mcc>=0.6", "weak_mcc@all.in>0.9", "strong_mcc.adjusted>=0.5", "active_units>=0.8", "kl<5". It
    passes when the whole 95% interval keeps it, fails when none of it does, and is inconclusive otherwise.

    Or it is on a test of two families over the configurations of the runs below PATH: "wilcoxon(vade,vae).p_holm<0.05", likewise
    p and p_block; how much higher the first is, "wilcoxon(vade,vae).hodges_lehmann>0"; or of another score,
    "wilcoxon(vade,vae,weak_mcc).p<0.05". A p-value is inconclusive where this many configurations could never pass.
    """
    from stabaudit.api import check as check_runs
    from stabaudit.comparison.settings import Settings
    from stabaudit.reports.sections.gates import gates_report

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
    found = check_runs(
        path, require=require or (), baseline=baseline, margin=margin, update_baseline=update_baseline, settings=settings
    )
    for warning in found.comparison.warnings:
        message(warning)
    if found.changed:
        message(f"configuration differs from the baseline: {', '.join(found.changed)}")
    if found.gates:
        deliver(gates_report(found.gates, found.comparison, inconclusive or "inconclusive"), form, output)
    if found.written:
        message(f"wrote the baseline {found.written}")
    elif update_baseline:
        message(f"{baseline}: no baseline was written, the run fails its requirements")
    raise typer.Exit(EXIT_CODES[inconclusive or "inconclusive" if found.verdict == "inconclusive" else found.verdict])

"""`stabaudit check`: do runs keep their bounds, and is a run no less stable than its baseline?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Never

import typer

from stabaudit.cli.compare import (
    ClusterByOption,
    ClustersOption,
    CorrelationOption,
    FloorDrawsOption,
    HalfSamplesOption,
    KOption,
    RotationsOption,
    ScoresOption,
    SeedOption,
    SourcesOption,
    clusters_of,
    named_scores,
)
from stabaudit.cli.latents_options import MemoryOption, with_naming
from stabaudit.cli.output import GateFormatOption, OutputOption, deliver, message
from stabaudit.defaults import MARGIN, MEMORY
from stabaudit.errors import UsageError

if TYPE_CHECKING:
    from stabaudit.comparison.settings import Settings
    from stabaudit.store.imports.foreign_files import Naming

EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3}


@with_naming
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
    drift_from: Annotated[
        str | None, typer.Option("--drift-from", metavar="OLD", help="PATH is a new version of this embedding: gate its drift.")
    ] = None,
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
    half_samples: HalfSamplesOption = None,
    sources: SourcesOption = None,
    *,
    naming: "Naming",
    form: GateFormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Gate runs: exit 0 all pass, 1 one fails, 3 inconclusive.

    A BOUND is on a score: "strong_mcc>=0.6", "weak_mcc@all.in>0.9", "strong_mcc.adjusted>=0.5", "active_units>=0.8", "kl<5". It
    passes when the whole 95% interval keeps it, fails when none of it does, and is inconclusive otherwise.

    Or it is on a test of two families over the configurations of the runs below PATH: "wilcoxon(vade,vae).p_holm<0.05", likewise
    p and p_block; how much higher the first is, "wilcoxon(vade,vae).hodges_lehmann>0"; or of another score,
    "wilcoxon(vade,vae,weak_mcc).p<0.05". A p-value is inconclusive where this many configurations could never pass.

    With --drift-from OLD, PATH is a new version of that embedding, and bounds are on scores between the two: "knn_overlap>=0.9",
    "identity_r2>=0.99", with intervals over rows.
    """
    from stabaudit.api import check as check_runs
    from stabaudit.comparison.settings import Settings
    from stabaudit.reports.sections.gates import gates_report
    from stabaudit.store.imports.foreign_files import AS_IS

    if drift_from is not None:
        _require_alone(sources, baselines=baseline is not None or update_baseline)
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
    if drift_from is not None:
        _drift(drift_from, path, require, half_samples or 50, settings, naming, inconclusive, form, output)
    if half_samples is not None:
        raise UsageError("--half-samples belongs to --drift-from")
    if naming != AS_IS:
        raise UsageError("what rows and latents are called counts for files, with --drift-from; runs know it")
    found = check_runs(
        path,
        require=require or (),
        baseline=baseline,
        margin=margin,
        update_baseline=update_baseline,
        settings=settings,
        sources=sources,
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


def _require_alone(sources: Path | None, *, baselines: bool) -> None:
    """Refuse with --drift-from what is of several restarts."""
    if baselines:
        raise UsageError("--drift-from is a version to hold PATH against, --baseline scores of restarts; give one of them")
    if sources is not None:
        raise UsageError("--sources: of several restarts, and not of two versions of one embedding (--drift-from)")


def _drift(
    old: str,
    new: Path,
    require: list[str] | None,
    half_samples: int,
    settings: "Settings",
    naming: "Naming",
    inconclusive: Literal["pass", "fail"] | None,
    form: str,
    output: Path | None,
) -> Never:
    """Gate the drift from one version of an embedding to another."""
    from stabaudit.api import check_drift
    from stabaudit.comparison.records import Comparison
    from stabaudit.reports.sections.gates import gates_report

    found = check_drift(old, new, require=require or (), half_samples=half_samples, settings=settings, naming=naming)
    for warning in found.drift.warnings:
        message(warning)
    both = Comparison(
        runs=(found.drift.summary,), scores=(), differences=(), curves=(), warnings=found.drift.warnings, floor_draws=0
    )
    deliver(gates_report(found.gates, both, inconclusive or "inconclusive"), form, output)
    raise typer.Exit(EXIT_CODES[inconclusive or "inconclusive" if found.verdict == "inconclusive" else found.verdict])

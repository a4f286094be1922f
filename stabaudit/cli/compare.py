"""`stabaudit compare A [B …]`: are the restarts of A alike, those of B, and A's to B's?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stabaudit.cli.compare_features import (
    CandidatesOption,
    FeaturesOption,
    MatchOption,
    OfOption,
    SignedOption,
    compare_features,
    require_with_features,
    taken_for_features,
)
from stabaudit.cli.engine_options import EngineOption, EngineSetOption, WorkersOption, elsewhere
from stabaudit.cli.latents_options import ClusterColumnOption, MemoryOption, with_naming
from stabaudit.cli.output import OutputOption, PageFormatOption, command_line, deliver, deliver_page, message
from stabaudit.defaults import CANDIDATES, MEMORY
from stabaudit.errors import UsageError

if TYPE_CHECKING:
    from stabaudit.comparison.settings import Settings
    from stabaudit.store.imports.foreign_files import Naming


KOption = Annotated[int, typer.Option("--k", min=1, help="Canonical pairs that counted scores average, beside all of them.")]
ScoresOption = Annotated[
    str | None,
    typer.Option(
        "--scores", metavar="NAME,…", help="Names of 'stabaudit list scores' or first words (knn), module:function, all."
    ),
]
CorrelationOption = Annotated[Literal["pearson", "spearman"], typer.Option(help="spearman replaces all values by ranks.")]
FloorDrawsOption = Annotated[int, typer.Option(min=1, help="Draws of what scores would be by chance, rows shuffled.")]
RotationsOption = Annotated[
    int, typer.Option(min=1, help="Random rotations that scores of axes are held against; p is at least 1/(1 + this).")
]
HalfSamplesOption = Annotated[
    int | None, typer.Option(min=10, help="Of drift: random halves of the rows, from which intervals are, by default 50.")
]
NonlinearOption = Annotated[
    bool, typer.Option("--nonlinear", help="For every subspace and dimension, what restarts share beyond linear maps.")
]
ClustersOption = Annotated[
    str | None,
    typer.Option(
        metavar="K|prior",
        help="Hold the clusters of restarts against each other: K found in each of them, or the components of learned mixture "
        "priors, which are held against each other anyway.",
    ),
]
ClusterByOption = Annotated[
    Literal["k-means", "gmm"],
    typer.Option(help="How K clusters are found: k-means, or a Gaussian mixture with full covariances."),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Decides these draws.")]
SourcesOption = Annotated[
    Path | None, typer.Option(help="File of true sources, rows named like those of the latents, for what has none.")
]


def clusters_of(text: str) -> int | Literal["prior"]:
    """How many clusters, or "prior".

    Raises:
        UsageError: anything else.

    >>> clusters_of("10"), clusters_of("prior")
    (10, 'prior')
    """
    if text == "prior":
        return "prior"
    if not (text.isascii() and text.isdecimal() and int(text[:9]) >= 2 and len(text) < 10):
        raise UsageError(f"--clusters {text!r}: expected a number of clusters from 2, or prior")
    return int(text)


def named_scores(text: str | None) -> tuple[str, ...]:
    """Names between commas; the default scores where none are given.

    >>> named_scores("cka, weak_mcc")
    ('cka', 'weak_mcc')
    """
    from stabaudit.metrics.scores import default_scores

    return default_scores() if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


@with_naming
def compare(
    selectors: Annotated[list[str], typer.Argument(metavar="A [B …]", help="Run folders, one restart (run#3) or latents files.")],
    scores: ScoresOption = None,
    k: KOption = 20,
    correlation: CorrelationOption = "pearson",
    floor_draws: FloorDrawsOption = 20,
    rotations: RotationsOption = 199,
    seed: SeedOption = 0,
    memory: MemoryOption = MEMORY,
    pairs: Annotated[
        int | None, typer.Option(min=1, help="Score so many pairs of restarts of each run, evenly over restarts; all by default.")
    ] = None,
    engine: EngineOption = "local",
    engine_set: EngineSetOption = None,
    workers: WorkersOption = None,
    clusters: ClustersOption = None,
    cluster_by: ClusterByOption = "k-means",
    cluster_column: ClusterColumnOption = None,
    densities: Annotated[
        bool,
        typer.Option("--densities", help="Affine density distances however long they take; fit mixtures where none is learned."),
    ] = False,
    nonlinear: NonlinearOption = False,
    *,
    naming: "Naming",
    allow_unequal: Annotated[bool, typer.Option("--allow-unequal", help="Match the smaller number of dimensions.")] = False,
    sources: SourcesOption = None,
    drift: Annotated[
        bool, typer.Option("--drift", help="A and B are two versions of one embedding: what changed, with intervals over rows.")
    ] = False,
    half_samples: HalfSamplesOption = None,
    moved: Annotated[
        int | None, typer.Option(min=0, help="With --drift: how many of the rows that moved most are named, by default 10.")
    ] = None,
    features: FeaturesOption = False,
    of: OfOption = None,
    match: MatchOption = "exact",
    candidates: CandidatesOption = CANDIDATES,
    signed: SignedOption = False,
    curve: Annotated[bool, typer.Option("--curve", help="Print the cumulative MCC curves too.")] = False,
    form: PageFormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Compare restarts within runs and between runs."""
    from dataclasses import replace

    from stabaudit.api import compare as compare_runs
    from stabaudit.comparison.settings import Settings
    from stabaudit.reports.sections.comparison import comparison_report

    settings = Settings(
        k=k,
        correlation=correlation,
        floor_draws=floor_draws,
        rotations=rotations,
        seed=seed,
        allow_unequal=allow_unequal,
        memory=memory,
        pairs=pairs,
        densities=densities,
        nonlinear=nonlinear,
        clusters=None if clusters is None else clusters_of(clusters),
        cluster_by=cluster_by,
        scores=named_scores(scores),
    )
    beside = {"--drift": drift, "--clusters": clusters, "--cluster-column": cluster_column, "--sources": sources}
    beside |= {"--curve": curve, "--nonlinear": nonlinear, "--densities": densities}
    beside |= {"--pairs": pairs is not None, "--engine": engine != "local"}
    beside |= {"--half-samples": half_samples is not None, "--moved": moved is not None, "--cluster-by": cluster_by != "k-means"}
    ordinary = any(beside.values()) or scores is not None or correlation != "pearson" or form == "html" or densities
    if not features and not ordinary and (taken := taken_for_features(selectors, naming)):
        features, of = True, of or taken
    own = {"--of": of is not None, "--match": match != "exact", "--candidates": candidates != CANDIDATES, "--signed": signed}
    require_with_features(features, own, beside, naming)
    if features:
        compare_features(selectors, settings, naming, scores, of, match, candidates, signed, form, output)
        return
    if drift:
        others = {
            "--sources": sources,
            "--clusters": clusters,
            "--cluster-column": cluster_column,
            "--curve": curve,
            "--nonlinear": nonlinear,
            "--densities": densities,
            "--pairs": pairs,
            "--engine": engine != "local",
        }
        if given := [name for name, value in others.items() if value]:
            raise UsageError(f"{', '.join(given)}: of several restarts, and not of two versions of one embedding (--drift)")
        _drift(selectors, settings, naming, half_samples or 50, 10 if moved is None else moved, form, output)
        return
    if half_samples is not None or moved is not None:
        raise UsageError("--half-samples and --moved belong to --drift")
    if cluster_by != "k-means" and clusters is None:
        raise UsageError(f"--cluster-by {cluster_by}: say how many clusters by --clusters K")
    if clusters is not None and cluster_column is not None:
        raise UsageError(f"--clusters {clusters} and --cluster-column {cluster_column}: give one of them")
    naming = replace(naming, one_model=not naming.strict, cluster_column=cluster_column)
    where = elsewhere(engine, workers, engine_set)
    comparison = compare_runs(*selectors, settings=settings, naming=naming, sources=sources, engine=where)
    for warning in comparison.warnings:
        message(warning)
    if form == "html":
        from stabaudit.reports.page_contents import comparison_page

        deliver_page(comparison_page(comparison, command_line()), output)
        return
    deliver(comparison_report(comparison, curves=curve), form, output)


def _drift(
    selectors: list[str], settings: "Settings", naming: "Naming", half_samples: int, moved: int, form: str, output: Path | None
) -> None:
    """Hold one version of an embedding against another."""
    from stabaudit.api import drift
    from stabaudit.reports.sections.drift import drift_report

    if len(selectors) != 2:
        raise UsageError(f"--drift holds one version against another: give two, not {len(selectors)}")
    if form == "html":
        raise UsageError("--drift has no page; use --format markdown or json")
    found = drift(*selectors, half_samples=half_samples, moved=moved, settings=settings, naming=naming)
    for warning in found.warnings:
        message(warning)
    deliver(drift_report(found), form, output)

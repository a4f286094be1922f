"""`stabaudit compare A [B …]`: are the restarts of A alike, those of B, and A's to B's?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stabaudit.cli.compare_features import CandidatesOption, FeaturesOption, MatchOption, OfOption, compare_features
from stabaudit.cli.latents_options import MemoryOption, with_naming
from stabaudit.cli.output import OutputOption, PageFormatOption, command_line, deliver, deliver_page, message
from stabaudit.defaults import MEMORY

if TYPE_CHECKING:
    from stabaudit.store.imports.foreign_files import Naming


KOption = Annotated[int, typer.Option("--k", min=1, help="Canonical pairs that counted scores average, beside all of them.")]
ScoresOption = Annotated[
    str | None,
    typer.Option("--scores", metavar="NAME,…", help="Names of 'stabaudit list scores', module:function, or all."),
]
CorrelationOption = Annotated[Literal["pearson", "spearman"], typer.Option(help="spearman replaces all values by ranks.")]
FloorDrawsOption = Annotated[int, typer.Option(min=1, help="Draws of what scores would be by chance, rows shuffled.")]
RotationsOption = Annotated[
    int, typer.Option(min=1, help="Random rotations that scores of axes are held against; p is at least 1/(1 + this).")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Decides these draws.")]


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
    densities: Annotated[
        bool,
        typer.Option("--densities", help="Affine density distances however long they take; fit mixtures where none is learned."),
    ] = False,
    *,
    naming: "Naming",
    allow_unequal: Annotated[bool, typer.Option("--allow-unequal", help="Match the smaller number of dimensions.")] = False,
    sources: Annotated[
        Path | None, typer.Option(help="File of true sources, rows named like those of the latents, for what has none.")
    ] = None,
    features: FeaturesOption = False,
    of: OfOption = None,
    match: MatchOption = "exact",
    candidates: CandidatesOption = 32,
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
        densities=densities,
        scores=named_scores(scores),
    )
    if features:
        compare_features(selectors, settings, naming, scores, of, match, candidates, form, output)
        return
    naming = replace(naming, one_model=not naming.strict)
    comparison = compare_runs(*selectors, settings=settings, naming=naming, sources=sources)
    for warning in comparison.warnings:
        message(warning)
    if form == "html":
        from stabaudit.reports.page_contents import comparison_page

        deliver_page(comparison_page(comparison, command_line()), output)
        return
    deliver(comparison_report(comparison, curves=curve), form, output)

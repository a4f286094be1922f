"""`stabaudit plot WHAT RUN…`: one figure of runs, as a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from stabaudit.cli.compare import FloorDrawsOption, KOption, RotationsOption, SeedOption
from stabaudit.cli.figure_file import inches_of, require_kind, write_figure
from stabaudit.cli.latents_options import MemoryOption, with_naming
from stabaudit.cli.output import message
from stabaudit.defaults import MEMORY
from stabaudit.errors import UsageError

if TYPE_CHECKING:
    from stabaudit.comparison.records import Comparison
    from stabaudit.comparison.settings import Settings
    from stabaudit.reports.figures.elements import Figure
    from stabaudit.store.imports.foreign_files import Naming

OfComparison = Literal["curves", "dimensions", "strip", "heatmap", "box", "elbo", "match"]
What = Literal[
    "curves",
    "dimensions",
    "strip",
    "heatmap",
    "box",
    "elbo",
    "match",
    "fit",
    "latents",
    "consensus",
    "sources",
    "prior-condition",
]

_DRAWN = {  # the figures that an option says something of
    "--metric": ("curves", "heatmap", "box"),
    "--band": ("curves",),
    "--align": ("latents", "consensus"),
    "--dims": ("latents", "consensus"),
    "--allow-unequal": get_args(OfComparison),
}


def _figure_file(path: Path) -> Path:
    return require_kind(path, "--output")


@with_naming
def plot(
    what: Annotated[
        What,
        typer.Argument(
            metavar="WHAT",
            help="curves: cumulative MCC; dimensions: shared information against purity; strip: agreement of every dimension and "
            "restart; heatmap, box: scores of pairs; elbo: objective against MCC; match: matched dimensions; "
            "fit: held-out fit against stability of runs that differ in one number; latents: two dimensions of every restart; "
            "consensus: their mean once aligned, and the samples that move most; sources: recovered beside true ones; "
            "prior-condition: whether the matrix L of the prior could be inverted, epoch by epoch.",
        ),
    ],
    selectors: Annotated[list[str], typer.Argument(metavar="RUN…", help="Run folders, one restart (run#3) or latents files.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file: .svg, .png or .pdf.", callback=_figure_file)],
    metric: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Score of curves, heatmap and box; see 'stabaudit list scores'."),
    ] = None,
    band: Annotated[
        Literal["interval", "sd"] | None,
        typer.Option(help="Band of curves: interval (95%, of the mean; as it is without this), or sd, one deviation over pairs."),
    ] = None,
    align: Annotated[
        Literal["none", "permutation", "orthogonal", "affine"] | None,
        typer.Option(
            help="How latents are aligned to the true sources, or where there are none to the first restart (by default affine), "
            "and how those of a consensus to the most central one (by default permutation)."
        ),
    ] = None,
    dims: Annotated[
        str | None,
        typer.Option(
            metavar="K,L",
            help="The two dimensions that latents (by default 0,1) and consensus (those on which restarts agree best) show.",
        ),
    ] = None,
    width: Annotated[
        float | None,
        typer.Option(
            parser=inches_of,
            metavar="SIZE",
            help="Width on paper, as 3.25in, 89mm or 17cm; in PNG and PDF letters keep their size.",
        ),
    ] = None,
    allow_unequal: Annotated[bool, typer.Option("--allow-unequal", help="Match the smaller number of dimensions.")] = False,
    k: KOption = 20,
    floor_draws: FloorDrawsOption = 20,
    rotations: RotationsOption = 199,
    seed: SeedOption = 0,
    memory: MemoryOption = MEMORY,
    *,
    naming: "Naming",
) -> None:
    """Draw one figure of runs into a file."""
    from stabaudit.comparison.reading.selectors import read_groups
    from stabaudit.comparison.settings import Settings
    from stabaudit.metrics.floors import Draws

    require_used(what, {"--metric": metric, "--band": band, "--align": align, "--dims": dims, "--allow-unequal": allow_unequal})
    draws = Draws(floor_draws, seed)
    if what == "latents":
        from stabaudit.comparison.views.aligned_latents import read_planes
        from stabaudit.reports.figures.latents import latents_figure

        chosen = _two(dims or "0,1")
        figure = latents_figure([read_planes(selector, align or "affine", chosen, naming, draws) for selector in selectors])
    elif what == "consensus":
        figure = _consensus(selectors, align or "permutation", None if dims is None else _two(dims), memory, naming)
    elif what == "fit":
        figure = _fit(selectors, Settings(floor_draws=floor_draws, rotations=1, seed=seed, memory=memory))
    elif what == "sources":
        from stabaudit.comparison.views.recovered_sources import signals
        from stabaudit.reports.figures.sources import sources_figure

        figure = sources_figure(signals(read_groups(selectors, memory, naming), draws))
    elif what == "prior-condition":
        from stabaudit.comparison.views.prior_history import read_prior_histories
        from stabaudit.reports.figures.prior_condition import prior_condition_figure

        figure = prior_condition_figure([read_prior_histories(selector) for selector in selectors])
    else:
        from stabaudit.comparison.compare import compare
        from stabaudit.metrics.scores import headlines

        named = metric or headlines()[0].name
        require_drawable(what, named)
        if what in {"dimensions", "strip"}:
            floor_draws = rotations = 1  # no floor is shown
        settings = Settings(
            k=k, floor_draws=floor_draws, rotations=rotations, seed=seed, memory=memory, allow_unequal=allow_unequal
        ).including([named])
        comparison = compare(read_groups(selectors, memory, naming), settings)
        for warning in comparison.warnings:
            message(warning)
        figure = _of_comparison(what, comparison, named, band or "interval")
    write_figure(figure, output, width)


def _of_comparison(
    what: OfComparison,
    comparison: "Comparison",
    metric: str,
    band: Literal["interval", "sd"],
) -> "Figure":
    """A figure of what a comparison found.

    Raises:
        UsageError: where there is nothing to show.
    """
    from stabaudit.comparison.views.run_origins import read_origins
    from stabaudit.reports.figures.boxes import box_figure
    from stabaudit.reports.figures.curves import curves_figure
    from stabaudit.reports.figures.dimensions import dimensions_figure, strip_figure
    from stabaudit.reports.figures.heatmaps import heatmap_figure
    from stabaudit.reports.figures.matched_dimensions import match_figure
    from stabaudit.reports.figures.objective import objective_figure

    match what:
        case "curves":
            figure = curves_figure(comparison, metric, band)
        case "dimensions":
            figure = dimensions_figure(comparison)
        case "strip":
            figure = strip_figure(comparison)
        case "heatmap":
            figure = heatmap_figure(comparison, metric)
        case "box":
            figure = box_figure(comparison, metric)
        case "elbo":
            figure = objective_figure(comparison, read_origins(comparison.runs))
        case "match":
            figure = match_figure(comparison)
    if figure is None:
        needs = "restarts whose objective is recorded" if what == "elbo" else "a run with two restarts or more"
        if what in {"dimensions", "strip"}:
            needs += ", of vectors"
        raise UsageError(f"plot {what}: nothing to show; it needs {needs}")
    return figure


def _consensus(
    selectors: list[str],
    by: Literal["none", "permutation", "orthogonal", "affine"],
    dims: tuple[int, int] | None,
    memory: int,
    naming: "Naming",
) -> "Figure":
    """The consensus of a run.

    Raises:
        UsageError: several runs, no alignment, or restarts of which no two agree.
    """
    from stabaudit.api import align
    from stabaudit.reports.figures.consensus import consensus_figure

    if len(selectors) != 1:
        raise UsageError("plot consensus: one run at a time")
    if by == "none":
        raise UsageError(
            "plot consensus: restarts have a mean in the terms of one only; --align permutation, orthogonal or affine"
        )
    figure = consensus_figure(align(selectors[0], by=by, memory=memory, naming=naming), dims)
    if figure is None:
        raise UsageError("plot consensus: nothing to show; it needs two restarts that agree")
    return figure


def _fit(selectors: list[str], settings: "Settings") -> "Figure":
    """Held-out fit against stability.

    Raises:
        UsageError: where no three runs differ in one number and in nothing else, or none has a fit.
    """
    from stabaudit.comparison.surveys.along_key import FEWEST, along_key
    from stabaudit.comparison.surveys.survey import survey
    from stabaudit.comparison.views.run_origins import read_origins
    from stabaudit.reports.figures.fit import fit_figure

    found = survey([Path(selector) for selector in selectors], settings)
    for warning in found.comparison.warnings:
        message(warning)
    figure = fit_figure(along_key(found.comparison, found.configs, read_origins(found.comparison.runs)))
    if figure is None:
        what = f"{FEWEST} runs or more that differ in one number, such as latent_dim, and whose fit is recorded"
        raise UsageError(f"plot fit: nothing to show; it needs {what}")
    return figure


def require_used(what: str, options: dict[str, Any]) -> None:
    """Refuse an option that was given and that a figure has no use for.

    Raises:
        UsageError: naming the option and the figures it is for.
    """
    for option, value in options.items():
        if value and what not in _DRAWN[option]:
            raise UsageError(f"plot {what}: {option} says nothing of it; it is for {', '.join(_DRAWN[option])}")


def require_drawable(what: str, metric: str) -> None:
    """Refuse a score that no figure can be drawn of, before anything is compared.

    Raises:
        UsageError: an unknown score, one without parts for a curve, or one of single restarts for a table of pairs.
    """
    from stabaudit.metrics.scores import measure, of_pairs

    one = measure(metric)
    if what == "heatmap" and one.unit != "pair":
        raise UsageError(f"plot heatmap: {metric} is one value for each restart; plot box shows these")
    if what == "curves" and one.parts is None:
        with_parts = ", ".join(other.name for other in of_pairs() if other.parts)
        raise UsageError(f"plot curves: {metric} is no mean over dimensions, so it has no curve; --metric {with_parts}")


def _two(text: str) -> tuple[int, int]:
    """Two numbers of dimensions.

    >>> _two("0,3")
    (0, 3)
    """
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise UsageError(f"--dims {text!r}: expected two numbers of dimensions, such as 0,1")
    return int(parts[0]), int(parts[1])

"""`stabaudit align RUN --out FOLDER`: all restarts in the terms of one, their consensus, and which restart to publish."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stabaudit.cli.compare import clusters_of
from stabaudit.cli.latents_options import MemoryOption, with_naming
from stabaudit.cli.output import OutputOption, PageFormatOption, command_line, deliver, deliver_page, message
from stabaudit.defaults import MEMORY

if TYPE_CHECKING:
    from stabaudit.store.imports.foreign_files import Naming


@with_naming
def align(
    selector: Annotated[str, typer.Argument(metavar="RUN", help="A run folder with two restarts or more.")],
    out: Annotated[Path, typer.Option(help="Folder to make: aligned latents, their consensus, and how they were aligned.")],
    to: Annotated[str, typer.Option(metavar="central|RESTART|sources", help="What the restarts are aligned to.")] = "central",
    by: Annotated[
        Literal["permutation", "orthogonal", "affine"],
        typer.Option(help="permutation: order, sign and scale; orthogonal: a rotation and one scale; affine: least squares."),
    ] = "permutation",
    clusters: Annotated[
        str | None,
        typer.Option(
            metavar="K|prior",
            help="Clusters of the consensus against those of each restart: of k-means, as many as there are classes of labels "
            "unless K says how many; prior: components of learned mixture priors.",
        ),
    ] = None,
    memory: MemoryOption = MEMORY,
    *,
    naming: "Naming",
    form: PageFormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Write every restart's latents with z3 meaning the same in each, their consensus, and name the most central restart."""
    from stabaudit.api import align as align_restarts
    from stabaudit.comparison.views.aligned_files import LATENTS, require_new, write_aligned
    from stabaudit.reports.sections.alignment import alignment_report

    require_new(out)
    wanted = None if clusters is None else clusters_of(clusters)
    aligned = align_restarts(selector, to=to, by=by, clusters=wanted, memory=memory, naming=naming)
    write_aligned(aligned, out)
    if form == "html":
        from stabaudit.reports.page_contents import alignment_page
        from stabaudit.store.run.find import parse_selector

        deliver_page(alignment_page(aligned, parse_selector(selector)[0], command_line()), output)
    else:
        deliver(alignment_report(aligned), form, output)
    message(f"written to {out}; to compare them: stabaudit import {out / LATENTS} --out NEW_RUN")

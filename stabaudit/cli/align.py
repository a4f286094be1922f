"""`stabaudit align RUN --out FOLDER`: all restarts in the terms of one, their consensus, and which restart to publish."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from stabaudit.cli.compare import MemoryOption
from stabaudit.cli.import_latents import IdColumnOption, IdsByPositionOption, KeyOption, ObsmOption, StrictOption
from stabaudit.cli.output import OutputOption, PageFormatOption, command_line, deliver, deliver_page, message


def clusters_of(text: str) -> int | str:
    """How many clusters, or "prior".

    >>> clusters_of("10"), clusters_of("prior")
    (10, 'prior')
    """
    if text == "prior":
        return text
    if not (text.isascii() and text.isdecimal() and int(text[:9]) >= 2 and len(text) < 10):
        raise typer.BadParameter(f"{text!r}: expected a number of clusters from 2, or prior")
    return int(text)


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
            parser=clusters_of,
            help="Clusters of the consensus against those of each restart: of k-means, as many as there are classes of labels "
            "unless K says how many; prior: components of learned mixture priors.",
        ),
    ] = None,
    memory: MemoryOption = "1GB",  # type: ignore[assignment]  # parsed like what a user types
    id_column: IdColumnOption = None,
    ids_by_position: IdsByPositionOption = False,
    obsm: ObsmOption = None,
    key: KeyOption = None,
    strict: StrictOption = False,
    form: PageFormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Write every restart's latents with z3 meaning the same in each, their consensus, and name the most central restart."""
    from stabaudit.api import align as align_restarts
    from stabaudit.comparison.views.aligned_files import LATENTS, require_new, write_aligned
    from stabaudit.reports.sections.alignment import alignment_report
    from stabaudit.store.imports.foreign_files import Naming

    require_new(out)
    naming = Naming(id_column, obsm, ids_by_position, key, strict)
    aligned = align_restarts(
        selector,
        to=to,
        by=by,
        clusters=clusters,  # type: ignore[arg-type]  # parsed
        memory=memory,
        naming=naming,
    )
    write_aligned(aligned, out)
    if form == "html":
        from stabaudit.reports.page_contents import alignment_page
        from stabaudit.store.run.find import parse_selector

        deliver_page(alignment_page(aligned, parse_selector(selector)[0], command_line()), output)
    else:
        deliver(alignment_report(aligned), form, output)
    message(f"written to {out}; to compare them: stabaudit import {out / LATENTS} --out NEW_RUN")

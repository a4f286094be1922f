"""`stabaudit import`: latents from anywhere become a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stabaudit.cli.latents_options import ClusterColumnOption, parse_bytes, with_naming
from stabaudit.cli.output import command_line, message
from stabaudit.errors import are, counted

if TYPE_CHECKING:
    from stabaudit.store.imports.foreign_files import Naming

FamilyLabel = Annotated[
    str | None, typer.Option("--family", help="What reports call the model family; tests of families need it.")
]
ArchitectureLabel = Annotated[str | None, typer.Option("--architecture", help="What reports call the networks.")]
DatasetLabel = Annotated[str | None, typer.Option("--dataset", help="What reports call the dataset.")]


@with_naming
def import_latents(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH…", help="Files (.npy, .npz, .parquet, .csv, .h5ad, …), one a restart, or a folder."),
    ],
    out: Annotated[Path, typer.Option(help="Run folder.")],
    family: FamilyLabel = None,
    architecture: ArchitectureLabel = None,
    dataset: DatasetLabel = None,
    memory: Annotated[
        int | None,
        typer.Option(parser=parse_bytes, metavar="SIZE", help="Refuse files that take more; by default what the machine has."),
    ] = None,
    sources: Annotated[Path | None, typer.Option(help="File of true sources, rows named like those of the latents.")] = None,
    cluster_column: ClusterColumnOption = None,
    *,
    naming: "Naming",
) -> None:
    """Make a run of latents that another program wrote, one file for each restart."""
    from stabaudit.store.files.atomic import shown
    from stabaudit.store.files.memory import at_most
    from stabaudit.store.imports.import_run import import_run, latents_files
    from stabaudit.store.run.external_labels import External

    external = External(
        family=family,
        architecture=architecture,
        dataset=dataset,
        id_column=naming.id_column,
        ids_by_position=naming.ids_by_position,
        obsm=naming.obsm,
        key=naming.key,
        dimensions_first=naming.dimensions_first,
        cluster_column=cluster_column,
        folder=naming.folder,
    )
    with at_most(memory):
        files = latents_files(paths, naming.folder)
        run = import_run(files, out, external, command=command_line(), sources=sources, strict=naming.strict)

    n, count = run.manifest.dataset.evaluation_rows, len(run.done)
    message(f"{counted(count, 'restart')} of {counted(n, 'row')} {are(count)} imported to {shown(run.folder)}")
    if count > 1:
        message(f"next: stabaudit compare {shown(run.folder)}")

"""`stabaudit import`: latents from anywhere become a run."""

import re
from pathlib import Path
from typing import Annotated

import typer

from stabaudit.cli.output import command_line, message

FamilyLabel = Annotated[
    str | None, typer.Option("--family", help="What reports call the model family; tests of families need it.")
]
ArchitectureLabel = Annotated[str | None, typer.Option("--architecture", help="What reports call the networks.")]
DatasetLabel = Annotated[str | None, typer.Option("--dataset", help="What reports call the dataset.")]
IdColumnOption = Annotated[
    str | None, typer.Option(help="Column or array that names the rows; sample_id by default, in .h5ad the index of obs.")
]
IdsByPositionOption = Annotated[
    bool, typer.Option("--ids-by-position", help="Row i is the same sample in every file, whatever it is called.")
]
KeyOption = Annotated[str | None, typer.Option(help="Array of .npz and .safetensors files that holds the latents; z by default.")]
DimensionsFirstOption = Annotated[
    bool, typer.Option("--dimensions-first", help="Arrays have the shape (d, n): a row for each dimension.")
]
StrictOption = Annotated[bool, typer.Option("--strict", help="Refuse what would have to be guessed of files.")]
ObsmOption = Annotated[str | None, typer.Option(help="Key of the latents in .h5ad files; the only one by default.")]


def parse_bytes(text: str) -> int:
    """Bytes in "500MB" or "2 GB", in powers of ten.

    >>> parse_bytes("1.5 GB")
    1500000000
    """
    found = re.fullmatch(r"(\d{1,18}(?:\.\d{1,18})?) ?([kMGT]?)B?", text.strip())
    if found is None or not (count := int(float(found[1]) * 1000 ** " kMGT".index(found[2] or " "))):
        raise typer.BadParameter(f"{text!r}: expected an amount of memory such as 500MB or 2GB")
    return count


def import_latents(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH…", help="Files (.npy, .npz, .parquet, .csv, .h5ad, …), one a restart, or a folder."),
    ],
    out: Annotated[Path, typer.Option(help="Run folder.")],
    family: FamilyLabel = None,
    architecture: ArchitectureLabel = None,
    dataset: DatasetLabel = None,
    id_column: IdColumnOption = None,
    ids_by_position: IdsByPositionOption = False,
    obsm: ObsmOption = None,
    key: KeyOption = None,
    dimensions_first: DimensionsFirstOption = False,
    strict: StrictOption = False,
    memory: Annotated[
        int | None,
        typer.Option(parser=parse_bytes, metavar="SIZE", help="Refuse files that take more; by default what the machine has."),
    ] = None,
    sources: Annotated[Path | None, typer.Option(help="File of true sources, rows named like those of the latents.")] = None,
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
        id_column=id_column,
        ids_by_position=ids_by_position,
        obsm=obsm,
        key=key,
        dimensions_first=dimensions_first,
    )
    with at_most(memory):
        run = import_run(latents_files(paths), out, external, command=command_line(), sources=sources, strict=strict)
    from stabaudit.reports.wording import counted

    n, count = run.manifest.dataset.evaluation_rows, len(run.done)
    message(f"{counted(count, 'restart')} of {n:,} rows {'is' if count == 1 else 'are'} imported to {shown(run.folder)}")
    if count > 1:
        message(f"next: stabaudit compare {shown(run.folder)}")

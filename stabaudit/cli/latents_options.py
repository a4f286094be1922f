"""Options of every command that reads files of latents: how they are meant, and how much memory they may take."""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from stabaudit.defaults import MEMORY

IdColumnOption = Annotated[
    str | None, typer.Option(help="Column or array that names the rows; sample_id by default, in .h5ad the index of obs.")
]
IdsByPositionOption = Annotated[
    bool, typer.Option("--ids-by-position", help="Row i is the same sample in every file, whatever it is called.")
]
ObsmOption = Annotated[
    str | None, typer.Option(help="Latents in .h5ad files: a key of obsm, X, or layers/NAME; the only key by default.")
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key",
        "--tensor",
        help="Array of .npz and .safetensors files, or column of lists, that holds the latents; z, or the only one.",
    ),
]
FolderOption = Annotated[
    Literal["restarts", "table"] | None,
    typer.Option(help="What a folder of files holds: a restart a file, or one table in parts; by default what it looks like."),
]
DimensionsFirstOption = Annotated[
    bool, typer.Option("--dimensions-first", help="Arrays have the shape (d, n): a row for each dimension.")
]
ClusterColumnOption = Annotated[
    str | None,
    typer.Option(help="Column or array with the cluster that each row was put into, file by file; in .h5ad a column of obs."),
]
StrictOption = Annotated[bool, typer.Option("--strict", help="Refuse what would have to be guessed of files.")]


def parse_bytes(text: str | int) -> int:
    """Bytes in "500MB" or "2 GB", in powers of ten; a number, as of a default, is one of bytes.

    >>> parse_bytes("1.5 GB")
    1500000000
    """
    if isinstance(text, int):
        return text
    found = re.fullmatch(r"(\d{1,18}(?:\.\d{1,18})?) ?([kMGT]?)B?", text.strip())
    if found is None or not (count := int(float(found[1]) * 1000 ** " kMGT".index(found[2] or " "))):
        raise typer.BadParameter(f"{text!r}: expected an amount of memory such as 500MB or 2GB")
    return count


MemoryOption = Annotated[
    int,
    typer.Option(
        parser=parse_bytes,
        metavar="SIZE",
        show_default=False,
        help=f"Latents that take more are streamed, in about as much memory; {MEMORY // 10**9}GB by default.",
    ),
]

_OF_NAMING = {  # fields of `Naming`
    "id_column": (IdColumnOption, None),
    "ids_by_position": (IdsByPositionOption, False),
    "obsm": (ObsmOption, None),
    "key": (KeyOption, None),
    "dimensions_first": (DimensionsFirstOption, False),
    "folder": (FolderOption, None),
    "strict": (StrictOption, False),
}


def with_naming(command: Callable[..., None]) -> Callable[..., None]:
    """A command that has these options where it has a parameter `naming`, which becomes what they say."""

    @functools.wraps(command)
    def with_options(**given: Any) -> None:  # noqa: ANN401 -- what was parsed
        from stabaudit.store.imports.foreign_files import Naming

        fields = {name: given.pop(name) for name in _OF_NAMING}
        command(**given, naming=Naming(**fields))

    signature = inspect.signature(command)
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _OF_NAMING.items()
    ]
    parameters = [
        option
        for name, parameter in signature.parameters.items()
        for option in (options if name == "naming" else [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)])
    ]
    vars(with_options)["__signature__"] = signature.replace(parameters=parameters)
    with_options.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": None}
    return with_options

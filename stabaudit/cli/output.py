"""Where a command's words go: results to stdout or a file, messages to stderr."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Format = Literal["table", "json", "csv", "markdown"]

FormatOption = Annotated[Format, typer.Option("--format", help="How results are written.")]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Write the results to this file instead of stdout.")]


def message(text: str) -> None:
    """Tell the user something beside the result: one line on stderr."""
    typer.echo(f"stabaudit: {text}", err=True)

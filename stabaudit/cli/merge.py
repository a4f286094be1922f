"""`stabaudit merge PART PART … --out RUN`: parts of a run that were trained apart become one."""

from pathlib import Path
from typing import Annotated

import typer

from stabaudit.cli.output import message
from stabaudit.errors import are, counted


def merge(
    parts: Annotated[list[Path], typer.Argument(metavar="PART …", help="Run folders that 'train … --shard I/N' made.")],
    out: Annotated[Path, typer.Option(help="Folder of the joined run.")],
) -> None:
    """Join the parts of a run that 'stabaudit train … --shard I/N' trained on several machines.

    Configuration, data and the digest of every file must agree; what does not is named. A restart that no part has stays to be
    trained: the train command without --shard goes on in the joined folder.
    """
    from stabaudit.store.files.atomic import shown
    from stabaudit.store.run.merge import merge as merge_runs

    run = merge_runs(parts, out)
    total, missing = len(run.manifest.restarts), run.unfinished
    message(f"{len(run.done)} of {counted(total, 'restart')} {are(len(run.done))} done in {shown(run.folder)}")
    if missing:
        listed = ", ".join(map(str, missing))
        message(f"{counted(len(missing), 'restart')} in no part ({listed}): the train command without --shard adds them")
    if len(run.done) > 1:
        message(f"next: stabaudit compare {shown(run.folder)}")

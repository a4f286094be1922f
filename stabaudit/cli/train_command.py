"""`stabaudit train --command`: a program of the user's trains the restarts."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from stabaudit.cli.output import command_line, message

if TYPE_CHECKING:
    from stabaudit.store.run.external_labels import External
    from stabaudit.store.run.manifest import Restart
    from stabaudit.store.run.run_folder import Run


@dataclass(frozen=True)
class Asked:
    """The options of `train` that concern a program; see there."""

    external: "External"
    restarts: int
    out: Path | None
    workers: int | None
    timeout: float | None
    dry_run: bool
    quiet: bool
    accept_change: bool


def train_by_program(asked: Asked) -> "Run | None":
    """Have the program train what is missing; nothing but words on a dry run.

    Raises:
        UsageError: a command that cannot be called, or no folder.
        BadRun: a folder that cannot be written or holds something else.
    """
    from stabaudit.errors import UsageError
    from stabaudit.external.command_line import arguments_of, require_callable
    from stabaudit.external.programs import Call, run_program
    from stabaudit.training.workers.pool import default_workers

    program = asked.external.program
    assert program is not None  # noqa: S101 -- made by the caller
    _ = asked.external.naming  # refused now rather than when the first restart has ended
    notes = require_callable(asked.external)
    if asked.out is None:
        raise UsageError("--command needs a run folder: --out runs/NAME")
    for note in notes:
        message(note)
    if asked.dry_run:
        import shlex

        latents = Path(f"latents.{program.latents_format}")
        for restart in range(asked.restarts):
            typer.echo(shlex.join(arguments_of(program, restart=restart, latents=latents)))
        return None
    name = asked.out.name

    def on_end(restart: "Restart") -> None:
        if not asked.quiet:
            message(f"{name} restart {restart.index} {restart.state} after {restart.seconds:.0f} s")

    call = Call(asked.workers or default_workers(), asked.timeout, asked.accept_change)
    try:
        return run_program(asked.out, asked.external, asked.restarts, call, command=command_line(), on_end=on_end)
    except (KeyboardInterrupt, SystemExit):  # Ctrl-C, SIGTERM
        message(f"interrupted; to go on: {command_line()}")
        raise

"""`stabaudit train --command`: a program of the user's trains the restarts."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from stabaudit.cli.output import command_line, message

if TYPE_CHECKING:
    from stabaudit.engines.base import Engine
    from stabaudit.store.run.external_labels import External
    from stabaudit.store.run.manifest import Restart
    from stabaudit.store.run.run_folder import Run


@dataclass(frozen=True)
class AskedProgram:
    """The options of `train` that concern a program; see there."""

    external: "External"
    out: Path | None
    workers: int | None
    engine: "Engine | None"
    timeout: float | None
    quiet: bool
    accept_change: bool

    def describe(self, restarts: int) -> None:
        """Say how the program would be called for each restart.

        Raises:
            UsageError: a command that cannot be called, or no folder.
        """
        import shlex

        from stabaudit.external.command_line import arguments_of

        self._require()
        program = self.external.program
        assert program is not None  # noqa: S101 -- made by the caller
        latents = Path(f"latents.{program.latents_format}")
        for restart in range(restarts):
            typer.echo(shlex.join(arguments_of(program, restart=restart, latents=latents)))

    def grow(self, restarts: int) -> "Run":
        """Have the program train what is missing of so many restarts, or of those that the run was to have before, if more."""
        from stabaudit.store.run.find import recorded_restarts

        return self.train(max(restarts, recorded_restarts(self._require())))

    def train(self, restarts: int) -> "Run":
        """Have the program train what is missing of so many restarts.

        Raises:
            UsageError: a command that cannot be called, or no folder.
            BadRun: a folder that cannot be written or holds something else.
        """
        from stabaudit.engines.local import default_workers
        from stabaudit.external.programs import Call, run_program

        out = self._require()

        def on_end(restart: "Restart") -> None:
            if not self.quiet:
                message(f"{out.name} restart {restart.index} {restart.state} after {restart.seconds:.0f} s")

        call = Call(self.workers or default_workers(), self.timeout, self.accept_change, self.engine)
        try:
            return run_program(out, self.external, restarts, call, command=command_line(), on_end=on_end)
        except (KeyboardInterrupt, SystemExit):  # Ctrl-C, SIGTERM
            message(f"interrupted; to go on: {command_line()}")
            raise

    def _require(self) -> Path:
        """The run folder of a command that can be called; says what the user should know of it.

        Raises:
            UsageError: a command that cannot be called, or no folder.
        """
        from stabaudit.errors import UsageError
        from stabaudit.external.command_line import require_callable

        _ = self.external.naming  # refused now rather than when the first restart has ended
        notes = require_callable(self.external)
        if self.out is None:
            raise UsageError("--command needs a run folder: --out runs/NAME")
        for note in notes:
            message(note)
        return self.out

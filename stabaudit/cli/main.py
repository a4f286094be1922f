"""The console script: one command per file, one way out for errors.

Exit status: 0 done and passed; 1 the gate failed; 2 bad usage, bad input or any abnormal end; 3 the gate is inconclusive;
129, 130, 141 and 143 after a terminal that is gone, Ctrl-C, a closed pipe and SIGTERM. A defect of stabaudit therefore never
looks like a failed gate.
"""

import importlib
import os
import signal
import sys
import sysconfig
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, NoReturn, TextIO

import typer
from typer.main import get_command

from stabaudit import __version__
from stabaudit.cli import output
from stabaudit.cli.help_text import PlainCommand, PlainGroup, with_plain_types
from stabaudit.cli.step_progress import steps_shown
from stabaudit.cli.surroundings import debugging, have_streams, require_sound, what_is_lacking
from stabaudit.cli.terminal_encoding import be_legible
from stabaudit.errors import Noticed, StabauditError
from stabaudit.reports.formats.plain_text import plain

_COMMANDS = {
    "train": "stabaudit.cli.train:train",
    "merge": "stabaudit.cli.merge:merge",
    "push": "stabaudit.cli.push:push",
    "import": "stabaudit.cli.import_latents:import_latents",
    "compare": "stabaudit.cli.compare:compare",
    "report": "stabaudit.cli.report:report",
    "dimensions": "stabaudit.cli.dimensions:dimensions",
    "diagnose": "stabaudit.cli.diagnose:diagnose",
    "align": "stabaudit.cli.align:align",
    "restarts": "stabaudit.cli.restarts:restarts",
    "determinism": "stabaudit.cli.determinism:determinism",
    "plot": "stabaudit.cli.plot:plot",
    "likelihood": "stabaudit.cli.likelihood:likelihood",
    "check": "stabaudit.cli.check:check",
    "audit": "stabaudit.cli.audit:audit",
    "list": "stabaudit.cli.list:list_names",
    "show": "stabaudit.cli.show:show",
    "verify": "stabaudit.cli.verify:verify",
    "schema": "stabaudit.cli.schema:schema",
    "doctor": "stabaudit.cli.doctor:doctor",
    "explain": "stabaudit.cli.explain:explain",
}


class _Program(typer.Typer):
    """A program whose commands are built once in a process; typer builds them at every call."""

    @cached_property
    def _built(self) -> Callable[..., Any]:
        return get_command(self)

    def __call__(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 -- as typer has it
        """Run a command line."""
        return self._built(*arguments, **named)


app = _Program(
    cls=PlainGroup,
    help="If I train this model again, do I get the same representation?",
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"stabaudit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
    color: Annotated[bool | None, typer.Option("--color/--no-color", help="Colour, or none, wherever output goes.")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error (also STABAUDIT_DEBUG=1).")] = False,
) -> None:
    # The environment variables that rich reads anyway, so that worker processes agree.
    if color is not None:
        os.environ.pop("FORCE_COLOR" if not color else "NO_COLOR", None)
        os.environ["FORCE_COLOR" if color else "NO_COLOR"] = "1"
    if debug:
        os.environ["STABAUDIT_DEBUG"] = "1"
    if context.invoked_subcommand is None:
        typer.echo(context.get_help().rstrip())
        raise typer.Exit(2)


with_plain_types(_options)
for _name, _target in _COMMANDS.items():
    _module, _, _function = _target.partition(":")
    app.command(_name, cls=PlainCommand)(with_plain_types(getattr(importlib.import_module(_module), _function)))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line and exit with its status.

    Args:
        arguments: the command line without the program's name; None: this process's.
    """
    signal.signal(signal.SIGTERM, _terminate)
    hang_up = getattr(signal, "SIGHUP", None)  # the terminal is gone; ignored under nohup
    if hang_up is not None and signal.getsignal(hang_up) is signal.SIG_DFL:
        signal.signal(hang_up, _terminate)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as it was while modules were imported
        signal.signal(signal.SIGINT, signal.default_int_handler)
    have_streams()
    be_legible()
    sys.exit(_run(sys.argv[1:] if arguments is None else arguments))


def _terminate(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


def _run(arguments: Sequence[str]) -> int:
    try:
        # Without typer's standalone mode a command's value or typer.Exit's code comes back; Ctrl-C comes back as 130.
        require_sound()
        with _saying_what_is_noticed(), steps_shown(arguments):
            status = app(list(arguments), prog_name="stabaudit", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        return _hush()
    except SystemExit as stop:  # typer leaves with status 1 when a pipe is closed, which would say that a gate failed
        if isinstance(stop.__context__, BrokenPipeError):
            return _hush()
        raise
    except Exception as error:  # noqa: BLE001 -- the one way out
        if debugging():
            traceback.print_exception(error)
        typer.echo(f"stabaudit: error: {_one_line(error)}", err=True)
        return 2
    return status if isinstance(status, int) else 0


@contextmanager
def _saying_what_is_noticed() -> Iterator[None]:
    """Print how files were taken that could have been meant in another way, once for all files that were taken alike.

    Other warnings are those of libraries, which mean nothing to users, or of code that the user brought: its words are printed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("always", Noticed)
        show = warnings.showwarning
        said: set[str] = set()

        def say(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            what = message.what if isinstance(message, Noticed) else str(message)
            if debugging() and not isinstance(message, Noticed):
                show(message, category, filename, lineno, file, line)
            elif what not in said and (isinstance(message, Noticed) or not _of_a_library(filename)):
                said.add(what)
                output.message(plain(str(message)))

        warnings.showwarning = say
        yield


def _of_a_library(file: str) -> bool:
    """Whether a source file is of this package, of Python or of another package that is installed."""
    places = (*(sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")), str(Path(__file__).parents[1]))
    return any(Path(file).is_relative_to(place) for place in places) or not Path(file).is_file()


def _one_line(error: Exception) -> str:
    if isinstance(error, typer.TyperException):
        message = error.format_message()
    elif isinstance(error, StabauditError):
        message = str(error)
    elif isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif (lacking := what_is_lacking(error)) is not None:
        message = lacking
    else:
        message = f"internal error, {type(error).__name__}: {error}; run again with 'stabaudit --debug …' and report it"
    return plain(message)


def _hush() -> int:
    """Let nothing more go to a pipe that nobody reads; Python would complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE

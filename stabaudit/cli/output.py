"""Where a command's words go: results to stdout or a file, messages to stderr."""

import os
import shlex
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stabaudit.cli.typed import was_typed
from stabaudit.errors import BadRun, UsageError
from stabaudit.reports.formats.table_of_formats import Kind, format_of, formats_for

if TYPE_CHECKING:
    from stabaudit.reports.formats.html import Page
    from stabaudit.reports.report import Report


def _formats(kind: Kind) -> Any:  # noqa: ANN401 -- an option of typer's
    """The option `--format` for results of a kind, read from the table of formats."""
    known = {one.name: one for one in formats_for(kind)}

    def parse(text: str) -> str:
        if text not in known:
            raise typer.BadParameter(f"{text!r}: expected one of {', '.join(known)}")
        return text

    def chosen(context: typer.Context, form: str) -> str:
        """The format that was typed, else that of the file's name."""
        path = context.params.get("output")
        if path is None or was_typed(context, "form"):
            return form
        named = format_of(path)
        if named is None and path.suffix:
            raise UsageError(f"--output {path}: no format has this ending; use --format {'|'.join(known)}")
        if named is not None and named not in known:
            raise UsageError(f"--output {path}: these results cannot be written as {named}; use --format {'|'.join(known)}")
        return named or form

    summary = "; ".join(f"{one.name}: {one.summary}" for one in known.values())
    return typer.Option(
        "--format",
        parser=parse,
        callback=chosen,
        metavar="|".join(known),
        help=f"How results are written; by default what the ending of --output says, else table. {summary}.",
    )


def require_folder(path: Path | None) -> Path | None:
    """Refuse a file that could not be written before any work is done for it."""
    if path is not None and path.is_dir():
        raise UsageError(f"--output {path}: is a folder; name a file in it")
    if path is not None and not path.parent.is_dir():
        raise UsageError(f"--output {path}: no folder {path.parent}; make it first")
    if path is not None and any((parent / "run.json").is_file() for parent in list(path.absolute().parents)[:2]):
        raise UsageError(f"--output {path}: lies in a run folder, whose files stabaudit alone writes; name a file elsewhere")
    return path


FormatOption = Annotated[str, _formats("results")]
PageFormatOption = Annotated[str, _formats("page")]
GateFormatOption = Annotated[str, _formats("gates")]
OutputOption = Annotated[
    Path | None,
    # Eager, so that it is known when the format is chosen.
    typer.Option(
        "--output",
        "-o",
        help="Write the results to this file, not to stdout; CSV has a file for each list, x.runs.csv beside x.csv.",
        callback=require_folder,
        is_eager=True,
    ),
]


def deliver(report: "Report", form: str, output: Path | None) -> None:
    """Write a report to a file, whole or not at all, or to stdout: never cut off, and folded only to fit a terminal.

    Where it goes to GitHub Actions it is also added to the job summary, if there is one.

    Raises:
        BadRun: where the file cannot be written.
    """
    from stabaudit.reports.formats.render import render

    if form == "html":
        raise UsageError("these results have no page; use --format markdown")
    if form == "github":
        _add_to_job_summary(report)
    if form == "csv":
        _deliver_other_lists(report, output)
    if output is not None:
        from stabaudit.store.files.atomic import write_bytes

        write_bytes(output, render(report, form).encode())
        return
    terminal = sys.stdout.isatty()
    width, color = shutil.get_terminal_size().columns if terminal else None, _colored(terminal=terminal)
    typer.echo(render(report, form, width=width, color=color), nl=False, color=color)


def _deliver_other_lists(report: "Report", output: Path | None) -> None:
    """Write the lists that one CSV cannot hold beside it, x.runs.csv beside x.csv; on stdout say that they are left out.

    Raises:
        BadRun: where a file cannot be written.
    """
    from stabaudit.reports.formats.csv_format import others
    from stabaudit.store.files.atomic import shown, write_bytes

    lists = others(report)
    if not lists:
        return
    if output is None:
        message(f"CSV of {report.main}; --output FILE.csv writes {', '.join(lists)} too, each to a file of its own beside it")
        return
    beside = {output.with_name(f"{output.name.removesuffix('.csv')}.{name}.csv"): text for name, text in lists.items()}
    for path, text in beside.items():
        if path.is_dir():
            raise UsageError(f"{shown(path)} is a folder, where the CSV of a list belongs; name another --output")
        write_bytes(path, text.encode())
    message(f"beside {shown(output)}: {', '.join(shown(path.name) for path in beside)}")


def deliver_page(page: "Page", output: Path | None) -> None:
    """Write a page to a file, whole or not at all, or to stdout.

    Raises:
        BadRun: where the file cannot be written.
    """
    from stabaudit.reports.formats.html import as_html

    if output is None:
        typer.echo(as_html(page), nl=False)
        return
    from stabaudit.store.files.atomic import write_bytes

    write_bytes(output, as_html(page).encode())


def _add_to_job_summary(report: "Report") -> None:
    """Add a report to the file that GitHub Actions names for the summary of a step.

    Raises:
        BadRun: where it cannot be written.
    """
    from stabaudit.reports.formats.github import SUMMARY_BYTES, job_summary
    from stabaudit.store.files.atomic import reason, shown

    named = os.environ.get("GITHUB_STEP_SUMMARY")
    if not named:
        return
    try:
        with Path(named).open("ab") as file:
            file.write(job_summary(report, SUMMARY_BYTES - file.tell()).encode())
    except OSError as error:
        raise BadRun(f"cannot write the job summary {shown(named)} ($GITHUB_STEP_SUMMARY): {reason(error)}") from error


def page_text(text: str) -> None:
    """Print a text of reference as it is; on a terminal that is narrower, broken at blanks and indented as its lines are."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    typer.echo("\n".join(part for line in text.splitlines() for part in _fitted(line, width)))


def _fitted(line: str, width: int | None) -> list[str]:
    if width is None or len(line) <= width:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False)


def command_line() -> str:
    """The command line of this process, as it can be typed again."""
    return shlex.join(["stabaudit", *sys.argv[1:]])


def message(text: str) -> None:
    """Tell the user something beside the result: one line on stderr."""
    from stabaudit.reports.formats.plain_text import plain

    typer.echo(f"stabaudit: {plain(text)}", err=True)


def _colored(*, terminal: bool) -> bool:
    """NO_COLOR (no-color.org) wins over FORCE_COLOR; `--color` and `--no-color` set them."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (terminal and os.environ.get("TERM") != "dumb")

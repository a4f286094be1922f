"""`stabaudit verify PATH…`: does every file of every run below the paths hold what its manifest says?"""

from pathlib import Path
from typing import Annotated

import typer

from stabaudit.cli.output import FormatOption, OutputOption, deliver, message
from stabaudit.errors import counted


def verify(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH …", help="Run folders, or folders that hold some.")],
    form: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Check the integrity of runs: exit 0 if all are whole, 2 if not."""
    from stabaudit.reports.report import Report, Section
    from stabaudit.store.files.atomic import shown
    from stabaudit.store.run.find import find_runs
    from stabaudit.store.run.verify import leftovers
    from stabaudit.store.run.verify import verify as problems_of

    rows, words, runs, problems = [], [], [], []
    for run in find_runs(paths):
        left = leftovers(run)
        for line in left:
            message(line)
        folder, total, found = shown(run.folder), len(run.manifest.restarts), problems_of(run)
        rows.append((folder, f"{len(run.done)} of {total}", counted(len(found), "problem") if found else "whole"))
        words += [str(problem) for problem in found]
        runs.append({"run": folder, "restarts": total, "done": len(run.done), "problems": len(found), "leftovers": left})
        problems += [{"run": folder, "file": p.file, "what": p.what, "remedy": p.remedy} for p in found]
    section = Section("integrity", ["run", "restarts done", "files"], rows, words, left=3)
    deliver(Report([section], {"runs": runs, "problems": problems}, main="problems"), form, output)
    if problems:
        message(f"{counted(len(problems), 'problem')}: these runs do not hold all that they promise")
    raise typer.Exit(2 if problems else 0)

"""`stabaudit determinism RUN`: one seed, N trainings: one result?"""

from pathlib import Path
from typing import Annotated

import typer

from stabaudit.cli.output import FormatOption, OutputOption, deliver, message


def determinism(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run that was trained with --vary none.")],
    form: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Say whether restarts of one seed are the same bit for bit, and if not, where they part, how far and why that can be."""
    from stabaudit.comparison.surveys.determinism import determinism as hold
    from stabaudit.reports.sections.determinism import determinism_report
    from stabaudit.store.run.run_folder import Run

    found = hold(Run.open(run))
    deliver(determinism_report(found), form, output)
    if found.same < found.restarts:
        message(f"how far they are apart in every score: stabaudit compare {run}")

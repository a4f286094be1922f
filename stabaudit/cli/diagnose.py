"""`stabaudit diagnose RUN`: what identifiability theorems promise of the trained model, and whether the run keeps it."""

from typing import Annotated

import typer

from stabaudit.cli.output import FormatOption, OutputOption, deliver, message


def diagnose(
    selector: Annotated[str, typer.Argument(metavar="RUN", help="A run that stabaudit trained, or one restart of it (run#3).")],
    form: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Say what identifiability theorems promise of the trained model, and whether the run keeps it."""
    from stabaudit.api import diagnose as diagnosis_of
    from stabaudit.reports.sections.diagnosis import diagnosis_report

    found = diagnosis_of(selector)
    for warning in found.warnings:
        message(warning)
    deliver(diagnosis_report(found), form, output)

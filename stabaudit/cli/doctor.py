"""`stabaudit doctor`: what this machine offers, and whether a training would work."""

from pathlib import Path
from typing import Annotated

import typer

from stabaudit.cli.output import FormatOption, OutputOption, deliver


def doctor(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where runs would go.")] = Path(),
    form: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Say what this machine offers and whether a training would work: exit 0 if it would, 2 if not."""
    from dataclasses import asdict

    from stabaudit.reports.report import Report, Section
    from stabaudit.training.machine_check import examine

    findings = list(examine(folder))
    words = [f"{finding.topic}: {finding.advice}" for finding in findings if finding.advice]
    rows = [(finding.topic, finding.state, finding.fact) for finding in findings]
    section = Section("this machine", ["what", "state", "found"], rows, words, left=3)
    deliver(Report([section], {"findings": [asdict(finding) for finding in findings]}, main="findings"), form, output)
    raise typer.Exit(2 if any(finding.state == "fails" for finding in findings) else 0)

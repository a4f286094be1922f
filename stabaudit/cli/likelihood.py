"""`stabaudit likelihood`: in how many simulated models is the truth the only minimiser of the likelihood?"""

import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stabaudit.cli.figure_file import require_kind, write_figure
from stabaudit.cli.output import FormatOption, OutputOption, deliver, message
from stabaudit.errors import UsageError

if TYPE_CHECKING:
    from stabaudit.likelihood.results import Fit

LINE_SECONDS = 30.0  # between lines of progress where there is no terminal


def _figure_file(path: Path | None) -> Path | None:
    return path and require_kind(path, "--figure")


def _finite_noise(noise: float) -> float:
    if not 0 < noise < math.inf:
        raise UsageError(f"--noise {noise:g}: expected a standard deviation above 0")
    return noise


def likelihood(
    simulations: Annotated[int, typer.Option(min=1, help="Models to draw.")] = 50,
    components: Annotated[
        int | None, typer.Option(min=1, max=5, metavar="J", help="Components of each; 2 and 3 by turns by default.")
    ] = None,
    hidden: Annotated[int, typer.Option(min=1, max=10, help="Hidden units of each decoder.")] = 3,
    rows: Annotated[int, typer.Option(min=10, help="Rows to draw from each model.")] = 1000,
    noise: Annotated[float, typer.Option(help="Standard deviation of the noise of x.", callback=_finite_noise)] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Decides models and rows.")] = 0,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the profiles of the first model: .svg, .png or .pdf.", callback=_figure_file)
    ] = None,
    form: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Count the simulations in which the truth is the only minimiser of the likelihood (Kivva et al. 2022, Fig. 1)."""
    from stabaudit.likelihood.experiment import Design, remark, simulate
    from stabaudit.likelihood.tables import likelihood_report

    design = Design(simulations, components, hidden, rows, noise, seed)
    found = list(_watched(simulate(design), simulations))
    if figure:
        from stabaudit.likelihood.figure import likelihood_figure

        write_figure(likelihood_figure(found[0]), figure)
    deliver(likelihood_report([fit for fits in found for fit in fits], remark(noise), rows), form, output)


def _watched(found: Iterator[tuple["Fit", ...]], total: int) -> Iterator[tuple["Fit", ...]]:
    """What is found, with a bar on a terminal and a line now and then elsewhere, on stderr."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(found, "simulations", total, console=Console(stderr=True), transient=True)
        return
    said = time.monotonic()
    for done, fits in enumerate(found, start=1):
        yield fits
        if time.monotonic() - said > LINE_SECONDS:
            said = time.monotonic()
            message(f"{done} of {total} simulations")

"""`stabaudit dimensions RUN …`: which dimensions of a run are the same axes in every restart."""

from typing import TYPE_CHECKING, Annotated

import typer

from stabaudit.cli.compare import CorrelationOption, NonlinearOption, SeedOption
from stabaudit.cli.latents_options import MemoryOption, with_naming
from stabaudit.cli.output import FormatOption, OutputOption, deliver, message
from stabaudit.defaults import MEMORY

if TYPE_CHECKING:
    from stabaudit.store.imports.foreign_files import Naming


@with_naming
def dimensions(
    selectors: Annotated[list[str], typer.Argument(metavar="RUN …", help="Run folders with two restarts or more.")],
    correlation: CorrelationOption = "pearson",
    seed: SeedOption = 0,
    memory: MemoryOption = MEMORY,
    nonlinear: NonlinearOption = False,
    *,
    naming: "Naming",
    form: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Give every dimension a verdict: axis, subspace, not shared, inactive."""
    from stabaudit.api import dimensions as dimensions_of
    from stabaudit.comparison.settings import Settings
    from stabaudit.reports.sections.dimensions import dimensions_report

    settings = Settings(correlation=correlation, rotations=1, seed=seed, memory=memory, nonlinear=nonlinear)
    found = dimensions_of(*selectors, settings=settings, naming=naming)
    for warning in found.warnings:
        message(warning)
    deliver(dimensions_report(found), form, output)

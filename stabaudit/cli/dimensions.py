"""`stabaudit dimensions RUN …`: which dimensions of a run are the same axes in every restart."""

from typing import Annotated

import typer

from stabaudit.cli.compare import CorrelationOption, MemoryOption, SeedOption
from stabaudit.cli.import_latents import IdColumnOption, IdsByPositionOption, KeyOption, ObsmOption, StrictOption
from stabaudit.cli.output import FormatOption, OutputOption, deliver, message


def dimensions(
    selectors: Annotated[list[str], typer.Argument(metavar="RUN …", help="Run folders with two restarts or more.")],
    correlation: CorrelationOption = "pearson",
    seed: SeedOption = 0,
    memory: MemoryOption = "1GB",  # type: ignore[assignment]  # parsed like what a user types
    id_column: IdColumnOption = None,
    ids_by_position: IdsByPositionOption = False,
    obsm: ObsmOption = None,
    key: KeyOption = None,
    strict: StrictOption = False,
    form: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Give every dimension a verdict: axis, subspace, not shared, inactive."""
    from stabaudit.api import dimensions as dimensions_of
    from stabaudit.comparison.settings import Settings
    from stabaudit.reports.sections.dimensions import dimensions_report
    from stabaudit.store.imports.foreign_files import Naming

    settings = Settings(correlation=correlation, rotations=1, seed=seed, memory=memory)
    found = dimensions_of(*selectors, settings=settings, naming=Naming(id_column, obsm, ids_by_position, key, strict))
    for warning in found.warnings:
        message(warning)
    deliver(dimensions_report(found), form, output)

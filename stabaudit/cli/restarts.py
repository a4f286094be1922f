"""`stabaudit restarts RUN --half-width 0.02`: how many restarts a wanted interval asks for."""

from typing import Annotated

import typer

from stabaudit.cli.compare import MemoryOption
from stabaudit.cli.import_latents import IdColumnOption, IdsByPositionOption, KeyOption, ObsmOption, StrictOption
from stabaudit.cli.output import FormatOption, OutputOption, deliver


def restarts(
    selector: Annotated[str, typer.Argument(metavar="RUN", help="A run folder with three restarts or more.")],
    half_width: Annotated[float | None, typer.Option(help="Half of the 95% interval that is wanted.")] = None,
    score: Annotated[
        str | None, typer.Option(help="A score of pairs, as in check --require; the first of 'stabaudit list scores' by default.")
    ] = None,
    memory: MemoryOption = "1GB",  # type: ignore[assignment]  # parsed like what a user types
    id_column: IdColumnOption = None,
    ids_by_position: IdsByPositionOption = False,
    obsm: ObsmOption = None,
    key: KeyOption = None,
    strict: StrictOption = False,
    form: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Say how narrow the interval of a score becomes with more restarts, and how many a wanted half-width needs."""
    import math

    from stabaudit.api import spread as spread_of_run
    from stabaudit.errors import UsageError
    from stabaudit.metrics.scores import headlines
    from stabaudit.reports.sections.restarts_needed import restarts_report
    from stabaudit.reports.wording import score_name
    from stabaudit.statistics.gate import parse_score
    from stabaudit.store.imports.foreign_files import Naming

    if half_width == math.inf:
        raise UsageError(f"--half-width {half_width:g}: expected a number, such as 0.02")
    naming = Naming(id_column, obsm, ids_by_position, key, strict)
    wanted = score or headlines()[0].name
    run, found = spread_of_run(selector, score=wanted, memory=memory, naming=naming)
    asked = parse_score(wanted)
    name = score_name(asked.metric, asked.k if isinstance(asked.k, int) else None)
    deliver(restarts_report(run, name, found, half_width), form, output)

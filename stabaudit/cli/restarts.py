"""`stabaudit restarts RUN --half-width 0.02`: how many restarts a wanted interval asks for."""

from typing import TYPE_CHECKING, Annotated

import typer

from stabaudit.cli.latents_options import MemoryOption, with_naming
from stabaudit.cli.output import FormatOption, OutputOption, deliver
from stabaudit.defaults import MEMORY

if TYPE_CHECKING:
    from stabaudit.store.imports.foreign_files import Naming


@with_naming
def restarts(
    selector: Annotated[str, typer.Argument(metavar="RUN", help="A run folder with three restarts or more.")],
    half_width: Annotated[float | None, typer.Option(help="Half of the 95% interval that is wanted.")] = None,
    score: Annotated[
        str | None, typer.Option(help="A score of pairs, as in check --require; the first of 'stabaudit list scores' by default.")
    ] = None,
    memory: MemoryOption = MEMORY,
    *,
    naming: "Naming",
    form: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Say how narrow the interval of a score becomes with more restarts, and how many a wanted half-width needs."""
    from stabaudit.api import spread as spread_of_run
    from stabaudit.metrics.scores import headlines
    from stabaudit.reports.sections.restarts_needed import restarts_report
    from stabaudit.reports.wording import score_name
    from stabaudit.statistics.gate import parse_score

    wanted = score or headlines()[0].name
    run, found = spread_of_run(selector, score=wanted, memory=memory, naming=naming)
    asked = parse_score(wanted)
    name = score_name(asked.metric, asked.k if isinstance(asked.k, int) else None)
    deliver(restarts_report(run, name, found, half_width), form, output)

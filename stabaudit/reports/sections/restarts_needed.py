"""How wide the interval of a run's score becomes with more restarts."""

from collections.abc import Sequence
from dataclasses import dataclass

from stabaudit.errors import counted
from stabaudit.reports.report import Report, Section
from stabaudit.reports.wording import mean_with_interval, number
from stabaudit.statistics.restarts_needed import MOST, SURELY, Spread

COUNTS = (3, 5, 8, 10, 15, 20, 30, 40, 60, 100, 200, 500, 1000)
LEGEND = (
    "half-width: half of the 95% interval, in half of the runs that are extended from this one, and kept in 90% of them; with "
    "few restarts the latter can lie above the present one, as the spread itself is uncertain."
)


@dataclass(frozen=True)
class RestartsRow:
    """The interval of a score with some number of restarts.

    Args:
        run, score: which.
        restarts: in all, those that there are included.
        half_width: of the 95% interval, as expected.
        half_width_kept: that is kept in 90% of runs.
        present: whether the run has so many now.
        needed: whether it is the fewest that the wanted half-width asks for.
    """

    run: str
    score: str
    restarts: int
    half_width: float
    half_width_kept: float
    present: bool
    needed: bool


def restarts_rows(run: str, score: str, spread: Spread, wanted: float | None) -> list[RestartsRow]:
    """The present number of restarts, round numbers beyond it, and what the wanted half-width needs."""
    needed = None if wanted is None else spread.needed(wanted)
    end = max(needed or 0, 4 * spread.restarts)
    counts = sorted({spread.restarts, *(n for n in COUNTS if spread.restarts < n <= end), *([needed] if needed else [])})
    return [
        RestartsRow(
            run=run,
            score=score,
            restarts=count,
            half_width=spread.half_width(count),
            half_width_kept=spread.half_width(count, SURELY),
            present=count == spread.restarts,
            needed=count == needed,
        )
        for count in counts
    ]


def restarts_report(run: str, score: str, spread: Spread, wanted: float | None) -> Report:
    """A table of restarts and half-widths, and what the wanted one needs."""
    rows = restarts_rows(run, score, spread, wanted)
    cells = [[f"{row.restarts:,}", number(row.half_width), number(row.half_width_kept), _remark(row)] for row in rows]
    interval = spread.estimate.interval() or (None, None)
    words = [f"{score} {mean_with_interval(spread.estimate.mean, *interval)} with {counted(spread.restarts, 'restart')}."]
    if wanted is not None:
        words.append(needed_sentence(score, wanted, spread.needed(wanted), spread.restarts))
    title = f"restarts of {run}"
    return Report(
        [Section(title, ["restarts", "half-width", "kept in 90%", ""], cells, [*words, LEGEND], left=0)],
        {"restarts": [vars(row) for row in rows]},
        main="restarts",
    )


def _remark(row: RestartsRow) -> str:
    said: Sequence[str] = [text for text, holds in (("now", row.present), ("needed", row.needed)) if holds]
    return ", ".join(said)


def needed_sentence(score: str, wanted: float, needed: int | None, present: int) -> str:
    """What a half-width asks for: "±0.02 on strong MCC needs about 23 restarts"."""
    if needed is None:
        return f"±{wanted:g} on {score} needs more than {MOST:,} restarts."
    if needed <= present:
        return f"±{wanted:g} on {score} is reached."
    return f"±{wanted:g} on {score} needs about {needed:,} restarts."

"""A row for each run with everything that describes it: for a page, which has room."""

from collections.abc import Sequence

from stabaudit.comparison.records import Comparison, RunSummary, Score
from stabaudit.metrics.scores import Measure, measure
from stabaudit.reports.report import Section
from stabaudit.reports.verdict import axes_in_short
from stabaudit.reports.wording import NONE, mean_with_interval, number, score_name, shared_k

_FLOORS = {"independence": ("independence_floor", "chance"), "rotation": ("rotation_floor", "rotation")}
_HEADER_OF_RUNS = ("axes", "family", "architecture", "dataset", "d", "restarts", "rows")


def overview_section(comparison: Comparison) -> Section:
    """Every run: what it is, and its scores out-of-sample with intervals and floors."""
    shown = _shown(comparison)
    scores = [
        cell
        for one in shown
        for cell in (
            f"{score_name(one.name, shared_k(comparison, one.name))} [95%]",
            *(_FLOORS[floor][1] for floor in one.floors),
        )
    ]
    rows = [_row(comparison, run, shown) for run in comparison.runs]
    # Scores first: a phone has room for one column beside the name.
    return Section("Configurations", ["run", *scores, *_HEADER_OF_RUNS], rows)


def _shown(comparison: Comparison) -> list[Measure]:
    """Every score of pairs or against known factors that was computed, headlines first."""
    names = dict.fromkeys(score.metric for score in comparison.scores if score.relation == "within")
    known = [one for one in map(measure, names) if one.unit == "pair" or one.factors is not None]
    return sorted(known, key=lambda one: not one.headline)


def _row(comparison: Comparison, run: RunSummary, shown: Sequence[Measure]) -> list[str]:
    found = comparison.out_of_sample(run.name)
    size = str(run.latent_dim) if run.grid is None else f"{run.latent_dim} at {run.grid[0]}×{run.grid[1]}"
    return [
        run.name,
        *(cell for one in shown for cell in _cells(found.get(one.name), [_FLOORS[floor][0] for floor in one.floors])),
        axes_in_short(comparison, run.name),
        *(text or NONE for text in (run.family, run.architecture, run.dataset)),
        size,
        f"{run.restarts} of {run.trained}" if run.lost else str(run.restarts),
        f"{run.rows:,}",
    ]


def _cells(score: Score | None, floors: Sequence[str]) -> list[str]:
    if score is None:
        return [NONE] * (1 + len(floors))
    return [
        mean_with_interval(score.mean, score.ci_low, score.ci_high, 2),
        *(number(getattr(score, floor), 2) for floor in floors),
    ]

"""A row for each run with everything that describes it: for a page, which has room."""

from collections.abc import Sequence

from stabaudit.comparison.records import Comparison, RunSummary, Score
from stabaudit.reports.report import Section
from stabaudit.reports.wording import NONE, axes, mean_with_interval, number, score_name, shared_k

_HEADER = ("run", "axes", "family", "architecture", "dataset", "d", "restarts")


def overview_section(comparison: Comparison) -> Section:
    """Every run: what it is, and its scores out-of-sample with intervals and floors."""
    k = shared_k(comparison)
    scores = ["strong MCC [95%]", "chance", "rotation", f"{score_name('weak_mcc', k)} [95%]", "chance"]
    scores += ["affine R² [95%]", "chance", "decorrelated [95%]", "rotation", "rows"]
    return Section("Configurations", [*_HEADER, *scores], [_row(comparison, run) for run in comparison.runs], left=5)


def _row(comparison: Comparison, run: RunSummary) -> list[str]:
    own = [score for score in comparison.scores if score.run_a == score.run_b == run.name and score.sample == "out"]
    found = {score.metric: score for score in reversed(own)}  # of several k the first
    strong, apart = found.get("strong_mcc"), found.get("decorrelated_strong_mcc")
    size = str(run.latent_dim) if run.grid is None else f"{run.latent_dim} at {run.grid[0]}×{run.grid[1]}"
    return [
        run.name,
        NONE if strong is None or apart is None else axes(strong, apart),
        *(text or NONE for text in (run.family, run.architecture, run.dataset)),
        size,
        f"{run.restarts} of {run.trained}" if run.lost else str(run.restarts),
        *_cells(strong, ("independence_floor", "rotation_floor")),
        *_cells(found.get("weak_mcc"), ("independence_floor",)),
        *_cells(found.get("affine_r2"), ("independence_floor",)),
        *_cells(apart, ("rotation_floor",)),
        f"{run.rows:,}",
    ]


def _cells(score: Score | None, floors: Sequence[str]) -> list[str]:
    if score is None:
        return [NONE] * (1 + len(floors))
    return [
        mean_with_interval(score.mean, score.ci_low, score.ci_high, 2),
        *(number(getattr(score, floor), 2) for floor in floors),
    ]

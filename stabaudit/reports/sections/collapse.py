"""Collapse scores as tables: whether there is anything for stability to be about."""

from collections.abc import Sequence

from stabaudit.comparison.records import CollapseScore
from stabaudit.errors import counted
from stabaudit.metrics.collapse import ACTIVE_UNITS, COLLAPSE
from stabaudit.metrics.scores import measure
from stabaudit.reports.report import Section
from stabaudit.reports.wording import mean_with_interval, number

MANY_RUNS = 6  # more than this and one sentence counts what each would say
_IN_SHORT = COLLAPSE[:5]


def collapse_section(run: str, scores: Sequence[CollapseScore]) -> Section:
    """A row for every collapse score of a run."""
    rows = [
        [measure(score.score).label, mean_with_interval(score.mean, score.ci_low, score.ci_high), score.note] for score in scores
    ]
    return Section(
        f"collapse of {run}: nats per row, mean over restarts", ["score", "mean [95%]", "remark"], rows, _words(scores)
    )


def collapse_summary(runs: Sequence[str], scores: Sequence[CollapseScore]) -> Section:
    """A row for every run."""
    found = {(score.run, score.score): score for score in scores}
    shown = [one.name for one in _IN_SHORT if any((run, one.name) in found for run in runs)]
    rows = [
        [run, *(_cell(found.get((run, name))) for name in shown)] for run in runs if any((run, name) in found for name in shown)
    ]
    words = [line for run in runs for line in _words([score for score in scores if score.run == run])]
    if len(words) > MANY_RUNS:
        runs_said = counted(len(words), "run")
        words = [f"in {runs_said} some dimensions are collapsed and carry no information about x."]
    return Section(
        "collapse, nats per row, mean over restarts", ["run", *(f"{measure(name).label} [95%]" for name in shown)], rows, words
    )


def _cell(score: CollapseScore | None) -> str:
    return number(None) if score is None else mean_with_interval(score.mean, score.ci_low, score.ci_high, 2)


def _words(scores: Sequence[CollapseScore]) -> list[str]:
    """What to know where not all dimensions are active."""
    active = next((score for score in scores if score.score == ACTIVE_UNITS.name), None)
    if active is None or active.mean == 1:
        return []
    if active.mean == 0:
        return [f"{active.run}: no dimension is active; none carries information about x."]
    return [f"{active.run}: {active.mean:.0%} of the dimensions are active; the others carry no information about x."]

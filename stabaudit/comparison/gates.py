"""Gates on a run: its scores against requirements and against a baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stabaudit.comparison.baseline import Baseline
from stabaudit.comparison.records import Comparison, RunSummary, Score
from stabaudit.comparison.select import find_score, read_score
from stabaudit.errors import UsageError
from stabaudit.statistics.gate import Requirement, ScoreKey, Verdict, judge_regression

GATED = (ScoreKey("strong_mcc"), ScoreKey("weak_mcc"))  # what a baseline is held against: the headline, out-of-sample


@dataclass(frozen=True)
class Gate:
    """One gate and what it says.

    Args:
        kind: a bound on the score, or on its change since the baseline.
        score: as typed: "strong_mcc.out".
        value: the score.
        ci_low, ci_high: its interval, or None.
        floor: the independence floor of the score, for scale.
        baseline: the baseline's score, for a regression.
        change, change_low, change_high: value − baseline with its interval, for a regression.
        operator, bound: what is required: of the score for a requirement ("≥ 0.6"), of the change for a regression ("> −0.02").
        verdict: pass, fail or inconclusive.
        restarts: how many the value comes from.
        trained: how many the run was to have.
    """

    kind: Literal["requirement", "regression"]
    score: str
    value: float
    ci_low: float | None
    ci_high: float | None
    floor: float | None
    baseline: float | None
    change: float | None
    change_low: float | None
    change_high: float | None
    operator: str
    bound: float
    verdict: Verdict
    restarts: int
    trained: int


def judge_requirement(comparison: Comparison, requirement: Requirement) -> Gate:
    """Hold a run's score against a bound.

    Raises:
        UsageError: a score that the run has not.
    """
    (run,) = comparison.runs
    score = find_score(comparison.scores, run.name, requirement.score)
    value = read_score(score, requirement.score.reading)
    if value is None:
        raise UsageError(f"{requirement.score}: this score has no such floor, or one that leaves no room above it")
    interval = score.interval(requirement.score.reading)
    low, high = interval or (None, None)
    return Gate(
        kind="requirement",
        score=str(requirement.score),
        value=value,
        ci_low=low,
        ci_high=high,
        floor=score.independence_floor if requirement.score.reading == "mean" else None,
        baseline=None,
        change=None,
        change_low=None,
        change_high=None,
        operator=requirement.operator,
        bound=requirement.bound,
        verdict=requirement.judge(interval),
        restarts=run.restarts,
        trained=run.trained,
    )


def judge_against(comparison: Comparison, baseline: Baseline, margin: float) -> Sequence[Gate]:
    """Hold a run's strong and weak MCC, out-of-sample, against a baseline.

    Raises:
        UsageError: a baseline without these scores.
    """
    (run,) = comparison.runs
    return [_judge_score(run, find_score(comparison.scores, run.name, key), key, baseline, margin) for key in GATED]


def _judge_score(run: RunSummary, score: Score, key: ScoreKey, baseline: Baseline, margin: float) -> Gate:
    change = baseline.difference(score)
    if change is None:
        raise UsageError(f"the baseline has no {key}; make a new one with --update-baseline")
    interval = change.interval()
    low, high = interval or (None, None)
    return Gate(
        kind="regression",
        score=str(key),
        value=score.mean,
        ci_low=score.ci_low,
        ci_high=score.ci_high,
        floor=score.independence_floor,
        baseline=score.mean - change.mean,
        change=change.mean,
        change_low=low,
        change_high=high,
        operator=">",
        bound=-margin,
        verdict=judge_regression(interval, margin),
        restarts=run.restarts,
        trained=run.trained,
    )

"""Gates: the scores of runs against requirements and a baseline, and their families against each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stabaudit.comparison.gating.baseline import Baseline
from stabaudit.comparison.gating.find_score import find_measured, find_score
from stabaudit.comparison.records import Comparison, RunSummary, Score
from stabaudit.comparison.settings import Settings
from stabaudit.comparison.surveys.configurations import table_of_runs
from stabaudit.comparison.surveys.drift import Drift
from stabaudit.comparison.surveys.survey import Survey, survey
from stabaudit.errors import BadRun, UsageError, are, counted
from stabaudit.metrics.scores import headlines, measure
from stabaudit.registry import unknown
from stabaudit.statistics.families import FamilyComparison, compare_families
from stabaudit.statistics.gate import FamilyRequirement, Interval, Requirement, ScoreKey, Verdict, judge_regression
from stabaudit.statistics.power import detectable_loss
from stabaudit.statistics.signed_rank import holm
from stabaudit.store.files.atomic import shown
from stabaudit.store.run.find import find_runs


@dataclass(frozen=True)
class Gate:
    """One gate and what it says.

    Args:
        run: the run that it is on; None for a test of families.
        kind: a bound on the score, on its change since the baseline, on a test of families, or on the score of two versions.
        score: as typed: "strong_mcc.out", "active_units", "wilcoxon(vade,vae,strong_mcc.out).p_holm".
        value: the score, or what the test gave.
        ci_low, ci_high: its interval, or None.
        operator, bound: what is required: of the score for a requirement ("≥ 0.6"), of the change for a regression ("> −0.02").
        verdict: pass, fail or inconclusive.
        restarts: how many the value comes from.
        trained: how many there were to be.
        floor: the independence floor of the score, for scale.
        baseline: the baseline's score, for a regression.
        detectable_loss: the true loss that such a gate fails on in four cases of five, for a regression; None where it has no
            interval.
        change, change_low, change_high: value − baseline with its interval, for a regression.
        smallest: of a p-value, the smallest that as many configurations can give.
        configurations: over how many two families were tested; None for a score.
        rows: over how many the interval is, for drift, which has no restarts; None for others.
    """

    run: str | None
    kind: Literal["requirement", "regression", "families", "drift"]
    score: str
    value: float
    ci_low: float | None
    ci_high: float | None
    operator: str
    bound: float
    verdict: Verdict
    restarts: int
    trained: int
    floor: float | None = None
    baseline: float | None = None
    detectable_loss: float | None = None
    change: float | None = None
    change_low: float | None = None
    change_high: float | None = None
    smallest: float | None = None
    configurations: int | None = None
    rows: int | None = None


def survey_for_gates(path: Path, settings: Settings, sources: Path | None = None) -> Survey:
    """Score the run at a path, or every run below it; none may be left out, for a gate on it would pass unseen.

    Args:
        path: of the run, or of a folder above runs.
        settings: how pairs are scored.
        sources: a file of true sources, for runs that have none of their own.

    Raises:
        UsageError: a path that is not there.
        BadRun: no runs, a damaged one, or one with fewer than two restarts that are done.
        BadData: latents that cannot be scored.
    """
    for run in find_runs([path]):
        if len(run.done) < 2:
            done = f"{len(run.done)} of {counted(len(run.manifest.restarts), 'restart')} {are(len(run.done))} done"
            raise BadRun(
                f"{shown(run.folder)}: {done}, and a gate needs two; "
                f"{'train more by --restarts' if len(run.done) == len(run.manifest.restarts) else 'run its train command again'}"
            )
    return survey([path], settings, sources)


def only_run(comparison: Comparison, path: Path) -> RunSummary:
    """The run that a baseline is about.

    Raises:
        UsageError: where there are several.
    """
    if len(comparison.runs) > 1:
        raise UsageError(
            f"{shown(path)} holds {len(comparison.runs)} runs and a baseline is of one; check each run against its own baseline"
        )
    return comparison.runs[0]


def judge_requirement(found: Survey, requirement: Requirement | FamilyRequirement) -> list[Gate]:
    """Hold every run's score against a bound, or two families against each other.

    Raises:
        UsageError: a score that a run has not, families that there are no runs of, or that share no configuration.
    """
    if isinstance(requirement, FamilyRequirement):
        return [_judge_families(found, requirement)]
    return [_judge_score(found.comparison, run, requirement) for run in found.comparison.runs]


def judge_against(comparison: Comparison, baseline: Baseline, margin: float) -> Sequence[Gate]:
    """Hold the only run's headline scores, out-of-sample, against a baseline.

    Raises:
        UsageError: a baseline without these scores.
    """
    (run,) = comparison.runs
    gated = [ScoreKey(one.name) for one in headlines()]
    return [_judge_change(run, find_score(comparison.scores, run.name, key), key, baseline, margin) for key in gated]


def judge_drift(found: Drift, requirement: Requirement | FamilyRequirement) -> Gate:
    """Hold a score of two versions of an embedding against a bound, by its interval over rows.

    Raises:
        UsageError: a score that was not computed, a reading that it has not, or a test of families.
    """
    if isinstance(requirement, FamilyRequirement) or requirement.score.sample == "in":
        raise UsageError(f"{requirement}: of two versions, a bound is on a score out-of-sample, SCORE>=NUMBER")
    key = requirement.score
    own = [
        one
        for one in found.scores
        if one.metric == key.metric and (key.k is None or one.k == (None if key.k == "all" else key.k))
    ]
    if not own:
        raise unknown("score of two versions", str(key), [one.metric for one in found.scores])
    score, one = own[0], measure(key.metric)
    readings: dict[str, Callable[[float | None], float | None]] = {
        "mean": lambda value: value,
        "adjusted": lambda value: one.above_floor(value, score.independence_floor),
    }
    if key.reading not in readings:
        raise UsageError(f"{requirement}: of two versions a score has no {key.reading}; .adjusted is above chance")
    value, low, high = map(readings[key.reading], (score.value, score.ci_low, score.ci_high))
    if value is None:
        raise UsageError(f"{requirement}: this score has no best value, or no room above its floor")
    interval = None if low is None or high is None else (min(low, high), max(low, high))
    return Gate(
        run=found.summary.name,
        kind="drift",
        score=str(key),
        value=value,
        ci_low=None if interval is None else interval[0],
        ci_high=None if interval is None else interval[1],
        floor=score.independence_floor,
        operator=requirement.operator,
        bound=requirement.bound,
        verdict=requirement.judge(interval),
        restarts=1,
        trained=1,
        rows=found.rows,
    )


def _judge_score(comparison: Comparison, run: RunSummary, requirement: Requirement) -> Gate:
    found = find_measured(comparison, run.name, requirement.score)
    if found.value is None:
        raise UsageError(f"{requirement.score}: this score has no such floor, no best value, or no room between the two")
    low, high = found.interval or (None, None)
    return Gate(
        run=run.name,
        kind="requirement",
        score=found.name,
        value=found.value,
        ci_low=low,
        ci_high=high,
        floor=found.floor,
        operator=requirement.operator,
        bound=requirement.bound,
        verdict=requirement.judge(found.interval),
        restarts=run.restarts,
        trained=run.trained,
    )


def _judge_change(run: RunSummary, score: Score, key: ScoreKey, baseline: Baseline, margin: float) -> Gate:
    change = baseline.difference(score)
    if change is None:
        raise UsageError(f"the baseline has no {key}; make a new one with --update-baseline")
    interval = change.interval()
    low, high = interval or (None, None)
    gain = interval if measure(key.metric).higher_is_better or interval is None else (-interval[1], -interval[0])
    return Gate(
        run=run.name,
        kind="regression",
        score=str(key),
        value=score.mean,
        ci_low=score.ci_low,
        ci_high=score.ci_high,
        floor=score.independence_floor,
        baseline=score.mean - change.mean,
        detectable_loss=detectable_loss(change, margin),
        change=change.mean,
        change_low=low,
        change_high=high,
        operator=">" if measure(key.metric).higher_is_better else "<",
        bound=-margin if measure(key.metric).higher_is_better else margin,
        verdict=judge_regression(gain, margin),
        restarts=run.restarts,
        trained=run.trained,
    )


def _judge_families(found: Survey, requirement: FamilyRequirement) -> Gate:
    tested, smallest_holm = _find_test(found, requirement)
    interval: Interval | None = None
    smallest: float | None = None
    if requirement.reading == "hodges_lehmann":
        value, interval = _shift(tested, requirement.family_a)
        verdict = requirement.judge_shift(interval)
    else:
        value, smallest = {
            "p": (tested.p, tested.min_p),
            "p_holm": (tested.p_holm, smallest_holm),
            "p_block": (tested.p_block, tested.min_p_block),
        }[requirement.reading]
        verdict = requirement.judge_p(value, smallest)
    runs = [
        run
        for run in found.comparison.runs
        if run.family in {tested.family_a.partition("(")[0], tested.family_b.partition("(")[0]}
    ]
    low, high = interval or (None, None)
    return Gate(
        run=None,
        kind="families",
        score=requirement.name,
        value=value,
        ci_low=low,
        ci_high=high,
        smallest=smallest,
        operator=requirement.operator,
        bound=requirement.bound,
        verdict=verdict,
        restarts=sum(run.restarts for run in runs),
        trained=sum(run.trained for run in runs),
        configurations=tested.n,
    )


def _find_test(found: Survey, requirement: FamilyRequirement) -> tuple[FamilyComparison, float]:
    """The test of the two families, and the smallest p that Holm's adjustment over all families could give it."""
    table = table_of_runs(found, requirement.score)
    families = {family for values in table.values() for family in values}
    wanted = {requirement.family_a, requirement.family_b}
    if len(families) < 2:
        here = ", ".join(families) or "none with a configuration"
        raise UsageError(f"{requirement}: needs runs of both families, here are runs of {here}; give a folder that holds both")
    for name in sorted(wanted - families):
        raise unknown("family of these runs", name, families)
    tests = compare_families(table, score=str(requirement.score)).comparisons
    smallest = holm([one.min_p for one in tests])  # adjusting keeps the order, so nothing below this can come out
    for one, least in zip(tests, smallest, strict=True):
        if {one.family_a, one.family_b} == wanted:
            return one, least
    raise UsageError(f"{requirement}: no configuration has runs of both, so there is nothing to test them on")


def _shift(tested: FamilyComparison, first: str) -> tuple[float, Interval | None]:
    """Shift and its interval, positive where the family that was named first is higher."""
    low, high = tested.hodges_lehmann_low, tested.hodges_lehmann_high
    if tested.family_a == first:
        return tested.hodges_lehmann, None if low is None or high is None else (low, high)
    return -tested.hodges_lehmann, None if low is None or high is None else (-high, -low)

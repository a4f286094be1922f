"""From the name of a score that a user typed to the record that holds it."""

from collections.abc import Iterable
from dataclasses import dataclass

from stabaudit.comparison.records import CollapseScore, Comparison, DensityScore, Score
from stabaudit.errors import UsageError
from stabaudit.metrics.anatomy import REPRODUCIBLE_AXES
from stabaudit.metrics.scores import is_known, measure, registered
from stabaudit.registry import unknown
from stabaudit.statistics.gate import FamilyRequirement, Reading, Requirement, ScoreKey
from stabaudit.statistics.restarts_needed import FEWEST


def by_name(text: str) -> str:
    """A requirement that names a score as tables do, with the name that it has in JSON; any other as it is.

    >>> by_name("weak MCC@all >= 0.5"), by_name("strong MCC, active.adjusted>0.1"), by_name("strong_mcc>=0.6")
    ('weak_mcc@all >= 0.5', 'active_strong_mcc.adjusted>0.1', 'strong_mcc>=0.6')
    """
    typed = text.strip()
    for one in sorted(registered(), key=lambda one: -len(one.label)):
        rest = typed.removeprefix(one.label)
        if rest != typed and (not rest or rest[0] in "@.<>= "):
            return f"{one.name}{rest}"
    return typed


def find_score(scores: Iterable[Score], run: str, key: ScoreKey) -> Score:
    """The score within a run that `key` names.

    Raises:
        UsageError: an unknown metric, or one that this run lacks, or a k that was not computed.
    """
    own = [score for score in scores if score.relation == "within" and score.run_a == run]
    if key.metric not in {score.metric for score in own}:
        require_asked(run, key)
        raise unknown(f"score of {run}", key.metric, {score.metric for score in own})
    for score in own:
        if score.metric == key.metric and score.sample == key.sample and _same_k(score, key):
            return score
    counts = sorted({f"@{'all' if score.k is None else score.k}" for score in own if score.metric == key.metric})
    if not measure(key.metric).counted:
        raise UsageError(f"{key}: {key.metric} is not a mean over the first k parts; leave @{key.k} out")
    raise UsageError(f"{key}: not computed for {run}, which has {key.metric} {' and '.join(counts)}; set --k")


def require_asked(run: str, key: ScoreKey) -> None:
    """Say which option asks for a score that a run has not.

    Raises:
        UsageError: naming it, where there is one.
    """
    if is_known(key.metric) and (option := measure(key.metric).option) is not None:
        raise UsageError(f"{key}: {run} has none; {option} asks for it, and needs something to score")


def _same_k(score: Score, key: ScoreKey) -> bool:
    if not measure(score.metric).counted:
        return key.k in {None, "all"}
    return score.k is not None if key.k is None else score.k == (None if key.k == "all" else key.k)


def read_score(score: Score, reading: Reading) -> float | None:
    """The mean itself, or what a floor makes of it; None where it has no such floor."""
    return {"mean": score.mean, "adjusted": score.adjusted, "axis_alignment": score.axis_alignment}.get(reading)


@dataclass(frozen=True)
class Measured:
    """What a run has of a score that a user named.

    Args:
        name: of the score, as it is typed: "strong_mcc.out", "active_units".
        value: over pairs or restarts; None where it has no such floor.
        interval: of the value, 95%; None where there is none.
        floor: what chance gives, for scale; None where the score has none, or the value is above it already.
    """

    name: str
    value: float | None
    interval: tuple[float, float] | None
    floor: float | None


def find_measured(comparison: Comparison, run: str, key: ScoreKey) -> Measured:
    """The score of pairs, of collapse, or the density distance that `key` names.

    Raises:
        UsageError: an unknown score, one that this run lacks, or a k, sample or floor that it does not have.
    """
    if key.metric == REPRODUCIBLE_AXES.name:
        return _axes(comparison, run, key)
    alone: dict[str, CollapseScore | DensityScore] = {one.score: one for one in comparison.collapse if one.run == run}
    alone |= {one.metric: one for one in comparison.densities if one.run_a == one.run_b == run}
    if key.metric in alone:
        return _plain(alone[key.metric], key)
    pairs = [score for score in comparison.scores if score.relation == "within" and score.run_a == run]
    if key.metric not in {score.metric for score in pairs}:
        require_asked(run, key)
        of_run = {REPRODUCIBLE_AXES.name} if any(one.run == run for one in comparison.anatomy) else set()
        raise unknown(f"score of {run}", key.metric, {score.metric for score in pairs} | set(alone) | of_run)
    score = find_score(pairs, run, key)
    floor = score.independence_floor if key.reading == "mean" else None
    interval = None if key.reading == "fraction" else score.interval(key.reading)
    return Measured(str(key), read_score(score, key.reading), interval, floor)


def require_possible(requirement: Requirement | FamilyRequirement) -> None:
    """Refuse a bound outside the range of its score, which everything or nothing would keep.

    Raises:
        UsageError: naming the range.
    """
    if (
        isinstance(requirement, FamilyRequirement)
        or requirement.score.reading != "mean"
        or not is_known(requirement.score.metric)
    ):
        return
    one = measure(requirement.score.metric)
    if not one.low <= requirement.bound <= one.high:
        raise UsageError(f"--require {requirement}: {one.label} lies between {one.low:.4g} and {one.high:.4g}")


def _axes(comparison: Comparison, run: str, key: ScoreKey) -> Measured:
    """How many dimensions are axes, and how many may be: nothing but the number of restarts is missing for some."""
    own = [one for one in comparison.anatomy if one.run == run]
    if not own:
        raise UsageError(f"{key}: {run} has no anatomy, which needs two restarts or more of vectors")
    if key != ScoreKey(key.metric, reading=key.reading) or key.reading not in {"mean", "fraction"}:
        raise UsageError(f"{key}: write {key.metric} or {key.metric}.fraction")
    total = len(own) if key.reading == "fraction" else 1
    axes, possible = (sum(found) for found in ([one.verdict == "axis" for one in own], [one.may_be_axis for one in own]))
    name = key.metric + ("" if key.reading == "mean" else ".fraction")
    # One pair of restarts has no interval for any score; a verdict on dimensions alone is not to pass a gate.
    interval = None if own[0].restarts < FEWEST else (axes / total, possible / total)
    return Measured(name, axes / total, interval, None)


def _plain(score: CollapseScore | DensityScore, key: ScoreKey) -> Measured:
    if key != ScoreKey(key.metric):
        raise UsageError(f"{key}: {key.metric} comes without k, in or floors; write {key.metric}")
    interval = None if score.ci_low is None or score.ci_high is None else (score.ci_low, score.ci_high)
    return Measured(key.metric, score.mean, interval, score.chance if isinstance(score, DensityScore) else None)

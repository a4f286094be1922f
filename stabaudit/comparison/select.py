"""From the name of a score that a user typed to the record that holds it."""

from collections.abc import Iterable

from stabaudit.comparison.records import Score
from stabaudit.errors import UsageError
from stabaudit.registry import unknown
from stabaudit.statistics.gate import Reading, ScoreKey


def find_score(scores: Iterable[Score], run: str, key: ScoreKey) -> Score:
    """The score within a run that `key` names.

    Raises:
        UsageError: a metric that nobody knows or that this run has not, or a k that was not computed.
    """
    own = [score for score in scores if score.relation == "within" and score.run_a == run]
    if key.metric not in {score.metric for score in own}:
        raise unknown(f"score of {run}", key.metric, {score.metric for score in own})
    for score in own:
        if score.metric == key.metric and score.sample == key.sample and _same_k(score, key):
            return score
    counts = sorted({f"@{'all' if score.k is None else score.k}" for score in own if score.metric == key.metric})
    raise UsageError(f"{key}: not computed for {run}, which has {key.metric} {' and '.join(counts)}; set --k")


def _same_k(score: Score, key: ScoreKey) -> bool:
    if "weak" not in score.metric:
        return key.k in {None, "all"}
    return score.k is not None if key.k is None else score.k == (None if key.k == "all" else key.k)


def read_score(score: Score, reading: Reading) -> float | None:
    """The mean itself, or what a floor makes of it; None where it has no such floor."""
    return {"mean": score.mean, "adjusted": score.adjusted, "axis_alignment": score.axis_alignment}[reading]

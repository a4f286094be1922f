"""Gates: does an interval lie on the right side of a bound? Pass, fail, or inconclusive, and never silently a pass.

Regression: the difference new − baseline against a margin δ passes if its interval lies above −δ, fails if it lies below −δ.
Requirement: "strong_mcc>=0.6" passes if the whole interval satisfies it, fails if none of it does.
"""

import re
from dataclasses import dataclass
from typing import Literal, cast

from stabaudit.errors import UsageError

Interval = tuple[float, float]
Verdict = Literal["pass", "fail", "inconclusive"]
Reading = Literal["mean", "adjusted", "axis_alignment"]

_REQUIREMENT = re.compile(
    r"(?P<metric>[a-z][a-z0-9_]*)(?:@(?P<k>all|[1-9]\d*))?(?:\.(?P<sample>in|out))?(?:\.(?P<reading>adjusted|axis_alignment))?"
    r"(?:\s*(?P<operator>>=|<=|>|<)\s*(?P<bound>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))?"
)


@dataclass(frozen=True)
class ScoreKey:
    """Which score is meant: `metric[@k][.in|.out][.adjusted|.axis_alignment]`, out-of-sample unless said otherwise.

    `k` is how many canonical pairs a weak MCC averages: a number, "all", or None for the one that was computed by default.
    """

    metric: str
    k: int | Literal["all"] | None = None
    sample: Literal["in", "out"] = "out"
    reading: Reading = "mean"

    def __str__(self) -> str:
        """Return it as it is typed."""
        k = "" if self.k is None else f"@{self.k}"
        return f"{self.metric}{k}.{self.sample}" + ("" if self.reading == "mean" else f".{self.reading}")


@dataclass(frozen=True)
class Requirement:
    """A bound that a score must keep."""

    score: ScoreKey
    operator: Literal[">=", ">", "<=", "<"]
    bound: float

    def judge(self, interval: Interval | None) -> Verdict:
        """Pass if the whole interval satisfies the bound, fail if none of it does; without an interval nothing is sure.

        >>> parse_requirement("strong_mcc>=0.6").judge((0.61, 0.7))
        'pass'
        """
        if interval is None:
            return "inconclusive"
        satisfied = [self._holds(limit) for limit in interval]
        if all(satisfied):
            return "pass"
        return "inconclusive" if any(satisfied) else "fail"

    def _holds(self, value: float) -> bool:
        match self.operator:
            case ">=":
                return value >= self.bound
            case ">":
                return value > self.bound
            case "<=":
                return value <= self.bound
            case "<":
                return value < self.bound

    def __str__(self) -> str:
        """Return it as it is typed."""
        return f"{self.score} {self.operator} {self.bound:g}"


def judge_regression(difference: Interval | None, margin: float) -> Verdict:
    """Judge new − baseline.

    Args:
        difference: its interval; None where it has none.
        margin: δ ≥ 0, the loss that is still accepted, in units of the score.

    >>> judge_regression((-0.01, 0.03), 0.02)
    'pass'
    """
    if difference is None:
        return "inconclusive"
    low, high = difference
    if low > -margin:
        return "pass"
    return "fail" if high < -margin else "inconclusive"


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict over several gates: one failure fails all, and one that is not sure leaves all unsure."""
    if "fail" in verdicts:
        return "fail"
    return "inconclusive" if "inconclusive" in verdicts else "pass"


def parse_requirement(text: str) -> Requirement:
    """Read "strong_mcc>=0.6", "weak_mcc@all.in >= 0.9" or "strong_mcc.axis_alignment>0.2".

    Raises:
        UsageError: anything else.
    """
    found = _REQUIREMENT.fullmatch(text.strip())
    if found is None or found["operator"] is None:
        raise UsageError(
            f"cannot read the requirement {text!r}; write SCORE>=NUMBER (or >, <=, <), where SCORE is "
            "metric[@k][.in|.out][.adjusted|.axis_alignment], e.g. 'strong_mcc>=0.6'"
        )
    return Requirement(_key(found), cast("Literal['>=', '>', '<=', '<']", found["operator"]), float(found["bound"]))


def parse_score(text: str) -> ScoreKey:
    """Read the name of a score: "strong_mcc", "weak_mcc@all.in", "strong_mcc.adjusted".

    Raises:
        UsageError: anything else.
    """
    found = _REQUIREMENT.fullmatch(text.strip())
    if found is None or found["operator"] is not None:
        raise UsageError(
            f"cannot read the score {text!r}; write metric[@k][.in|.out][.adjusted|.axis_alignment], e.g. 'strong_mcc'"
        )
    return _key(found)


def _key(found: re.Match[str]) -> ScoreKey:
    k = found["k"]
    return ScoreKey(
        metric=found["metric"],
        k=int(k) if k and k != "all" else cast("Literal['all'] | None", k),
        sample=cast("Literal['in', 'out']", found["sample"] or "out"),
        reading=cast("Reading", found["reading"] or "mean"),
    )

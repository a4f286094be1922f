"""Gates: does an interval lie on the right side of a bound? Pass, fail, or inconclusive, and never silently a pass.

Regression: the difference new − baseline against a margin δ passes if its interval lies above −δ, fails if it lies below −δ.
Requirement: "strong_mcc>=0.6" passes if the whole interval satisfies it, fails if none of it does. A p-value has no interval:
"wilcoxon(vade,vae).p_holm<0.05" passes if it holds, is inconclusive where this many configurations could never make it hold, and
fails otherwise.
"""

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from stabaudit.errors import UsageError

Interval = tuple[float, float]
Verdict = Literal["pass", "fail", "inconclusive"]
Presence = Literal["present", "absent", "unsettled"]
Reading = Literal["mean", "adjusted", "axis_alignment", "fraction"]

Operator = Literal[">=", ">", "<=", "<"]
FamilyReading = Literal["p", "p_holm", "p_block", "hodges_lehmann"]

_HOLDS: dict[Operator, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}
_BOUND = r"\s*(?P<operator>>=|<=|>|<)\s*(?P<bound>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
_REQUIREMENT = re.compile(
    r"(?P<metric>[A-Za-z_][\w.]*:[A-Za-z_]\w*|[a-z][a-z0-9_]*)(?:@(?P<k>all|[1-9]\d*))?(?:\.(?P<sample>in|out))?(?:\.(?P<reading>adjusted|axis_alignment|fraction))?"
    rf"(?:{_BOUND})?"
)
_FAMILY = r"[^\s(),]+(?:\([^()]*\))?"  # "vae" or "vae(prior=laplace, x=1)"
_FAMILY_REQUIREMENT = re.compile(
    rf"wilcoxon\(\s*(?P<a>{_FAMILY})\s*,\s*(?P<b>{_FAMILY})\s*(?:,\s*(?P<score>[^\s(),]+)\s*)?\)"
    rf"\.(?P<reading>p|p_holm|p_block|hodges_lehmann){_BOUND}"
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
    operator: Operator
    bound: float

    def judge(self, interval: Interval | None) -> Verdict:
        """Pass if the whole interval satisfies the bound, fail if none of it does; without an interval nothing is sure.

        >>> parse_requirement("strong_mcc>=0.6", default="strong_mcc").judge((0.61, 0.7))
        'pass'
        """
        return _judge_interval(interval, self.operator, self.bound)

    def __str__(self) -> str:
        """Return it as it is typed."""
        return f"{self.score} {self.operator} {self.bound:g}"


@dataclass(frozen=True)
class FamilyRequirement:
    """A bound on the signed-rank test of two families over configurations.

    Args:
        family_a, family_b: as reports name them: "vae" or "vae(prior=laplace)".
        score: what they are tested on.
        reading: a p-value, which can only be required to be small, or the shift a − b by Hodges and Lehmann.
        operator, bound: what is required of it.
    """

    family_a: str
    family_b: str
    score: ScoreKey
    reading: FamilyReading
    operator: Operator
    bound: float

    @property
    def name(self) -> str:
        """What is held against the bound, as it is typed."""
        return f"wilcoxon({self.family_a},{self.family_b},{self.score}).{self.reading}"

    def judge_p(self, p: float, smallest: float) -> Verdict:
        """Judge a p-value.

        Args:
            p: what the test gave.
            smallest: the smallest that it could have given with as many configurations.

        >>> parse_requirement("wilcoxon(vade,vae).p<0.05", default="strong_mcc").judge_p(0.0625, smallest=0.0625)
        'inconclusive'
        """
        holds = _HOLDS[self.operator]
        if holds(p, self.bound):
            return "pass"
        return "fail" if holds(smallest, self.bound) else "inconclusive"

    def judge_shift(self, interval: Interval | None) -> Verdict:
        """Judge the shift a − b by its interval, as a score."""
        return _judge_interval(interval, self.operator, self.bound)

    def __str__(self) -> str:
        """Return it as it is typed."""
        return f"{self.name} {self.operator} {self.bound:g}"


def _judge_interval(interval: Interval | None, sign: Operator, bound: float) -> Verdict:
    if interval is None:
        return "inconclusive"
    satisfied = [_HOLDS[sign](limit, bound) for limit in interval]
    if all(satisfied):
        return "pass"
    return "inconclusive" if any(satisfied) else "fail"


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


def judge_absence(interval: Interval | None, margin: float = 0.1) -> Presence:
    """Say whether a score that is 0 by chance, such as the axis alignment, is there or not.

    Absence is shown as equivalence is: by an interval that has no room for anything that matters, not by one that holds 0.

    Args:
        interval: of the score; None where it has none.
        margin: > 0, how far from 0 still counts as nothing, in units of the score.

    Returns:
        "absent": the interval lies within ±margin; "present": it lies above 0 but not within the margin; else "unsettled".

    >>> judge_absence((-0.03, 0.05)), judge_absence((0.2, 0.6)), judge_absence((-0.2, 0.3))
    ('absent', 'present', 'unsettled')
    """
    if interval is None:
        return "unsettled"
    low, high = interval
    if -margin < low and high < margin:
        return "absent"
    return "present" if low > 0 else "unsettled"


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict over several gates: one failure fails all, and one that is not sure leaves all unsure."""
    if "fail" in verdicts:
        return "fail"
    return "inconclusive" if "inconclusive" in verdicts else "pass"


def parse_requirement(text: str, *, default: str) -> Requirement | FamilyRequirement:
    """Read "strong_mcc>=0.6", "weak_mcc@all.in >= 0.9", "strong_mcc.axis_alignment>0.2" or "wilcoxon(vade,vae).p_holm<0.05".

    Args:
        text: as it was typed.
        default: the score that families are tested on where none is named.

    Raises:
        UsageError: anything else.
    """
    if text.strip().startswith("wilcoxon"):
        return _parse_family_requirement(text, default)
    found = _REQUIREMENT.fullmatch(text.strip())
    if found is None or found["operator"] is None or math.isinf(float(found["bound"])):
        raise UsageError(
            f"cannot read the requirement {text!r}; write SCORE>=NUMBER (or >, <=, <), where SCORE is "
            "metric[@k][.in|.out][.adjusted|.axis_alignment|.fraction], or 'wilcoxon(vade,vae).p_holm<0.05'"
        )
    return Requirement(_key(found), cast("Operator", found["operator"]), float(found["bound"]))


def _parse_family_requirement(text: str, default: str) -> FamilyRequirement:
    found = _FAMILY_REQUIREMENT.fullmatch(text.strip())
    if found is None or math.isinf(float(found["bound"])):
        raise UsageError(
            f"cannot read the requirement {text!r}; write wilcoxon(FAMILY,FAMILY[,SCORE]).READING<NUMBER, where READING is p, "
            "p_holm, p_block or hodges_lehmann, e.g. 'wilcoxon(vade,vae).p_holm<0.05'"
        )
    if found["a"] == found["b"]:
        raise UsageError(f"{text!r} tests {found['a']} against itself; name two families")
    reading, sign = cast("FamilyReading", found["reading"]), cast("Operator", found["operator"])
    if reading != "hodges_lehmann" and sign in {">", ">="}:
        raise UsageError(
            f"{text!r}: a large p-value shows nothing, least of all with few runs; bound the shift instead: "
            f"'wilcoxon({found['a']},{found['b']}).hodges_lehmann>-0.02'"
        )
    return FamilyRequirement(found["a"], found["b"], parse_score(found["score"] or default), reading, sign, float(found["bound"]))


def parse_score(text: str) -> ScoreKey:
    """Read the name of a score: "strong_mcc", "weak_mcc@all.in", "strong_mcc.adjusted".

    Raises:
        UsageError: anything else.
    """
    found = _REQUIREMENT.fullmatch(text.strip())
    if found is None or found["operator"] is not None:
        raise UsageError(
            f"cannot read the score {text!r}; write metric[@k][.in|.out][.adjusted|.axis_alignment], "
            "with a name from 'stabaudit list scores'"
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

"""What a comparison says of a run, in sentences: the space, the axes, the solutions.

Each sentence is a claim. `tests/reports/test_verdict.py` holds it against worlds with known truth.
"""

from collections import Counter
from collections.abc import Sequence

from stabaudit.comparison.records import AnatomyRecord, Comparison, Score, Solution
from stabaudit.errors import are, counted
from stabaudit.metrics.affine import SCORE as AFFINE_R2
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.metrics.scores import measure
from stabaudit.reports.wording import NONE, interval, mean_with_interval, number, p_is
from stabaudit.statistics.gate import judge_absence

SAME_SPACE = 0.9  # of the variance, from which on two spaces are called the same up to a linear map
LITTLE_AXES = (
    0.1  # of the axis score, 0 at the rotation floor and 1 for the same axes, below which nothing is more than a rotation
)
LITTLE_SPACE = 0.1  # below which, with its whole interval, nothing is called shared
LEAST_ROTATIONS = 19
_NAMED = 8  # restarts of a group that are named; of more the first


def verdict(comparison: Comparison, run: str) -> list[str]:
    """Sentences on a run: its dimensions and its space, then its solutions; none where it has one restart."""
    own = [one for one in comparison.anatomy if one.run == run]
    found = comparison.out_of_sample(run)
    said = []
    if own:
        said.append(f"{dimensions_sentence(own)}.")
    if own and never_active(own):
        return [_capital(text) for text in said]
    if AFFINE_R2.name in found:
        said.append(f"{space_sentence(found[AFFINE_R2.name])}.")
    groups = [one for one in comparison.solutions if one.run == run]
    if groups:
        said += solution_sentences(groups, shared=_is_shared(own, found.get(AFFINE_R2.name)))
    return [_capital(text) for text in said]


def never_active(own: Sequence[AnatomyRecord]) -> bool:
    """Whether no restart has an active dimension among those that are followed."""
    return all(one.verdict == "inactive" and not one.active_restarts for one in own)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def axes_in_short(comparison: Comparison, run: str) -> str:
    """How many dimensions are axes, for a cell: "3 of 10"; "3–5 of 10" where more restarts could show two more."""
    own = [one for one in comparison.anatomy if one.run == run]
    if not own:
        return NONE
    axes, possible = sum(one.verdict == "axis" for one in own), sum(one.may_be_axis for one in own)
    return f"{axes}{f'–{possible}' if possible > axes else ''} of {len(own)}"


def dimensions_sentence(own: Sequence[AnatomyRecord]) -> str:
    """How many dimensions are the same axes, and what the others are; without a full stop."""
    d, kinds = len(own), Counter(kind(one) for one in own)
    axes = kinds["axis"]
    if never_active(own):
        all_of_them = "the only dimension is inactive and carries" if d == 1 else f"all {d:,} dimensions are inactive and carry"
        return f"{all_of_them} no information about x"
    seldom = sum(one.verdict == "inactive" and one.active_restarts > 0 for one in own)
    if kinds["inactive"] == d:
        return f"no dimension is active in half of the restarts; {seldom} of {d} {are(seldom)} active in fewer"
    if axes == d:
        only = "the only dimension is the same in every restart"
        return only if d == 1 else f"all {d} dimensions are the same axes in every restart"
    said = [_are(axes, d) if axes else f"none of the {counted(d, 'dimension')} is shown to be the same axis in every restart"]
    blocks = Counter(one.block for one in own if kind(one) == "subspace")
    together = [size for size in blocks.values() if size > 1]
    alone = sum(size for size in blocks.values() if size == 1)
    if together:
        turned = sum(together)
        spaces = "a plane that turns" if turned == 2 else "a subspace that turns"
        said.append(f"{turned} span {spaces if len(together) == 1 else f'{len(together)} subspaces that turn'}")
    if alone:
        said.append(f"{alone} {are(alone)} shared, but not as one axis")
    return "; ".join([*said, *_others(own, kinds, seldom)])


def _others(own: Sequence[AnatomyRecord], kinds: Counter[str], seldom: int) -> list[str]:
    """What is said of dimensions that are neither axes nor in a subspace."""
    said = []
    if count := kinds["partly active"]:
        said.append(f"{count} {are(count)} active in some restarts only")
    if count := kinds["not settled"]:
        said.append(f"for {count} it is not settled whether every restart shares {'it' if count == 1 else 'them'}")
    if count := kinds["may be an axis"]:
        said.append(
            f"{count} may be {'an axis' if count == 1 else 'axes'}, which {counted(own[0].restarts, 'restart')} cannot show"
        )
    if count := kinds["not shared"]:
        said.append(f"{count} {are(count)} not shared")
    if seldom:
        said.append(f"{seldom} {are(seldom)} inactive in most restarts")
    if count := kinds["inactive"] - seldom:
        said.append(f"{count} {are(count)} inactive")
    return said


def kind(one: AnatomyRecord) -> str:
    """The verdict on a dimension as it is said, with what keeps a shared one from being an axis or a subspace for sure."""
    if one.verdict != "subspace":
        return one.verdict.replace("_", " ")
    if one.active_restarts < one.restarts:
        return "partly active"
    if one.may_be_axis:
        return "may be an axis"
    return "not settled" if (one.shared_information_low or 0.0) <= 0 else "subspace"


def _are(count: int, d: int) -> str:
    return f"{count} of {d} dimensions {'is the same axis' if count == 1 else 'are the same axes'} in every restart"


def space_sentence(score: Score) -> str:
    """Whether the space is the same up to a linear map, by affine R²; without a full stop."""
    value = mean_with_interval(score.mean, score.ci_low, score.ci_high, 2)
    said = f"{AFFINE_R2.label} {value}, chance {number(score.independence_floor, 2)}"
    low, high, floor = score.ci_low, score.ci_high, score.independence_floor or 0.0
    if low is None or high is None:
        return f"one pair of restarts gives no interval for the space ({said})"
    if low > floor and score.mean >= SAME_SPACE:
        return f"the space is the same up to a linear map ({said})"
    if low > max(floor, LITTLE_SPACE):
        return f"the space is shared in part up to a linear map ({said})"
    if high < max(floor, LITTLE_SPACE):
        return f"the space is not shared ({said})"
    return f"whether the space is shared is not settled ({said})"


def _is_shared(own: Sequence[AnatomyRecord], space: Score | None) -> bool:
    """Whether restarts agree on anything, by the whole interval, so that one group of them is a solution."""
    if not own:
        return space is not None and space.ci_low is not None and space.mean >= SAME_SPACE
    shared = [one for one in own if one.verdict in {"axis", "subspace"}]
    return any(one.verdict == "axis" or (one.shared_information_low or 0.0) > LITTLE_SPACE for one in shared)


def solution_sentences(groups: Sequence[Solution], *, shared: bool) -> list[str]:
    """Whether restarts fall into groups; where they do not but share something, how often trainings may end elsewhere."""
    label, restarts = measure(groups[0].metric).label, sum(len(group.restarts) for group in groups)
    if len(groups) > 1:
        parts = []
        for group in groups:
            numbers = [name.rpartition("#")[2] for name in group.restarts]
            named = ", ".join(numbers[:_NAMED]) + (f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else "")
            parts.append(
                f"restart {named} stands apart"
                if group.within is None
                else f"restarts {named} agree with each other ({number(group.within, 2)})"
            )
        return [f"{', '.join(parts)}; not across ({number(groups[0].across, 2)}), by {label}, {p_is(groups[0].p)}."]
    unseen = groups[0].unseen_share
    if not shared or unseen is None or restarts < 3:
        return []
    return [f"the {restarts} restarts form one group: at 95%, at most {unseen:.0%} of further trainings could end elsewhere."]


def strong_sentence(strong: Score, rotations: int) -> str:
    """Strong MCC against its rotation floor: above it, at it, or not settled."""
    said = f"{_capital(STRONG.label)} {mean_with_interval(strong.mean, strong.ci_low, strong.ci_high, 2)}"
    floors = f"chance {number(strong.independence_floor, 2)}, rotation floor {number(strong.rotation_floor, 2)}"
    aligned = strong.interval("axis_alignment")
    if aligned is None:
        return f"{said}, {floors}: not enough restarts for an interval."
    said += f", {floors}"
    least = strong.p_rotation is not None and strong.p_rotation * (1 + rotations) < 1.5
    p = "" if strong.p_rotation is None else f" {p_is(strong.p_rotation)}"
    p += f", the smallest p that {rotations} rotations allow" if least else ""
    if rotations < LEAST_ROTATIONS:
        return f"{said}: {counted(rotations, 'rotation')} cannot say more; {LEAST_ROTATIONS} are the fewest that allow p = 0.05."
    if judge_absence(aligned) == "present":
        return f"{said}: above what a rotation leaves;{p}."
    if aligned[1] < LITTLE_AXES:
        return f"{said}: no more than a rotation leaves, the axis score {interval(*aligned, 2)} lies below {LITTLE_AXES:g};{p}."
    contains = "contains 0" if aligned[0] <= 0 else f"reaches above {LITTLE_AXES:g}"
    unsettled = f"is not settled, as the axis score {interval(*aligned, 2)} {contains}"
    return f"{said}: whether it is more than a rotation leaves {unsettled};{p}."

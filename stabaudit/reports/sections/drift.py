"""Two versions of one embedding as tables: every score with its interval over rows, and the rows that moved most."""

from dataclasses import asdict

from stabaudit.comparison.surveys.drift import Drift, DriftScore
from stabaudit.errors import counted
from stabaudit.metrics.scores import measure
from stabaudit.reports.report import Report, Section
from stabaudit.reports.wording import NONE, mean_with_interval, number, score_name

ROWS = (
    "Intervals are over rows, from half-samples: how sure these numbers are for other rows of the kind. They say nothing of what "
    "another training would give; 'stabaudit compare' of several restarts does."
)
MOVED = (
    "moved by: how far a row lies from where an affine map of the old version puts it, in units of the spread of the new; "
    "neighbours kept: of its nearest rows in the old version, those that stay so."
)


def drift_report(found: Drift) -> Report:
    """Every score, then the rows that moved most."""
    rows = [
        [
            score_name(one.metric, one.k),
            measure(one.metric).question or NONE,
            mean_with_interval(one.value, one.ci_low, one.ci_high),
            number(one.independence_floor),
            number(one.adjusted),
        ]
        for one in found.scores
    ]
    sizes = f"{counted(found.rows, 'row')}, {found.dimensions_old} and {found.dimensions_new} dimensions"
    sections = [
        Section(
            f"drift from {found.old} to {found.new}: {sizes}, out-of-sample",
            ["score", "asks for", "value [95% over rows]", "chance", "adj."],
            rows,
            [*drift_sentences(found), ROWS],
            left=2,
        )
    ]
    if found.moved:
        sections.append(_moved_section(found))
    records: dict[str, list[dict[str, object]]] = {
        "drift": [asdict(one) for one in found.scores],
        "moved": [asdict(one) for one in found.moved],
        "warnings": [{"warning": warning} for warning in found.warnings],
    }
    return Report(sections, records, main="drift")


def _moved_section(found: Drift) -> Section:
    labelled = any(one.label is not None for one in found.moved)
    counts = any(one.neighbours_kept is not None for one in found.moved)
    header = ["row", *(["label"] if labelled else []), "moved by", *(["neighbours kept"] if counts else [])]
    rows = [
        [
            str(one.sample_id),
            *([NONE if one.label is None else str(one.label)] if labelled else []),
            number(one.displacement, 2),
            *([f"{one.neighbours_kept} of {one.neighbours}"] if counts else []),
        ]
        for one in found.moved
    ]
    return Section(
        f"the rows that moved most; half of all rows moved less than {number(found.typical, 2)}",
        header,
        rows,
        [MOVED],
        left=2 if labelled else 1,
    )


KEPT = 0.99  # of a score adjusted for chance, from which on, with its whole interval, nothing is said to have changed
_PHRASES = (
    ("identity", "the numbers themselves are the same", "the numbers themselves changed"),
    ("shape", "distances and neighbours are kept", "distances or neighbours changed"),
    ("space", "the space is the same up to a linear map", "the space changed beyond a linear map"),
)


def drift_sentences(found: Drift) -> list[str]:
    """Whether the versions are the same numbers, the same shape, the same space: by the lowest of the scores that ask for it."""
    said = []
    for question, kept, changed in _PHRASES:
        own = [one for one in found.scores if measure(one.metric).question == question and measure(one.metric).of_versions]
        if own:
            lowest = min(own, key=lambda one: one.value if one.adjusted is None else one.adjusted)
            limits = [_adjusted(lowest, limit) for limit in (lowest.ci_low, lowest.ci_high)]
            what = kept if min(limits) >= KEPT else changed if max(limits) < KEPT else f"whether {kept} is not settled"
            value = mean_with_interval(lowest.value, lowest.ci_low, lowest.ci_high)
            said.append(f"{what} ({score_name(lowest.metric, lowest.k)} {value})")
    whole = "; ".join(said)
    return [f"{whole[:1].upper()}{whole[1:]}."] if said else []


def _adjusted(one: DriftScore, limit: float | None) -> float:
    """A limit of the interval adjusted for chance; the value itself where there is no interval or no room above chance."""
    value = one.value if limit is None else limit
    adjusted = measure(one.metric).above_floor(value, one.independence_floor)
    return value if adjusted is None else adjusted

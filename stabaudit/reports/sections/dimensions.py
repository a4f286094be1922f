"""The anatomy of a run as a table: a row for each dimension, and what it says."""

from collections.abc import Sequence

from stabaudit.comparison.records import AnatomyRecord, Comparison
from stabaudit.errors import counted
from stabaudit.reports.report import Report, Section
from stabaudit.reports.sections.nonlinear import nonlinear_section
from stabaudit.reports.verdict import kind, verdict
from stabaudit.reports.wording import NONE, mean_with_interval, number, p_value

_HEADER = (
    "dimension",
    "verdict",
    "shared information [95%]",
    "chance",
    "axis agreement [95%]",
    "purity",
    "above",
    "Holm p",
    "active",
)
LEGEND = (
    "shared information: R² of the dimension from all of another restart; axis agreement: squared correlation with its partner; "
    "purity: the part of the shared information that sits in that partner, which for an axis must lie above the value beside it; "
    "active: restarts in which the dimension is active. Dimensions of one subspace carry its number."
)


def in_order(own: Sequence[AnatomyRecord]) -> list[AnatomyRecord]:
    """The dimensions of a run as tables and figures have them: axes first, then subspace by subspace."""
    order = {"axis": 0, "subspace": 1, "not_shared": 2, "inactive": 3}
    return sorted(own, key=lambda one: (order[one.verdict], -1 if one.block is None else one.block, -one.axis_agreement))


def dimension_section(run: str, own: Sequence[AnatomyRecord], words: Sequence[str] = ()) -> Section:
    """A row for every dimension of the central restart, axes first.

    Args:
        run: its name.
        own: its anatomy.
        words: what it says.
    """
    rows = [
        [
            f"z{one.dimension}",
            f"subspace {one.block}" if kind(one) == "subspace" else kind(one),
            *_numbers(one),
            number(one.purity),
            number(one.purity_null) if one.purity_null is None or one.purity_null < 1 else "> 1",
            p_value(one.p_holm),
            f"{one.active_restarts}/{one.restarts}",
        ]
        for one in in_order(own)
    ]
    title = f"dimensions of {run}: {counted(own[0].restarts, 'restart')}, followed from restart {own[0].central_restart}"
    return Section(title, _HEADER, rows, [*words, LEGEND], left=2)


def _numbers(one: AnatomyRecord) -> list[str]:
    """Shared information with its floor, and axis agreement; dashes for a dimension that no restart has active."""
    if not one.active_restarts:
        return [NONE] * 3
    return [
        mean_with_interval(one.shared_information, one.shared_information_low, one.shared_information_high),
        number(one.shared_information_floor),
        mean_with_interval(one.axis_agreement, one.axis_agreement_low, one.axis_agreement_high),
    ]


def dimensions_report(comparison: Comparison) -> Report:
    """The dimensions of every run, and the groups of its restarts."""
    sections = []
    for run in comparison.runs:
        own = [one for one in comparison.anatomy if one.run == run.name]
        if own:
            sections.append(dimension_section(run.name, own, verdict(comparison, run.name)))
        nonlinear = [one for one in comparison.nonlinear if one.run == run.name]
        sections += [nonlinear_section(run.name, nonlinear)] if nonlinear else []
    records: dict[str, list[dict[str, object]]] = {
        "anatomy": [vars(one) for one in comparison.anatomy],
        "nonlinear": [vars(one) for one in comparison.nonlinear],
        "solutions": [vars(one) for one in comparison.solutions],
        "warnings": [{"warning": warning} for warning in comparison.warnings],
    }
    return Report(sections, records, main="anatomy")

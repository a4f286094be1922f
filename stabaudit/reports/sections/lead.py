"""What a report says, in plain words, before any table."""

from collections.abc import Sequence

from stabaudit.comparison.records import Comparison, RunSummary
from stabaudit.errors import counted
from stabaudit.metrics.scores import headlines
from stabaudit.reports.sections.comparison import MANY_RUNS
from stabaudit.reports.sections.families import ALPHA
from stabaudit.reports.sections.families import verdict as family_verdict
from stabaudit.reports.verdict import verdict
from stabaudit.reports.wording import number, p_is
from stabaudit.statistics.families import FamilyTests


def lead(comparison: Comparison, tests: FamilyTests | None = None) -> list[str]:
    """One sentence on what was compared; one on each run, or on each family where there are many; then the tests of families."""
    restarts = sum(run.restarts for run in comparison.runs)
    words = [f"{counted(len(comparison.runs), 'run')} with {counted(restarts, 'restart')}, scored on held-out rows."]
    scored = [run for run in comparison.runs if verdict(comparison, run.name)]
    if len(scored) > MANY_RUNS:
        families = dict.fromkeys(run.family or "without a family" for run in scored)
        words += [_family(comparison, family, scored) for family in families]
    else:
        words += [f"{run.name}: {' '.join(verdict(comparison, run.name))}" for run in scored]
    if tests is not None:
        words += _tested(tests)
    if comparison.warnings:
        words.append(f"{counted(len(comparison.warnings), 'warning')} below.")
    return words


def _family(comparison: Comparison, family: str, runs: Sequence[RunSummary]) -> str:
    own = [run for run in runs if (run.family or "without a family") == family]
    headline = headlines()[0]
    means = [found[headline.name].mean for run in own if headline.name in (found := comparison.out_of_sample(run.name))]
    names = {run.name for run in own}
    dimensions = [one for one in comparison.anatomy if one.run in names]
    axes = sum(one.verdict == "axis" for one in dimensions)
    said = f"{family}: {counted(len(own), 'run')}"
    if means:
        low, high = number(min(means), 2), number(max(means), 2)
        said += f", {headline.label} {low}" if low == high else f", {headline.label} from {low} to {high}"
    return f"{said}; {axes} of {counted(len(dimensions), 'dimension')} are the same axes in every restart of their run."


def _tested(tests: FamilyTests) -> list[str]:
    words = []
    if tests.friedman:
        differ = "differ" if tests.friedman.p <= ALPHA else "are not shown to differ"
        over = counted(tests.friedman.n, "configuration")
        words.append(f"Over {over} the families {differ} (Friedman, {p_is(tests.friedman.p)}).")
    words += [
        f"{c.family_a} against {c.family_b} over {counted(c.n, 'configuration')}: {family_verdict(c)} ({p_is(c.p)})."
        for c in tests.comparisons
    ]
    return words

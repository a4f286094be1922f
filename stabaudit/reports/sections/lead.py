"""What a report says, in plain words, before any table."""

from collections import Counter

from stabaudit.comparison.records import Comparison, RunSummary, Score
from stabaudit.reports.sections.comparison import MANY_RUNS
from stabaudit.reports.sections.families import ALPHA, verdict
from stabaudit.reports.wording import axes, axes_scores, counted, explain, number, out_of_sample, p_is
from stabaudit.statistics.families import FamilyTests

_AXES = {
    "reproducible": "the axes are reproducible",
    "one direction": "a direction that the axes share explains what agrees",
    "not settled": "whether the axes are reproducible is not settled",
    "no better than turned": "the axes agree no better than after a rotation",
    "none seen": "no common axes are seen",
}


def lead(comparison: Comparison, tests: FamilyTests | None = None) -> list[str]:
    """One sentence on what was compared; one on each run, or on each family where there are many; then the tests of families."""
    restarts = sum(run.restarts for run in comparison.runs)
    words = [
        f"{counted(len(comparison.runs), 'run')} with {counted(restarts, 'restart')}, scored on rows that nothing was fitted to."
    ]
    strong = {run.name: found for run in comparison.runs if (found := _scores(comparison, run))}
    if len(strong) > MANY_RUNS:
        families = dict.fromkeys(run.family or "without a family" for run in comparison.runs if run.name in strong)
        words += [_family(comparison, family, strong) for family in families]
    else:
        words += [f"{run}: {explain(*both)}" for run, both in strong.items()]
    if tests is not None:
        words += _tested(tests)
    if comparison.warnings:
        words.append(f"{counted(len(comparison.warnings), 'warning')} below.")
    return words


def _scores(comparison: Comparison, run: RunSummary) -> tuple[Score, Score] | None:
    """The two scores that say whether the axes of a run agree, out-of-sample."""
    return axes_scores(out_of_sample(comparison, run.name))


def _family(comparison: Comparison, family: str, strong: dict[str, tuple[Score, Score]]) -> str:
    own = [strong[run.name] for run in comparison.runs if run.name in strong and (run.family or "without a family") == family]
    means = [score.mean for score, _ in own]
    verdicts = Counter(axes(*both) for both in own)
    said = "; ".join(f"{_AXES[found]} in {count}" for found, count in verdicts.most_common())
    low, high = number(min(means), 2), number(max(means), 2)
    between = f"strong MCC {low}" if low == high else f"strong MCC from {low} to {high}"
    return f"{family}: {between} over {counted(len(own), 'run')}; {said}."


def _tested(tests: FamilyTests) -> list[str]:
    words = []
    if tests.friedman:
        differ = "differ" if tests.friedman.p <= ALPHA else "are not shown to differ"
        over = counted(tests.friedman.n, "configuration")
        words.append(f"Over {over} the families {differ} (Friedman, {p_is(tests.friedman.p)}).")
    words += [
        f"{c.family_a} against {c.family_b} over {counted(c.n, 'configuration')}: {verdict(c)} ({p_is(c.p)})."
        for c in tests.comparisons
    ]
    return words

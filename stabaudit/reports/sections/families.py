"""Families against each other, as a table and in words."""

from dataclasses import asdict

from stabaudit.errors import counted
from stabaudit.reports.report import Report, Section
from stabaudit.reports.wording import interval, number, p_is, p_value
from stabaudit.statistics.families import FamilyComparison, FamilyTests, Friedman

ALPHA = 0.05


def families_report(tests: FamilyTests) -> Report:
    """Friedman's test, every two families, and the configurations that only some families have."""
    rows = [
        [
            f"{c.family_a}–{c.family_b}",
            str(c.n),
            f"{c.statistic:g}",
            p_value(c.p),
            p_value(c.p_holm),
            number(c.rank_biserial),
            number(c.hodges_lehmann, 4),
            interval(c.hodges_lehmann_low, c.hodges_lehmann_high, 4),
        ]
        for c in tests.comparisons
    ]
    header = ["families", "n", "T", "p", "Holm p", "effect r", "shift", "95%"]
    words = [_explain(c) for c in tests.comparisons]
    if not tests.comparisons:
        words.append("No two families share a configuration: nothing to compare.")
    if tests.averaged:
        words.insert(0, f"{tests.averaged[:1].upper()}{tests.averaged[1:]}.")
    if tests.friedman:
        words.insert(0, _explain_friedman(tests.friedman))
    sections = [Section(f"{tests.score} of families over configurations: exact Wilcoxon signed-rank", header, rows, words)]
    if tests.unmatched:
        lacking = [[str(configuration), ", ".join(missing)] for configuration, missing in tests.unmatched]
        sections.append(Section("configurations that some families lack", ["configuration", "lacking"], lacking, left=2))
    records: dict[str, list[dict[str, object]]] = {
        "families": [asdict(c) for c in tests.comparisons],
        "friedman": [asdict(tests.friedman)] if tests.friedman else [],
        "unmatched": [{**configuration._asdict(), "missing": list(missing)} for configuration, missing in tests.unmatched],
    }
    return Report(sections, records, main="families")


def _explain_friedman(friedman: Friedman) -> str:
    over = f"{len(friedman.families)} families and {counted(friedman.n, 'configuration')}"
    p = p_is(friedman.p, 4)
    said = f"exact {p}" if friedman.method == "exact" else f"{p} by the χ² distribution"
    return f"Friedman over {over}: χ² = {number(friedman.statistic, 1)}, {said}."


def verdict(c: FamilyComparison) -> str:
    """What the test of two families says, in a few words."""
    if c.min_p > ALPHA:
        return "too few configurations to show a difference"
    if c.p_holm <= ALPHA:
        return f"{c.family_a if c.hodges_lehmann > 0 else c.family_b} is higher, also after Holm's adjustment"
    return "below 0.05 unadjusted, not after Holm's adjustment" if c.p <= ALPHA else "no difference shown"


def _explain(c: FamilyComparison) -> str:
    named = f"{c.family_a}–{c.family_b}"
    pairs = counted(c.n, "matched configuration")
    if c.min_p > ALPHA:
        return (
            f"{named}: with {pairs} the smallest attainable p is {c.min_p:.4g}, so p = {ALPHA} is out of reach; "
            "six that differ are needed at least."
        )
    if c.min_p_block > ALPHA:
        blocks = (
            "too few blocks of one architecture and dataset to flip them whole: configurations within one are not independent"
        )
    else:
        blocks = f"flipping whole blocks of one architecture and dataset p = {p_value(c.p_block)} (at least {c.min_p_block:.2g})"
    return f"{named}: {verdict(c)}; {blocks}; smallest attainable p {c.min_p:.2g}."

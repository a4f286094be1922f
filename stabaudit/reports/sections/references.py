"""What an audit measured beside what others reported, and at what scale."""

from collections.abc import Sequence
from dataclasses import asdict

from stabaudit.comparison.records import Comparison
from stabaudit.comparison.surveys.references import Held, held
from stabaudit.errors import counted
from stabaudit.reports.report import Report, Section
from stabaudit.reports.wording import mean_with_interval, number


def references_report(found: Sequence[Held], deviations: Sequence[str], comparison: Comparison) -> Report:
    """A row for each reported number; then the scale of what was measured, and how it differs from what was reported.

    Args:
        found: measured scores beside reported numbers.
        deviations: one line each.
        comparison: what was measured.
    """
    rows = [
        [
            one.run,
            one.score,
            number(None) if one.mean is None else mean_with_interval(one.mean, one.ci_low, one.ci_high),
            number(one.reference),
            one.verdict,
            "; ".join(filter(None, [one.source, one.remark])),
        ]
        for one in found
    ]
    restarts = sum(run.restarts for run in comparison.runs)
    words = [f"scale: {counted(len(comparison.runs), 'run')}, {counted(restarts, 'restart')}."]
    if found:
        counts = ", ".join(f"{verdict}: {count}" for verdict, count in held(found).items())
        words.append(f"of {counted(len(found), 'reported number')}, by the measured interval: {counts}.")
    words += [f"deviation: {deviation}" for deviation in deviations]
    header = ["run", "score", "measured [95%]", "reported", "interval", "source"] if found else []
    records: dict[str, list[dict[str, object]]] = {
        "references": [asdict(one) for one in found],
        "deviations": [{"deviation": deviation} for deviation in deviations],
    }
    title = "measured beside reported" if found else "scale"
    return Report([Section(title, header, rows, words, left=2)], records, main="references" if found else "scores")

"""What makes restarts differ, as a table: how much of 1 − score each source makes by itself."""

from collections.abc import Sequence
from dataclasses import asdict

from stabaudit.comparison.surveys.sources_of_variance import SourceOfVariance
from stabaudit.reports.report import Report, Section
from stabaudit.reports.wording import NONE, mean_with_interval, number, score_name

LEGEND = (
    "1 − score: what the source takes from perfect agreement by itself, the others held at the first seed; of all: relative to "
    "what is lost where everything varies. Shares need not add up to 1: sources overlap."
)


def sources_report(found: Sequence[SourceOfVariance]) -> Report:
    """A table for each score, families one after another."""
    sections = []
    for metric in dict.fromkeys(one.metric for one in found):
        rows = [
            [
                one.of,
                one.vary,
                mean_with_interval(one.mean, one.ci_low, one.ci_high),
                number(one.floor, 2),
                number(one.lost),
                NONE if one.share is None else f"{one.share:.0%}",
            ]
            for one in found
            if one.metric == metric
        ]
        header = ["family", "varied", "score [95%]", "chance", "1 − score", "of all"]
        sections.append(Section(f"sources of variance: {score_name(metric, None)}", header, rows, [LEGEND], left=2))
    return Report(sections, {"sources_of_variance": [asdict(one) for one in found]})

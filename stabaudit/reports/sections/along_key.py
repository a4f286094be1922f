"""Held-out fit against stability along one setting, and which value to take."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby

from stabaudit.comparison.surveys.along_key import OBJECTIVE, AlongKey
from stabaudit.metrics.scores import measure
from stabaudit.reports.report import Report, Section
from stabaudit.reports.wording import NONE, mean_with_interval, number, score_name


def along_key_report(found: Sequence[AlongKey]) -> Report:
    """A table for each family and setting."""
    sections = [_section(key, family, list(rows)) for (key, family), rows in groupby(found, key=lambda one: (one.key, one.of))]
    return Report(sections, {"along_key": [asdict(one) for one in found]})


def _section(key: str, family: str, rows: Sequence[AlongKey]) -> Section:
    cells = [
        [
            f"{row.value:g}",
            NONE if row.fit is None else number(row.fit, 2),
            mean_with_interval(row.stability, row.stability_low, row.stability_high, 2),
            f"{row.axes} of {row.dimensions}",
            "recommended" if row.recommended else "",
        ]
        for row in rows
    ]
    score = score_name(rows[0].metric, None)
    header = [key, f"{fit_name(rows[0])}, nats", f"{score} above chance [95%]", "axes", ""]
    return Section(f"{family} by {key}: fit against stability", header, cells, [recommendation(rows)], left=0)


def recommendation(rows: Sequence[AlongKey]) -> str:
    """Which value to take and why, in one sentence."""
    best = next((row for row in rows if row.recommended), None)
    if best is None:
        return "No value is recommended: fit or intervals are not known of all."
    score, fit = measure(rows[0].metric).label, fit_name(best)
    most = max(rows, key=lambda row: row.stability)
    if best is most:
        return f"Take {best.key} {best.value:g}: it is the most stable, and none that is as stable has a better {fit}."
    why = f"it has the best {fit} among the values whose {score} above chance reaches that of the most stable ({most.value:g})"
    return f"Take {best.key} {best.value:g}: {why}."


def fit_name(row: AlongKey) -> str:
    """What fit is measured by."""
    return f"held-out {row.fitted_by if row.fitted_by == OBJECTIVE else measure(row.fitted_by).label}"

"""Restarts of a run by their own UDR: which one to look at first (Duan et al. 2020)."""

import numpy as np

from stabaudit.comparison.records import Comparison
from stabaudit.metrics.unsupervised_ranking import SCORE, ranking
from stabaudit.reports.wording import number

_NAMED = 5  # restarts that are named of many


def ranking_words(comparison: Comparison, run: str) -> list[str]:
    """One sentence: the restarts of a run in descending order of their UDR; none of two, or where it was not computed."""
    tables = [one for one in comparison.pairs if one.metric == SCORE.name and one.run_a == one.run_b == run]
    if not tables or len(tables[0].values) < 3:
        return []
    own = ranking(tables[0].values)
    order = np.argsort(-own, kind="stable")
    named = [f"{tables[0].restarts_a[at].rpartition('#')[2]} {number(float(own[at]), 2)}" for at in order[:_NAMED]]
    rest = f" and {len(order) - _NAMED} more, down to {number(float(own.min()), 2)}" if len(order) > _NAMED else ""
    return [f"{SCORE.label} by restart, the median over its pairs: {', '.join(named)}{rest}."]

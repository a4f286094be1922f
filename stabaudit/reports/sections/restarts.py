"""One row per restart: its objective beside how well it found the true sources (Willetts & Paige 2021, Fig. A.2)."""

from collections.abc import Sequence

from stabaudit.comparison.records import Comparison
from stabaudit.comparison.views.run_origins import Origin
from stabaudit.reports.report import Record

SOURCES = "sources"  # what a table of restarts against true sources is against


def restart_records(comparison: Comparison, origins: Sequence[Origin]) -> list[Record]:
    """Seed, state, objective and scores against sources of every restart; None where there is no such number."""
    against = [table for table in comparison.pairs if table.run_b == SOURCES]
    metrics = list(dict.fromkeys(_column(table.metric, table.k) for table in against))
    values = {
        (label, _column(table.metric, table.k)): float(value)
        for table in against
        for label, value in zip(table.restarts_a, table.values[:, 0], strict=True)
    }
    return [
        {"run": origin.run, "restart": restart.name, "seed": restart.seed, "state": restart.state, "objective": restart.objective}
        | {metric: values.get((restart.name, metric)) for metric in metrics}
        for origin in origins
        for restart in origin.restarts
    ]


def _column(metric: str, k: int | None) -> str:
    return metric if k is None else f"{metric}@{k}"

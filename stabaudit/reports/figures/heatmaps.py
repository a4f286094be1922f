"""One score of every pair of restarts, as colours: does one restart stand apart, are there groups?"""

import numpy as np

from stabaudit.comparison.records import Comparison
from stabaudit.comparison.views.pair_values import PairTable
from stabaudit.errors import counted
from stabaudit.reports.figures.elements import Array, Axis, Cells, Figure, Panel
from stabaudit.reports.figures.restart_order import (
    MOST,
    Shown,
    group_lines,
    group_words,
    order_words,
    restart_axis,
    shown_restarts,
)
from stabaudit.reports.wording import number, score_name

_PRINTED = 10  # restarts along a side, up to which values are printed in the cells
_PIXELS = 336  # of the longest side, margins included


def heatmap_figure(comparison: Comparison, metric: str) -> Figure | None:
    """A panel for each run with two restarts or more, and for every two runs; None where there is none."""
    tables = [table for table in comparison.pairs if (table.metric, table.k) == (metric, None) and table.run_b != "sources"]
    if not tables:
        return None
    name = score_name(metric, None)
    within = {t.run_a: shown_restarts(comparison, t.run_a, t.restarts_a) for t in tables if t.run_a == t.run_b}
    order = f" {order_words(list(within.values()))}" if any(one.run in within for one in comparison.solutions) else ""
    shown = ""
    if any(max(table.values.shape) > MOST for table in tables):
        shown = f" Of more than {MOST} restarts {MOST if order else f'the first {MOST}'} are shown."
    return Figure(
        name="heatmap",
        title=f"{name[0].upper()}{name[1:]} of every pair of restarts",
        caption=f"Out-of-sample. A row and a column for each restart; a restart is not compared with itself.{order}{shown}",
        panels=tuple(
            _within(table, name, within[table.run_a]) if table.run_a == table.run_b else _between(table, name) for table in tables
        ),
        ramp=(name, "0", "1"),
    )


def _within(table: PairTable, name: str, shown: Shown) -> Panel:
    at, n = list(shown.at), len(shown.at)
    axis = restart_axis(shown.names, "restart")
    return Panel(
        title=f"within {table.run_a}" + (f", {MOST} of {len(table.values)} restarts" if len(table.values) > MOST else ""),
        description=" ".join(filter(None, [_words(table, name), group_words(shown.groups)])),
        x=axis,
        y=_upside_down(axis),
        marks=[
            Cells(table.values[np.ix_(at, at)], printed=n <= _PRINTED),
            *group_lines(n, n, after_rows=shown.ends, after_columns=shown.ends),
        ],
        height=_PIXELS - 60 + 44,
    )


def _between(table: PairTable, name: str) -> Panel:
    values = table.values[:MOST, :MOST]
    rows, columns = values.shape
    side = (_PIXELS - 60) / max(rows, columns)
    title = f"between {table.run_a} and {table.run_b}"
    return Panel(
        title=title + (f", {MOST} of {len(table.values)} restarts" if len(table.values) > MOST else ""),
        description=_words(table, name),
        x=restart_axis(table.restarts_b[:columns], "restart of the second"),
        y=_upside_down(restart_axis(table.restarts_a[:rows], "restart of the first")),
        marks=[Cells(values, printed=max(rows, columns) <= _PRINTED)],
        height=round(side * rows) + 44,
    )


def _words(table: PairTable, name: str) -> str:
    values: Array = table.values
    lowest, highest = (np.unravel_index(pick(values), values.shape) for pick in (np.nanargmin, np.nanargmax))
    said = [
        f"{what} {number(float(values[i, j]), 2)} ({table.restarts_a[i]} and {table.restarts_b[j]})"
        for what, (i, j) in (("lowest", lowest), ("highest", highest))
    ]
    pairs = int(np.isfinite(values).sum()) // (2 if table.run_a == table.run_b else 1)
    return f"{name} of {counted(pairs, 'pair')}: mean {number(float(np.nanmean(values)), 2)}, {', '.join(said)}."


def _upside_down(axis: Axis) -> Axis:
    return Axis(axis.label, axis.high, axis.low, axis.ticks)

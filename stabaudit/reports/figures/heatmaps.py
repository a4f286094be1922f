"""One score of every pair of restarts, as colours: does one restart stand apart, are there groups?"""

import numpy as np

from stabaudit.comparison.records import Comparison
from stabaudit.comparison.views.pair_values import PairTable
from stabaudit.reports.figures.elements import Array, Axis, Cells, Figure, Panel
from stabaudit.reports.wording import number, score_name

MOST = 30  # restarts along a side; more could not be read
_PRINTED = 10  # restarts along a side, up to which values are printed in the cells
_PIXELS = 336  # of the longest side, margins included


def heatmap_figure(comparison: Comparison, metric: str) -> Figure | None:
    """A panel for each run with two restarts or more, and for every two runs; None where there is none."""
    tables = [table for table in comparison.pairs if (table.metric, table.k) == (metric, None) and table.run_b != "sources"]
    if not tables:
        return None
    shown = (
        f" Of more than {MOST} restarts the first {MOST} are shown." if any(max(t.values.shape) > MOST for t in tables) else ""
    )
    name = score_name(metric, None)
    return Figure(
        name="heatmap",
        title=f"{name[0].upper()}{name[1:]} of every pair of restarts",
        caption=f"Out-of-sample. A row and a column for each restart; a restart is not compared with itself.{shown}",
        panels=tuple(_panel(table, name) for table in tables),
        ramp=(name, "0", "1"),
    )


def _panel(table: PairTable, name: str) -> Panel:
    values = table.values[:MOST, :MOST]
    rows, columns = values.shape
    title = f"within {table.run_a}" if table.run_a == table.run_b else f"between {table.run_a} and {table.run_b}"
    side = (_PIXELS - 60) / max(rows, columns)
    return Panel(
        title=title + (f", {MOST} of {len(table.values)} restarts" if len(table.values) > MOST else ""),
        description=_words(table, name),
        x=_restarts(table.restarts_b[:columns], "restart" if table.run_a == table.run_b else "restart of the second"),
        y=_upside_down(_restarts(table.restarts_a[:rows], "restart" if table.run_a == table.run_b else "restart of the first")),
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
    pairs = np.isfinite(values).sum() // (2 if table.run_a == table.run_b else 1)
    return f"{name} of {pairs} pairs: mean {number(float(np.nanmean(values)), 2)}, {', '.join(said)}."


def _restarts(names: tuple[str, ...], label: str) -> Axis:
    every = max(1, -(-len(names) // 15))
    ticks = [(position, name.rpartition("#")[2]) for position, name in enumerate(names) if position % every == 0]
    return Axis(label, -0.5, len(names) - 0.5, tuple(ticks))


def _upside_down(axis: Axis) -> Axis:
    return Axis(axis.label, axis.high, axis.low, axis.ticks)

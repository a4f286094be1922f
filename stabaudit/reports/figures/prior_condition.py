"""The condition number of the prior's matrix L while restarts trained (Willetts & Paige 2021, App. H)."""

import math
from collections.abc import Sequence

import numpy as np

from stabaudit.comparison.views.prior_history import PriorHistories, PriorHistory
from stabaudit.errors import counted
from stabaudit.reports.figures.axes import fitted_axis, margin_beside
from stabaudit.reports.figures.elements import Array, Axis, Figure, Key, Line, Mark, Panel, Points

_MARKS = 6  # of the y-axis, at most
_FEW = 2  # powers of ten, between which 2 and 5 are marked too
_LONG = 1e5  # from here on a number is written by its power of ten
_CROSS = 3.0  # pixels


def prior_condition_figure(runs: Sequence[PriorHistories]) -> Figure:
    """A panel for each run, a line for each restart; crosses on the upper edge where L has not full rank."""
    return Figure(
        name="prior-condition",
        title="Condition number of the prior's matrix L",
        caption="A line for each restart, a value for each epoch. iVAE's theorem needs an L that can be inverted: "
        "the larger its condition number, the nearer it is to one that cannot, and a cross on the upper edge is one that cannot.",
        panels=tuple(_panel(run) for run in runs),
        legend=(Key("restart", 0), Key("L has not full rank", 1, "point", "cross")),
    )


def _panel(run: PriorHistories) -> Panel:
    known = np.concatenate([one.condition[one.invertible] for one in run.restarts])
    y = _powers_of_ten(known)
    marks: list[Mark] = []
    for one in run.restarts:
        for start, stop in _stretches(one.invertible):
            part = slice(start, stop)
            values = np.log10(one.condition[part])
            alone = stop - start == 1
            marks.append(Points(one.step[part], values, 0) if alone else Line(one.step[part], values, 0, width=1.2))
        lost = one.step[~one.invertible]
        if len(lost):
            marks.append(Points(lost, np.full(len(lost), y.high), 1, _CROSS, "cross"))
    steps = np.concatenate([one.step for one in run.restarts])
    said = " ".join(_words(one) for one in run.restarts)
    return Panel(_title(run), said, fitted_axis("step", steps), y, marks, margin=margin_beside(y))


def _powers_of_ten(values: Array) -> Axis:
    """An axis of logarithms around some values, from a power of ten to another; from 1 to 10 where there are none."""
    low = math.floor(np.log10(values.min())) if len(values) else 0
    high = max(low + 1, math.ceil(np.log10(values.max()))) if len(values) else 1
    step = math.ceil((high - low) / (_MARKS - 1))
    marked = [float(power) for power in range(low, high + 1, step)]
    if high - low <= _FEW:
        marked = sorted(marked + [power + math.log10(times) for power in range(low, high) for times in (2, 5)])
    return Axis("condition number of L", low, high, tuple((power, _power(10.0**power)) for power in marked))


def _power(value: float) -> str:
    """A mark of the axis.

    >>> _power(200.0), _power(1e6)
    ('200', '1e+06')
    """
    return f"{value:,.0f}" if value < _LONG else f"{value:.0e}"


def _stretches(inside: Array) -> list[tuple[int, int]]:
    """Where values that follow each other are all True: first, and one past the last.

    >>> _stretches(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _title(run: PriorHistories) -> str:
    """The run, and how often its L could not be inverted."""
    epochs = np.concatenate([one.invertible for one in run.restarts])
    if epochs.all():
        return run.run
    restarts = sum(not one.invertible.all() for one in run.restarts)
    lost = f"{restarts} of {counted(len(run.restarts), 'restart')}, {(~epochs).sum():,} of {counted(len(epochs), 'epoch')} in all"
    return f"{run.run}: L not of full rank in {lost}"


def _words(one: PriorHistory) -> str:
    lost = int((~one.invertible).sum())
    epochs = counted(len(one.step), "epoch")
    if lost == len(one.step):
        return f"{one.name}: not of full rank in any of {epochs}."
    last = f"{one.condition[-1]:.3g}" if one.invertible[-1] else "no full rank"
    kept = one.condition[one.invertible]
    said = f"{one.name}: from {kept.min():.3g} to {kept.max():.3g}, in the last epoch {last}"
    return said + (f"; not of full rank in {lost} of {epochs}." if lost else ".")

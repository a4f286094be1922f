"""Recovered sources against true ones over time (Khemakhem et al. 2020, Fig. 3)."""

from collections.abc import Sequence

import numpy as np

from stabaudit.comparison.views.recovered_sources import Signal
from stabaudit.reports.figures.axes import fitted_axis
from stabaudit.reports.figures.elements import INK, Figure, Key, Line, Mark, Panel
from stabaudit.reports.wording import number


def sources_figure(signals: Sequence[Signal]) -> Figure:
    """A panel for each true source, dotted, with the dimension of every restart that was matched with it."""
    restarts = list(dict.fromkeys(one.restart for signal in signals for one in signal.recovered))
    return Figure(
        name="sources",
        title="Recovered sources beside the true ones",
        caption="The first evaluation rows in the order of their ids, which is time where sources are series. Recovered "
        "dimensions are scaled and shifted onto the source they were matched with; |r| is "
        "out-of-sample; rotation: what it would be in the mean of all sources, were latents the sources up to a rotation only.",
        panels=tuple(_panel(signal, restarts) for signal in signals),
        legend=(Key("true source", INK, "dotted"), *(Key(restart, series) for series, restart in enumerate(restarts))),
    )


def _panel(signal: Signal, restarts: list[str]) -> Panel:
    rows = np.arange(len(signal.values))
    marks: list[Mark] = [Line(rows, one.values, restarts.index(one.restart), "solid", 1.3) for one in reversed(signal.recovered)]
    marks.append(Line(rows, signal.values, INK, "dotted", 1.4))
    every = np.concatenate([signal.values, *(one.values for one in signal.recovered)])
    found = "; ".join(
        f"{one.restart} z{one.dimension}: |r| {number(one.correlation, 2)}, chance {number(one.independence_floor, 2)}, "
        f"rotation floor {number(one.rotation_floor, 2)}"
        for one in signal.recovered
    )
    short = ", ".join(number(one.correlation, 2) for one in signal.recovered)
    floors = ", ".join(number(one.rotation_floor, 2) for one in signal.recovered)
    return Panel(
        title=f"source {signal.source}" + (f": |r| {short}; rotation {floors}" if short else ": matched with no dimension"),
        description=f"Source {signal.source} over {len(rows)} rows; {found or 'not matched'}.",
        x=fitted_axis("row", rows),
        y=fitted_axis("", every),
        marks=marks,
        height=200,
    )

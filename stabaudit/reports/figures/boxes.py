"""Box plots over pairs of restarts, a box for each run (as Willetts & Paige 2021, Figs A.1 and D.6)."""

import numpy as np

from stabaudit.comparison.records import Comparison, RunSummary
from stabaudit.comparison.views.pair_values import PairTable
from stabaudit.metrics.scores import MEANS, measure
from stabaudit.reports.figures.axes import named_axis, score_axis
from stabaudit.reports.figures.elements import INK, Array, Box, Figure, Key, Line, Mark, Panel, Points
from stabaudit.reports.figures.panels import Arrangement, arranged, find, surroundings
from stabaudit.reports.figures.text_lines import tick_lines
from stabaudit.reports.wording import NONE, number, score_name

_FEW, _BELOW = 10, 0.32  # values that are drawn one by one, so far below their box: a box of equal ones is but a line
_ROW, _BESIDE = 30, 44  # pixels: of a box, and of what is beside the boxes
_LINE = 15  # pixels: of a line of a name


def box_figure(comparison: Comparison, metric: str) -> Figure | None:
    """A panel for each architecture and dataset; None where no run has two restarts."""
    within = {t.run_a: t for t in comparison.pairs if (t.metric, t.k) == (metric, None) and t.run_b in {t.run_a, "sources"}}
    if not within:
        return None
    arrangement = arranged(comparison.runs)  # all of them, so that colours are those of other figures
    groups: dict[str, list[RunSummary]] = {}
    for run in (run for runs in arrangement.groups.values() for run in runs if run.name in within):
        groups.setdefault(surroundings(run), []).append(run)
    shown = {arrangement.labels[name] for name in within}
    name = score_name(metric, None)
    title = f"{name[0].upper()}{name[1:]} over pairs of restarts"
    spread = "Values share restarts, so a box says how they spread, not how sure their mean is."
    of_restarts = measure(metric).unit == "restart"
    if of_restarts:
        label = measure(metric.removeprefix(MEANS.prefix)).label
        title, spread = f"{label[0].upper()}{label[1:]} with the true sources", "One value for each restart."
    few = any(len(_values(table)) <= _FEW for table in within.values())
    one_by_one = f"; points below: each of up to {_FEW} values" if few else ""
    return Figure(
        name="source-box" if of_restarts else "box",
        title=title,
        caption="Out-of-sample. Box: quartiles and median; whiskers reach the last value within 1.5 box lengths"
        f"{one_by_one}. {spread}",
        panels=tuple(_panel(comparison, arrangement, title, runs, within) for title, runs in groups.items()),
        legend=(
            *(key for key in arrangement.legend() if key.label in shown),
            Key("chance", INK, "dotted"),
            Key("rotation floor", INK),
        ),
    )


def _panel(
    comparison: Comparison, arrangement: Arrangement, title: str, runs: list[RunSummary], within: dict[str, PairTable]
) -> Panel:
    marks: list[Mark] = []
    names, words = [], []
    lowest = 0.0
    for position, run in enumerate(runs):
        table = within[run.name]
        values = _values(table)
        lowest = min(lowest, float(values.min()))
        label = arrangement.labels[run.name]
        names.append(run.name if run.name in {label, *arrangement.groups} else f"d={run.latent_dim} {label}")
        ends = np.array([position - 0.42, position + 0.42])
        score = find(comparison.scores, (run.name, run.name), table.metric)
        chance, rotation = (score.independence_floor, score.rotation_floor) if score else (None, None)
        if chance is not None:
            marks.append(Line(np.full(2, chance), ends, INK, "dotted", 1.6))
        if rotation is not None:
            marks.append(Line(np.full(2, rotation), ends, INK, "solid", 1.2))
        marks.append(Box(position, values, arrangement.series_of(run.name)))
        if len(values) <= _FEW:
            beside = np.full(len(values), position + _BELOW)
            marks.append(Points(values, beside, arrangement.series_of(run.name), 1.8))
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
        floors = f"chance {number(chance, 2)}" + (f", rotation floor {number(rotation, 2)}" if rotation is not None else "")
        words.append(f"{names[-1]}: median {number(middle, 2)}, quartiles {number(low, 2)} to {number(high, 2)}, {floors}")
    return Panel(
        title=title,
        description="; ".join(words or [NONE]) + ".",
        x=score_axis(next(iter(within.values())).metric, np.concatenate([_values(table) for table in within.values()]), lowest),
        y=named_axis(names),
        marks=marks,
        height=_BESIDE + max(_ROW, _LINE * max(len(tick_lines(name)) for name in names)) * len(names),
        margin=16 + 6 * max(len(line) for name in names for line in tick_lines(name)),
    )


def _values(table: PairTable) -> Array:
    """Every pair's value once."""
    values: Array = table.values[np.triu_indices(len(table.values), 1)] if table.run_a == table.run_b else table.values.ravel()
    return values[np.isfinite(values)]

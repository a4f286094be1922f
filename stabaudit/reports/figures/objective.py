"""Does a better objective go with a more stable restart, or one nearer to the truth? (Willetts & Paige 2021, Fig. A.2)."""

from collections.abc import Sequence

import numpy as np

from stabaudit.comparison.records import Comparison
from stabaudit.comparison.views.run_origins import Origin
from stabaudit.errors import counted
from stabaudit.metrics.scores import MEANS, headlines, measure
from stabaudit.reports.figures.axes import fitted_axis, unit_axis
from stabaudit.reports.figures.elements import INK, Array, Figure, Key, Line, Mark, Panel, Points
from stabaudit.reports.figures.panels import arranged, floor_name, floor_of
from stabaudit.reports.wording import number

_FEWEST = 4  # points of a rank correlation


def objective_figure(comparison: Comparison, origins: Sequence[Origin]) -> Figure | None:
    """A panel for each configuration, a point for each restart; None where no objective is known.

    Runs with true sources are held against them, others against themselves.
    """
    objective = {r.name: r.objective for origin in origins for r in origin.restarts if r.objective is not None}
    arrangement = arranged(comparison.runs)
    panels, shown = [], set()
    for title, runs in arrangement.groups.items():
        marks: list[Mark] = []
        words = []
        floors: list[tuple[float, int]] = []
        for run in runs:
            found = _per_restart(comparison, run.name)
            if found is None:
                continue
            metric, values = found
            both = np.array([(objective[name], value) for name, value in values.items() if name in objective])
            if len(both):
                shown.add(metric)
                floor = floor_of(comparison.scores, (run.name, run.name), metric)
                if floor is not None:
                    floors.append((floor, arrangement.series_of(run.name)))
                marks.append(Points(both[:, 0], both[:, 1], arrangement.series_of(run.name), 3.5))
                words.append(_words(arrangement.labels[run.name], both, f"{floor_name(metric)} {number(floor, 2)}"))
        if marks:
            objectives = np.concatenate([mark.x for mark in marks if isinstance(mark, Points)])
            x = fitted_axis("objective, nats per sample", objectives)
            marks += [Line(np.array([x.low, x.high]), np.full(2, floor), series, "dotted", 1.2) for floor, series in floors]
            panels.append(Panel(title, "; ".join(words) + ".", x, unit_axis("MCC"), marks))
    if not panels:
        return None
    return Figure(
        name="elbo",
        title="Objective against MCC",
        caption=f"A point for each restart: its objective on the evaluation rows (higher is better) and, upwards, the "
        f"{' or the '.join(_said(metric) for metric in sorted(shown))}. Objectives of different families are not comparable.",
        panels=tuple(panels),
        legend=(
            *(Key(key.label, key.series, "point") for key in arrangement.legend()),
            *(Key(name, INK, "dotted") for name in dict.fromkeys(floor_name(metric) for metric in sorted(shown))),
        ),
    )


def _said(metric: str) -> str:
    label = headlines()[0].label
    if measure(metric).unit == "restart":
        return f"{label} of each restart with the true sources"
    return f"mean {label} of each restart with the others of its run"


def _per_restart(comparison: Comparison, run: str) -> tuple[str, dict[str, float]] | None:
    tables = {t.metric: t for t in comparison.pairs if t.run_a == run and t.run_b in {run, "sources"} and t.k is None}
    headline = headlines()[0].name
    for metric in (f"{MEANS.prefix}{headline}", headline):
        if metric in tables:
            table = tables[metric]
            return metric, dict(zip(table.restarts_a, np.nanmean(table.values, axis=1).tolist(), strict=True))
    return None


def _words(label: str, both: Array, floor: str) -> str:
    low, high = both.min(axis=0).tolist(), both.max(axis=0).tolist()
    said = (
        f"{label}: {counted(len(both), 'restart')}, objective {number(low[0], 1)} to {number(high[0], 1)}, "
        f"MCC {number(low[1], 2)} to {number(high[1], 2)}, {floor}"
    )
    if len(both) >= _FEWEST and (both.min(axis=0) < both.max(axis=0)).all():
        ranks = both.argsort(axis=0).argsort(axis=0) - (len(both) - 1) / 2
        correlation = float(ranks.prod(axis=1).sum() / (ranks[:, 0] ** 2).sum())
        said += f", rank correlation {number(correlation, 2)}"
    return said

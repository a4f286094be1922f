"""The order in which a run's restarts are shown: groups that agree one after another, the most central restart first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stabaudit.comparison.records import Comparison
from stabaudit.reports.figures.elements import INK, PAPER, Axis, Mark, Segments

MOST = 30  # restarts along a side; more could not be read


@dataclass(frozen=True)
class Shown:
    """Restarts of a run along one side of a panel.

    Args:
        at: their positions in the run, in the order shown; at most `MOST`, spread evenly over all.
        names: what they are called: "vae#3".
        ends: how many are shown up to the end of each group but the last.
        groups: names of all restarts of each group; none where no groups were found.
    """

    at: tuple[int, ...]
    names: tuple[str, ...]
    ends: tuple[int, ...]
    groups: tuple[tuple[str, ...], ...]


def shown_restarts(comparison: Comparison, run: str, names: Sequence[str]) -> Shown:
    """Order a run's restarts by the groups they fall into; as they are where nothing is known of groups.

    Args:
        comparison: with its solutions.
        run: the run.
        names: of its restarts, by position.
    """
    found = sorted((one for one in comparison.solutions if one.run == run), key=lambda one: one.solution)
    position = {name: at for at, name in enumerate(names)}
    ordered = [(position[name], one.solution) for one in found for name in one.order if name in position]
    if len(ordered) != len(names):
        ordered, found = [(at, 0) for at in range(len(names))], []
    if len(ordered) > MOST:
        # Spread over all where they are ordered, so that every group of some size is seen; the last is always there.
        chosen = np.linspace(0, len(ordered) - 1, MOST).round().astype(int) if found else np.arange(MOST)
        ordered = [ordered[at] for at in chosen.tolist()]
    ends = [at for at in range(1, len(ordered)) if ordered[at][1] != ordered[at - 1][1]]
    at = tuple(place for place, _ in ordered)
    groups = tuple(one.restarts for one in found) if len(found) > 1 else ()
    return Shown(at, tuple(names[place] for place in at), tuple(ends), groups)


def restart_axis(names: Sequence[str], label: str) -> Axis:
    """An axis for restarts, by number: all of few, else every so many."""
    every = max(1, -(-len(names) // 15))
    ticks = [(position, name.rpartition("#")[2]) for position, name in enumerate(names) if position % every == 0]
    return Axis(label, -0.5, len(names) - 0.5, tuple(ticks))


def group_lines(rows: int, columns: int, *, after_rows: Sequence[int], after_columns: Sequence[int]) -> list[Mark]:
    """Thin lines in gaps between the cells of a table, after so many of its rows and columns."""
    gaps: list[Mark] = []
    lines: list[Mark] = []
    for ends, across, is_column in ((after_rows, columns, False), (after_columns, rows, True)):
        if ends:
            along = np.array(ends) - 0.5
            low, high = np.full(len(ends), -0.5), np.full(len(ends), across - 0.5)
            x, y, x_end, y_end = (along, low, along, high) if is_column else (low, along, high, along)
            gaps.append(Segments(x, y, x_end, y_end, PAPER, 5.0))
            lines.append(Segments(x, y, x_end, y_end, INK, 1.0))
    return gaps + lines


def order_words(shown: Sequence[Shown]) -> str:
    """What a caption says of the order."""
    if not any(one.groups for one in shown):
        return "Restarts are ordered by how well they agree with the others, the most central first."
    return "Restarts are ordered by the groups that agree among themselves, with a line between groups."


def group_words(groups: Sequence[Sequence[str]]) -> str:
    """The groups of a run, for a description; nothing where there are none.

    >>> group_words([("vae#0", "vae#2"), ("vae#1",)])
    'Groups: restarts 0, 2; restart 1.'
    """
    if not groups:
        return ""
    said = []
    for group in groups:
        numbers = ", ".join(name.rpartition("#")[2] for name in group)
        said.append(f"restart{'s' if len(group) > 1 else ''} {numbers}")
    return f"Groups: {'; '.join(said)}."

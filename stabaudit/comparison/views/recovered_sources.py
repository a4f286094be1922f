"""Recovered sources beside the true ones over a stretch of time (Khemakhem et al. 2020, Fig. 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.comparison.reading.join_rows import Group
from stabaudit.errors import UsageError
from stabaudit.metrics.affine import affine_map
from stabaudit.metrics.floors import DRAWS, Draws
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.metrics.pair_scores import ScoreName
from stabaudit.metrics.score_pairs import score_sources
from stabaudit.metrics.split import split_halves

Array = NDArray[Any]

SHOWN_ROWS = 120  # in one stretch
_OUT = ScoreName(STRONG.name, None, "out")


@dataclass(frozen=True)
class Recovered:
    """One source as one restart has it.

    Args:
        restart: "ivae#0".
        dimension: which of its dimensions was matched with the source.
        correlation: |correlation| on *score*.
        independence_floor, rotation_floor: what it would be in the mean of all sources, were the two unrelated, and were they the
            same up to an affine map only.
        values: the dimension scaled and shifted onto the source by what *fit* says, shape (rows,).
    """

    restart: str
    dimension: int
    correlation: float
    independence_floor: float
    rotation_floor: float
    values: Array


@dataclass(frozen=True)
class Signal:
    """One true source and what restarts make of it.

    Args:
        source: its number.
        values: over a stretch of rows in the order of their ids, shape (rows,).
        recovered: by the first restart of every run; none where it has fewer dimensions than there are sources.
    """

    source: int
    values: Array
    recovered: tuple[Recovered, ...]


def signals(groups: Sequence[Group], draws: Draws = DRAWS) -> tuple[Signal, ...]:
    """The sources of runs on one dataset, as the first restart of each run has them.

    Args:
        groups: the runs.
        draws: of what a matched correlation is by chance.

    Raises:
        UsageError: a run without true sources, runs whose sources differ, or latents that are not in memory.
    """
    first = groups[0]
    _, truth = _in_memory(first)
    fit = split_halves(first.sample_id)
    stretch = np.argsort(first.sample_id, kind="stable")[:SHOWN_ROWS]
    found: list[list[Recovered]] = [[] for _ in range(truth.shape[1])]
    for place, group in enumerate(groups):
        z, own = _in_memory(group)
        if not np.array_equal(own, truth):
            name, other = group.summary.name, first.summary.name
            raise UsageError(f"{name} and {other} have different true sources; show runs on the same data")
        rng, names = draws.at(place).rng(), group.labels[:1]
        scored = score_sources(
            [z], truth, fit, scores=[STRONG.name], floor_draws=draws.number, rng=rng, allow_unequal=True, names=names
        )
        (pair,) = scored.pairs
        parts = pair.parts[STRONG.name]
        independence, rotation = (float(drawn[_OUT].mean()) for drawn in (pair.independence, pair.rotation))
        pairs = [] if parts.matching is None else parts.matching.tolist()
        for (k, source), outside in zip(pairs, parts.outside.tolist(), strict=True):
            matrix, offset = affine_map(z[:, [k]], truth[:, [source]], fit)
            values = (z[stretch][:, [k]] @ matrix + offset)[:, 0]
            found[source].append(Recovered(group.labels[0], k, outside, independence, rotation, values))
    return tuple(Signal(source, truth[stretch, source], tuple(some)) for source, some in enumerate(found))


def _in_memory(group: Group) -> tuple[Array, Array]:
    """The latents of a run's first restart, and the true sources."""
    if group.sources is None:
        name = group.summary.name
        raise UsageError(f"{name} has no true sources in memory; this figure is for runs on synthetic data such as tcl")
    return group.latents[0], group.sources

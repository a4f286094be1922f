"""A run in one restart's terms: every restart aligned to it, the consensus of all, and the samples on which they differ most.

The map of each restart is estimated on *fit*; agreements are of *score*. Where restarts fall into groups that do not agree, there
is no common frame: each group is aligned to its own most central restart, unless the user names what to align to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.records import Solution
from stabaudit.errors import UsageError
from stabaudit.metrics.alignment import AlignedTo, AlignmentFloor, By, align, alignment_floor
from stabaudit.metrics.anatomy import anatomy
from stabaudit.metrics.floors import DRAWS
from stabaudit.metrics.halves import Halves
from stabaudit.metrics.split import split_halves

Array = NDArray[Any]
CENTRAL, SOURCES = "central", "sources"


@dataclass(frozen=True)
class AlignedRestart:
    """A restart in the terms of its reference.

    Args:
        restart: what it is called: "vade#3".
        group: number of the group that it belongs to, the largest first.
        reference: the restart that it was aligned to, or "sources".
        by: the map that takes it there; of the reference itself the identity.
        latents: shape (n, d_t).
        floor: what the map would reach by chance; None of the reference itself.
    """

    restart: str
    group: int
    reference: str
    by: AlignedTo
    latents: Array
    floor: AlignmentFloor | None = None


@dataclass(frozen=True)
class Consensus:
    """What the aligned restarts of a group have in common.

    Args:
        group: its number.
        mean: of the aligned latents over restarts, shape (n, d).
        spread: their standard deviation over restarts, shape (n, d).
        displacement: how far restarts put a sample from the consensus, root mean square over dimensions, each in units of its
            standard deviation over samples; shape (n,).
        cluster: of each row, shape (n,), or None where there are no clusters.
    """

    group: int
    mean: Array
    spread: Array
    displacement: Array
    cluster: Array | None = None

    def most_moved(self, count: int) -> Array:
        """Rows that restarts place most differently, the first of them first."""
        rows: Array = np.argsort(-self.displacement, kind="stable")[:count]
        return rows


@dataclass(frozen=True)
class ClusteredGroup:
    """Adjusted Rand indices, at most 1 and 0 by chance, of the clusters of a group's consensus and of its restarts.

    Args:
        group: its number.
        by: "k-means", or "prior" for components of learned mixture priors.
        clusters: how many were asked for, or the prior has.
        restarts: names, N of them.
        between: of every two restarts, symmetric, shape (N, N).
        with_consensus: of each restart with the consensus, shape (N,).
        with_labels: of the consensus and then of each restart with the labels, shape (1 + N,), or None.
        repeated: of the consensus and then of each restart with the clusters that another seed gives, shape (1 + N,).
    """

    group: int
    by: Literal["k-means", "prior"]
    clusters: int
    restarts: tuple[str, ...]
    between: Array
    with_consensus: Array
    with_labels: Array | None
    repeated: Array


@dataclass(frozen=True)
class AlignedRun:
    """All restarts of a run in the terms of one restart, or of the most central one of each group.

    Args:
        run: its name.
        to: what the user asked to align to: "central", "sources" or the number of a restart.
        by: the kind of map.
        central: the most central restart of the largest group, which is the one to publish.
        groups: names of the restarts that agree with each other; a single group where no split is shown.
        restarts: in their order in the run.
        consensus: of each group of two restarts or more.
        sample_id: names of the rows, shape (n,).
        label: class of each row, shape (n,), or None.
        clusters: of each group that has a consensus; empty where no number of clusters is known.
        r2_affine: R² that an affine map would reach, mean over the restarts that are aligned to another.
    """

    run: str
    to: str
    by: By
    central: str
    groups: tuple[tuple[str, ...], ...]
    restarts: tuple[AlignedRestart, ...]
    consensus: tuple[Consensus, ...]
    sample_id: Array
    label: Array | None = None
    clusters: tuple[ClusteredGroup, ...] = ()
    r2_affine: float | None = None

    @property
    def r2(self) -> float | None:
        """R² of the reference from the aligned latents, mean over the restarts that are aligned to another; None without any."""
        found = [one.by.r2 for one in self.restarts if one.reference != one.restart]
        return float(np.mean(found)) if found else None


def align_run(group: Group, solutions: Sequence[Solution], *, to: str, by: By, label: Array | None = None) -> AlignedRun:
    """Align the restarts of a run.

    Args:
        group: the run's latents, in memory, rows in one order.
        solutions: the groups that its restarts fall into.
        to: "central", "sources", or a restart's number.
        by: the kind of map.
        label: class of each row.

    Raises:
        UsageError: latents that are streamed or on a grid, fewer than two restarts, no such restart, no sources, or dimensions
            that the kind of map cannot join.
    """
    name = group.summary.name
    if group.streams:
        raise UsageError(f"{name}: these latents exceed --memory; raise it, for align reads all of them")
    if group.summary.grid:
        raise UsageError(f"{name}: latents on a grid cannot be aligned yet")
    if len(group.labels) < 2:
        raise UsageError(f"{name}: one restart, nothing to align it with; give a run of two restarts or more")
    fit = split_halves(group.sample_id)
    groups = tuple(one.restarts for one in sorted(solutions, key=lambda one: one.solution)) or (group.labels,)
    centrals = [_central(group, fit, restarts) for restarts in groups]
    restarts, affine = [], []
    for position, label_of_restart in enumerate(group.labels):
        own = next(number for number, members in enumerate(groups) if label_of_restart in members)
        reference, target = _target(group, to, centrals[own])
        z = group.latents[position]
        found, floor = align(z, target, fit, by), None
        if reference != label_of_restart:
            affine.append(found.r2 if by == "affine" else align(z, target, fit, "affine").r2)
            floor = alignment_floor(z, target, fit, by, DRAWS.at(position))
        restarts.append(AlignedRestart(label_of_restart, own, reference, found, found(z.astype(np.float64)), floor))
    consensus = [
        _consensus(number, np.stack([one.latents for one in restarts if one.group == number]))
        for number, members in enumerate(groups)
        if len(members) > 1
    ]
    return AlignedRun(
        name,
        to,
        by,
        centrals[0],
        groups,
        tuple(restarts),
        tuple(consensus),
        group.sample_id,
        label,
        r2_affine=float(np.mean(affine)) if affine else None,
    )


def _central(group: Group, fit: Array, restarts: Sequence[str]) -> str:
    """The restart whose mean matched correlation with the others of its group is largest."""
    positions = [group.labels.index(restart) for restart in restarts]
    if len(positions) < 2:
        return restarts[0]
    halves = Halves.of_rows([group.latents[position] for position in positions], fit)
    return restarts[anatomy(halves, range(len(positions))).central]


def _target(group: Group, to: str, central: str) -> tuple[str, Array]:
    """What a restart is aligned to: its name and its rows."""
    if to == SOURCES:
        if group.sources is None:
            raise UsageError(f"{group.summary.name} has no true sources; align to 'central' or to a restart")
        return SOURCES, group.sources
    wanted = central if to == CENTRAL else f"{group.summary.name.partition('#')[0]}#{to}"
    if wanted not in group.labels:
        known = ", ".join(label.rpartition("#")[2] for label in group.labels)
        raise UsageError(f"--to {to}: expected {CENTRAL}, {SOURCES} or one of the restarts {known}")
    return wanted, group.latents[group.labels.index(wanted)]


def _consensus(number: int, aligned: Array) -> Consensus:
    mean, spread = aligned.mean(axis=0), aligned.std(axis=0, ddof=1)
    scale = mean.std(axis=0)
    relative = np.divide(spread, scale, out=np.zeros_like(spread), where=scale > 0)
    varies = max(1, int((scale > 0).sum()))
    unbiased = (len(aligned) - 1) / len(aligned)  # spread has N − 1 in its denominator, a root mean square N
    return Consensus(number, mean, spread, np.sqrt(unbiased * (relative**2).sum(axis=1) / varies))

"""Is a dimension, or a subspace, of one restart a function of another's, linear or not?

The anatomy of a run (`stabaudit.metrics.anatomy`) sees linear relations. Here every block of the central restart, and every other
active dimension by itself, is predicted from each other restart by an affine map and the nearest rows
(`stabaudit.metrics.local_regression`), out-of-sample: from the members that are matched with it, from all other dimensions, and
from all dimensions. A subspace that each restart bends in its own way keeps R² from its members, and has none from elsewhere;
a dimension that is the square of another restart's shares nothing linear and everything here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stabaudit.metrics.anatomy import Anatomy
from stabaudit.metrics.floors import permuted_within_halves
from stabaudit.metrics.local_regression import Local, explained, local
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.threads import in_parallel

MOST_ROWS = 2_000  # of *fit*, to learn from


@dataclass(frozen=True)
class NonlinearBlock:
    """Out-of-sample R² of some dimensions of the central restart from each other restart, shape (N − 1,) each.

    Args:
        dimensions: of the central restart.
        block: position of the block in the anatomy; None for a dimension that shares no linear information.
        linear: from the members by an affine map alone.
        members: from the members.
        elsewhere: from all dimensions but the members; None where there are no others.
        everything: from all dimensions.
        floor: `members` had the restarts been unrelated, mean over draws.
        floor_of_elsewhere: the same of `elsewhere`.
        floor_of_everything: the same of `everything`.
    """

    dimensions: tuple[int, ...]
    block: int | None
    linear: Array
    members: Array
    elsewhere: Array | None
    everything: Array
    floor: Array
    floor_of_elsewhere: Array | None
    floor_of_everything: Array


def nonlinear_blocks(
    latents: Sequence[Array], fit: Array, found: Anatomy, *, draws: int, rng: np.random.Generator
) -> tuple[NonlinearBlock, ...]:
    """Predict every block, and every active dimension outside them, of the central restart from each other restart.

    Args:
        latents: of the restarts of the run, N arrays of shape (n, d).
        fit: True for rows to learn from, shape (n,).
        found: the run's anatomy.
        draws: of the floors, rows shuffled within halves.
        rng: draws them.

    Returns:
        In the order of first dimensions.

    Example:
        The second dimension of one restart is the square of the other's.

        >>> from stabaudit.metrics.anatomy import anatomy
        >>> from stabaudit.metrics.halves import Halves
        >>> rng = np.random.default_rng(0)
        >>> z = rng.standard_normal((2000, 2))
        >>> latents, fit = [z**[1, 2], z], np.arange(2000) % 2 == 0
        >>> found = anatomy(Halves.of_rows(latents, fit), range(2))
        >>> for one in nonlinear_blocks(latents, fit, found, draws=2, rng=rng):
        ...     print(one.dimensions, one.linear.round(1), one.everything.round(1))
        (0,) [1.] [1.]
        (1,) [-0.] [0.9]
    """
    others = [restart for restart in range(len(latents)) if restart != found.central]
    active = np.flatnonzero(found.active[found.central])
    units: list[tuple[tuple[int, ...], int | None]] = [(block.dimensions, k) for k, block in enumerate(found.blocks)]
    grouped = {k for block in found.blocks for k in block.dimensions}
    units += [((int(k),), None) for k in active if k not in grouped]
    orders = [permuted_within_halves(fit, rng=rng) for _ in range(draws)]
    target = np.asarray(latents[found.central], dtype=np.float64)
    # Targets are looked up, never predicted from: their neighbours are not needed.
    targets = [_looked_up(target[:, list(dimensions)]) for dimensions, _ in units]

    def from_restart(restart: int) -> list[list[float]]:
        z = np.asarray(latents[restart], dtype=np.float64)
        whole = local(z, fit, MOST_ROWS)
        rows = []
        for (dimensions, _), wanted in zip(units, targets, strict=True):
            members = found.matching[restart, list(dimensions)]
            own = local(z[:, members], fit, MOST_ROWS)
            rest = np.delete(z, members, axis=1) if len(dimensions) > 1 else z[:, :0]
            beside = local(rest, fit, MOST_ROWS) if rest.shape[1] else None
            shuffled = [wanted.permuted(order) for order in orders]
            rows.append(
                [
                    _r2(own, wanted, neighbours=False),
                    _r2(own, wanted),
                    _r2(beside, wanted) if beside else np.nan,
                    _r2(whole, wanted),
                    *(
                        float(np.mean([_r2(source, one) for one in shuffled])) if source and shuffled else np.nan
                        for source in (own, beside, whole)
                    ),
                ]
            )
        return rows

    values = np.array(in_parallel(from_restart, others, "restarts regressed on")).reshape(len(others), len(units), 7)
    blocks = [
        NonlinearBlock(
            dimensions=dimensions,
            block=block,
            linear=values[:, at, 0],
            members=values[:, at, 1],
            elsewhere=None if np.isnan(values[:, at, 2]).any() else values[:, at, 2],
            everything=values[:, at, 3],
            floor=values[:, at, 4],
            floor_of_elsewhere=None if np.isnan(values[:, at, 2]).any() else values[:, at, 5],
            floor_of_everything=values[:, at, 6],
        )
        for at, (dimensions, block) in enumerate(units)
    ]
    return tuple(sorted(blocks, key=lambda one: one.dimensions))


def _looked_up(target: Array) -> Local:
    """Latents to predict, from which nothing is predicted."""
    return Local(target, np.empty(0, dtype=int), np.empty((0, 0)), ())


def _r2(source: Local, target: Local, *, neighbours: bool = True) -> float:
    left, total = explained(source, target, neighbours=neighbours)[-1].sum(axis=1)
    return float(1.0 - left / total) if total > 0 else 0.0

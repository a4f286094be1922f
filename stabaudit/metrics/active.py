"""Strong MCC of the active dimensions, and its rotation floor within the subspace that they span.

Collapsed dimensions lower strong MCC, and they make its rotation floor easy to pass: a rotation of all dimensions mixes active
with collapsed ones, so that restarts whose active dimensions turn at random among themselves lie above it. Here both are of
active dimensions alone. A restart is whitened and turned within its active subspace (see `stabaudit.metrics.floors`): the second
of a pair in the first draw, the first in the second, and so on.

What a restart is turned by follows from its own seed, so that the floor of a pair does not depend on what else is compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from stabaudit.metrics.halves import Cross, Halves, Marginal, correlation
from stabaudit.metrics.mcc import strong
from stabaudit.metrics.moments import Moments
from stabaudit.metrics.results import Array, Pair
from stabaudit.metrics.threads import in_parallel, single_threaded


@dataclass(frozen=True)
class ActiveMcc:
    """Strong MCC of the active dimensions of pairs.

    Args:
        sizes: numbers of active dimensions of a and of b, shape (pairs, 2); the smaller one is matched.
        values: on *fit* and on *score*, in [0, 1], shape (pairs, 2); 0 where a restart has no active dimension.
        rotation: K draws of the rotation floor of either, shape (pairs, K, 2).
    """

    sizes: Array
    values: Array
    rotation: Array


class _Active(NamedTuple):
    """The active dimensions of a restart.

    Args:
        dimensions: their numbers, shape (m,).
        marginal: their moments.
    """

    dimensions: Array
    marginal: Marginal


def active_strong_mcc(
    halves: Halves,
    pairs: Sequence[Pair],
    active: Mapping[int, Array | None],
    *,
    draws: int,
    seeds: Mapping[int, int],
    decorrelated: bool = False,
) -> ActiveMcc:
    """Score pairs on their active dimensions.

    Args:
        halves: the moments of the latents.
        pairs: positions (a, b) in `halves`.
        active: True for the active dimensions of each restart, shape (d,), by position; None: all that are not dead.
        draws: K, of the rotation floor; 0 for none.
        seeds: of the rotations of each restart, by position.
        decorrelated: score dimensions decorrelated within the active subspace (see `stabaudit.metrics.halves`).

    Example:
        Two active dimensions turned by 45° beside a collapsed one lie at their floor.

        >>> rng = np.random.default_rng(0)
        >>> a = rng.standard_normal((2000, 3)) * [1.0, 1.0, 0.001]
        >>> b = np.column_stack([a[:, 0] + a[:, 1], a[:, 0] - a[:, 1], rng.standard_normal(2000)])
        >>> known = np.array([True, True, False])
        >>> halves = Halves.of_rows([a, b], np.arange(2000) % 2 == 0)
        >>> scored = active_strong_mcc(halves, [(0, 1)], {0: known, 1: known}, draws=199, seeds={0: 0, 1: 1})
        >>> scored.values.round(2), scored.rotation[0, :, 1].min().round(1)
        (array([[0.71, 0.71]]), np.float64(0.7))
    """
    dimensions = {r: _active_dimensions(halves, r, active[r]) for r in sorted({r for pair in pairs for r in pair})}
    sizes = np.array([[len(dimensions[r]) for r in pair] for pair in pairs]).reshape(-1, 2)
    scored = [position for position, both in enumerate(sizes) if both.all()]
    with single_threaded():
        restarts = {r: _restricted(halves, r, dimensions[r]) for r in sorted({r for p in scored for r in pairs[p]})}

    def cross(a: int, b: int) -> Cross:
        rows, columns = restarts[a].dimensions, restarts[b].dimensions
        units = np.outer(1.0 / restarts[a].marginal.scale, 1.0 / restarts[b].marginal.scale)
        first, second = halves.blocks[a].start + rows[:, None], halves.blocks[b].start + columns
        return Cross(halves.fit.covariance[first, second] * units, halves.score.covariance[first, second] * units)

    def apart(a: int, b: int) -> Cross:
        """Cross-moments with the dimensions of a as they are scored."""
        left = restarts[a].marginal.decorrelation.T
        return Cross(left @ cross(a, b).fit, left @ cross(a, b).score) if decorrelated else cross(a, b)

    def variance(r: int) -> Array:
        marginal = restarts[r].marginal
        return marginal.decorrelated_variance_on_score if decorrelated else marginal.variance_on_score

    def score(position: int) -> tuple[float, float]:
        a, b = pairs[position]
        both = apart(a, b)
        right = restarts[b].marginal.decorrelation if decorrelated else np.eye(len(variance(b)))
        matched = strong(Cross(both.fit @ right, both.score @ right), variance(a), variance(b))
        return float(matched.inside.mean()), float(matched.outside.mean())

    rotation = np.zeros((len(pairs), draws, 2))

    def turn(r: int) -> None:
        """All draws in which restart r is turned."""
        turning = _Turning.drawn(restarts[r].marginal, draws - draws // 2, np.random.default_rng(seeds[r]))
        for position in scored:
            a, b = pairs[position]
            if b == r:
                rotation[position, 0::2] = turning.scores(apart(a, r), variance(a))
            if a == r:
                rotation[position, 1::2] = turning.scores(apart(b, r), variance(b))[: draws // 2]

    values = np.zeros((len(pairs), 2))
    values[scored] = np.array(in_parallel(score, scored)).reshape(-1, 2)
    in_parallel(turn, list(restarts))
    return ActiveMcc(sizes, values, rotation)


def _active_dimensions(halves: Halves, restart: int, active: Array | None) -> Array:
    alive = halves.marginals[restart].scale > 0
    return np.flatnonzero(alive if active is None else alive & active)


def _restricted(halves: Halves, restart: int, dimensions: Array) -> _Active:
    columns = halves.blocks[restart].start + dimensions
    fit, score = (
        Moments(half.n, half.mean[columns], half.covariance[columns[:, None], columns]) for half in (halves.fit, halves.score)
    )
    return _Active(dimensions, Halves.of_moments(fit, score, [len(dimensions)]).marginals[0])


class _Turning(NamedTuple):
    """Rotations of one restart.

    Args:
        maps: WQ, which whitens and turns, shape (K, m, m).
        variance: on *score*, of what they give, shape (K, m).
    """

    maps: Array
    variance: Array

    @classmethod
    def drawn(cls, marginal: Marginal, draws: int, rng: np.random.Generator) -> "_Turning":
        m = len(marginal.scale)
        q, r = np.linalg.qr(rng.standard_normal((draws, m, m)))
        signs = np.where(r.diagonal(axis1=1, axis2=2) < 0, -1.0, 1.0)
        directions = (q * signs[:, None, :])[:, : marginal.rank]
        lengths = np.linalg.norm(directions, axis=1, keepdims=True)  # 1 at full rank
        maps = marginal.whitening @ (directions / lengths)
        return cls(maps, (maps * (marginal.score @ maps)).sum(axis=1))

    def scores(self, cross: Cross, variance: Array) -> Array:
        """Strong MCC of a fixed restart with every turned one, on *fit* and *score*, shape (K, 2).

        Args:
            cross: of the fixed restart with this one as it is.
            variance: of the fixed restart on *score*.
        """
        if not len(self.maps):
            return np.zeros((0, 2))
        strength = np.abs(cross.fit @ self.maps)
        matched = np.array([linear_sum_assignment(draw, maximize=True) for draw in strength])
        each, rows, columns = np.arange(len(strength))[:, None], matched[:, 0], matched[:, 1]
        on_score = (cross.score @ self.maps)[each, rows, columns]
        outside = np.abs(correlation(on_score, variance[rows], self.variance[each, columns]))
        return np.column_stack([strength[each, rows, columns].mean(axis=1), outside.mean(axis=1)]).clip(max=1.0)

"""Anatomy of a run: which dimensions are the same axes in every restart, which share only a subspace, and which nothing.

A mean over dimensions cannot tell four active dimensions that turn at random beside six collapsed ones from true axes; here every
dimension has its own numbers. Dimensions are followed through the restarts from the *central* one, whose mean matched correlation
with the others is largest; dimension k of the run is the group of those matched with its dimension k.

*Shared information* of k is the out-of-sample R² of the group's member in restart i, regressed on all dimensions of restart j,
mean over ordered pairs. *Axis agreement* is the squared correlation on *score* of the members in i and j, decorrelated on *fit*
(see `stabaudit.metrics.halves`), mean over pairs. *Purity* is the part of what another restart knows of a member that sits in one
dimension. With F and S the correlations between the decorrelated dimensions of i and j on *fit* and on *score*, each half
decorrelated by itself, a member a and its partner b,

    purity = Σ_pairs F_ab S_ab / Σ_pairs Σ_l F_al S_al.

Both sums are of what a member has of its own: what its restart's correlated dimensions know too is in shared information only. A
product of two halves is unbiased, as noise on one is not on the other. Purity is 1 for axes, whatever the noise, and about 0.8,
0.3, 0.1 for subspaces of 2, 10, 50 dimensions turned at random. The matching is estimated on *fit*.

Verdicts. *axis*: information is shared, purity is above what planes turned at random show (`stabaudit.metrics.turned_planes`;
family-wise error rate 5% over the dimensions that share information), it is active in every restart, and every restart has
purity 0.9 with the others, within two standard errors. *subspace*: shared, but not an axis. *not_shared*: the information is less
than 0.05 above that of unrelated latents, or within its spread (5% over dimensions). *inactive*: collapsed in most restarts. A
lone dimension has nothing to turn with: it is an axis where it is shared.

Inactive dimensions are left out of regressions, matching and decorrelation. The latents of a variational model tell them by their
posterior. Where only means are known, a small variance says nothing, and only dead dimensions are inactive.

What it cannot see. The null supposes that restarts turn independently. Where they fall into two groups, a plane that only the
groups turn is straight within 20° by accident in four of nine cases, however many restarts there are. Axes that share a strong
direction (all correlated 0.9, noise 0.3) know it better than the rest, and have purity 0.94: five restarts do not suffice. A
collapsed dimension that repeats an axis makes a subspace of both, unless its collapse is known. Simulated error rates: `python
tests/benchmarks/worlds.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import ndtri

from stabaudit.errors import UsageError
from stabaudit.metrics.blocks import Block, blocks_of
from stabaudit.metrics.checks import require_equal_dimensions
from stabaudit.metrics.followed import Followed, Restarts, agreement_of_pairs, by_dimension, follow, information_of_pairs
from stabaudit.metrics.halves import Halves
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import Measure
from stabaudit.metrics.turned_planes import holm, plane_p_values, plane_quantiles

Verdict = Literal["axis", "subspace", "not_shared", "inactive"]
LEVEL = 0.05  # family-wise error rate, over the dimensions of a run
LEAST_PURITY = 0.9  # of every restart with the others: cos² of 18°
LEAST_INFORMATION = 0.05  # below a twentieth of a dimension's variance there is nothing to call an axis or a subspace


@dataclass(frozen=True)
class DimensionAnatomy:
    """One dimension of a run.

    Args:
        dimension: of the central restart.
        verdict: "axis", "subspace", "not_shared" or "inactive".
        active_restarts: number of restarts in which the matched dimension is active.
        restarts: number of all.
        shared_information: mean R², in (−∞, 1].
        floor: expected `shared_information` of unrelated latents, slightly negative.
        axis_agreement: mean squared correlation with the matched dimensions, in [0, 1].
        correlation: mean |correlation|, in [0, 1].
        purity: about [0, 1], noise can lift it above; like the following None where no information is shared.
        lowest_purity: of a single restart with the others; the restart that is farthest from the axis.
        purity_noise: standard error of `purity` from the finite number of rows.
        purity_null: what purity had to exceed to be called an axis.
        p: probability that a plane turned at random shows such purity.
        p_holm: the same over all dimensions that share information (Holm).
        block: position in `Anatomy.blocks`; None where no information is shared.
    """

    dimension: int
    verdict: Verdict
    active_restarts: int
    restarts: int
    shared_information: float
    floor: float
    axis_agreement: float
    correlation: float
    purity: float | None = None
    lowest_purity: float | None = None
    purity_noise: float | None = None
    purity_null: float | None = None
    p: float | None = None
    p_holm: float | None = None
    block: int | None = None

    @property
    def may_be_axis(self) -> bool:
        """Whether it is an axis, or a subspace that more restarts could show to be one: nothing but their number is missing."""
        if self.lowest_purity is None or self.purity_noise is None or self.active_restarts < self.restarts:
            return False
        return bool(self.lowest_purity + 2 * self.purity_noise * self.restarts**0.5 >= LEAST_PURITY)


@dataclass(frozen=True)
class Anatomy:
    """All dimensions of a run of N restarts.

    Args:
        central: position of the central restart among those of the run.
        matching: the dimension of every restart that is matched with dimension k of the central one, shape (N, d).
        dimensions: one record per dimension of the central restart.
        blocks: dimensions that share a subspace; an axis is a block by itself.
        information: [k, i, j] is the R² of restart i's member of k from all dimensions of j, shape (d, N, N); NaN for i = j.
        agreement: [k, i, j] is the squared correlation of the members in i and j, symmetric, shape (d, N, N); NaN for i = j.
        active: whether the matched dimension is active, shape (N, d).
    """

    central: int
    matching: Array
    dimensions: tuple[DimensionAnatomy, ...]
    blocks: tuple[Block, ...]
    information: Array
    agreement: Array
    active: Array

    def count(self, verdict: Verdict) -> int:
        """Number of dimensions with a verdict."""
        return sum(dimension.verdict == verdict for dimension in self.dimensions)


def anatomy(halves: Halves, restarts: Sequence[int], active: Sequence[Array | None] | None = None) -> Anatomy:
    """Give every dimension of a run its numbers and its verdict.

    Args:
        halves: the moments of the latents.
        restarts: positions of the run's restarts in `halves`, at least two, of equal dimensions.
        active: True for the active dimensions of each restart, shape (d,); None where it is not known.

    Returns:
        Verdicts, however few the restarts. Of two, a plane may be straight by accident: they name axes only where nearly all
        dimensions are.

    Raises:
        UsageError: fewer than two restarts.
        BadData: unequal dimensions.

    Example:
        Four restarts share an axis, and a plane that each of them turns by an angle of its own.

        >>> rng = np.random.default_rng(0)
        >>> z = rng.standard_normal((1000, 3))
        >>> latents = []
        >>> for angle in (0.0, 0.7, 0.3, 1.1):
        ...     plane = z[:, 1:] @ [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
        ...     latents.append(np.column_stack([z[:, 0], plane]) + 0.1 * rng.standard_normal((1000, 3)))
        >>> found = anatomy(Halves.of_rows(latents, np.arange(1000) % 2 == 0), range(4))
        >>> [dimension.verdict for dimension in found.dimensions]
        ['axis', 'subspace', 'subspace']
        >>> [block.dimensions for block in found.blocks]
        [(0,), (1, 2)]
    """
    if len(restarts) < 2:
        raise UsageError("the anatomy of a run needs at least two restarts")
    d = len(halves.marginals[restarts[0]].scale)
    for restart in restarts[1:]:
        require_equal_dimensions(d, len(halves.marginals[restart].scale), f"restarts {restarts[0]} and {restart}")
    run = Restarts.of_run(halves, restarts, [None] * len(restarts) if active is None else active)
    followed = follow(run)
    information = by_dimension(information_of_pairs(run), followed.matching)
    agreement = by_dimension(agreement_of_pairs(run, followed.matching))
    return _judged(run, followed, information, agreement)


def _judged(run: Restarts, followed: Followed, information: Array, agreement: Array) -> Anatomy:
    """Verdicts from the numbers."""
    n, d = followed.matching.shape
    active = np.take_along_axis(run.active, followed.matching, axis=1)
    active_restarts = active.sum(axis=0)
    floor, spread = _unrelated(run.sizes, active)
    shared_information = np.nanmean(information, axis=(1, 2))
    own_of_pairs = by_dimension(followed.own, followed.matching)
    own = np.nanmean(own_of_pairs, axis=(1, 2))
    inactive = 2 * active_restarts < n
    above = shared_information > floor - ndtri(LEVEL / d) * spread
    shared = np.flatnonzero(above & (shared_information - floor >= LEAST_INFORMATION) & (own > 0) & ~inactive)

    purity = followed.profile.diagonal()[shared] / own[shared]
    noise = _purity_noise(purity, own[shared], active_restarts[shared], run)
    seen = active_restarts[shared].clip(min=2)
    p = plane_p_values(purity, seen, noise)
    p_holm = holm(p)
    rejected = p_holm <= LEVEL
    # Purity is significant if and only if its own p-value is below the level at which the procedure stopped.
    stopped = len(shared) - rejected.sum() + rejected
    null = plane_quantiles(LEVEL / stopped.clip(min=1), seen, noise)
    lowest = _lowest_purity(by_dimension(followed.paired)[shared], own_of_pairs[shared], active.T[shared])
    is_axis = rejected & (lowest + 2 * noise * np.sqrt(seen) >= LEAST_PURITY) & (active_restarts[shared] == n)

    blocks = blocks_of(followed.profile, own, _entry_noise(run), shared[~is_axis].tolist(), shared[is_axis].tolist())
    block_of = {k: position for position, block in enumerate(blocks) for k in block.dimensions}
    records = [
        DimensionAnatomy(
            dimension=k,
            verdict="inactive" if inactive[k] else "not_shared",
            active_restarts=int(active_restarts[k]),
            restarts=n,
            shared_information=float(shared_information[k]),
            floor=float(floor[k]),
            axis_agreement=float(np.nanmean(agreement[k])),
            correlation=float(np.nanmean(np.sqrt(agreement[k]))),
        )
        for k in range(d)
    ]
    for position, k in enumerate(shared.tolist()):
        records[k] = replace(
            records[k],
            verdict="axis" if is_axis[position] else "subspace",
            purity=float(purity[position]),
            lowest_purity=float(lowest[position]),
            purity_noise=float(noise[position]),
            purity_null=float(null[position]),
            p=float(p[position]),
            p_holm=float(p_holm[position]),
            block=block_of[k],
        )
    return Anatomy(followed.central, followed.matching, tuple(records), blocks, information, agreement, active)


def _unrelated(sizes: tuple[int, int], active: Array) -> tuple[Array, Array]:
    """Mean of shared information and its standard deviation had all restarts been unrelated, shape (d,) each.

    A regression on p unrelated dimensions, fitted on n rows and scored on m, has slopes of variance 1/(n − p − 2) each: R² is
    lower than 0 by their sum and by the squared distance of the means, 1/n + 1/m, and varies by 4p/(nm) + 2p/n².
    Pairs are uncorrelated, but (i, j) and (j, i) are not: variances are doubled.
    """
    n, m = sizes
    restarts = len(active)
    p = active.sum(axis=1)
    left = np.maximum(n - p - 2, 1)
    lost = p / left + 1 / n + 1 / m
    variance = 4 * p / (left * m) + 2 * p / left**2 + 2 * (1 / n + 1 / m) ** 2
    pairs = restarts * (restarts - 1)
    sources = active.T @ np.column_stack([lost.sum() - lost, variance.sum() - variance])  # of every member, all other restarts
    return -sources[:, 0] / pairs, np.sqrt(2 * sources[:, 1]) / pairs


def _lowest_purity(paired: Array, own: Array, active: Array) -> Array:
    """Purity of the restart that has the least with the others, among those with an active member, shape (m,)."""
    information = np.nansum(own + own.mT, axis=2)
    purity = np.divide(2 * np.nansum(paired, axis=2), information, out=np.zeros_like(information), where=information > 0)
    lowest: Array = np.where(active, purity, np.inf).min(axis=1)
    return lowest


def _entry_noise(run: Restarts) -> float:
    """Standard error of an entry of the profile where nothing is shared."""
    n, m = run.sizes
    restarts = len(run.active)
    return float(1 / np.sqrt(n * m * restarts * (restarts - 1) / 2))


def _purity_noise(purity: Array, own: Array, restarts: Array, run: Restarts) -> Array:
    """Standard error of purity from the finite number of rows, shape (m,).

    With ρ² the information about a member, its correlation with another's foreign dimension has variance (1 − ρ²)/n. Noise of the
    sum over those dimensions is of products of two such errors, and of what is spilt there times one. Over the pairs it averages
    as over 2N independent values (in simulation the standard error is 0.75 to 0.95 of this one).
    """
    n, m = run.sizes
    others = max(run.active.sum(axis=1).mean() - 1, 0.0)
    unknown = (1.0 - own).clip(0.0, 1.0)
    spilt = (own - own * purity).clip(min=0.0)
    variance = others * unknown**2 / (n * m) + spilt * unknown * (1 / n + 1 / m)
    noise: Array = np.sqrt(variance / (2 * restarts)) / own
    return noise


REPRODUCIBLE_AXES = Measure(
    name="reproducible_axes",
    label="reproducible axes",
    meaning="how many dimensions are the same axes in every restart",
    low=0.0,
    high=np.inf,
    reference="our definition: anatomy of a run",
    needs="moments",
    unit="run",
    of_sources=False,
    cost="N² d³",
)

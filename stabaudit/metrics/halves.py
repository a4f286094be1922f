"""The moments of *fit* and of *score*, read restart by restart and pair by pair in units of the standard deviations on *fit*.

In these units a covariance on *fit* is a correlation. A restart's whitening W is estimated on *fit* too: with the correlations
S = VΛVᵀ, W = VΛ^(−1/2) over the eigenvalues that are numerically not zero, so that WᵀSW = I and WWᵀ is the pseudo-inverse of S.
Of all whitened coordinates those of VΛ^(−1/2)Vᵀ lie closest to the dimensions themselves (Kessy et al. 2018, ZCA-cor): they are
the dimensions with what they share taken out, evenly.

What is defined for one restart or pair holds for many of one shape too, stacked along leading axes "…".

A dimension is dead if its variance on *fit* is zero, or below what its own size resolves in double precision; the units of other
dimensions do not count. Elsewhere a variance below 1e-12 of the one it is compared with counts as zero: for an eigenvalue, the
largest one; for a dimension or canonical variate on *score*, its own variance on *fit*.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate, pairwise
from typing import NamedTuple, Self

import numpy as np

from stabaudit.errors import BadData
from stabaudit.metrics.moments import Moments, moments_of
from stabaudit.metrics.pair_scores import Array, Pair
from stabaudit.metrics.threads import in_parallel

NEGLIGIBLE_VARIANCE = 1e-12
_INCOMPARABLE = 1e30  # a variance on *score* in units of that on *fit*: beyond it products of single precision overflow
_RESOLUTION = 4 * np.finfo(np.float64).eps  # of a value, relative to its size


class Cross(NamedTuple):
    """Covariances between the dimensions of a and of b on both halves, in units of *fit*, shape (…, d_a, d_b) each.

    `fit` therefore holds correlations. Rows and columns of dead dimensions are zero.
    """

    fit: Array
    score: Array

    @property
    def transposed(self) -> "Cross":
        """The same seen from b, shape (…, d_b, d_a) each."""
        return Cross(self.fit.mT, self.score.mT)

    @staticmethod
    def stacked(crosses: Sequence["Cross"]) -> "Cross":
        """Pairs of one shape along a new first axis."""
        return Cross(np.stack([cross.fit for cross in crosses]), np.stack([cross.score for cross in crosses]))


@dataclass(frozen=True)
class Marginal:
    """One restart by itself.

    Args:
        mean: on *fit*, in the latents' own units, shape (…, d).
        scale: standard deviations on *fit*, in the latents' own units, shape (…, d); 0 for dead dimensions.
        drift: mean on *score* − mean on *fit*, in units of `scale`, shape (…, d).
        fit: correlations on *fit*, shape (…, d, d); zero where a dimension is dead.
        score: covariances on *score* in units of `scale`, shape (…, d, d).
        variance_on_score: their diagonals, shape (…, d).
        whitening: W with WᵀSW = I for the correlations S on *fit*, shape (…, d, rank).
        whitened_score: covariances on *score* of the whitened rows, shape (…, rank, rank).
        whitened_drift: drift of the whitened rows, shape (…, rank).
        decorrelation: VΛ^(−1/2)Vᵀ, its columns scaled to unit variance on *fit*, shape (…, d, d); zero where a dimension is dead.
        decorrelated_variance_on_score: variances on *score* of the rows it gives, shape (…, d).
    """

    mean: Array
    scale: Array
    drift: Array
    fit: Array
    score: Array
    variance_on_score: Array
    whitening: Array
    whitened_score: Array
    whitened_drift: Array
    decorrelation: Array
    decorrelated_variance_on_score: Array

    @classmethod
    def stacked(cls, marginals: "Sequence[Marginal]") -> Self:
        """Restarts of one dimension and rank along a new first axis."""
        return cls(*(np.stack([getattr(marginal, field.name) for marginal in marginals]) for field in fields(cls)))

    @property
    def dead(self) -> tuple[int, ...]:
        """Dimensions without variance on *fit*."""
        return tuple(np.flatnonzero(self.scale == 0).tolist())

    @property
    def relative_scale(self) -> Array:
        """`scale` in units of its largest, for scores that weigh dimensions by variance: no power of it over- or underflows."""
        largest = self.scale.max(axis=-1, keepdims=True)
        relative: Array = self.scale / np.where(largest > 0, largest, 1.0)
        return relative

    @property
    def rank(self) -> int:
        """Number of linearly independent directions on *fit*."""
        return int(self.whitening.shape[-1])

    def turned(self, turnings: Array) -> "Marginal":
        """The restart after linear maps that give its dimensions unit variance on *fit*, such as random rotations.

        Args:
            turnings: of standardised rows, shape (…, d, d); columns of zeros give dead dimensions.

        Returns:
            Its moments, stacked. After a rotation of whitened rows the new dimensions are uncorrelated and their own whitening.
        """
        stack = turnings.shape[:-2]
        alive = (turnings != 0).any(axis=tuple(range(turnings.ndim - 1)))
        score, drift = turnings.mT @ self.score @ turnings, self.drift @ turnings
        variance = score.diagonal(axis1=-2, axis2=-1)
        identity = np.broadcast_to(np.diag(alive.astype(float)), score.shape)
        whole = int(alive.sum()) == self.rank
        fit = identity if whole else turnings.mT @ self.fit @ turnings
        if whole:
            whitening = identity[..., alive]
            whitened_score, whitened_drift = score[..., alive, :][..., alive], drift[..., alive]
        else:
            flat = [_whitening(one) for one in fit.reshape(-1, *fit.shape[-2:])]
            whitening = np.stack([one[:, -self.rank :] for one in flat]).reshape(*stack, len(alive), -1)
            whitened_score = whitening.mT @ score @ whitening
            whitened_drift = (drift[..., None, :] @ whitening)[..., 0, :]
        return Marginal(
            mean=np.zeros((*stack, len(alive))),
            scale=np.broadcast_to(alive.astype(float), (*stack, len(alive))),
            drift=drift,
            fit=fit,
            score=score,
            variance_on_score=variance,
            whitening=whitening,
            whitened_score=whitened_score,
            whitened_drift=whitened_drift,
            decorrelation=identity,
            decorrelated_variance_on_score=variance,
        )

    def repeated(self, count: int) -> "Marginal":
        """The restart as so many stacked ones."""
        return Marginal(*(np.broadcast_to(own, (count, *own.shape)) for own in (getattr(self, f.name) for f in fields(self))))

    def in_own_units(self, linear: Array) -> Array:
        """The linear map of standardised rows, shape (d, m), as one of rows in the latents' own units."""
        return reciprocal(self.scale)[:, None] * linear


@dataclass(frozen=True)
class Halves:
    """All restarts on both halves.

    Args:
        fit: moments of the stacked dimensions on *fit*.
        score: the same on *score*.
        blocks: the columns of each restart among the stacked ones.
        marginals: each restart by itself.
    """

    fit: Moments
    score: Moments
    blocks: tuple[slice, ...]
    marginals: tuple[Marginal, ...]

    @classmethod
    def of_moments(cls, fit: Moments, score: Moments, sizes: Sequence[int]) -> Self:
        """Cut stacked moments into restarts of the given numbers of dimensions."""
        blocks = tuple(slice(*ends) for ends in pairwise(accumulate(sizes, initial=0)))
        return cls(fit, score, blocks, tuple(in_parallel(lambda block: _marginal(fit, score, block), blocks)))

    @classmethod
    def of_rows(cls, latents: Sequence[Array], fit: Array | None) -> Self:
        """Take the moments of rows in memory.

        Args:
            latents: one array per restart, shapes (n, d_r).
            fit: True for rows of *fit*, shape (n,); None lets all rows serve as both halves.
        """
        every = np.ones(len(latents[0]), dtype=bool) if fit is None else fit
        on_fit = moments_of(latents, np.flatnonzero(every))
        on_score = on_fit if fit is None else moments_of(latents, np.flatnonzero(~every))
        return cls.of_moments(on_fit, on_score, [z.shape[1] for z in latents])

    def of_dimensions(self, chosen: Mapping[int, Array]) -> "Halves":
        """The moments of some dimensions of some restarts, by position, at least one each; in the order of the mapping."""
        columns = np.concatenate([self.blocks[restart].start + np.asarray(own) for restart, own in chosen.items()])
        both = np.ix_(columns, columns)
        fit, score = (Moments(m.n, m.mean[columns], m.covariance[both]) for m in (self.fit, self.score))
        return Halves.of_moments(fit, score, [len(own) for own in chosen.values()])

    def pair(self, a: int, b: int) -> tuple[Marginal, Marginal, Cross]:
        """What a measure of moments is computed from: both restarts and their cross-moments."""
        return self.marginals[a], self.marginals[b], self.cross(a, b)

    def cross(self, a: int, b: int) -> Cross:
        """Cross-moments of restarts a and b."""
        rows, columns = self.blocks[a], self.blocks[b]
        return self.standardised(a, b, Cross(self.fit.covariance[rows, columns], self.score.covariance[rows, columns]))

    def crosses(self, pairs: Sequence[Pair]) -> list[Cross]:
        """Cross-moments of pairs."""
        return [self.cross(*pair) for pair in pairs]

    def tiles(self, pairs: Sequence[Pair]) -> list[list[int]]:
        """Positions of pairs whose cross-moments are made together: all of them."""
        return [list(range(len(pairs)))]

    def of_restarts(self, restarts: Sequence[int]) -> "Halves":
        """Some restarts by themselves, with their joint covariances."""
        return self.of_dimensions({restart: np.arange(len(self.marginals[restart].scale)) for restart in restarts})

    def standardised(self, a: int, b: int, cross: Cross) -> Cross:
        """Cross-moments of restarts a and b in the latents' own units, as ones in units of *fit*."""
        units = reciprocal(self.marginals[a].scale)[:, None] * reciprocal(self.marginals[b].scale)
        return Cross(cross.fit * units, cross.score * units)


def _marginal(fit: Moments, score: Moments, block: slice) -> Marginal:
    covariance, mean = fit.covariance[block, block], fit.mean[block]
    variance = covariance.diagonal()
    if not np.isfinite(variance).all():
        raise BadData("latents hold values whose squares exceed the range of float64; rescale them")
    alive = variance > (_RESOLUTION * (np.abs(mean) + np.sqrt(variance.clip(min=0.0)))) ** 2
    scale = np.sqrt(np.where(alive, variance, 0.0))
    unit = reciprocal(scale)
    units = unit[:, None] * unit
    correlations, on_score = covariance * units, score.covariance[block, block] * units
    if not (on_score.diagonal() < _INCOMPARABLE).all():
        raise BadData("latents hold values that are 1e15 times larger than all those of the other half; look for an outlier")
    drift = (score.mean[block] - mean) * unit
    whitening = _whitening(correlations)
    decorrelation = _decorrelation(whitening, scale)
    return Marginal(
        mean=mean,
        scale=scale,
        drift=drift,
        fit=correlations,
        score=on_score,
        variance_on_score=on_score.diagonal(),
        whitening=whitening,
        whitened_score=whitening.T @ on_score @ whitening,
        whitened_drift=drift @ whitening,
        decorrelation=decorrelation,
        decorrelated_variance_on_score=(decorrelation * (on_score @ decorrelation)).sum(axis=0),
    )


def _whitening(correlations: Array) -> Array:
    eigenvalues, vectors = np.linalg.eigh(correlations)
    present = eigenvalues > NEGLIGIBLE_VARIANCE * eigenvalues[-1]
    whitening: Array = vectors[:, present] / np.sqrt(eigenvalues[present])
    return whitening


def _decorrelation(whitening: Array, scale: Array) -> Array:
    vectors = whitening / np.linalg.norm(whitening, axis=0)
    alive = scale > 0
    units = reciprocal(np.where(alive, np.linalg.norm(vectors, axis=1), 0.0))  # less than 1 where the rank is
    decorrelation: Array = whitening @ vectors.T * units
    return decorrelation


def reciprocal(scale: Array) -> Array:
    """1/scale, and 0 for dead dimensions."""
    return np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)


def correlation(covariance: Array, variance_a: Array, variance_b: Array) -> Array:
    """Covariances in units of *fit* made correlations, in [−1, 1]; 0 where a variance is negligible. Arguments broadcast."""
    present = (variance_a > NEGLIGIBLE_VARIANCE) & (variance_b > NEGLIGIBLE_VARIANCE)
    product = np.where(present, variance_a * variance_b, 1.0)
    scaled: Array = np.where(present, covariance / np.sqrt(product), 0.0)
    return scaled.clip(-1.0, 1.0)

"""Follows the dimensions of a run through its restarts, by moments alone; what `stabaudit.metrics.anatomy` judges by."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from scipy.optimize import linear_sum_assignment

from stabaudit.metrics.affine import affine
from stabaudit.metrics.halves import Cross, Halves, Marginal, correlation
from stabaudit.metrics.moments import Moments
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.threads import in_parallel, single_threaded


@dataclass(frozen=True)
class Restarts:
    """N restarts of d dimensions, stacked; inactive dimensions are as dead ones.

    Args:
        fit: moments of all stacked dimensions on *fit*.
        score: the same on *score*.
        columns: the restarts' dimensions among the stacked ones, shape (N, d).
        marginals: in units of *fit*, whitenings filled up with zeros to d columns.
        on_fit: maps of latents to dimensions decorrelated on *fit*, shape (N, d, d).
        on_score: the same on *score*.
        presence: squared lengths of the decorrelated dimensions before they were scaled to unit variance, shape (N, d): 1 at full
            rank. With these weights squared correlations sum to R² at any rank.
    """

    fit: Moments
    score: Moments
    columns: Array
    marginals: Marginal
    on_fit: Array
    on_score: Array
    presence: Array

    @classmethod
    def of_run(cls, halves: Halves, restarts: Sequence[int], active: Sequence[Array | None]) -> Self:
        """Take in restarts of equal dimensions.

        Args:
            halves: the moments of the latents.
            restarts: positions in `halves`.
            active: True for the active dimensions of each restart, shape (d,); None where it is not known.
        """
        with single_threaded():
            known = zip(restarts, active, strict=True)
            both = [_marginals(halves, restart, mask) for restart, mask in known]
        fit = Marginal.stacked([marginal for marginal, _ in both])
        lengths = np.linalg.norm(fit.whitening, axis=1, keepdims=True)
        directions = np.divide(fit.whitening, lengths, out=np.zeros_like(fit.whitening), where=lengths > 0)
        return cls(
            fit=halves.fit,
            score=halves.score,
            columns=np.array([np.arange(halves.blocks[r].start, halves.blocks[r].stop) for r in restarts]),
            marginals=fit,
            on_fit=np.stack([marginal.in_own_units(marginal.decorrelation) for marginal, _ in both]),
            on_score=np.stack([marginal.in_own_units(marginal.decorrelation) for _, marginal in both]),
            presence=(directions**2).sum(axis=2),
        )

    @property
    def active(self) -> Array:
        """True for dimensions that are active, or not known to be inactive, shape (N, d)."""
        present: Array = self.marginals.scale > 0
        return present

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of rows of *fit* and *score*."""
        return self.fit.n, self.score.n

    def covariances(self, half: Moments, i: int, others: slice) -> Array:
        """Covariances of restart i with others in the latents' own units, shape (others, d, d)."""
        theirs = self.columns[others]
        block: Array = half.covariance[self.columns[i][:, None], theirs.ravel()]
        return block.reshape(-1, *theirs.shape).transpose(1, 0, 2)


def _marginals(halves: Halves, restart: int, active: Array | None) -> tuple[Marginal, Marginal]:
    """One restart in units of *fit*, and in units of *score*."""
    block = halves.blocks[restart]
    keep = np.ones(block.stop - block.start) if active is None else np.asarray(active, dtype=float)
    fit, score = (
        Moments(half.n, half.mean[block], half.covariance[block, block] * np.outer(keep, keep))
        for half in (halves.fit, halves.score)
    )
    own, other = (Halves.of_moments(*both, [len(keep)]).marginals[0] for both in ((fit, score), (score, fit)))
    return _filled(own), other


def _filled(marginal: Marginal) -> Marginal:
    """The same with d columns of whitening: zeros add nothing to a regression, and restarts of any rank can be stacked."""
    missing = len(marginal.scale) - marginal.rank
    return replace(
        marginal,
        whitening=np.pad(marginal.whitening, ((0, 0), (0, missing))),
        whitened_score=np.pad(marginal.whitened_score, (0, missing)),
        whitened_drift=np.pad(marginal.whitened_drift, (0, missing)),
    )


@dataclass(frozen=True)
class Followed:
    """What the decorrelated correlations of all pairs give.

    With F and S the correlations of the decorrelated dimensions of restarts i and j on *fit* and on *score*, each half
    decorrelated by itself, F·S estimates a squared correlation without bias: what is noise on one half is not on the other.

    Args:
        central: position of the restart whose mean matched correlation with the others is largest.
        matching: the dimension of every restart that is matched with dimension k of the central one, shape (N, d).
        own: [i, j, a] is Σ_l F_al S_al, the information in j about the decorrelated dimension a of i, shape (N, N, d).
        paired: [i, j, k] is F·S of the members of k in i and j, symmetric, shape (N, N, d).
        profile: [k, l] is the part of the information that members of k have from members of l, mean over ordered pairs, (d, d).
    """

    central: int
    matching: Array
    own: Array
    paired: Array
    profile: Array


def follow(run: Restarts) -> Followed:
    """Match the dimensions of all pairs on *fit*, and those of the central restart with all others."""
    n, d = run.active.shape
    own, strength = np.zeros((n, n, d)), np.zeros((n, n))
    partners = np.tile(np.arange(d), (n, n, 1))

    def products_of(i: int) -> Array:
        """F·S of restart i with all later ones; single precision, as all pairs are kept."""
        later = slice(i + 1, n)
        on_fit = run.on_fit[i].T @ run.covariances(run.fit, i, later) @ run.on_fit[later]
        on_score = run.on_score[i].T @ run.covariances(run.score, i, later) @ run.on_score[later]
        products = on_fit * on_score
        own[i, later] = (products @ run.presence[later, :, None])[..., 0]
        own[later, i] = run.presence[i] @ products
        for j, correlations in enumerate(np.abs(on_fit), start=i + 1):
            rows, matched = linear_sum_assignment(correlations, maximize=True)
            partners[i, j], partners[j, i] = matched, np.argsort(matched)
            strength[i, j] = strength[j, i] = correlations[rows, matched].mean()
        kept: Array = products.astype(np.float32)
        return kept

    products = in_parallel(products_of, range(n - 1), "restarts followed")
    central = int(strength.sum(axis=1).argmax())
    matching: Array = partners[central]
    profile, paired = np.zeros((d, d)), np.zeros((n, n, d))
    for i, rows in enumerate(products):
        members = np.take_along_axis(rows[:, matching[i]], matching[i + 1 :, None, :], axis=2)
        paired[i, i + 1 :] = paired[i + 1 :, i] = members.diagonal(axis1=1, axis2=2)
        profile += members.sum(axis=0, dtype=np.float64)
    return Followed(central, matching, own, paired, (profile + profile.T) / (n * (n - 1)))


def information_of_pairs(run: Restarts) -> Array:
    """[i, j, a] is the out-of-sample R² of dimension a of i from all dimensions of j, shape (N, N, d)."""
    n, d = run.active.shape
    unit = np.divide(1.0, run.marginals.scale, out=np.zeros((n, d)), where=run.active)
    information = np.empty((n, n, d))

    def from_source(j: int) -> None:
        units = unit[j, :, None] * unit[:, None, :]
        cross = Cross(*(run.covariances(half, j, slice(None)) * units for half in (run.fit, run.score)))
        source = Marginal(*(getattr(run.marginals, field.name)[j] for field in fields(Marginal)))
        information[:, j] = affine(source, run.marginals, cross).outside.per_dimension

    in_parallel(from_source, range(n), "restarts regressed on")
    return information


def agreement_of_pairs(run: Restarts, matching: Array) -> Array:
    """[i, j, k] is the squared correlation on *score* of the members of k, decorrelated on *fit*, shape (N, N, d)."""
    n, d = matching.shape
    members = np.take_along_axis(run.on_fit, matching[:, None, :], axis=2)
    variance = np.take_along_axis(run.marginals.decorrelated_variance_on_score, matching, axis=1)
    agreement = np.empty((n, n, d))

    def with_all(i: int) -> None:
        covariance = (members[i].T @ run.covariances(run.score, i, slice(None))).mT * members
        agreement[i] = correlation(covariance.sum(axis=1), variance[i], variance) ** 2

    in_parallel(with_all, range(n), "restarts matched")
    return agreement


def by_dimension(values: Array, matching: Array | None = None) -> Array:
    """Pair values of shape (N, N, d) as one matrix per dimension, shape (d, N, N), NaN for pairs of a restart with itself.

    Args:
        values: [i, j, a].
        matching: takes [i, j, matching[i, k]] for k, shape (N, d); None where the last axis is k already.
    """
    taken = values if matching is None else np.take_along_axis(values, matching[:, None, :], axis=2)
    arranged = taken.transpose(2, 0, 1).copy()
    each = np.arange(len(values))
    arranged[:, each, each] = np.nan
    return arranged

"""What a score would be by chance.

*Independence floor*: the rows of b are permuted and everything is refitted. Rows are permuted within *fit* and within *score*, so
that a restart's own moments stay as they are on either half and only the cross-moments are new: one matrix product per draw
serves all pairs. Permuting all rows and cutting them again gives either MCC the same floor (a test holds one against the other);
it would let the floor of out-of-sample R² vary with the cut, which the score does not.

*Rotation floor* (strong MCC only): b is whitened and turned, b → (b − b̄)WQ with Q Haar-distributed over the orthogonal matrices,
which keeps every affine relation between a and b and destroys the axes. It is what strong MCC would be if the two agreed only up
to an affine map, and it needs no rows: the cross-moments of the turned b are those of b times WQ. Where b has rank r < d, Q is
the first r rows of a d × d rotation, its columns rescaled: d random directions of unit variance in the space that b spans, so
that as many dimensions are matched as in the score itself. Dead dimensions stay dead, for the same reason.

`adjusted` places a score between its floor, 0, and agreement, 1.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stabaudit.metrics.halves import Cross, Halves, Marginal
from stabaudit.metrics.moments import Moments, stacked_chunks
from stabaudit.metrics.results import Array


def adjusted(score: float, floor: float) -> float:
    """(M − M₀)/(1 − M₀): 0 at the floor, 1 at agreement; 0 where the floor leaves no room (M₀ = 1, as for rotations of d = 1).

    >>> adjusted(0.75, 0.5), adjusted(0.5, 0.5), adjusted(1.0, 1.0)
    (0.5, 0.0, 0.0)
    """
    room = 1.0 - floor
    return 0.0 if room < 1e-9 else (score - floor) / room


def p_value(score: float, draws: Array) -> float:
    """Monte-Carlo p-value (1 + #{draws ≥ score})/(1 + K) of a score against K draws of its floor.

    >>> p_value(0.5, np.array([0.1, 0.6, 0.5, 0.2]))
    0.6
    """
    return (1 + int((draws >= score).sum())) / (1 + len(draws))


def permuted_within_halves(fit: Array, *, rng: np.random.Generator) -> Array:
    """Row numbers in a random order that keeps every row in its half: True rows of `fit` among themselves, False rows too."""
    order = np.arange(len(fit))
    for half in (fit, ~fit):
        order[half] = rng.permutation(order[half])
    return order


def with_rows_permuted(halves: Halves, latents: Sequence[Array], fit: Array, order: Array) -> Halves:
    """The same restarts, with the cross-moments of every a with a row-permuted b.

    Args:
        halves: the moments of the latents.
        latents: one array per restart, shapes (n, d_r).
        fit: True for rows of *fit*, shape (n,).
        order: row numbers, of *fit* in the rows of *fit*, shape (n,).
    """
    return replace(
        halves,
        fit=_cross_moments(halves.fit, latents, np.flatnonzero(fit), order),
        score=_cross_moments(halves.score, latents, np.flatnonzero(~fit), order),
    )


def _cross_moments(moments: Moments, latents: Sequence[Array], rows: Array, order: Array) -> Moments:
    products = np.zeros_like(moments.covariance)
    for left, right in zip(stacked_chunks(latents, rows), stacked_chunks(latents, order[rows]), strict=True):
        products += (left - moments.mean).T @ (right - moments.mean)
    return replace(moments, covariance=products / moments.n)


def turn(b: Marginal, *, rng: np.random.Generator) -> Array:
    """Draw WQ, which whitens and turns b.

    Args:
        b: the restart, in units of its standard deviations on *fit*.
        rng: draws Q.

    Returns:
        Shape (d_b, d_b); the columns of dead dimensions are zero, the others give unit variance on *fit*.
    """
    alive = b.scale > 0
    directions = np.zeros((b.rank, len(b.scale)))
    directions[:, alive] = haar_orthogonal(int(alive.sum()), rng=rng)[: b.rank]
    directions[:, alive] /= np.linalg.norm(directions[:, alive], axis=0)
    turned: Array = b.whitening @ directions
    return turned


def turned_cross(cross: Cross, turning: Array) -> Cross:
    """Cross-moments of a with b turned."""
    return Cross(cross.fit @ turning, cross.score @ turning)


def turned_variance_on_score(b: Marginal, turning: Array) -> Array:
    """Variances on *score* of b turned, in units of *fit*, shape (d_b,)."""
    variance: Array = (turning * (b.score @ turning)).sum(axis=0)
    return variance


def haar_orthogonal(d: int, *, rng: np.random.Generator) -> Array:
    """Draw an orthogonal matrix uniformly, shape (d, d): QR of a Gaussian matrix, signs fixed by R's diagonal (Mezzadri 2007)."""
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    orthogonal: Array = q * np.where(r.diagonal() < 0, -1.0, 1.0)
    return orthogonal

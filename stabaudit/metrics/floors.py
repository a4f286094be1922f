"""What a score would be by chance.

*Independence floor*: the rows of b are permuted and everything is refitted. Rows are permuted within *fit* and within *score*, so
that a restart's own moments stay as they are on either half and only the cross-moments are new: one matrix product per draw
and pair. Permuting all rows and cutting them again gives either MCC the same floor (a test holds one against the other);
it would let the floor of out-of-sample R² vary with the cut, which the score does not.

Where rows are not at hand, as when they were streamed, the cross-moments of unrelated latents are drawn from the moments alone.
With covariances S_a = AAᵀ and S_b = BBᵀ of n rows, turning the n rows of b about their mean at random gives the cross-covariance

    A H Bᵀ,  H a corner of a Haar-distributed orthogonal matrix of order n − 1,

which is the law of normal rows given their covariances. Permutations agree with it within Monte-Carlo error up to tails as heavy
as Laplace's; of heavier ones, in-sample strong MCC comes out low (Student's t with 3 degrees of freedom, n = 5,000, d = 50: by
2%). Rows in memory are therefore permuted.

*Rotation floor* (of scores that see axes): b is whitened and turned, b → (b − b̄)WQ with Q Haar-distributed over the orthogonal
matrices, which keeps every affine relation between a and b and destroys the axes. It is what a score would be if the two agreed
only up to an affine map, and it needs no rows: the cross-moments of the turned b are those of b times WQ. Which of the two is
turned makes a difference, so b is turned in one half of the draws and a in the other. Where b has rank r < d, Q is r
rows of a d × d rotation, its columns rescaled: d random directions of unit variance in the space that b spans, so that as many
dimensions are matched as in the score itself. Dead dimensions stay dead, for the same reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stabaudit.metrics.halves import Cross, Halves, Marginal, reciprocal
from stabaudit.metrics.moments import chunk_rows
from stabaudit.metrics.pair_scores import Array, Pair
from stabaudit.metrics.threads import in_parallel

_KEPT = 256 << 20  # bytes that standardised rows may take to be kept


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


@dataclass(frozen=True)
class Draws:
    """How floors are drawn.

    Args:
        number: at least 1.
        seed: one number, or several such as a seed and the place of a restart in its run.
    """

    number: int = 20
    seed: int | tuple[int, ...] = 0

    def at(self, place: int) -> "Draws":
        """Those of the restart at a place, which differ from place to place."""
        return Draws(self.number, (*([self.seed] if isinstance(self.seed, int) else self.seed), place))

    def rng(self) -> np.random.Generator:
        """What they are drawn with."""
        return np.random.default_rng(self.seed)

    def orders(self, fit: Array) -> list[Array]:
        """Row numbers in random orders that keep every row in its half."""
        rng = self.rng()
        return [permuted_within_halves(fit, rng=rng) for _ in range(self.number)]


DRAWS = Draws()


class StandardisedRows:
    """Rows of every restart, centred on the mean of their half and in units of *fit*, in single precision.

    They are standardised in double precision and multiplied in single: at twice the speed, with an error of 1e-6 in a correlation
    whose Monte-Carlo error is 1/√n. Where they take little memory they are kept from draw to draw.

    Args:
        halves: the moments of the latents.
        latents: one array per restart, shapes (n, d_r).
        fit: True for rows of *fit*, shape (n,).
    """

    def __init__(self, halves: Halves, latents: Sequence[Array], fit: Array) -> None:
        self.halves, self._latents = halves, latents
        self.moments, self.rows = (halves.fit, halves.score), (np.flatnonzero(fit), np.flatnonzero(~fit))
        self._place = np.empty(len(fit), dtype=np.intp)  # of a row in its half
        for own in self.rows:
            self._place[own] = np.arange(len(own))
        self._units = [reciprocal(marginal.scale) for marginal in halves.marginals]
        small = len(fit) * halves.blocks[-1].stop * np.float32().itemsize <= _KEPT
        self._kept = in_parallel(self._standardise, range(len(latents))) if small else None

    def _standardise(self, restart: int) -> list[Array]:
        return [self._computed(restart, half, slice(None)) for half in (0, 1)]

    def _computed(self, restart: int, half: int, which: slice | Array) -> Array:
        mean = self.moments[half].mean[self.halves.blocks[restart]]
        found: Array = ((self._latents[restart][self.rows[half][which]] - mean) * self._units[restart]).astype(np.float32)
        return found

    def of(self, restart: int, half: int, which: slice | Array) -> Array:
        """Some rows of a restart, shape (m, d_r), by their places in *fit* (half 0) or in *score* (half 1)."""
        return self._computed(restart, half, which) if self._kept is None else self._kept[restart][half][which]

    def permuted_places(self, order: Array, half: int) -> Array:
        """An order of all rows that keeps every row in its half, as one of the places in a half."""
        places: Array = self._place[order[self.rows[half]]]
        return places


def permuted_crosses(standardised: StandardisedRows, order: Array, pairs: Sequence[Pair]) -> list[Cross]:
    """Cross-moments of every a with the row-permuted b of its pair.

    Args:
        standardised: the rows.
        order: row numbers, of *fit* in the rows of *fit*, shape (n,).
        pairs: positions (a, b) of restarts.
    """
    products = [_permuted_products(standardised, half, standardised.permuted_places(order, half), pairs) for half in (0, 1)]
    return [Cross(*both) for both in zip(*products, strict=True)]


def _permuted_products(standardised: StandardisedRows, half: int, places: Array, pairs: Sequence[Pair]) -> list[Array]:
    """Covariances, in units of *fit*, of the rows of a in a half with those of b in other places, for every pair."""
    widths = [block.stop - block.start for block in standardised.halves.blocks]
    products = [np.zeros((widths[a], widths[b])) for a, b in pairs]
    step = chunk_rows(2 * max(widths))
    for start in range(0, len(places), step):
        part = slice(start, start + step)
        permuted: dict[int, Array] = {}
        for position, (a, b) in enumerate(pairs):
            if b not in permuted:
                permuted = {b: standardised.of(b, half, places[part])}
            products[position] += standardised.of(a, half, part).T @ permuted[b]
    return [product / len(places) for product in products]


class Roots(NamedTuple):
    """A with AAᵀ = S of a restart's covariances S on both halves, in units of *fit*, shape (…, d, min(d, n − 1)) each."""

    fit: Array
    score: Array


def roots(marginal: Marginal, sizes: tuple[int, int]) -> Roots:
    """Roots of the covariances of a restart on halves of the given numbers of rows."""
    return Roots(_root(marginal.fit, sizes[0]), _root(marginal.score, sizes[1]))


def _root(covariance: Array, n: int) -> Array:
    eigenvalues, vectors = np.linalg.eigh(covariance)
    root: Array = vectors * np.sqrt(eigenvalues.clip(min=0.0))
    return root[:, -(n - 1) :]  # n rows about their mean span n − 1 directions; eigenvalues ascend


def chance_cross(a: Roots, b: Roots, sizes: tuple[int, int], *, rng: np.random.Generator) -> Cross:
    """Draw the cross-moments of unrelated latents with the moments of a and b.

    Args:
        a: roots of the first restarts, stacked along a first axis.
        b: roots of the second ones, stacked.
        sizes: numbers of rows of *fit* and *score*.
        rng: draws H, for every pair anew.

    Returns:
        Stacked cross-moments, shape (pairs, d_a, d_b) each.
    """
    halves = []
    for left, right, n in ((a.fit, b.fit, sizes[0]), (a.score, b.score, sizes[1])):
        corner = haar_corner(n - 1, left.shape[-1], right.shape[-1], count=len(left), rng=rng)
        halves.append(left @ corner @ right.mT)
    return Cross(*halves)


def haar_corner(order: int, rows: int, columns: int, *, count: int, rng: np.random.Generator) -> Array:
    """Draw the first rows and columns of Haar-distributed orthogonal matrices, shape (count, rows, columns).

    The first columns of such a matrix are the Q of a tall Gaussian matrix. Only the first rows of Q are wanted, so what lies
    below them enters by its own triangular factor alone: normal above the diagonal, on it the square roots of χ² with as many
    degrees of freedom as rows are left (Bartlett 1933).

    Args:
        order: of the whole matrix, at least as large as `rows` and `columns`.
        rows: wanted.
        columns: wanted.
        count: number of draws.
        rng: draws them.
    """
    above = rng.standard_normal((count, rows, columns))
    left = order - rows
    if left < columns:
        below = rng.standard_normal((count, left, columns))
    else:
        below = np.triu(rng.standard_normal((count, columns, columns)), 1)
        diagonal = np.arange(columns)
        below[:, diagonal, diagonal] = np.sqrt(rng.chisquare(left - diagonal, size=(count, columns)))
    q, r = np.linalg.qr(np.concatenate([above, below], axis=1))
    corner: Array = q[:, :rows] * np.where(r.diagonal(axis1=1, axis2=2) < 0, -1.0, 1.0)[:, None, :]
    return corner


def turnings(b: Marginal, rngs: Sequence[np.random.Generator]) -> Array:
    """Draw WQ, which whitens and turns b, several times.

    With W = VΛ^(−1/2) and R drawn, Q = VᵀR: whichever eigenvectors V were found, equal R turn the dimensions alike.

    Args:
        b: the restart, in units of its standard deviations on *fit*.
        rngs: one for each draw of R.

    Returns:
        Shape (draws, d_b, d_b); the columns of dead dimensions are zero, the others give unit variance on *fit*.
    """
    alive = b.scale > 0
    directions = np.zeros((len(rngs), b.rank, len(b.scale)))
    vectors = b.whitening[alive] / np.linalg.norm(b.whitening, axis=0)
    d = int(alive.sum())
    drawn = vectors.T @ haar_orthogonal(np.stack([rng.standard_normal((d, d)) for rng in rngs]))
    directions[..., alive] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    turned: Array = b.whitening @ directions
    return turned


def turned_cross(cross: Cross, turning: Array) -> Cross:
    """Cross-moments of a with b turned, once or in several ways, shape (…, d_a, d_b)."""
    return Cross(cross.fit @ turning, cross.score @ turning)


def haar_orthogonal(normals: Array) -> Array:
    """Uniformly distributed orthogonal matrices: Q of Gaussian matrices, signs by R's diagonal (Mezzadri 2007).

    Args:
        normals: independent standard normal numbers, shape (…, d, d).
    """
    q, r = np.linalg.qr(normals)
    orthogonal: Array = q * np.where(r.diagonal(axis1=-2, axis2=-1) < 0, -1.0, 1.0)[..., None, :]
    return orthogonal

"""Affine density distance of two Gaussian mixtures p and q: how far apart their densities stay under the best affine map.

    d²(p→q) = min over invertible A and b of ‖(A, b)#p − q‖²,  in L2, which for mixtures (w, μ, Σ) and (v, ν, Λ) is

    Σ wᵢ wⱼ N(μᵢ; μⱼ, Σᵢ+Σⱼ)/|det A| − 2 Σ wᵢ vⱼ N(Aμᵢ+b; νⱼ, AΣᵢAᵀ+Λⱼ) + Σ vᵢ vⱼ N(νᵢ; νⱼ, Λᵢ+Λⱼ).

Kivva et al. (2022, §4) report such a distance, dist_Aff,L2, but the appendix that defines it is not available: this is our own
definition. The first term keeps A invertible; as A grows without bound, d → ‖q‖, so the relative distance d/‖q‖ is in [0, 1]. It
does not change under affine maps of p or of q. The distance itself does not change with p either, but has the unit of q's density
to the power 1/2: of y = s·z over m dimensions it is s^(−m/2) times that of z, and its square s^(−m) times.

The minimum is sought with both mixtures whitened, from rotations of either handedness and from maps that match components. The
most promising that lie apart are refined a little by L-BFGS with the analytic gradient, the best of these to the end. Mixtures
that resemble each other little have many local minima, and the least of all may be missed: all that were reached are reported,
and the distance is an upper bound.
"""

from dataclasses import dataclass, replace
from itertools import permutations
from math import perm

import numpy as np
from scipy.optimize import OptimizeResult, linear_sum_assignment, minimize

from stabaudit.errors import BadData
from stabaudit.metrics.mixtures import GaussianMixture
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import Measure

MOST_DIMENSIONS = 10  # beyond, there are too many rotations to start from
Pairing = tuple[Array, Array]  # indices of components of p, and of those of q that they are matched with

STARTS = 8  # refined to the end by L-BFGS
_SCREENED = 64  # refined a little, half of them of either handedness; the best of these are the starts
_SCREENING_STEPS = 30  # of L-BFGS
_APART = 0.4  # times √d: maps that lie nearer than that lead to the same minimum
_ROTATIONS = 32  # drawn, of either handedness
_MATCHINGS = 120  # all of them are tried up to so many: five components with five
_DRAWS = 4  # of combinations that a rotation is found from, for each matching
_RIDGE = 0.1  # of a start through matched means towards a rotation: few components do not determine a map
_STEPS = 500  # of L-BFGS
_AT_ONCE = 1_000_000  # numbers of the covariances of overlaps, while starts are looked through


@dataclass(frozen=True)
class DensityDistance:
    """The distance from p to q, and the map that it is left by.

    Args:
        relative: d/‖q‖, in [0, 1].
        norm: ‖q‖, in the unit of q's density to the power 1/2.
        matrix, offset: the best map z ↦ matrix · z + offset, shapes (d, d) and (d,).
        minima: relative distances of the local minima that were reached, one for each start, ascending.
    """

    relative: float
    norm: float
    matrix: Array
    offset: Array
    minima: Array

    @property
    def distance(self) -> float:
        """d(p→q), in [0, ‖q‖]."""
        return self.relative * self.norm

    @property
    def spread(self) -> float:
        """Standard deviation of the relative distances over starts: 0 where all lead to the same minimum."""
        return float(self.minima.std())


def affine_density_distance(
    p: GaussianMixture, q: GaussianMixture, *, rng: np.random.Generator, starts: int = STARTS
) -> DensityDistance:
    """The distance that the best affine map of p leaves to q.

    Args:
        p: the mixture that is mapped, over d dimensions.
        q: the mixture that it is mapped to, over as many.
        rng: draws rotations to start from.
        starts: how many starts are refined, at least 2.

    Raises:
        BadData: different dimensions, or more than 10.

    Example:
        >>> p = GaussianMixture(np.array([0.3, 0.7]), np.array([[-2.0], [2.0]]), np.ones((2, 1, 1)))
        >>> found = affine_density_distance(p, p.mapped(np.array([[-3.0]]), np.ones(1)), rng=np.random.default_rng(0))
        >>> print(f"{found.relative:.4f}", found.matrix.round(4), found.offset.round(4))
        0.0000 [[-3.]] [1.]
    """
    d = q.dimensions
    if p.dimensions != d:
        raise BadData(f"mixtures over {p.dimensions} and {d} dimensions have no invertible map between them")
    if d > MOST_DIMENSIONS:
        raise BadData(f"the density distance is sensible for d ≤ {MOST_DIMENSIONS}, these mixtures have d = {d}")
    (whitened_p, to_p, center_p), (whitened_q, to_q, center_q) = _whitened(p), _whitened(q)
    objective = Objective(whitened_p, whitened_q)
    candidates = _promising(objective, _starts(whitened_p, whitened_q, rng), max(_SCREENED, starts))
    screened = [_refined(objective, start, _SCREENING_STEPS) for start in candidates]
    best_first = sorted(screened, key=lambda fit: float(fit.fun))
    fits = [_refined(objective, fit.x, _STEPS) for fit in best_first[:starts]]
    minima = np.sqrt(np.clip([fit.fun for fit in fits], 0.0, 1.0))
    best = int(minima.argmin())
    matrix, offset = _as_map(fits[best].x, d)
    matrix = np.linalg.solve(to_q, matrix @ to_p)
    offset = np.linalg.solve(to_q, offset) + center_q - matrix @ center_p
    return DensityDistance(float(minima[best]), norm(q), matrix, offset, np.sort(minima))


def norm(q: GaussianMixture) -> float:
    """‖q‖, the square root of the integral of its squared density."""
    return float(np.sqrt(_inner(q, q)))


class Objective:
    """‖(A, b)#p − q‖²/‖q‖² and its gradient, for L-BFGS: of A row by row, then b.

    Args:
        p: the mixture that is mapped.
        q: the mixture that it is mapped to.
    """

    def __init__(self, p: GaussianMixture, q: GaussianMixture) -> None:
        self.p, self.q = p, q
        self.weights = p.weight[:, None] * q.weight
        self.squared_p, self.squared_q = _inner(p, p), _inner(q, q)

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        """The objective at one map, shape (d² + d,), and its gradient there.

        With r = Aμ + b − ν, S = AΣAᵀ + Λ, g = S⁻¹r and N = N(r; 0, S): ∂N/∂b = −N g, ∂N/∂A = N [(ggᵀ − S⁻¹) A Σ − g μᵀ].
        """
        matrix, offset = _as_map(parameters, self.q.dimensions)
        density, solved, precision = self._overlaps(matrix, offset)
        weighted = self.weights * density
        shrink = self.squared_p / abs(np.linalg.det(matrix))
        value = (shrink - 2.0 * weighted.sum()) / self.squared_q + 1.0
        pull = weighted[..., None] * solved  # shape (K_p, K_q, d)
        curved = pull.mT @ solved - (weighted[..., None, None] * precision).sum(axis=1)
        slope = (curved @ matrix @ self.p.covariance).sum(axis=0) - pull.sum(axis=1).T @ self.p.mean
        of_matrix = -shrink * np.linalg.inv(matrix).T - 2.0 * slope
        of_offset = 2.0 * pull.sum(axis=(0, 1))
        return float(value), np.concatenate([of_matrix.ravel(), of_offset]) / self.squared_q

    def at(self, parameters: Array) -> Array:
        """The objective at many maps, shape (B, d² + d) → (B,)."""
        matrices, offsets = _as_map(parameters, self.q.dimensions)
        density, _, _ = self._overlaps(matrices, offsets)
        cross = (self.weights * density).sum(axis=(-2, -1))
        value: Array = (self.squared_p / np.abs(np.linalg.det(matrices)) - 2.0 * cross) / self.squared_q + 1.0
        return value

    def _overlaps(self, matrix: Array, offset: Array) -> tuple[Array, Array, Array]:
        """N, shape (…, K_p, K_q), g, shape (…, K_p, K_q, d), and S⁻¹, shape (…, K_p, K_q, d, d)."""
        mapped = self.p.mean @ matrix.mT + offset[..., None, :]
        spread = matrix[..., None, :, :] @ self.p.covariance @ matrix.mT[..., None, :, :]
        return _overlap(mapped[..., None, :] - self.q.mean, spread[..., None, :, :] + self.q.covariance)


def _overlap(apart: Array, covariance: Array) -> tuple[Array, Array, Array]:
    """N(r; 0, S), S⁻¹r and S⁻¹ for r of shape (…, d) and S of shape (…, d, d)."""
    precision = np.linalg.inv(covariance)
    solved = (precision @ apart[..., None])[..., 0]
    exponent = -0.5 * (apart * solved).sum(axis=-1)
    density = np.exp(exponent) / np.sqrt(np.linalg.det(2.0 * np.pi * covariance))
    return density, solved, precision


def _inner(p: GaussianMixture, q: GaussianMixture) -> float:
    """The integral of the product of two densities."""
    density, _, _ = _overlap(p.mean[:, None] - q.mean, p.covariance[:, None] + q.covariance)
    return float(p.weight @ density @ q.weight)


def _as_map(parameters: Array, d: int) -> tuple[Array, Array]:
    """Matrices, shape (…, d, d), and offsets, shape (…, d), of parameters of shape (…, d² + d)."""
    return parameters[..., : d * d].reshape(*parameters.shape[:-1], d, d), parameters[..., d * d :]


def _whitened(mixture: GaussianMixture) -> tuple[GaussianMixture, Array, Array]:
    """The mixture with mean 0 and covariance I; the matrix W and mean m it came by: W (z − m)."""
    mean, covariance = mixture.moments()
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    return mixture.mapped(whiten, -whiten @ mean), whiten, mean


def _starts(p: GaussianMixture, q: GaussianMixture, rng: np.random.Generator) -> Array:
    """Maps between whitened mixtures to start from, shape (B, d² + d), both handednesses among them."""
    d, counts = p.dimensions, (len(p.weight), len(q.weight))
    rotations = np.array([np.eye(1), -np.eye(1)]) if d == 1 else _both_hands(rng, d)
    if perm(max(counts), min(counts)) <= _MATCHINGS:
        pairings = _all_pairings(*counts)
    else:
        pairings = [_alike(p, q), *(_nearest(p, q, rotation) for rotation in rotations)]
    turns = np.concatenate([rotations, *(_turns(p, q, pairing, rng) for pairing in pairings)])
    through = [_through(p, q, pairing, hand) for pairing in pairings for hand in (-1.0, 1.0)]
    return np.concatenate([np.pad(turns.reshape(-1, d * d), ((0, 0), (0, d))), through])


def _both_hands(rng: np.random.Generator, d: int) -> Array:
    """Haar-random rotations and their mirror images, shape (2 · rotations, d, d)."""
    q, r = np.linalg.qr(rng.standard_normal((_ROTATIONS, d, d)))
    turns = q * np.sign(np.einsum("...ii->...i", r))[:, None, :]  # the signs of R make Q Haar-distributed
    mirrored = turns.copy()
    mirrored[:, 0] *= -1.0
    return np.concatenate([turns, mirrored])


def _all_pairings(count_p: int, count_q: int) -> list[Pairing]:
    """Every way to give each component of the smaller mixture one of the larger."""
    few, many = sorted((count_p, count_q))
    found = [(np.arange(few), np.array(chosen)) for chosen in permutations(range(many), few)]
    return found if count_p <= count_q else [(chosen, own) for own, chosen in found]


def _alike(p: GaussianMixture, q: GaussianMixture) -> Pairing:
    """Components paired by what no rotation changes: their weights, distances from the centre and spreads."""
    known = [
        np.column_stack([np.sqrt(m.weight), np.linalg.norm(m.mean, axis=1), np.sqrt(np.linalg.eigvalsh(m.covariance))])
        for m in (p, q)
    ]
    own, other = linear_sum_assignment(((known[0][:, None] - known[1]) ** 2).sum(axis=-1))
    return own, other


def _nearest(p: GaussianMixture, q: GaussianMixture, rotation: Array) -> Pairing:
    """Components paired by the distances of their means after a rotation."""
    apart = p.mean[:, None] @ rotation.T - q.mean
    own, other = linear_sum_assignment((p.weight[:, None] + q.weight) * (apart**2).sum(axis=-1))
    return own, other


def _turns(p: GaussianMixture, q: GaussianMixture, pairing: Pairing, rng: np.random.Generator) -> Array:
    """Rotations, shape (draws, d, d), each of which would be R if paired components were equal up to a rotation R.

    Then M_q = R M_p Rᵀ for every linear combination M of covariances and squared means, so R takes the eigenvectors of one to
    those of the other, and as v_q = R v_p for every combination v of means, these settle the signs.
    """
    draws = rng.standard_normal((3, _DRAWS, len(pairing[0])))
    vectors, along = [], []
    for mixture, chosen in zip((p, q), pairing, strict=True):
        mean, covariance = mixture.mean[chosen], mixture.covariance[chosen]
        squared = mean[:, :, None] * mean[:, None, :]
        _, axes = np.linalg.eigh(np.tensordot(draws[0], covariance, 1) + np.tensordot(draws[1], squared, 1))
        vectors.append(axes)
        along.append(((draws[2] @ mean)[:, None, :] @ axes)[:, 0])
    signs = np.where(along[0] * along[1] < 0, -1.0, 1.0)
    turns: Array = (vectors[1] * signs[:, None, :]) @ vectors[0].mT
    return turns


def _through(p: GaussianMixture, q: GaussianMixture, pairing: Pairing, hand: float) -> Array:
    """The affine map that takes the means of p to those they are paired with, by weighted least squares.

    It is drawn a little to the nearest rotation of the given handedness, which also makes up for directions in which the means
    do not differ.
    """
    a, b = p.mean[pairing[0]], q.mean[pairing[1]]
    weight = p.weight[pairing[0]] + q.weight[pairing[1]]
    weight /= weight.sum()
    mean_a, mean_b = weight @ a, weight @ b
    a, b = a - mean_a, b - mean_b
    cross = b.T @ (weight[:, None] * a)
    left, _, right = np.linalg.svd(cross)
    left[:, -1] *= hand * np.sign(np.linalg.det(left @ right))
    rotation = left @ right
    matrix = (cross + _RIDGE * rotation) @ np.linalg.inv(a.T @ (weight[:, None] * a) + _RIDGE * np.eye(p.dimensions))
    return np.append(matrix.ravel(), mean_b - matrix @ mean_a)


def _refined(objective: Objective, start: Array, steps: int) -> OptimizeResult:
    return minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": steps, "ftol": 1e-14, "gtol": 1e-8})


def _promising(objective: Objective, candidates: Array, count: int) -> Array:
    """The candidates of least objective that lie apart, up to half as many as asked for of either handedness."""
    d = objective.q.dimensions
    step = max(1, _AT_ONCE // (objective.weights.size * d**2))
    values = np.concatenate([objective.at(candidates[i : i + step]) for i in range(0, len(candidates), step)])
    matrices, _ = _as_map(candidates, d)
    right = np.linalg.det(matrices) > 0
    order = np.argsort(values, kind="stable")
    return np.concatenate([_apart(candidates[order[hand[order]]], count // 2, _APART * d**0.5) for hand in (right, ~right)])


def _apart(candidates: Array, count: int, distance: float) -> Array:
    """The first candidates, up to `count`, none of which lies nearer to one before it than `distance`."""
    chosen = np.empty((0, candidates.shape[1]))
    for candidate in candidates:
        if len(chosen) == count:
            break
        if not (np.linalg.norm(chosen - candidate, axis=1) < distance).any():
            chosen = np.vstack([chosen, candidate])
    return chosen


DISTANCE = Measure(
    name="density_distance",
    label="distance",
    meaning="L2 distance that the best affine map leaves between two mixture priors",
    low=0.0,
    high=np.inf,
    reference="our definition, after Kivva et al. 2022, arXiv:2206.10044",
    higher_is_better=False,
    directed=True,
    needs="model",
    cost="starts × d²",
)
RELATIVE_DISTANCE = replace(
    DISTANCE,
    name="relative_density_distance",
    label="relative",
    meaning="the same relative to the norm of the second mixture",
    high=1.0,
)

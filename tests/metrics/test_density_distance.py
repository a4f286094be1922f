"""Affine density distance: held against quadrature, brute force, finite differences, and mixtures whose relation is known."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal
from scipy.stats import norm as normal

from stabaudit.errors import BadData
from stabaudit.metrics.density_distance import Objective, affine_density_distance, norm
from stabaudit.metrics.mixtures import GaussianMixture, fit_mixture, unimodal

pytestmark = pytest.mark.slow


def random_mixture(rng, components, d, apart=2.0):
    root = 0.4 * rng.normal(size=(components, d, d)) + 0.7 * np.eye(d)
    weight = rng.dirichlet(np.full(components, 5.0))
    return GaussianMixture(weight, apart * rng.normal(size=(components, d)), root @ root.mT)


def random_map(rng, d):
    """An invertible map that is not badly conditioned, of either handedness."""
    turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
    return turn * np.exp(rng.uniform(-1, 1, d)), 3 * rng.normal(size=d)


def density(mixture, z):
    parts = zip(mixture.weight, mixture.mean, mixture.covariance, strict=True)
    return sum(w * multivariate_normal(m, c).pdf(z) for w, m, c in parts)


def line(*means, variance=0.1):
    """Remark 3.12's kind: equal weights, equal variances, one dimension."""
    k = len(means)
    return GaussianMixture(np.full(k, 1 / k), np.array(means, float)[:, None], np.full((k, 1, 1), variance))


def distance(p, q, seed=0, **options):
    return affine_density_distance(p, q, rng=np.random.default_rng(seed), **options)


def test_the_objective_is_the_integral_in_one_dimension():
    rng = np.random.default_rng(1)
    p, q = random_mixture(rng, 3, 1), random_mixture(rng, 2, 1)
    mapped = p.mapped(np.array([[-0.7]]), np.array([0.4]))

    def squared(z):
        return float(density(mapped, z) - density(q, z)) ** 2

    expected = quad(squared, -30, 30, limit=500, points=[*mapped.mean[:, 0], *q.mean[:, 0]])[0]
    value, _ = Objective(p, q)(np.array([-0.7, 0.4]))
    assert value * norm(q) ** 2 == pytest.approx(expected, rel=1e-6)


def test_the_objective_is_the_integral_over_a_grid_in_two_dimensions():
    rng = np.random.default_rng(2)
    p, q = random_mixture(rng, 3, 2), random_mixture(rng, 4, 2)
    matrix, offset = random_map(rng, 2)
    axis = np.linspace(-40, 40, 1601)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    expected = ((density(p.mapped(matrix, offset), grid) - density(q, grid)) ** 2).sum() * (axis[1] - axis[0]) ** 2
    parameters = np.append(matrix.ravel(), offset)
    objective = Objective(p, q)
    assert objective(parameters)[0] * norm(q) ** 2 == pytest.approx(expected, rel=1e-6)
    assert objective.at(np.array([parameters, 2 * parameters]))[0] == pytest.approx(objective(parameters)[0])


def test_the_objective_is_the_expectation_over_samples_in_four_dimensions():
    """∫(f − q)² = E_f[f − q] − E_q[f − q]."""
    rng = np.random.default_rng(3)
    p, q = random_mixture(rng, 2, 4, apart=1.0), random_mixture(rng, 3, 4, apart=1.0)
    matrix, offset = np.eye(4) + 0.2 * rng.normal(size=(4, 4)), 0.3 * rng.normal(size=4)
    mapped = p.mapped(matrix, offset)

    def sampled(mixture, n=100_000):
        chosen = rng.choice(len(mixture.weight), n, p=mixture.weight)
        roots = np.linalg.cholesky(mixture.covariance)
        z = mixture.mean[chosen] + np.einsum("nij,nj->ni", roots[chosen], rng.normal(size=(n, 4)))
        values = density(mapped, z) - density(q, z)
        return values.mean(), values.var() / n

    (of_f, var_f), (of_q, var_q) = sampled(mapped), sampled(q)
    value = Objective(p, q)(np.append(matrix.ravel(), offset))[0] * norm(q) ** 2
    assert abs(value - (of_f - of_q)) < 4 * np.sqrt(var_f + var_q)
    assert value > 20 * np.sqrt(var_f + var_q)  # the samples say something


@pytest.mark.parametrize(("components", "d"), [((3, 2), 1), ((2, 4), 2), ((5, 3), 3), ((2, 2), 6)])
def test_the_gradient_is_that_of_finite_differences(components, d):
    rng = np.random.default_rng(d)
    p, q = (random_mixture(rng, count, d, apart=1.0) for count in components)
    objective = Objective(p, q)
    for sign in (1, -1):
        parameters = np.append((sign * np.eye(d) + 0.3 * rng.normal(size=(d, d))).ravel(), rng.normal(size=d))
        expected = approx_fprime(parameters, lambda x: objective(x)[0], 1e-7)
        assert objective(parameters)[1] == pytest.approx(expected, abs=2e-5 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize(("components", "d"), [(2, 1), (4, 1), (3, 2), (8, 2), (5, 5), (3, 5), (7, 10)])
def test_an_affine_image_is_at_distance_zero_and_the_map_is_recovered(components, d):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        p = random_mixture(rng, components, d)
        matrix, offset = random_map(rng, d)
        found = distance(p, p.mapped(matrix, offset))
        assert found.relative < 1e-4
        assert found.matrix == pytest.approx(matrix, abs=1e-3 * np.abs(matrix).max())
        assert found.offset == pytest.approx(offset, abs=1e-3 * np.abs(matrix).max() * np.abs(p.mean).max())


def test_a_symmetric_mixture_is_recovered_up_to_its_symmetries():
    square = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    p = GaussianMixture(np.full(4, 0.25), 2 * square, np.tile(np.eye(2), (4, 1, 1)))
    q = p.mapped(np.array([[1.0, 2.0], [0.0, 3.0]]), np.ones(2))
    found = distance(p, q)
    image = p.mapped(found.matrix, found.offset)
    assert found.relative < 1e-4
    assert np.sort(image.mean, axis=0) == pytest.approx(np.sort(q.mean, axis=0), abs=1e-3)
    assert found.spread < 1e-3  # every start leads to one of the equal minima


def test_no_brute_force_over_maps_does_better():
    rng = np.random.default_rng(5)
    for components in (2, 3, 4):
        p, q = (
            GaussianMixture(rng.dirichlet(np.full(k, 5.0)), rng.normal(size=(k, 1)), rng.uniform(0.05, 0.3, (k, 1, 1)))
            for k in (3, components)
        )
        scales = np.concatenate([-np.geomspace(8, 0.02, 300), np.geomspace(0.02, 8, 300)])
        maps = np.stack(np.meshgrid(scales, np.linspace(-8, 8, 321), indexing="ij"), axis=-1).reshape(-1, 2)
        least = min(Objective(p, q).at(part).min() for part in np.array_split(maps, 20))
        found = distance(p, q)
        assert np.sqrt(least) - 0.01 < found.relative <= np.sqrt(least) + 1e-9


@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_map_attains_the_distance(d):
    rng = np.random.default_rng(d + 10)
    p, q = random_mixture(rng, 4, d), random_mixture(rng, 3, d)
    found = distance(p, q)
    parameters = np.append(found.matrix.ravel(), found.offset)
    objective = Objective(p, q)
    assert found.relative == pytest.approx(np.sqrt(objective(parameters)[0]), rel=1e-6)
    around = parameters * (1 + 1e-3 * rng.normal(size=(500, len(parameters))))
    assert objective.at(around).min() > found.relative**2  # a minimum, at least among its neighbours
    assert 0 <= found.relative <= 1
    assert found.distance == pytest.approx(found.relative * norm(q))
    assert found.minima[0] == found.relative
    assert (np.diff(found.minima) >= 0).all()


def test_the_distance_changes_with_the_scale_of_the_target_and_the_relative_one_does_not():
    """In d dimensions, d(p → s·q) is s^(−d/2) times d(p → q): scaled by 5 in two dimensions, the square is 1/25."""
    rng = np.random.default_rng(6)
    for d in (1, 2, 3):
        p, q = random_mixture(rng, 3, d), random_mixture(rng, 3, d)
        plain, scaled = distance(p, q), distance(p, q.mapped(5 * np.eye(d), np.ones(d)))
        assert plain.relative > 0.05
        assert scaled.relative == pytest.approx(plain.relative, rel=1e-4)
        assert scaled.distance == pytest.approx(plain.distance * 5 ** (-d / 2), rel=1e-4)


def test_affine_maps_of_either_mixture_leave_the_relative_distance_alone():
    rng = np.random.default_rng(7)
    p, q = random_mixture(rng, 3, 2), random_mixture(rng, 3, 2)
    plain = distance(p, q)
    for _ in range(3):
        moved_p, moved_q = p.mapped(*random_map(rng, 2)), q.mapped(*random_map(rng, 2))
        assert distance(moved_p, q).relative == pytest.approx(plain.relative, rel=1e-4)
        assert distance(moved_p, q).distance == pytest.approx(plain.distance, rel=1e-4)
        assert distance(p, moved_q).relative == pytest.approx(plain.relative, rel=1e-4)


def test_the_two_ways_differ():
    p, q = line(-2, 2), unimodal(1)
    assert abs(distance(p, q).relative - distance(q, p).relative) > 0.01


def test_a_mirrored_mixture_needs_a_mirroring_map():
    """No rotation alone takes a scalene triangle of means of unlike spreads to its mirror image."""
    rng = np.random.default_rng(8)
    p = random_mixture(rng, 3, 2)
    mirror = np.diag([-1.0, 1.0])
    found = distance(p, p.mapped(mirror, np.zeros(2)))
    assert found.relative < 1e-4
    assert np.linalg.det(found.matrix) == pytest.approx(-1, abs=1e-3)
    assert found.minima[-1] > 0.1  # what is reached with the other handedness
    lopsided = GaussianMixture(np.array([0.8, 0.2]), np.array([[0.0], [4.0]]), np.array([[[1.0]], [[0.2]]]))
    assert distance(lopsided, lopsided.mapped(-np.eye(1), np.zeros(1))).matrix == pytest.approx(-1, abs=1e-3)


def test_priors_of_remark_3_12_are_far_apart_though_their_absolute_values_are_equal():
    p, other = line(-2, -1, 3), line(-2, 1, 3)
    z = np.linspace(0, 6, 200)

    def folded(mixture):
        return sum(normal.pdf(s * z, m, np.sqrt(0.1)) for s in (1, -1) for m in mixture.mean[:, 0]) / 3

    assert folded(p) == pytest.approx(folded(other), abs=1e-12)
    assert distance(p, other).relative > 0.3
    assert distance(other, p).relative > 0.3
    assert distance(p, line(4, 2, -6, variance=0.4)).relative < 1e-4  # but −2z is an affine map


def test_a_mixture_of_clusters_is_nearer_than_a_single_gaussian_where_clusters_agree():
    rng = np.random.default_rng(9)
    p = random_mixture(rng, 3, 2, apart=3.0)
    nearly = GaussianMixture(p.weight, p.mean + 0.1 * rng.normal(size=p.mean.shape), p.covariance)
    chance = distance(unimodal(2), p)
    assert distance(nearly, p).relative < 0.5 * chance.relative
    assert distance(unimodal(2), unimodal(2).mapped(np.diag([2.0, 3.0]), np.ones(2))).relative < 1e-6


def test_the_same_seed_gives_the_same_distance():
    rng = np.random.default_rng(11)
    p, q = random_mixture(rng, 6, 3), random_mixture(rng, 7, 3)
    assert distance(p, q, 4).minima.tolist() == distance(p, q, 4).minima.tolist()


def test_what_has_no_distance_is_refused():
    with pytest.raises(BadData, match="2 and 1 dimensions"):
        distance(unimodal(2), unimodal(1))
    with pytest.raises(BadData, match="sensible for d ≤ 10, these mixtures have d = 11"):
        distance(unimodal(11), unimodal(11))


@pytest.mark.parametrize(
    ("weight", "covariance", "message"),
    [
        ([0.5, 0.4], [1, 1], "sum to 0.9"),
        ([1.5, -0.5], [1, 1], "weights from 0"),
        ([0.5, 0.5], [1, 0], "positive definite"),
        ([0.5, 0.5], [1, np.nan], "NaN"),
        ([1.0], [1, 1], "shapes"),
    ],
)
def test_what_is_no_mixture_is_refused(weight, covariance, message):
    with pytest.raises(BadData, match=message):
        GaussianMixture(np.array(weight), np.zeros((2, 1)), np.array(covariance, float)[:, None, None])


def test_moments_are_those_of_samples():
    rng = np.random.default_rng(12)
    mixture = random_mixture(rng, 3, 2)
    chosen = rng.choice(3, 200_000, p=mixture.weight)
    z = mixture.mean[chosen] + np.einsum(
        "nij,nj->ni", np.linalg.cholesky(mixture.covariance)[chosen], rng.normal(size=(200_000, 2))
    )
    mean, covariance = mixture.moments()
    assert mean == pytest.approx(z.mean(axis=0), abs=0.03)
    assert covariance == pytest.approx(np.cov(z.T), abs=0.08)


def test_a_fit_finds_the_mixture_and_how_many_components_it_has():
    rng = np.random.default_rng(13)
    centers = np.array([[0.0, 0.0], [400.0, 0.0], [0.0, 0.004]])  # of units far apart
    z = np.concatenate(
        [center + rng.normal(size=(n, 2)) * [40, 0.0004] for center, n in zip(centers, (600, 300, 300), strict=True)]
    )
    found = fit_mixture(z, seed=0)
    assert found.weight == pytest.approx([0.5, 0.25, 0.25], abs=0.01)
    assert found.mean[0] == pytest.approx(z[:600].mean(axis=0), abs=1e-2)
    assert found.covariance[0] == pytest.approx(np.cov(z[:600].T), rel=0.05, abs=1e-3)
    assert len(fit_mixture(z, 2, seed=0).weight) == 2
    assert distance(found, fit_mixture(z @ [[0, 1], [-2, 0]] + 7, seed=1)).relative < 0.01


def test_what_cannot_be_fitted_is_refused():
    rng = np.random.default_rng(14)
    with pytest.raises(BadData, match="z1 does not vary"):
        fit_mixture(np.column_stack([rng.normal(size=50), np.ones(50)]), seed=0)
    with pytest.raises(BadData, match="3 rows are too few to fit 1 Gaussian of 2 dimensions"):
        fit_mixture(rng.normal(size=(3, 2)), seed=0)
    with pytest.raises(BadData, match="NaN"):
        fit_mixture(np.full((50, 2), np.nan), seed=0)

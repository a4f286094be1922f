"""Maps of one restart into the terms of another."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.stats import ortho_group
from sklearn.linear_model import LinearRegression

from stabaudit.errors import BadData, UsageError
from stabaudit.metrics import strong_mcc
from stabaudit.metrics.alignment import WAYS, align, alignment_floor
from stabaudit.metrics.floors import Draws

N, D = 300, 4
FIT = np.arange(N) % 2 == 0


@pytest.fixture
def target():
    return np.random.default_rng(0).laplace(size=(N, D)) + 3.0


def copies(target, noise=0.0):
    rng = np.random.default_rng(1)
    order, scale = rng.permutation(D), rng.choice([-4.0, -0.1, 0.5, 2.0], D)
    return target[:, order] * scale - 7.0 + noise * rng.normal(size=target.shape), order


@pytest.mark.parametrize("by", ["permutation", "affine"])
def test_permuted_turned_and_rescaled_copies_become_the_target(target, by):
    z, order = copies(target)
    found = align(z, target, FIT, by)
    np.testing.assert_allclose(found(z), target, atol=1e-10)
    np.testing.assert_allclose(found.agreement, 1.0, atol=1e-12)
    assert found.r2 == pytest.approx(1.0, abs=1e-12)
    if by == "permutation":
        assert order[found.source].tolist() == list(range(D))


def test_a_permutation_keeps_the_spread_of_what_is_noisy(target):
    """A slope of a regression would shrink it; agreement in place is the strong MCC."""
    z, _ = copies(target, noise=0.3)
    found = align(z, target, FIT)
    np.testing.assert_allclose(found(z)[FIT].std(axis=0), target[FIT].std(axis=0), rtol=1e-10)
    np.testing.assert_allclose(found(z)[FIT].mean(axis=0), target[FIT].mean(axis=0), atol=1e-10)
    assert (found.agreement > 0).all()
    assert found.agreement.mean() == pytest.approx(strong_mcc(z, target, FIT), abs=1e-12)


def test_an_orthogonal_map_is_that_of_scipy(target):
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(D, D)))[0]
    z = 3.0 * target @ turn + 0.5 * np.random.default_rng(3).normal(size=target.shape)
    found = align(z, target, FIT, "orthogonal")
    mine, theirs = z[FIT] - z[FIT].mean(axis=0), target[FIT] - target[FIT].mean(axis=0)
    rotation, trace = orthogonal_procrustes(mine, theirs)
    np.testing.assert_allclose(found.matrix, rotation * trace / (mine**2).sum(), atol=1e-12)
    np.testing.assert_allclose(found.matrix.T @ found.matrix, np.eye(D) * (found.matrix**2).sum() / D, atol=1e-12)
    np.testing.assert_allclose(found(z[FIT]).mean(axis=0), target[FIT].mean(axis=0), atol=1e-12)


def test_an_affine_map_is_that_of_scikit_learn_and_may_change_the_number_of_dimensions(target):
    z = target[:, :3] @ np.random.default_rng(4).normal(size=(3, 3)) + 1.0
    found = align(z, target, FIT, "affine")
    model = LinearRegression().fit(z[FIT], target[FIT])
    np.testing.assert_allclose(found(z), model.predict(z), atol=1e-9)
    missed = ((target[~FIT] - model.predict(z)[~FIT]) ** 2).mean(axis=0) / target[~FIT].var(axis=0)
    assert found.r2 == pytest.approx(1 - missed.mean(), abs=1e-9)


@pytest.mark.parametrize("by", WAYS)
def test_a_dimension_that_does_not_vary_agrees_with_nothing(target, by):
    z, _ = copies(target)
    z[:, 2] = 5.0
    found = align(z, target, FIT, by)
    assert np.isfinite(found(z)).all()
    assert np.isfinite(found.agreement).all()
    if by == "permutation":
        assert (found.agreement == 0).sum() == 1


@pytest.mark.parametrize(
    ("shape", "by", "error", "message"),
    [
        ((N, 3), "permutation", UsageError, "3 dimensions cannot be aligned to 4 by permutation; use affine"),
        ((N, 3), "orthogonal", UsageError, "3 dimensions cannot be aligned"),
        ((N - 1, 4), "affine", BadData, "299 and 300 rows"),
        ((N, 4), "rotation", UsageError, "by 'rotation': expected one of permutation, orthogonal, affine"),
    ],
)
def test_what_cannot_be_aligned(target, shape, by, error, message):
    with pytest.raises(error, match=message):
        align(np.ones(shape), target, FIT, by)


def test_by_chance_least_squares_loses_what_its_coefficients_cost():
    """Of independent normal columns: E R² = 1 − (1 + 1/n)(n − 2)/(n − d − 2) for n rows of *fit*, one target at a time."""
    rng, rows, d = np.random.default_rng(0), 400, 5
    z, target, fit = rng.normal(size=(rows, d)), rng.normal(size=(rows, 3)), np.arange(rows) < 100
    floor = alignment_floor(z, target, fit, "affine", Draws(400))
    expected = 1 - (1 + 1 / 100) * 98 / (100 - d - 2)
    assert floor.r2 == pytest.approx(expected, abs=0.02)
    assert np.abs(floor.agreement).max() < 0.03
    assert floor.rotation is None


def test_draws_keep_rows_in_their_half_and_differ_by_seed_and_place():
    fit = np.arange(400) < 100
    (order,) = Draws(1, 7).orders(fit)
    assert sorted(order[fit]) == list(range(100))
    assert sorted(order) == list(range(400))
    (again,), (of_seed,), (of_place,) = (Draws(1, 7).orders(fit), Draws(1, 8).orders(fit), Draws(1, 7).at(2).orders(fit))
    assert (again == order).all()
    assert (of_seed != order).any()
    assert (of_place != order).any()
    assert (Draws(1, 7).at(1).orders(fit)[0] != of_place).any()
    assert (Draws(1, 8).at(2).orders(fit)[0] != of_place).any()


@pytest.mark.parametrize("by", WAYS)
def test_what_is_unrelated_lies_where_chance_does_and_a_copy_far_above(target, by):
    fit = np.arange(len(target)) % 2 == 0
    other = np.random.default_rng(5).normal(size=target.shape)
    draws = Draws(100)
    floor, found = alignment_floor(other, target, fit, by, draws), align(other, target, fit, by)
    brute = [align(np.random.default_rng(k).normal(size=target.shape), target, fit, by).r2 for k in range(100)]
    assert abs(floor.r2 - np.mean(brute)) < 4 * np.std(brute) / 10 * np.sqrt(2) + 0.01
    assert abs(found.r2 - floor.r2) < 5 * np.std(brute) + 0.01
    assert align(target, target, fit, by).r2 - alignment_floor(target, target, fit, by, draws).r2 > 0.9


def test_a_turned_copy_agrees_as_much_as_the_rotation_floor_says(target):
    """Either one made white and turned by random orthogonal matrices: what an affine map between them leaves open."""
    fit = np.arange(len(target)) % 2 == 0
    z = target @ np.random.default_rng(1).normal(size=(target.shape[1],) * 2)
    floor = alignment_floor(z, target, fit, "permutation", Draws(300)).rotation
    rng, brute = np.random.default_rng(2), []
    white = [x @ np.linalg.inv(np.linalg.cholesky(np.cov(x[fit].T))).T for x in (z, target)]
    for k in range(300):
        turn = ortho_group.rvs(target.shape[1], random_state=rng)
        first, second = (white[0] @ turn, target) if k % 2 else (z, white[1] @ turn)
        brute.append(np.abs(align(first, second, fit).agreement).mean())
    assert abs(floor - np.mean(brute)) < 5 * np.std(brute) * np.sqrt(2 / 300)
    assert floor > alignment_floor(z, target, fit, "permutation", Draws(20)).agreement.mean() + 0.1

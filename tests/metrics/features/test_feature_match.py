"""Features that are split, absorbed, absent or shared, in worlds whose truth is known; R² against least squares by numpy."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from stabaudit.metrics.features import made_of, match
from stabaudit.metrics.features.candidates import candidates
from stabaudit.metrics.features.columns import DenseColumns, columns_of
from stabaudit.metrics.features.made_of import Sides, explained
from stabaudit.metrics.features.match import match_features, shared_features
from stabaudit.metrics.features.tiles import Tiles

ROWS = 600
FIT, SCORE = np.flatnonzero(np.arange(ROWS) % 2 == 0), np.flatnonzero(np.arange(ROWS) % 2)


def codes(seed, d, share=0.1):
    rng = np.random.default_rng(seed)
    return np.where(rng.random((ROWS, d)) < share, rng.exponential(size=(ROWS, d)) + 0.1, 0.0)


def sides(a, b, how=np.asarray):
    a, b = how(a), how(b)
    return Sides(columns_of(a, FIT, "a"), columns_of(b, FIT, "b"), columns_of(a, SCORE, "a"), columns_of(b, SCORE, "b"))


def directions(a, b):
    one, other = DenseColumns.of_directions(a, "a"), DenseColumns.of_directions(b, "b")
    return Sides(one, other, one, other)


def r2(held, of_a, count=32):
    return explained(held, candidates(Tiles(held.a_fit, held.b_fit, 10**8), count), np.asarray(of_a))


def by_least_squares(a, b, chosen):
    """R² on *score* of a regression, with an intercept, fitted on *fit*."""
    x, y = np.column_stack([np.ones(ROWS), b[:, chosen]]), a
    weights = np.linalg.lstsq(x[FIT], y[FIT], rcond=None)[0]
    return 1 - np.sum((y - x @ weights)[SCORE] ** 2) / np.sum((y[SCORE] - y[SCORE].mean()) ** 2)


@pytest.mark.parametrize("how", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("at_once", [0, 1024])
def test_r2_is_that_of_least_squares_on_the_features_picked(how, at_once, monkeypatch):
    monkeypatch.setattr(made_of, "AT_ONCE", at_once)
    b = codes(1, 30)
    a = codes(0, 5)
    a[:, 0] = b[:, 3] + 0.05 * a[:, 0]
    a[:, 1] = b[:, 3] + 0.6 * b[:, 7] + 0.02 * a[:, 1]
    a[:, 2] = b[:, 3] + 0.7 * b[:, 7] + 0.5 * b[:, 9] + 0.35 * b[:, 20] + 5.0
    found = r2(sides(a, b, how), [0, 1, 2])
    assert found[0, 0] == pytest.approx(by_least_squares(a[:, 0], b, [3]), abs=1e-9)
    assert found[1, 1] == pytest.approx(by_least_squares(a[:, 1], b, [3, 7]), abs=1e-9)
    assert found[2] == pytest.approx([by_least_squares(a[:, 2], b, [3, 7, 9, 20][:p]) for p in (1, 2, 4)], abs=1e-9)
    assert found[2, 2] == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("how", [np.asarray, sparse.csr_array])
def test_a_feature_split_in_two_takes_two(how):
    rng = np.random.default_rng(2)
    a, b = codes(0, 20), codes(1, 40)
    half = rng.random(ROWS) < 0.5
    b[:, 10], b[:, 11] = np.where(half, a[:, 4], 0.0), np.where(half, 0.0, a[:, 4])
    (one, two, four), (absent, _, chance) = r2(sides(a, b, how), [4, 5])
    assert 0.3 < one < 0.7
    assert two == pytest.approx(1.0, abs=1e-9)
    assert four == pytest.approx(1.0, abs=0.01)
    assert max(absent, chance) < 0.1


def test_r2_of_directions_is_their_length_in_the_span():
    rng = np.random.default_rng(0)
    b = rng.standard_normal((30, 16))
    a = np.stack([5.0 * b[3], b[3] / np.linalg.norm(b[3]) + 0.5 * b[8] / np.linalg.norm(b[8]), rng.standard_normal(16)])
    found = r2(directions(a, b), [0, 1, 2], 30)
    unit_a, unit_b = (one / np.linalg.norm(one, axis=1)[:, None] for one in (a, b))
    assert found[0] == pytest.approx([1.0, 1.0, 1.0], abs=1e-6)
    assert found[1, 1] == pytest.approx(1.0, abs=1e-6)
    assert found[:, 0] == pytest.approx(np.square(unit_a @ unit_b.T).max(axis=1), abs=1e-6)
    assert (np.diff(found, axis=1) > -1e-6).all()


def test_features_that_are_there_twice_do_no_harm():
    a, b = codes(0, 6), codes(1, 20)
    b[:, 4] = b[:, 5] = a[:, 2]
    found = r2(sides(a, b), [2])
    assert found[0] == pytest.approx([1.0, 1.0, 1.0], abs=1e-6)


@pytest.mark.parametrize("how", [np.asarray, sparse.csr_array])
def test_matches_found_on_fit_are_scored_on_score(how):
    rng = np.random.default_rng(3)
    a = codes(0, 30)
    order = rng.permutation(30)
    b = a[:, order] + 0.3 * codes(1, 30)
    b[SCORE, 2] = codes(5, 1)[SCORE, 0]  # the same on *fit* alone
    found = match_features(sides(a, b, how), memory=10**8, rng=rng)
    np.testing.assert_array_equal(order[found.of_b], found.of_a)
    expected = [abs(np.corrcoef(a[SCORE, i], b[SCORE, j])[0, 1]) for i, j in zip(found.of_a, found.of_b, strict=True)]
    np.testing.assert_allclose(found.strength, expected, atol=1e-9)
    assert found.strength[found.of_b == 2][0] < 0.3
    assert found.assignment.mean > found.strength.mean()
    np.testing.assert_allclose(found.best_a, found.strength, atol=1e-9)


@pytest.mark.parametrize("how", ["exact", "greedy", "sinkhorn"])
def test_units_signs_and_order_change_nothing(how):
    a, b = codes(0, 20), codes(0, 25)[:, ::-1] + 0.5 * codes(1, 25)
    turned = b[:, np.random.default_rng(4).permutation(25)] * np.where(np.arange(25) % 2, -7.0, 0.01)
    one, other = (match_features(sides(a, x), memory=10**8, rng=np.random.default_rng(0), how=how) for x in (b, turned))
    assert one.strength.mean() == pytest.approx(other.strength.mean(), abs=1e-6)
    assert np.sort(one.best_b) == pytest.approx(np.sort(other.best_b), abs=1e-6)
    np.testing.assert_allclose(one.from_b, other.from_b, atol=1e-5)


@pytest.mark.parametrize("how", ["exact", "sinkhorn"])
@pytest.mark.parametrize(("d_a", "d_b"), [(50, 50), (30, 60), (60, 30)])
def test_pw_mcc_with_signs_is_that_of_scipy_on_cosines(how, d_a, d_b):
    rng = np.random.default_rng(6)
    a, b = rng.standard_normal((d_a, 12)), rng.standard_normal((d_b, 12))
    b[:10] = -a[:10]  # opposite features are not the same
    cosines = (a / np.linalg.norm(a, axis=1)[:, None]) @ (b / np.linalg.norm(b, axis=1)[:, None]).T
    found = match_features(directions(a, b), memory=10**8, rng=rng, how=how, signed=True)
    expected = cosines[linear_sum_assignment(cosines, maximize=True)].mean()
    assert found.strength.mean() == pytest.approx(found.assignment.mean, abs=1e-6)
    if how == "exact":
        assert found.strength.mean() == pytest.approx(expected, abs=1e-6)
        assert found.assignment.gap < 1e-6
    assert found.assignment.mean <= expected + 1e-6 <= found.assignment.bound + 2e-6
    np.testing.assert_allclose(found.best_a, cosines.max(axis=1), atol=1e-9)
    np.testing.assert_allclose(found.best_b, cosines.max(axis=0), atol=1e-9)


def test_shared_features_do_not_depend_on_how_alike_the_others_are():
    rng = np.random.default_rng(0)
    by_chance = rng.uniform(0.0, 0.2, 5000)
    for fraction in (0.0, 0.3, 1.0):
        for likeness in (0.25, 0.95):
            same = np.arange(5000) < fraction * 5000
            found = shared_features(np.where(same, likeness, rng.uniform(0.0, 0.2, 5000)), by_chance)
            assert found == pytest.approx(fraction, abs=0.005)


def match_all(held):
    return match_features(held, memory=10**8, rng=np.random.default_rng(0))


def test_long_dense_columns_are_explained_on_some_of_their_rows(monkeypatch):
    a, b = codes(0, 12), codes(0, 12)[:, ::-1] + 0.3 * codes(1, 12)
    whole = match_all(sides(a, b))
    monkeypatch.setattr(match, "MOST_ROWS", 100)
    fewer = match_all(sides(a, b))
    np.testing.assert_array_equal(fewer.strength, whole.strength)
    assert fewer.from_b.mean() == pytest.approx(whole.from_b.mean(), abs=0.1)
    assert abs(fewer.from_b.mean() - whole.from_b.mean()) > 1e-6
    some = Sides(*(one.of(np.arange(6, 12)) for one in vars(sides(a, a)).values()))
    np.testing.assert_allclose(match_all(some).from_b, 1.0, atol=1e-6)


@pytest.mark.parametrize("hows", [(np.asarray, sparse.csr_array), (sparse.csr_array, np.asarray)])
def test_long_dense_columns_beside_sparse_ones_keep_their_rows(hows, monkeypatch):
    a, b = codes(0, 12), codes(0, 12)[:, ::-1] + 0.3 * codes(1, 12)
    whole = match_all(sides(a, b))
    monkeypatch.setattr(match, "MOST_ROWS", 100)
    one, other = sides(a, a, hows[0]), sides(b, b, hows[1])
    mixed = match_all(Sides(one.a_fit, other.b_fit, one.a_score, other.b_score))
    np.testing.assert_allclose(mixed.from_b, whole.from_b, atol=1e-6)
    np.testing.assert_allclose(mixed.from_a, whole.from_a, atol=1e-6)

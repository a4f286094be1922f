"""Nonlinear R² against scikit-learn, and in worlds whose truth is known."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

from stabaudit.metrics import affine_r2, nonlinear_r2
from stabaudit.metrics.local_regression import MOST_PREDICTED, explained, local
from stabaudit.metrics.pair_scores import ScoreName
from stabaudit.metrics.score_pairs import score_pairs
from stabaudit.metrics.split import split_halves

N = 1000
FIT = split_halves(np.arange(N))


def by_library(a, b, fit):
    """Out-of-sample, by scikit-learn's linear regression and its neighbours of the residuals."""
    line = LinearRegression().fit(a[fit], b[fit])
    near = KNeighborsRegressor(10).fit(a[fit], b[fit] - line.predict(a[fit]))
    left = b[~fit] - line.predict(a[~fit]) - near.predict(a[~fit])
    return 1 - (left**2).sum() / ((b[~fit] - b[~fit].mean(axis=0)) ** 2).sum()


def world(seed=0, d=3):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(N, d)) * rng.uniform(0.5, 2, size=d)
    return a, np.column_stack([np.sin(2 * a[:, 0]), a[:, 1] * a[:, 2], a[:, 0] + a[:, 2]]) + 0.2 * rng.normal(size=(N, 3))


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_scikit_learn_gives(seed):
    a, b = world(seed)
    assert nonlinear_r2(a, b, FIT) == pytest.approx(by_library(a, b, FIT), abs=1e-10)


def test_in_sample_a_row_is_predicted_without_itself():
    a, b = world()
    line = LinearRegression().fit(a, b)
    left = b - line.predict(a)
    distance = ((a[:, None] - a[None]) ** 2).sum(axis=-1)
    np.fill_diagonal(distance, np.inf)
    near = np.argsort(distance, axis=1)[:, :10]
    rows = np.sort(np.random.default_rng(N).choice(N, MOST_PREDICTED, replace=False))
    after = left[rows] - left[near[rows]].mean(axis=1)
    wanted = 1 - (after**2).sum() / ((b[rows] - b[rows].mean(axis=0)) ** 2).sum()
    assert nonlinear_r2(a, b) == pytest.approx(wanted, abs=1e-10)


def test_what_a_line_cannot_explain_and_neighbours_can():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(N, 1))
    assert affine_r2(a, a**2, FIT) < 0.05
    assert nonlinear_r2(a, a**2, FIT) > 0.8
    assert nonlinear_r2(a**2, a, FIT) < 0.0  # the sign is lost


def test_in_many_dimensions_a_noisy_copy_keeps_its_affine_r2():
    rng = np.random.default_rng(2)
    s = rng.normal(size=(4000, 40))
    a, b = (s + 0.3 * rng.normal(size=s.shape) for _ in range(2))
    fit = split_halves(np.arange(4000))
    line = affine_r2(a, b, fit)
    assert line - 0.11 * (1 - line) - 0.01 < nonlinear_r2(a, b, fit) < line + 0.01


@pytest.mark.slow
def test_unrelated_latents_score_minus_a_tenth_and_a_shuffle_says_so():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, N, 3))
    assert nonlinear_r2(a, b, FIT) == pytest.approx(-0.1, abs=0.04)
    scored = score_pairs([a, b], FIT, scores=["nonlinear_r2"], floor_draws=100, rng=rng).pairs[0]
    name = ScoreName("nonlinear_r2", None, "out")
    shuffled = []
    for _ in range(100):
        order = np.arange(N)
        for half in (FIT, ~FIT):
            order[half] = rng.permutation(order[half])
        shuffled.append(nonlinear_r2(a, b[order], FIT))
    error = np.hypot(np.std(shuffled), scored.independence[name].std()) / 10
    assert abs(scored.independence[name].mean() - np.mean(shuffled)) < 2 * error


@pytest.mark.parametrize("permute", ["first", "second", "both"])
def test_sides_in_another_order_are_those_of_permuted_rows(permute):
    a, b = world()
    order = np.arange(N)
    for half in (FIT, ~FIT):
        order[half] = np.random.default_rng(4).permutation(order[half])
    of_a, of_b = local(a, FIT), local(b, FIT)
    found = explained(of_a.permuted(order) if permute != "second" else of_a, of_b.permuted(order) if permute != "first" else of_b)
    if permute == "both":
        assert np.allclose(found, explained(of_a, of_b), atol=1e-12)
        return
    # The rows that are predicted are those of a's own order.
    inverse = np.argsort(order)
    wanted = explained(of_a, local(b[inverse] if permute == "first" else b[order], FIT))
    assert np.allclose(found, wanted, atol=1e-12)


def test_constant_dimensions_few_rows_and_far_magnitudes():
    a, b = world()
    flat = np.zeros((N, 2))
    assert nonlinear_r2(a, flat, FIT) == 0.0
    assert nonlinear_r2(flat, b, FIT) < 0.0
    assert nonlinear_r2(np.column_stack([a, flat]), b, FIT) == pytest.approx(nonlinear_r2(a, b, FIT), abs=1e-9)
    assert nonlinear_r2(1e150 * a, 1e-150 * b, FIT) == pytest.approx(nonlinear_r2(a, b, FIT), abs=1e-9)
    few = np.random.default_rng(5).normal(size=(8, 1))
    assert nonlinear_r2(few, few) == pytest.approx(1.0)

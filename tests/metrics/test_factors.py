"""Scores against known factors, each by a second opinion: by hand, by scikit-learn, in closed form."""

import warnings

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import mutual_info_score, r2_score, roc_auc_score

from stabaudit.metrics import (
    dci_completeness,
    dci_disentanglement,
    dci_informativeness,
    explicitness,
    factor_r2,
    factor_r2_nonlinear,
    mig,
    modularity,
    sap,
)
from stabaudit.metrics.dci import completeness, disentanglement, forests
from stabaudit.metrics.factor_information import information_of_halves
from stabaudit.metrics.factors import binned, classes, coded, is_discrete
from stabaudit.metrics.modular_code import modularity_of
from stabaudit.metrics.separability import predictability

N = 1000


def world(seed=0, n=N):
    rng = np.random.default_rng(seed)
    v = np.column_stack([rng.uniform(size=(n, 2)), rng.integers(0, 3, n)])
    z = np.column_stack(
        [v[:, 0] + 0.1 * rng.normal(size=n), v[:, 0] - v[:, 1], v[:, 2] + 0.5 * rng.normal(size=n), rng.normal(size=n)]
    )
    return z, v


def test_kinds_of_factors():
    assert is_discrete(np.tile(np.arange(50), 3))
    assert not is_discrete(np.tile(np.arange(51), 3))
    assert not is_discrete(np.tile(np.arange(20), 2))  # two rows a value, as any number has in few rows
    v = np.column_stack([np.linspace(0, 1, 200), np.tile([9.0, -5.0], 100)])
    codes = coded(v, np.array([False, True]))
    assert np.bincount(codes[:, 0]).tolist() == [10] * 20
    assert codes[:4, 1].tolist() == [1, 0, 1, 0]


def test_bins_hold_ties_together_and_survive_monotone_maps():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(600, 1))
    there = binned(values)
    assert np.array_equal(binned(np.exp(values)), there)
    assert np.array_equal(binned(-values), 19 - there)
    tied = np.round(values, 0)
    assert all(len(set(binned(tied)[tied == one])) == 1 for one in np.unique(tied))


def test_classes_of_a_continuous_factor_lie_between_quantiles_of_fit():
    rng = np.random.default_rng(0)
    fit, score = rng.normal(size=1000), rng.normal(size=1000)
    inside, outside = classes(fit, score, discrete=False, most=10)
    assert np.bincount(inside).tolist() == [100] * 10
    edges = np.quantile(fit, np.arange(1, 10) / 10)
    assert outside.tolist() == [int((edges <= one).sum()) for one in score]


def test_mig_by_brute_force_and_by_scikit_learn():
    z, v = world()
    bins = np.array([[int((column < one).sum() * 20 / N) for one in column] for column in z.T])  # distinct: rank − 1 by hand
    codes = [*(np.array([int((column < one).sum() * 20 / N) for one in column]) for column in v[:, :2].T), v[:, 2].astype(int)]
    by_hand, gaps = np.zeros((4, 3)), []
    for k, code in enumerate(codes):
        for j, one in enumerate(bins):
            joint = np.histogram2d(one, code, [np.arange(21) - 0.5, np.arange(21) - 0.5])[0] / N
            outer = joint.sum(axis=1)[:, None] * joint.sum(axis=0)
            by_hand[j, k] = (joint[joint > 0] * np.log(joint[joint > 0] / outer[joint > 0])).sum()
            assert by_hand[j, k] == pytest.approx(mutual_info_score(one, code), abs=1e-9)
        share = np.bincount(code) / N
        ordered = np.sort(by_hand[:, k])
        gaps.append((ordered[-1] - ordered[-2]) / -(share * np.log(share)).sum())
    np.testing.assert_allclose(information_of_halves(z, v).fit.mutual, by_hand, atol=1e-9)
    assert mig(z, v) == pytest.approx(np.mean(gaps), abs=1e-9)


def test_mig_of_two_dimensions_that_both_know_all_is_0_and_of_one_dimension_is_its_share():
    _, v = world()
    assert mig(np.hstack([v, v]), v) == pytest.approx(0.0, abs=1e-12)
    assert mig(v[:, :1], v[:, :1]) == pytest.approx(1.0)


def test_sap_by_linear_r2_of_every_pair():
    z, v = world()
    fit = np.arange(N) % 2 == 0
    strength = np.empty((4, 2))
    for j in range(4):
        for k in range(2):
            model = LinearRegression().fit(z[fit][:, [j]], v[fit, k])
            strength[j, k] = max(0.0, r2_score(v[~fit, k], model.predict(z[~fit][:, [j]])))
    np.testing.assert_allclose(predictability(z, v[:, :2], fit)[1], strength, atol=1e-12)
    ordered = np.sort(strength, axis=0)
    assert sap(z, v[:, :2], fit) == pytest.approx((ordered[-1] - ordered[-2]).mean())
    in_sample = [[np.corrcoef(z[:, j], v[:, k])[0, 1] ** 2 for k in range(2)] for j in range(4)]
    np.testing.assert_allclose(predictability(z, v[:, :2])[1], in_sample, atol=1e-12)


def test_sap_of_classes_by_the_best_thresholds():
    rng = np.random.default_rng(0)
    v = (rng.uniform(size=(N, 1)) < 0.1).astype(float)  # one class is rare, and counts as much as the other
    z = np.column_stack([v[:, 0] + rng.normal(size=N), rng.normal(size=N)])
    edges = np.quantile(z[:, 0], np.arange(1, 20) / 20)
    above = np.array([z[:, 0] >= edge for edge in edges])
    best = max(((one & (v[:, 0] == 1)).sum() / v.sum() + (~one & (v[:, 0] == 0)).sum() / (1 - v).sum()) / 2 for one in above)
    found = predictability(z, v)[1][:, 0]
    assert 2 * best - 1 <= found[0] < 2 * best - 1 + 0.05  # bins may be given out freely, thresholds are one
    assert sap(np.hstack([v, rng.normal(size=(N, 1))]), v) > 0.8
    assert found[1] < 0.25


def test_modularity_in_closed_form():
    mutual = np.array([[1.0, 0.5, 0.0], [0.0, 0.0, 2.0], [3.0, 3.0, 3.0], [0.0, 0.0, 0.0]])
    assert modularity_of(mutual) == pytest.approx(np.mean([1 - 0.25 / 2, 1.0, 0.0]))
    assert modularity_of(5.0 * mutual) == modularity_of(mutual)
    _, v = world()
    assert modularity(v[:, [0, 0, 1, 2]], v) > 0.99  # two dimensions of one factor are no fault


def test_dci_entropies_by_hand():
    importance = np.array([[0.9, 0.1], [0.1, 0.1], [0.0, 0.8]])
    entropy = -(0.9 * np.log2(0.9) + 0.1 * np.log2(0.1))
    assert disentanglement(importance) == pytest.approx((1.0 * (1 - entropy) + 0.2 * 0.0 + 0.8 * 1.0) / 2.0)
    second = -sum(p * np.log(p) / np.log(3) for p in (0.1, 0.1, 0.8))
    first = -sum(p * np.log(p) / np.log(3) for p in (0.9, 0.1))
    assert completeness(importance) == pytest.approx(1 - (first + second) / 2)


@pytest.mark.slow
def test_dci_importances_are_those_of_scikit_learn_and_informativeness_is_its_r2():
    z, v = world()
    fit = np.arange(N) % 2 == 0
    white = (z - z[fit].mean(axis=0)) / z[fit].std(axis=0)
    model = RandomForestRegressor(20, min_samples_leaf=5, max_features=1.0, random_state=0).fit(white[fit], v[fit, 0])
    found = forests(z, v[:, :2], fit)
    np.testing.assert_allclose(found.importance[0][:, 0], model.feature_importances_, atol=0.02)
    own = r2_score(v[~fit, 0], model.predict(white[~fit]))
    variance = ((v[~fit, 0] - v[~fit, 0].mean()) ** 2).mean()
    assert found.gain[1][0] == pytest.approx(own, abs=0.02)
    assert variance == pytest.approx(1 / 12, abs=0.01)  # so that Carbonneau's 1 − 12 MSE is the same
    assert dci_informativeness(z, v[:, :2], fit) == pytest.approx(found.gain[1].clip(min=0).mean())


def test_informativeness_of_classes_is_how_many_wrong_guesses_are_saved():
    rng = np.random.default_rng(0)
    v = (rng.uniform(size=(N, 1)) < 0.3).astype(float)
    assert dci_informativeness(v + 0.01 * rng.normal(size=v.shape), v, np.arange(N) % 2 == 0) > 0.99
    assert dci_informativeness(rng.normal(size=v.shape), v, np.arange(N) % 2 == 0) == pytest.approx(0.0, abs=0.05)


def test_explicitness_by_scikit_learn():
    z, v = world()
    fit = np.arange(N) % 2 == 0
    white = (z - z[fit].mean(axis=0)) / z[fit].std(axis=0)
    model = LogisticRegression(C=100.0, max_iter=300).fit(white[fit], v[fit, 2])
    areas = [roc_auc_score(v[~fit, 2] == one, model.predict_proba(white[~fit])[:, one]) for one in range(3)]
    assert explicitness(z, v[:, [2]], fit) == pytest.approx(2 * np.mean(areas) - 1, abs=1e-9)
    assert explicitness(v, v, fit) > 0.98


def test_r2_by_scikit_learn():
    z, v = world()
    fit = np.arange(N) % 2 == 0
    model = LinearRegression().fit(z[fit], v[fit])
    assert factor_r2(z, v, fit) == pytest.approx(r2_score(v[~fit], model.predict(z[~fit])), abs=1e-12)
    assert factor_r2(z, v) == pytest.approx(r2_score(v, LinearRegression().fit(z, v).predict(z)), abs=1e-12)
    assert factor_r2(np.hstack([z, z[:, :1]]), v, fit) == pytest.approx(factor_r2(z, v, fit), abs=1e-9)  # rank-deficient


@pytest.mark.slow
def test_turned_latents_hold_all_of_the_factors_and_are_entangled():
    rng = np.random.default_rng(0)
    v = rng.uniform(-1, 1, size=(2 * N, 3))
    turned = v @ np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [1.0, 1.0, -2.0]]) / np.sqrt([3.0, 2.0, 6.0])
    fit = np.arange(len(v)) % 2 == 0
    assert factor_r2(turned, v, fit) == pytest.approx(1.0)
    for score in (mig, modularity, dci_disentanglement, dci_completeness, sap):
        assert score(turned, v) < 0.5 < score(v, v) - 0.35, score.__name__


def test_a_curve_is_seen_by_trees_and_not_by_a_line():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2 * N, 2))
    v = z[:, :1] ** 2
    fit = np.arange(len(z)) % 2 == 0
    assert abs(factor_r2(z, v, fit)) < 0.1
    assert factor_r2_nonlinear(z, v, fit) > 0.9


def test_a_solver_that_stops_early_does_not_warn():
    rng = np.random.default_rng(0)
    v = rng.integers(0, 2, size=(60, 1)).astype(float)
    with warnings.catch_warnings(action="error"):
        assert explicitness(v * 1e6 + rng.normal(size=(60, 1)), v) == pytest.approx(1.0)

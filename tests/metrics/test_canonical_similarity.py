"""SVCCA and PWCCA against their steps in scikit-learn and QR decompositions."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from stabaudit.metrics import pwcca, svcca, weak_mcc
from stabaudit.metrics.canonical_similarity import KEPT


def latents(seed, n=400):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, 5)) * [3.0, 2.0, 1.0, 0.1, 0.01]
    return a, a @ rng.normal(size=(5, 4)) + rng.normal(size=(n, 4)) * [1.0, 0.5, 2.0, 0.02]


def correlations(x, y):
    """Canonical correlations and the variates of x, by QR (Björck and Golub 1973)."""
    q_x, q_y = (np.linalg.qr(z - z.mean(axis=0))[0] for z in (x, y))
    left, rho, _ = np.linalg.svd(q_x.T @ q_y, full_matrices=False)
    return rho, q_x @ left


def principal(z):
    """The fewest principal components that hold 99% of the variance."""
    found = PCA().fit(z)
    count = int(np.searchsorted(np.cumsum(found.explained_variance_ratio_), KEPT)) + 1
    return found, count


@pytest.mark.parametrize("seed", range(5))
def test_svcca_is_pca_and_then_cca(seed):
    a, b = latents(seed)
    (of_a, few_a), (of_b, few_b) = principal(a), principal(b)
    rho, _ = correlations(of_a.transform(a)[:, :few_a], of_b.transform(b)[:, :few_b])
    assert few_a < a.shape[1]
    assert svcca(a, b) == pytest.approx(rho.mean(), abs=1e-10)


def test_svcca_out_of_sample_keeps_the_directions_of_the_other_rows():
    a, b = latents(7)
    fit = np.random.default_rng(0).random(len(a)) < 0.5
    (of_a, few_a), (of_b, few_b) = principal(a[fit]), principal(b[fit])
    x, y = of_a.transform(a)[:, :few_a], of_b.transform(b)[:, :few_b]
    roots = [np.linalg.qr(z[fit] - z[fit].mean(axis=0)) for z in (x, y)]
    left, _, right = np.linalg.svd(roots[0][0].T @ roots[1][0], full_matrices=False)
    one, other = (z @ np.linalg.solve(root[1], way) for z, root, way in zip((x, y), roots, (left, right.T), strict=True))
    expected = [abs(np.corrcoef(one[~fit, i], other[~fit, i])[0, 1]) for i in range(left.shape[1])]
    assert svcca(a, b, fit) == pytest.approx(np.mean(expected), abs=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_pwcca_weighs_canonical_correlations_by_what_they_carry(seed):
    a, b = latents(seed)
    rho, variates = correlations(a, b)
    weights = np.abs(variates.T @ (a - a.mean(axis=0))).sum(axis=1)
    assert pwcca(a, b) == pytest.approx((weights * rho).sum() / weights.sum(), abs=1e-10)


def test_directions_of_no_weight_count_in_weak_mcc_alone():
    rng = np.random.default_rng(1)
    shared = rng.normal(size=(2000, 3))
    a, b = (np.column_stack([shared, 0.01 * rng.normal(size=(2000, 3))]) for _ in range(2))
    assert weak_mcc(a, b, k=None) < 0.6
    assert svcca(a, b) == pytest.approx(1.0, abs=1e-9)
    assert pwcca(a, b) > 0.97


def test_what_does_not_vary_has_nothing_in_common():
    constant, other = np.ones((20, 2)), np.random.default_rng(0).normal(size=(20, 2))
    assert (svcca(constant, other), pwcca(constant, other), pwcca(other, constant)) == (0.0, 0.0, 0.0)

"""RBF CKA against the unbiased HSIC of its definition."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist

from stabaudit.errors import BadData
from stabaudit.metrics import cka_rbf, kernel_cka
from stabaudit.metrics.sampled_rows import sampled


def by_hand(a, b):
    def kernel(z):
        return np.exp(-0.5 * (cdist(z, z) / np.median(pdist(z))) ** 2)

    def unbiased(k, m):
        """Song et al. 2012, equation 4."""
        n = len(k)
        k, m = k - np.eye(n), m - np.eye(n)
        ones = np.ones(n)
        whole = ones @ k @ ones * (ones @ m @ ones) / ((n - 1) * (n - 2))
        return (np.trace(k @ m) + whole - 2 / (n - 2) * (ones @ k @ m @ ones)) / (n * (n - 3))

    k, m = kernel(a), kernel(b)
    return unbiased(k, m) / np.sqrt(unbiased(k, k) * unbiased(m, m))


def test_it_is_that_of_its_definition():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(70, 3)) * [1.0, 3.0, 0.1] + 50.0
    b = np.column_stack([np.sin(a[:, 0]), a[:, 1] + rng.normal(size=70)])
    assert cka_rbf(a, b) == pytest.approx(by_hand(a, b), abs=1e-10)
    assert cka_rbf(1e-160 * (a - a.mean(axis=0)), 1e150 * b) == pytest.approx(by_hand(a, b), abs=1e-10)


def test_what_does_not_vary_has_nothing_in_common_and_few_rows_are_refused():
    other = np.random.default_rng(1).normal(size=(10, 2))
    assert cka_rbf(np.ones((10, 2)), other) == 0.0
    with pytest.raises(BadData, match="expected at least 4"):
        cka_rbf(other[:3], other[:3])


def test_unrelated_latents_are_about_zero():
    rng = np.random.default_rng(2)
    found = [cka_rbf(rng.normal(size=(60, 4)), rng.normal(size=(60, 4))) for _ in range(200)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(200)


def test_of_many_rows_a_part_in_any_order(monkeypatch):
    rng = np.random.default_rng(3)
    a = rng.normal(size=(90, 3))
    b = a[:, :2] + 0.5 * rng.normal(size=(90, 2))
    monkeypatch.setattr(kernel_cka, "MOST_ROWS", 40)
    rows = sampled(90, 40)
    assert cka_rbf(a, b) == pytest.approx(by_hand(a[rows], b[rows]), abs=1e-6)
    whole = kernel_cka.kernel_of(a[rows])
    order = rng.permutation(40)
    np.testing.assert_allclose(whole.permuted(order).centred, kernel_cka.kernel_of(a[rows][order]).centred, atol=1e-12)

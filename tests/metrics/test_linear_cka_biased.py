"""Biased linear CKA against the n × n matrices of its definition."""

import numpy as np
import pytest

from stabaudit.metrics import cka, cka_biased


def by_kernels(a, b):
    """HSIC with the centring matrix, as Kornblith et al. 2019 print it."""
    n = len(a)
    centre = np.eye(n) - 1 / n
    k, m = (centre @ (z @ z.T) @ centre for z in (a, b))
    return np.trace(k @ m) / np.sqrt(np.trace(k @ k) * np.trace(m @ m))


@pytest.mark.parametrize(("n", "d_a", "d_b"), [(5, 1, 1), (30, 4, 2), (60, 5, 20)])
def test_it_is_that_of_the_matrices_of_its_definition(n, d_a, d_b):
    rng = np.random.default_rng(n)
    a = rng.normal(size=(n, d_a)) * np.arange(1, d_a + 1) + 7.0
    b = rng.exponential(size=(n, d_b)) + a[:, :1]
    assert cka_biased(a, b) == pytest.approx(by_kernels(a, b), abs=1e-10)
    fit = np.arange(2 * n) % 2 == 0
    twice_a, twice_b = np.repeat(a, 2, axis=0), np.repeat(b, 2, axis=0)
    twice_a[fit], twice_b[fit] = rng.normal(size=a.shape), rng.normal(size=b.shape)
    if n > d_b:
        assert cka_biased(twice_a, twice_b, fit) == pytest.approx(by_kernels(a, b), abs=1e-10)  # of the other rows alone


def test_unrelated_latents_of_few_rows_score_above_zero_and_debiased_ones_do_not():
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=(100, 20)), rng.normal(size=(100, 20))) for _ in range(50)]
    assert np.mean([cka_biased(*pair) for pair in pairs]) > 0.14
    assert abs(np.mean([cka(*pair) for pair in pairs])) < 0.01


def test_what_does_not_vary_has_nothing_in_common():
    assert cka_biased(np.ones((10, 2)), np.random.default_rng(0).normal(size=(10, 2))) == 0.0


def test_units_do_not_count_however_small_or_large():
    rng = np.random.default_rng(5)
    a, b = (rng.normal(size=(50, 3)) for _ in range(2))
    assert cka_biased(1e-150 * a, 1e140 * b) == pytest.approx(cka_biased(a, b), rel=1e-9)

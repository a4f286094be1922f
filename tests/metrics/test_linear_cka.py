"""Debiased linear CKA against the n × n matrices of its definition."""

import numpy as np
import pytest

from stabaudit.errors import BadData
from stabaudit.metrics import cka


def unbiased_hsic(k, m):
    """Song et al. 2012, equation 4, as printed."""
    n = len(k)
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    ones = np.ones(n)
    return (np.trace(k @ m) + ones @ k @ ones * (ones @ m @ ones) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (ones @ k @ m @ ones)) / (
        n * (n - 3)
    )


@pytest.mark.parametrize(("n", "d_a", "d_b"), [(4, 1, 1), (5, 2, 3), (30, 4, 2), (40, 60, 5)])
def test_cka_is_that_of_the_matrices_of_its_definition(n, d_a, d_b):
    rng = np.random.default_rng(n)
    a = rng.normal(size=(n, d_a)) * np.arange(1, d_a + 1) + 7.0
    b = rng.exponential(size=(n, d_b)) + a[:, :1]
    k, m = a @ a.T, b @ b.T
    within = unbiased_hsic(k, k), unbiased_hsic(m, m)
    expected = 0.0 if min(within) <= 0 else min(1.0, unbiased_hsic(k, m) / np.sqrt(within[0] * within[1]))
    assert cka(a, b) == pytest.approx(expected, abs=1e-9)


def test_fewer_rows_than_the_estimate_needs_are_refused():
    with pytest.raises(BadData, match="3 rows, expected at least 4"):
        cka(np.eye(3), np.eye(3))

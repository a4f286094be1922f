"""Affine alignment against scikit-learn's least squares and R²."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from stabaudit.metrics.affine import affine, affine_explained, affine_map
from stabaudit.metrics.halves import Halves

N = 300
FIT = np.random.default_rng(98).permutation(N) < N // 2


def latents(seed=0, d_a=5, d_b=3):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((N, d_a)) @ rng.standard_normal((d_a, d_a)) + 2.0
    scale = [0.1, 1.0, 30.0, 2.0][:d_b]
    return a, (np.tanh(a) @ rng.standard_normal((d_a, d_b)) + rng.standard_normal((N, d_b))) * scale - 7.0


@pytest.mark.parametrize(("d_a", "d_b"), [(5, 3), (2, 4), (1, 1)])
def test_r2_equals_that_of_least_squares(d_a, d_b):
    a, b = latents(d_a=d_a, d_b=d_b)
    predicted = LinearRegression().fit(a[FIT], b[FIT]).predict(a[~FIT])
    explained = affine_explained(a, b, FIT)
    residual, spread = ((b[~FIT] - predicted) ** 2).sum(), ((b[~FIT] - b[~FIT].mean(axis=0)) ** 2).sum()
    assert explained.total == pytest.approx(1 - residual / spread, abs=1e-10)
    np.testing.assert_allclose(explained.per_dimension, r2_score(b[~FIT], predicted, multioutput="raw_values"), atol=1e-10)
    assert affine_explained(a[FIT], b[FIT]).total == pytest.approx(
        r2_score(b[FIT], LinearRegression().fit(a[FIT], b[FIT]).predict(a[FIT]), multioutput="variance_weighted"), abs=1e-10
    )


def test_the_map_is_that_of_least_squares():
    a, b = latents()
    model = LinearRegression().fit(a[FIT], b[FIT])
    matrix, offset = affine_map(a, b, FIT)
    np.testing.assert_allclose(matrix, model.coef_.T, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(offset, model.intercept_, rtol=1e-9)


def test_an_affine_copy_is_explained_in_full_both_ways():
    a, _ = latents()
    b = a @ np.random.default_rng(1).standard_normal((5, 5)) + 9.0
    assert affine_explained(a, b, FIT).total == pytest.approx(1.0, abs=1e-9)
    assert affine_explained(b, a, FIT).total == pytest.approx(1.0, abs=1e-9)


def test_r2_depends_on_the_direction():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((N, 2))
    b = np.column_stack([a[:, 0], rng.standard_normal(N) * 3.0])
    forward, reverse = affine_explained(a, b, FIT).total, affine_explained(b, a, FIT).total
    assert forward == pytest.approx(0.1, abs=0.05)
    assert reverse == pytest.approx(0.5, abs=0.05)


def test_noise_explains_nothing_out_of_sample_and_everything_in_sample_when_rows_are_few():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 62, 30))
    fit = np.arange(62) < 31
    assert affine_explained(a[fit], b[fit]).total == pytest.approx(1.0, abs=1e-9)
    assert affine_explained(a, b, fit).total < 0


def test_linearly_dependent_columns_are_left_out():
    a, b = latents()
    doubled = np.column_stack([a, a @ np.random.default_rng(2).standard_normal((5, 4))])
    np.testing.assert_allclose(
        affine_explained(doubled, b, FIT).per_dimension, affine_explained(a, b, FIT).per_dimension, atol=1e-8
    )
    matrix, offset = affine_map(doubled, b, FIT)
    shorter, start = affine_map(a, b, FIT)
    np.testing.assert_allclose(doubled @ matrix + offset, a @ shorter + start, atol=1e-6)


def test_a_constant_dimension_has_nothing_to_explain():
    a, b = latents()
    with_constant = np.column_stack([b, np.full(N, 0.1)])
    explained = affine_explained(a, with_constant, FIT)
    assert explained.per_dimension[-1] == 0.0
    assert explained.total == pytest.approx(affine_explained(a, b, FIT).total, abs=1e-12)
    assert affine_explained(a, np.full((N, 2), 0.1), FIT).total == 0.0
    matrix, offset = affine_map(a, with_constant, FIT)
    np.testing.assert_array_equal(matrix[:, -1], 0.0)
    assert offset[-1] == pytest.approx(0.1)


def test_the_moments_of_both_halves_are_all_it_takes():
    a, b = latents()
    halves = Halves.of_rows([a, b], FIT)
    first, second = halves.marginals
    alignment = affine(first, second, halves.cross(0, 1))
    assert alignment.outside.total == affine_explained(a, b, FIT).total
    assert alignment.inside.total == pytest.approx(affine_explained(a[FIT], b[FIT]).total, abs=1e-12)

"""Moments accumulated over chunks against numpy on all rows at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stabaudit.metrics import moments
from stabaudit.metrics.halves import Halves
from stabaudit.metrics.moments import MomentSums, moments_of
from stabaudit.metrics.threads import single_threaded


def rows_of(seed, n=300, d=7):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + rng.normal(scale=10, size=d)


@given(st.lists(st.integers(1, 299), max_size=8, unique=True), st.integers(0, 5))
def test_any_chunking_gives_the_moments_of_all_rows(cuts, seed):
    rows = rows_of(seed)
    sums = MomentSums([3, 4])
    for chunk in np.split(rows, sorted(cuts)):
        sums.add([chunk[:, :3], chunk[:, 3:]])
    streamed = sums.moments()
    assert streamed.n == len(rows)
    np.testing.assert_allclose(streamed.mean, rows.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(streamed.covariance, np.cov(rows.T, bias=True), rtol=1e-11, atol=1e-11)


def test_scores_do_not_depend_on_the_chunk_size(monkeypatch):
    latents, fit = [rows_of(0), rows_of(1, d=4)], np.arange(300) % 2 == 0
    once = Halves.of_rows(latents, fit).cross(0, 1)
    monkeypatch.setattr(moments, "chunk_rows", lambda width: width)
    for streamed, whole in zip(Halves.of_rows(latents, fit).cross(0, 1), once, strict=True):
        np.testing.assert_allclose(streamed, whole, atol=1e-13)


def test_a_large_offset_costs_no_digits():
    rows = rows_of(0)
    sums = MomentSums([7])
    for chunk in np.split(rows + 2.0**30, 6):  # 2^30 leaves 22 bits for the fraction: the rows themselves are rounded to 2e-7
        sums.add([chunk])
    np.testing.assert_allclose(sums.moments().covariance, np.cov((rows + 2.0**30).T, bias=True), rtol=1e-11, atol=1e-11)


def test_a_first_chunk_far_from_the_rest_costs_no_digits():
    rng = np.random.default_rng(0)
    first, rest = rng.standard_normal((10, 2)), 1e6 + rng.standard_normal((990, 2))
    sums = MomentSums([2])
    sums.add([first])
    sums.add([rest])
    np.testing.assert_allclose(sums.moments().covariance, np.cov(np.vstack([first, rest]).T, bias=True), rtol=1e-12)


@pytest.mark.parametrize("constant", [0.1, -3.7e8, 1 / 3])
def test_a_constant_column_has_exactly_no_variance(constant):
    rows = np.column_stack([np.full(9000, constant), np.random.default_rng(0).standard_normal(9000)])
    covariance = moments_of([rows.astype(np.float32)], np.arange(9000)).covariance
    assert covariance[0, 0] == 0.0
    assert covariance[1, 1] > 0.9


def test_float32_rows_are_summed_in_float64():
    rows = rows_of(0, n=9000).astype(np.float32)
    exact = np.cov(rows.astype(np.float64).T, bias=True)
    np.testing.assert_allclose(moments_of([rows], np.arange(9000)).covariance, exact, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("width", [1, 127, 128, 129, 300])
def test_panels_of_any_width_make_one_symmetric_matrix(width):
    rows = rows_of(0, n=500, d=width)
    covariance = moments_of([rows], np.arange(500)).covariance
    np.testing.assert_allclose(covariance, np.cov(rows.T, bias=True).reshape(width, width), rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(covariance, covariance.T)


def test_the_number_of_threads_changes_no_bit():
    latents = [rows_of(seed, n=2000, d=90) for seed in range(4)]
    every = np.arange(2000)
    with single_threaded():
        alone = moments_of(latents, every)
    together = moments_of(latents, every)
    np.testing.assert_array_equal(alone.covariance, together.covariance)
    np.testing.assert_array_equal(alone.mean, together.mean)

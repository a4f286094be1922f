"""Simulated sources hold what was asked of them, by tests whose distribution is exact."""

import numpy as np
import pytest
from scipy import stats

from stabaudit.data.mixing import draw_mixing
from stabaudit.data.tcl import Modulation, draw_modulation, draw_sources, load, load_willetts
from stabaudit.errors import UsageError


def test_every_segment_has_its_own_means_and_sds() -> None:
    rng = np.random.default_rng(0)
    modulation = Modulation(mean=rng.uniform(-5, 5, (40, 5)), sd=rng.uniform(0.01, 3, (40, 5)))
    n = 200
    signal = draw_sources(modulation, n, rng=rng).reshape(40, n, 5)
    t = np.sqrt(n) * (signal.mean(axis=1) - modulation.mean) / signal.std(axis=1, ddof=1)
    chi2 = (n - 1) * signal.var(axis=1, ddof=1) / modulation.sd**2
    assert stats.kstest(t.ravel(), stats.t(n - 1).cdf).pvalue > 0.01
    assert stats.kstest(chi2.ravel(), stats.chi2(n - 1).cdf).pvalue > 0.01
    standardised = (signal - modulation.mean[:, None]) / modulation.sd[:, None]
    assert stats.kstest(standardised.ravel(), "norm").pvalue > 0.01
    correlations = np.corrcoef(standardised.reshape(-1, 5), rowvar=False)
    assert np.abs(correlations - np.eye(5)).max() < 5 / np.sqrt(40 * n)


def test_sds_or_variances_are_uniform() -> None:
    rng = np.random.default_rng(1)
    uniform = stats.uniform(0.5, 2.5).cdf
    by_sd = draw_modulation(1000, 5, "sd", (0.5, 3.0), 0.0, rng=rng).sd.ravel()
    by_variance = draw_modulation(1000, 5, "variance", (0.5, 3.0), 0.0, rng=rng).sd.ravel()
    assert stats.kstest(by_sd, uniform).pvalue > 0.01
    assert stats.kstest(by_variance**2, uniform).pvalue > 0.01
    assert stats.kstest(by_variance, uniform).pvalue < 1e-6


def test_means_are_uniform_within_their_bound_or_zero() -> None:
    rng = np.random.default_rng(2)
    assert not draw_modulation(10, 5, "sd", (0.5, 3.0), 0.0, rng=rng).mean.any()
    means = draw_modulation(1000, 5, "sd", (0.5, 3.0), 5.0, rng=rng).mean.ravel()
    assert stats.kstest(means, stats.uniform(-5, 10).cdf).pvalue > 0.01


def test_the_default_is_the_setting_of_khemakhem() -> None:
    dataset = load()
    rows = dataset.train
    assert dataset.evaluation is rows
    assert rows.x.shape == rows.sources.shape == (40_000, 5)
    assert np.array_equal(rows.labels, np.arange(40_000) // 1000)
    assert np.array_equal(rows.u, np.eye(40)[rows.labels])
    per_segment = rows.sources.reshape(40, 1000, 5)
    assert np.abs(per_segment.mean(axis=1)).max() < 5 * 3 / np.sqrt(1000)
    sd = per_segment.std(axis=1)
    assert 0.45 < sd.min() < 0.7
    assert 2.7 < sd.max() < 3.3
    assert dataset.likelihood == "gaussian"


def test_the_setting_of_willetts() -> None:
    dataset = load_willetts(samples=500)
    rows = dataset.train
    assert dataset.name == "tcl-willetts"
    assert dataset.evaluation is rows
    assert rows.x.shape == (20 * 500, 5)
    per_segment = rows.sources.reshape(20, 500, 5)
    assert stats.kstest(per_segment.mean(axis=1).ravel(), stats.uniform(-3, 6).cdf).pvalue > 0.01
    assert stats.kstest(per_segment.std(axis=1).ravel(), stats.uniform(0.01, 2.99).cdf).pvalue > 0.01


def test_kept_sources_are_those_that_were_mixed() -> None:
    linear = load(segments=5, samples=50, sources=3, observed=4, layers=1).train
    weight, *_ = np.linalg.lstsq(linear.sources, linear.x, rcond=None)
    np.testing.assert_allclose(linear.sources @ weight, linear.x, atol=1e-4)
    np.testing.assert_allclose((weight**2).sum(axis=0), 1, rtol=1e-4)
    deeper = load(segments=5, samples=50, sources=3, observed=4, layers=3).train
    weight, *_ = np.linalg.lstsq(deeper.sources, deeper.x, rcond=None)
    assert np.abs(deeper.sources @ weight - deeper.x).max() > 0.1


def test_leaky_relu_without_means_is_homogeneous() -> None:
    """Doubling every sd doubles every source, and so every observation of a piecewise linear network."""
    options = {"segments": 4, "samples": 20, "activation": "leaky-relu"}
    one, two = load(**options), load(**options, scale_low=1.0, scale_high=6.0)
    np.testing.assert_allclose(two.train.x, 2 * one.train.x, rtol=1e-5)


def test_the_seed_decides() -> None:
    first, again, other = (load(segments=3, samples=4, data_seed=seed).fingerprint for seed in (0, 0, 1))
    assert first == again != other


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(UsageError, match="6 sources do not fit in 5 observed dimensions; set observed=6"):
        load(sources=6)
    with pytest.raises(UsageError, match=r"scale_low=4.0 is above scale_high=3.0"):
        load(scale_low=4.0)


def test_one_matrix_stands_in_every_layer() -> None:
    plain, shared = load(samples=10), load(samples=10, one_matrix=True)
    signal = shared.train.sources.astype(np.float64)
    np.testing.assert_array_equal(shared.train.sources, plain.train.sources)
    assert not np.allclose(shared.train.x, plain.train.x)
    # Without the last matrix, x = a(a(s W) W) W: W is what is linear between the last activation and x.
    rng = np.random.default_rng(0)
    draw_modulation(40, 5, "sd", (0.5, 3.0), 0.0, rng=rng)
    rng.standard_normal(signal.shape)
    weight = draw_mixing(5, 5, 3, "leaky-tanh", 0.1, rng=rng).weights[0]

    def activate(x):
        return np.tanh(x) + 0.1 * x

    np.testing.assert_allclose(shared.train.x, activate(activate(signal @ weight) @ weight) @ weight, rtol=1e-4, atol=1e-5)
    with pytest.raises(UsageError, match=r"one matrix in all layers is square; set sources=5 or observed=3"):
        load(sources=3, one_matrix=True)

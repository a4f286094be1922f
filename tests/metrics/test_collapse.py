"""Collapse scores against linear-Gaussian models, where they have closed forms."""

import math

import numpy as np
import pytest

from stabaudit.metrics.collapse import active_units, mutual_information


def posterior_of_ppca(n, scales, noise, rng):
    """x = z·diag(scales) + noise·e: the posterior is diagonal, and I(x;z) = ½ Σ log(1 + scale²/noise²)."""
    scales = np.asarray(scales, float)
    x = rng.standard_normal((n, len(scales))) * scales + noise * rng.standard_normal((n, len(scales)))
    precision = 1 + scales**2 / noise**2
    return x * scales / noise**2 / precision, np.broadcast_to(-np.log(precision), x.shape)


@pytest.mark.slow
@pytest.mark.parametrize(("scales", "noise"), [([1.0, 0.5], 1.0), ([2.0, 0.0, 1.0], 0.8), ([0.0], 1.0)])
def test_mutual_information_of_a_linear_gaussian_model(scales, noise):
    rng = np.random.default_rng(0)
    mean, log_var = posterior_of_ppca(4000, scales, noise, rng)
    exact = 0.5 * np.log1p(np.square(scales) / noise**2).sum()
    assert mutual_information(mean, log_var, rng=rng) == pytest.approx(exact, abs=0.05)


def test_mutual_information_stops_at_log_n():
    rng = np.random.default_rng(0)
    mean = 1000 * rng.standard_normal((300, 5))
    assert mutual_information(mean, np.zeros((300, 5)), rng=rng) == pytest.approx(math.log(300), abs=1e-6)


def test_mutual_information_equals_the_plain_double_sum():
    rng = np.random.default_rng(1)
    mean, log_var = rng.standard_normal((2, 37, 3))
    z = mean + np.exp(log_var / 2) * np.random.default_rng(5).standard_normal((2, *mean.shape))  # two for each row
    density = np.exp(-0.5 * ((z[..., None, :] - mean) ** 2 / np.exp(log_var) + log_var + math.log(2 * math.pi)).sum(-1))
    plain = np.mean(np.log(density.diagonal(axis1=1, axis2=2)) - np.log(density.mean(axis=2)))
    assert mutual_information(mean, log_var, rng=np.random.default_rng(5)) == pytest.approx(plain, rel=1e-10)


def test_active_units_are_those_whose_means_vary():
    rng = np.random.default_rng(0)
    mean, _ = posterior_of_ppca(20_000, [1.0, 0.03, 0.2, 0.0], 0.5, rng)
    # Var E[z|x] = scale²/(scale² + noise²): 0.8, 0.0036, 0.14, 0
    assert active_units(mean).tolist() == [True, False, True, False]

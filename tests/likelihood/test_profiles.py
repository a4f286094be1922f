"""Profiles whose minima are known, and limits and intervals against scipy."""

import numpy as np
import pytest
from scipy import stats

from stabaudit.likelihood.profiles import Profile, deviance_limit, share_interval, trace


def test_a_trace_finds_minima_between_the_points_of_its_grid_and_holds_the_truth():
    for truth in (0.1, 1 / 3, -7.7):
        found = trace(lambda v, t=truth: np.minimum((v - t - 0.031) ** 2, 0.01 + (v - t + 2.777) ** 2), truth, 5, 100)
        assert truth in found.values
        assert (np.diff(found.values) > 0).all()
        assert found.minimiser == pytest.approx(truth + 0.031, abs=0.004)
        assert found.at_truth == pytest.approx(2 * 100 * 0.031**2, abs=0.005)
        assert found.deviance[found.values < truth - 1].min() == pytest.approx(2 * 100 * 0.01, abs=0.005)
        assert (found.verdict(1.9), found.verdict(2.1)) == ("only", "another")


@pytest.mark.parametrize(
    ("loss", "verdict"),
    [
        (lambda v: v**2, "only"),
        (lambda v: (v - 1) ** 2, "elsewhere"),
        (lambda v: np.minimum(v**2, (v - 2) ** 2 + 1e-4), "another"),
        (lambda v: np.minimum(v**2, (v - 2) ** 2 + 0.5), "only"),
        (lambda v: np.maximum(v, 0), "flat"),
        (lambda v: np.maximum(-v, 0), "flat"),
        (np.zeros_like, "flat"),
        (lambda v: np.minimum(v**2, np.maximum(3.5 - v, 0)), "another"),  # an end of the range, as good as the truth
    ],
)
def test_verdicts(loss, verdict):
    assert trace(loss, 0, 4, 100).verdict(10) == verdict


def test_the_truth_is_ruled_out_as_often_as_the_level_says():
    """The mean of a Gaussian, whose profile is a parabola around the sample's mean."""
    rng, rows = np.random.default_rng(0), 50
    values = np.linspace(-2, 2, 401)
    means = rng.standard_normal((2000, rows)).mean(1)
    profiles = (Profile(0.0, values, (values - mean) ** 2 / 2, rows) for mean in means)
    ruled_out = sum(profile.verdict(deviance_limit(0.05)) == "elsewhere" for profile in profiles)
    assert stats.binomtest(ruled_out, 2000, 0.05).pvalue > 0.001


def test_limits_and_intervals_are_those_of_scipy():
    for level in (0.5, 0.05, 1e-5):
        assert deviance_limit(level) == pytest.approx(stats.chi2.isf(level, 1))
    for trials in (1, 7, 50):
        for successes in range(trials + 1):
            for level in (0.05, 0.001):
                expected = stats.binomtest(successes, trials).proportion_ci(1 - level, method="exact")
                assert share_interval(successes, trials, level) == pytest.approx((expected.low, expected.high))

"""Half-samples give the standard error of a statistic over rows: closed forms, and coverage by simulation."""

import numpy as np
import pytest
from scipy.stats import t

from stabaudit.statistics.half_samples import half_sample, over_rows


def test_a_half_has_half_of_either_half_and_no_row_twice():
    fit = np.random.default_rng(0).permutation(101) < 51
    rows = half_sample(fit, rng=np.random.default_rng(1))
    assert len(set(rows.tolist())) == len(rows) == 50
    assert int(fit[rows].sum()) == 25
    assert not np.array_equal(rows, half_sample(fit, rng=np.random.default_rng(2)))


def test_the_standard_error_of_a_mean_is_that_of_the_textbook():
    rng = np.random.default_rng(0)
    x, fit = rng.normal(size=400), np.arange(400) % 2 == 0
    draws = np.array([x[half_sample(fit, rng=rng)].mean() for _ in range(2000)])
    assert over_rows(float(x.mean()), draws).se == pytest.approx(x.std(ddof=1) / np.sqrt(400), rel=0.05)


@pytest.mark.slow
def test_the_interval_of_a_correlation_holds_the_truth_as_often_as_it_says():
    rng, inside = np.random.default_rng(3), 0
    fit = np.arange(200) % 2 == 0
    for _ in range(200):
        a = rng.normal(size=200)
        b = 0.6 * a + 0.8 * rng.normal(size=200)
        draws = np.array([np.corrcoef(a[rows], b[rows])[0, 1] for rows in (half_sample(fit, rng=rng) for _ in range(50))])
        low, high = over_rows(float(np.corrcoef(a, b)[0, 1]), draws, "atanh").interval()
        inside += low <= 0.6 <= high
    assert 0.90 <= inside / 200 <= 0.99


def test_the_interval_is_students_with_a_degree_of_freedom_less_than_draws():
    draws = np.random.default_rng(0).normal(size=10)
    low, high = over_rows(0.3, draws).interval()
    half = t(df=9).ppf(0.975) * np.sqrt(((draws - draws.mean()) ** 2).sum() / 9)
    assert (low, high) == pytest.approx((0.3 - half, 0.3 + half), rel=1e-9)


def test_an_odd_row_is_left_out_and_every_row_is_as_likely():
    fit = np.arange(15) < 5
    rng = np.random.default_rng(0)
    counts = np.zeros(15)
    for _ in range(3000):
        rows = half_sample(fit, rng=rng)
        assert (int(fit[rows].sum()), int((~fit)[rows].sum())) == (2, 5)
        counts[rows] += 1
    assert counts[:5] / 3000 == pytest.approx(2 / 5, abs=0.05)
    assert counts[5:] / 3000 == pytest.approx(1 / 2, abs=0.05)

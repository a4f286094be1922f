"""The jackknife against its definition, simulation with a known truth, and scipy."""

import numpy as np
import pytest
from scipy import stats

from stabaudit.statistics import jackknife


def restarts(rng, n, mean=0.6, spread=0.05, noise=0.02):
    """Symmetric scores that share restarts: μ + a_i + a_j + e_ij."""
    effect = rng.normal(0, spread, n)
    error = np.triu(rng.normal(0, noise, (n, n)), 1)
    return mean + effect[:, None] + effect[None, :] + error + error.T


@pytest.mark.parametrize("n", [3, 4, 10])
def test_leaves_out_each_restart_in_turn(n):
    scores = restarts(np.random.default_rng(n), n)

    def mean_over_pairs(kept):
        return np.mean([scores[i, j] for i in kept for j in kept if i < j])

    without = np.array([mean_over_pairs([j for j in range(n) if j != i]) for i in range(n)])
    se = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    estimate = jackknife.within(scores)
    assert estimate.mean == pytest.approx(mean_over_pairs(range(n)))
    assert estimate.se == pytest.approx(se)
    assert estimate.count == n * (n - 1) // 2
    low, high = estimate.interval()
    assert (high - low) / 2 == pytest.approx(stats.t.ppf(0.975, n - 1) * se)


def test_covers_the_truth_where_pairs_taken_as_independent_do_not():
    rng = np.random.default_rng(0)
    n, repetitions = 10, 2_000
    covered = naive = 0
    for _ in range(repetitions):
        scores = restarts(rng, n)
        estimate = jackknife.within(scores)
        low, high = estimate.interval()
        covered += low <= 0.6 <= high
        half = stats.t.ppf(0.975, estimate.count - 1) * estimate.sd / np.sqrt(estimate.count)
        naive += abs(estimate.mean - 0.6) <= half
    assert covered / repetitions == pytest.approx(0.957, abs=0.02)
    assert naive / repetitions == pytest.approx(0.48, abs=0.08)


def test_covers_the_truth_less_often_where_effects_are_skewed():
    rng = np.random.default_rng(0)
    n, repetitions = 10, 2_000
    covered = 0
    for _ in range(repetitions):
        effect = 0.05 * (1 - rng.exponential(size=n))
        error = np.triu(rng.normal(0, 0.02, (n, n)), 1)
        low, high = jackknife.within(0.6 + effect[:, None] + effect + error + error.T).interval()
        covered += low <= 0.6 <= high
    assert covered / repetitions == pytest.approx(0.90, abs=0.02)


def test_between_runs_covers_the_truth():
    rng = np.random.default_rng(1)
    repetitions = 2_000
    covered = 0
    for _ in range(repetitions):
        scores = 0.4 + rng.normal(0, 0.05, (6, 1)) + rng.normal(0, 0.03, (1, 9)) + rng.normal(0, 0.02, (6, 9))
        low, high = jackknife.between(scores).interval()
        covered += low <= 0.4 <= high
    assert covered / repetitions == pytest.approx(0.95, abs=0.025)


def test_between_leaves_out_restarts_of_each_side():
    scores = np.random.default_rng(2).uniform(size=(4, 6))

    def squared_se(rows):
        without = np.array([np.delete(rows, i, axis=0).mean() for i in range(len(rows))])
        return (len(rows) - 1) / len(rows) * ((without - without.mean()) ** 2).sum()

    assert jackknife.between(scores).se == pytest.approx(np.sqrt(squared_se(scores) + squared_se(scores.T)))


def test_pairs_left_out_between_runs():
    scores = np.random.default_rng(3).uniform(size=(4, 5))
    scores[np.arange(4), np.arange(4)] = np.nan

    def squared_se(rows):
        without = np.array([np.nanmean(np.delete(rows, i, axis=0)) for i in range(len(rows))])
        return (len(rows) - 1) / len(rows) * ((without - without.mean()) ** 2).sum()

    estimate = jackknife.between(scores)
    assert (estimate.mean, estimate.count) == (pytest.approx(np.nanmean(scores)), 16)
    assert estimate.se == pytest.approx(np.sqrt(squared_se(scores) + squared_se(scores.T)))
    row = np.array([[0.5, np.nan, 0.7, 0.9]])
    assert jackknife.between(row).se == pytest.approx(jackknife.over_restarts(row[0, [0, 2, 3]]).se)


def test_a_side_of_one_restart_is_taken_as_given():
    row = np.array([[0.5, 0.6, 0.7]])
    assert jackknife.between(row).se == pytest.approx(jackknife.over_restarts(row[0]).se)
    assert jackknife.between(row).interval() == pytest.approx(jackknife.between(row.T).interval())
    assert jackknife.between(np.array([[0.5]])).interval() is None


def test_two_restarts_make_one_pair_and_no_interval():
    estimate = jackknife.within(np.array([[1.0, 0.7], [0.7, 1.0]]))
    assert (estimate.mean, estimate.sd, estimate.se, estimate.count) == (0.7, None, None, 1)
    assert estimate.interval() is None
    assert jackknife.difference(estimate, estimate).interval() is None


def test_difference_is_welch_on_pseudo_values():
    rng = np.random.default_rng(3)
    a, b = restarts(rng, 5), restarts(rng, 8, mean=0.5, spread=0.1)

    def pseudo_values(scores):
        n = len(scores)
        whole = scores[np.triu_indices(n, 1)].mean()
        return np.array(
            [n * whole - (n - 1) * np.delete(np.delete(scores, i, 0), i, 1)[np.triu_indices(n - 1, 1)].mean() for i in range(n)]
        )

    expected = stats.ttest_ind(pseudo_values(a), pseudo_values(b), equal_var=False)
    difference = jackknife.difference(jackknife.within(a), jackknife.within(b))
    assert jackknife.two_sided_p(difference) == pytest.approx(expected.pvalue)
    assert difference.interval() == pytest.approx(tuple(expected.confidence_interval()))


def test_identical_scores_have_an_interval_of_no_width():
    assert jackknife.within(np.full((4, 4), 0.8)).interval() == pytest.approx((0.8, 0.8))


def test_over_restarts_is_students():
    values = np.array([0.81, 0.79, 0.84, 0.80])
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert jackknife.over_restarts(values).interval() == pytest.approx((expected.low, expected.high))

"""The jackknife against its definition, simulation with a known truth, and scipy."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from stabaudit.statistics import jackknife
from stabaudit.statistics.jackknife import Estimate


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_difference_counts_all_values_and_has_no_interval_where_one_side_has_none():
    lone, several = Estimate(0.7, None, None, 0, 1, "logit"), Estimate(0.9, 0.1, 0.1, 4, 10, "logit")
    for a, b in ((lone, several), (several, lone)):
        difference = jackknife.difference(a, b)
        assert (difference.mean, difference.count) == (pytest.approx(a.mean - b.mean), 11)
        assert difference.interval() is None
        assert jackknife.two_sided_p(difference) is None


def test_difference_of_scores_is_cut_off_at_one():
    a, b = (Estimate(mean, None, 0.2, 2, 3, "logit") for mean in (0.9, 0.3))
    assert jackknife.difference(a, b).interval()[1] == 1
    assert jackknife.difference(b, a).interval()[0] == -1
    assert jackknife.difference(a, b).interval()[0] == pytest.approx(0.6 - 2.7764451 * math.hypot(0.2, 0.2))
    centred = Estimate(0.9, None, 0.5, 2, 3)
    assert jackknife.difference(a, centred).scale == jackknife.difference(centred, a).scale == "identity"
    distances = [Estimate(mean, None, 1.0, 4, 3, "log") for mean in (5.0, 3.0)]
    assert jackknife.difference(*distances).interval()[1] > 2


@pytest.mark.parametrize("scale", ["identity", "logit", "atanh", "log1m", "log"])
def test_identical_scores_have_an_interval_of_no_width(scale):
    assert jackknife.within(np.full((4, 4), 0.8), scale=scale).interval() == pytest.approx((0.8, 0.8), abs=1e-12)


@pytest.mark.parametrize(
    ("scale", "forward", "backward"),
    [
        ("identity", lambda x: x, lambda y: y),
        ("logit", logit, expit),
        ("atanh", np.arctanh, np.tanh),
        ("log1m", lambda x: np.log(1 - x), lambda y: 1 - np.exp(y)),
        ("log", np.log, np.exp),
    ],
)
def test_intervals_are_symmetric_on_their_scale(scale, forward, backward):
    """The slope by a finite difference, the quantile by scipy."""
    estimate = jackknife.within(restarts(np.random.default_rng(4), 5), scale=scale)
    slope = abs(forward(estimate.mean + 1e-6) - forward(estimate.mean - 1e-6)) / 2e-6
    assert estimate.scaled_se == pytest.approx(estimate.se * slope)
    half = stats.t.ppf(0.95, 4) * estimate.se * slope
    expected = sorted(backward(forward(estimate.mean) + sign * half) for sign in (-1, 1))
    assert estimate.interval(0.9) == pytest.approx(tuple(expected))
    again = Estimate(estimate.mean, None, estimate.se, estimate.df, 0, scale)
    assert again.interval() == estimate.interval()


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ((1.0, 1.0, 1.0), "logit"),
        ((1.0 + 2e-16, 1.0, 1.0 - 1e-16), "logit"),
        ((1.0 + 1e-7, 1.0 + 1e-7, 1.0), "logit"),
        ((0.0, 0.0, -1e-17), "logit"),
        ((1.0, 1.0, 0.7), "logit"),
        ((1.0, 1.0, 1.0 - 1e-15), "logit"),
        ((1e-300, 0.0, 0.0), "logit"),
        ((0.0, 0.0, 1.0), "logit"),
        ((1.0, 1.0, 0.7), "atanh"),
        ((-1.0, -1.0 - 1e-9, 1.0), "atanh"),
        ((-1.0, -1.0, -1.0), "atanh"),
        ((1.0, 1.0 + 1e-9, 1.0), "log1m"),
        ((1.0, 1.0, -50.0), "log1m"),
        ((0.0, 0.0, 0.0), "log"),
        ((0.0, 0.0, 1e9), "log"),
    ],
)
@pytest.mark.parametrize("level", [0.5, 0.95, 1 - 1e-9])
def test_intervals_never_leave_the_range(values, scale, level):
    scores = np.zeros((3, 3))
    scores[np.triu_indices(3, 1)] = values
    lowest, highest = {"logit": (0, 1), "atanh": (-1, 1), "log1m": (-math.inf, 1), "log": (0, math.inf)}[scale]
    table = np.array(values)[:, None]
    for estimate in (
        jackknife.within(scores + scores.T, scale=scale),
        jackknife.between(table, scale=scale),
        jackknife.over_restarts(table[:, 0], scale=scale),
    ):
        low, high = estimate.interval(level)
        assert lowest <= low <= estimate.mean <= high <= highest


@pytest.mark.parametrize("scale", ["identity", "logit", "atanh", "log1m", "log", "difference"])
def test_the_narrowest_interval_holds_the_mean(scale):
    for mean in np.linspace(0.001, 0.999, 999):
        low, high = Estimate(float(mean), None, 1e-18, 4, 0, scale).interval()
        assert low <= mean <= high


def test_a_mean_at_an_end_without_spread_has_no_error_on_its_scale():
    assert Estimate(1.0, None, 0.0, 4, 10, "logit").scaled_se == 0
    assert Estimate(1.0, None, 0.1, 4, 10, "logit").scaled_se == math.inf


@pytest.mark.parametrize(("value", "scale"), [(1.1, "logit"), (-0.1, "logit"), (1.1, "log1m"), (-0.1, "log"), (-1.1, "atanh")])
def test_a_scale_that_does_not_fit_is_refused(value, scale):
    with pytest.raises(ValueError, match="outside the range of the scale"):
        jackknife.within(np.full((3, 3), value), scale=scale)


def test_the_scale_is_kept():
    assert jackknife.within(np.full((2, 2), 0.5), scale="logit").scale == "logit"
    assert jackknife.between(np.full((1, 1), 0.5), scale="logit").scale == "logit"
    assert jackknife.between(np.full((2, 3), 0.5), scale="log").scale == "log"
    assert jackknife.over_restarts(np.full(1, 0.5), scale="log").scale == "log"
    assert jackknife.between(np.full((1, 1), 0.5), scale="logit").scaled_se is None


def two_solutions(groups):
    return np.where(np.equal.outer(groups, groups), 0.95, 0.4)


def test_two_equally_frequent_solutions_are_not_sure():
    """The means without each restart are all alike, and the plain jackknife gives [0.62, 0.62]."""
    estimate = jackknife.within(two_solutions([0, 0, 0, 1, 1, 1]), scale="logit")
    pairs = [0.95] * 6 + [0.4] * 9
    assert np.ptp(jackknife.leave_one_out(two_solutions([0, 0, 0, 1, 1, 1]))) < 1e-12
    assert estimate.se == pytest.approx(np.std(pairs, ddof=1) / np.sqrt(15))
    low, high = estimate.interval()
    assert low < 0.46
    assert high > 0.76


def test_two_equally_frequent_solutions_on_either_side_are_not_sure():
    scores = np.where(np.equal.outer([0, 0, 1, 1], [0, 1, 0, 1]), 0.95, 0.4)
    assert jackknife.between(scores).se == pytest.approx(scores.std(ddof=1) / 4)


def test_the_means_without_a_restart_do_not_see_the_diagonal():
    scores = restarts(np.random.default_rng(5), 4)
    expected = [np.delete(np.delete(scores, i, 0), i, 1)[np.triu_indices(3, 1)].mean() for i in range(4)]
    np.fill_diagonal(scores, np.nan)
    assert jackknife.leave_one_out(scores) == pytest.approx(np.array(expected))


def normal(rng, n):
    return restarts(rng, n)


def exponential(rng, n):
    effect = 0.05 * (1 - rng.exponential(size=n))
    return 0.6 + effect[:, None] + effect + restarts(rng, n, mean=0, spread=0)


def near_the_ceiling(rng, n):
    return expit(restarts(rng, n, mean=3.5, spread=0.4, noise=0.2))


def r_squared(rng, n):
    return 1 - np.exp(restarts(rng, n, mean=-1.5, spread=0.3, noise=0.1))


def distance(rng, n):
    return np.exp(restarts(rng, n, mean=-2, spread=0.4, noise=0.2))


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.parametrize(
    ("draw", "scale", "at_least"),
    [
        (normal, "logit", 0.93),
        (exponential, "logit", 0.89),
        (near_the_ceiling, "logit", 0.93),
        (near_the_ceiling, "atanh", 0.92),
        (r_squared, "log1m", 0.93),
        (distance, "log", 0.93),
    ],
)
def test_coverage(draw, scale, at_least, n):
    """Over 2,000 runs a coverage of 95% has a standard error of 0.5 points; `tests/benchmarks/coverage.py` has more of it."""
    rng = np.random.default_rng([n, 1])
    truth = np.mean([draw(rng, 200)[np.triu_indices(200, 1)].mean() for _ in range(50)])
    lowest, highest = {"logit": (0, 1), "atanh": (-1, 1), "log1m": (-math.inf, 1), "log": (0, math.inf)}[scale]
    limits = np.array([jackknife.within(draw(rng, n), scale=scale).interval() for _ in range(2_000)])
    low, high = limits.T
    assert at_least <= np.mean((low <= truth) & (truth <= high)) <= 0.97
    assert low.min() >= lowest
    assert high.max() <= highest


def test_over_restarts_is_students():
    values = np.array([0.81, 0.79, 0.84, 0.80])
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert jackknife.over_restarts(values).interval() == pytest.approx((expected.low, expected.high))

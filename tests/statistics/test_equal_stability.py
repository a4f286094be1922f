"""The test of equal stability against enumeration by hand, and its level and power against simulation."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from stabaudit.statistics import equal_stability, jackknife
from stabaudit.statistics.equal_stability import permutation_p, pseudo_values, smallest_p


def scores_of(rng, n, mean=0.6, spread=0.05, noise=0.02):
    effect = rng.normal(0, spread, n)
    error = np.triu(rng.normal(0, noise, (n, n)), 1)
    return mean + effect[:, None] + effect[None, :] + error + error.T


def mean_over_pairs(scores):
    return scores[np.triu_indices(len(scores), 1)].mean()


def by_hand(a, b):
    """Pseudo-values by deleting rows and columns, Welch's t by scipy, every deal by itertools."""
    values = np.concatenate(
        [
            [
                len(scores) * mean_over_pairs(scores)
                - (len(scores) - 1) * mean_over_pairs(np.delete(np.delete(scores, i, 0), i, 1))
                for i in range(len(scores))
            ]
            for scores in (a, b)
        ]
    )

    def statistic(group):
        dealt = np.isin(np.arange(len(values)), group)
        return abs(stats.ttest_ind(values[dealt], values[~dealt], equal_var=False).statistic)

    observed = statistic(range(len(a)))
    return np.mean([statistic(group) >= observed - 1e-9 for group in combinations(range(len(values)), len(a))])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n_a", "n_b"), [(3, 3), (3, 4), (5, 5), (3, 6), (6, 3)])
def test_every_deal_by_hand(n_a, n_b, seed):
    rng = np.random.default_rng([n_a, n_b, seed])
    a, b = scores_of(rng, n_a), scores_of(rng, n_b, mean=0.5, spread=0.1)
    assert permutation_p(a, b, rng=rng) == pytest.approx(by_hand(a, b))


def test_pseudo_values_have_the_mean_and_standard_error_of_the_run():
    scores = scores_of(np.random.default_rng(1), 7)
    values, estimate = pseudo_values(scores), jackknife.within(scores)
    assert values.mean() == pytest.approx(estimate.mean)
    assert values.std(ddof=1) / np.sqrt(7) == pytest.approx(estimate.se)


def test_drawn_deals_agree_with_all_deals(monkeypatch):
    rng = np.random.default_rng(5)
    a, b = scores_of(rng, 5), scores_of(rng, 6, mean=0.55)
    exact = permutation_p(a, b, rng=np.random.default_rng(0))
    monkeypatch.setattr(equal_stability, "EXACT_LIMIT", 461)  # of 462 deals
    drawn = [permutation_p(a, b, rng=np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert drawn == pytest.approx([exact] * 3, abs=0.02)
    assert drawn[0] == drawn[1] != drawn[2]
    assert smallest_p(5, 6) == 1e-4
    monkeypatch.setattr(equal_stability, "EXACT_LIMIT", 462)
    assert smallest_p(5, 6) == 1 / 462
    assert permutation_p(a, b, rng=np.random.default_rng(1)) == exact


@pytest.mark.parametrize(("n_a", "n_b"), [(3, 3), (3, 4), (5, 4), (6, 6), (12, 12)])
def test_runs_as_far_apart_as_can_be_give_the_smallest_p(n_a, n_b):
    rng = np.random.default_rng(2)
    a, b = scores_of(rng, n_a, mean=0.9, spread=0.001, noise=0), scores_of(rng, n_b, mean=0.2, spread=0.001, noise=0)
    p = permutation_p(a, b, rng=rng)
    assert p == pytest.approx(smallest_p(n_a, n_b), rel=1e-9)
    assert p == permutation_p(b, a, rng=rng)


def test_drawn_deals_never_give_zero(monkeypatch):
    monkeypatch.setattr(equal_stability, "DRAWS", 9)
    a, b = (np.full((10, 10), value) for value in (0.9, 0.2))
    assert permutation_p(a, b, rng=np.random.default_rng(0)) == smallest_p(10, 10) == 0.1


def test_three_against_three_cannot_reach_five_percent():
    assert smallest_p(3, 3) == pytest.approx(0.1)
    assert smallest_p(3, 4) < 0.05


@pytest.mark.parametrize("n", [(2, 5), (5, 2), (1, 1)])
def test_two_restarts_have_no_pseudo_values(n):
    rng = np.random.default_rng(0)
    assert permutation_p(scores_of(rng, n[0]), scores_of(rng, n[1]), rng=rng) is None
    assert smallest_p(*n) == 1


def test_equal_scores_do_not_differ():
    a, b = np.full((4, 4), 0.7), np.full((5, 5), 0.7) + 1e-13
    assert permutation_p(a, b, rng=np.random.default_rng(0)) == 1


def error_rate(a_options, b_options, n_a, n_b, runs=300):
    rng = np.random.default_rng([n_a, n_b, 8])
    p = [permutation_p(scores_of(rng, n_a, **a_options), scores_of(rng, n_b, **b_options), rng=rng) for _ in range(runs)]
    return np.mean(np.array(p) <= 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("n_a", "n_b"), [(5, 5), (7, 7), (5, 8)])
def test_rejects_a_true_null_as_often_as_it_says(n_a, n_b):
    """Scores between the runs do not enter, so this holds for equally stable runs whatever they have in common."""
    assert stats.binom.cdf(error_rate({}, {}, n_a, n_b) * 300, 300, 0.05) == pytest.approx(0.5, abs=0.495)


@pytest.mark.slow
def test_unequal_spread_leaves_the_level_about_as_it_is():
    assert error_rate({"spread": 0.15}, {}, 5, 8) <= 0.13
    assert error_rate({}, {"spread": 0.15}, 5, 8) <= 0.08


@pytest.mark.slow
def test_finds_a_real_difference():
    assert error_rate({}, {"mean": 0.4}, 5, 5) >= 0.7
    assert error_rate({"mean": 0.4}, {}, 5, 8) >= 0.7

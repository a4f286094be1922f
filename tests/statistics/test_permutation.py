"""The permutation test against enumeration by hand, and its level against simulation."""

from itertools import combinations

import numpy as np
import pytest

from stabaudit.statistics import permutation
from stabaudit.statistics.permutation import permutation_p


def scores_of(rng, n):
    effect = rng.normal(0, 0.05, n)
    error = np.triu(rng.normal(0, 0.02, (n, n)), 1)
    return 0.6 + effect[:, None] + effect[None, :] + error + error.T


def by_hand(scores, first):
    n = len(scores)

    def mean(group):
        return np.mean([scores[i, j] for i, j in combinations(sorted(group), 2)])

    def separation(group):
        return abs(mean(group) - mean(set(range(n)) - set(group)))

    observed = separation(range(first))
    return np.mean([separation(group) >= observed - 1e-12 for group in combinations(range(n), first)])


@pytest.mark.parametrize("n", [2, 3, 4])
def test_every_deal_by_hand(n):
    rng = np.random.default_rng(n)
    scores = scores_of(rng, 2 * n)
    assert permutation_p(scores, rng=rng) == pytest.approx(by_hand(scores, n))


def test_drawn_deals_agree_with_all_deals(monkeypatch):
    scores = scores_of(np.random.default_rng(5), 12)
    exact = permutation_p(scores, rng=np.random.default_rng(0))
    monkeypatch.setattr(permutation, "EXACT_LIMIT", 0)
    assert permutation_p(scores, rng=np.random.default_rng(0)) == pytest.approx(exact, abs=0.02)


def test_rejects_a_true_null_as_often_as_it_says():
    rng = np.random.default_rng(6)
    p = np.array([permutation_p(scores_of(rng, 10), rng=rng) for _ in range(400)])
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.03)


def test_holds_its_level_for_runs_that_are_as_stable_but_not_alike():
    rng = np.random.default_rng(8)
    p = []
    for _ in range(400):
        scores = scores_of(rng, 10)
        scores[:5, 5:] -= 0.3
        scores[5:, :5] -= 0.3
        p.append(permutation_p(scores, rng=rng))
    assert np.mean(np.array(p) <= 0.05) <= 0.08


def test_finds_a_real_difference():
    rng = np.random.default_rng(7)
    scores = scores_of(rng, 12)
    scores[:6, :6] += 0.5
    assert permutation_p(scores, rng=rng) == pytest.approx(2 / 924)

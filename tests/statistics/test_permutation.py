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


@pytest.mark.parametrize(("first", "second"), [(2, 2), (3, 3), (3, 5), (2, 6)])
def test_every_deal_by_hand(first, second):
    rng = np.random.default_rng(first * 10 + second)
    scores = scores_of(rng, first + second)
    assert permutation_p(scores, first, rng=rng) == pytest.approx(by_hand(scores, first))


def test_drawn_deals_agree_with_all_deals(monkeypatch):
    scores = scores_of(np.random.default_rng(5), 12)
    exact = permutation_p(scores, 6, rng=np.random.default_rng(0))
    monkeypatch.setattr(permutation, "EXACT_LIMIT", 0)
    assert permutation_p(scores, 6, rng=np.random.default_rng(0)) == pytest.approx(exact, abs=0.02)


def test_rejects_a_true_null_as_often_as_it_says():
    rng = np.random.default_rng(6)
    p = np.array([permutation_p(scores_of(rng, 10), 5, rng=rng) for _ in range(400)])
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.03)


def test_finds_a_real_difference():
    rng = np.random.default_rng(7)
    scores = scores_of(rng, 12)
    scores[:6, :6] += 0.5
    assert permutation_p(scores, 6, rng=rng) == pytest.approx(2 / 924)

"""Rank correlation of distances to neighbours, against a loop over rows with scipy."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr

from stabaudit.metrics import knn_rank_correlation, neighbour_ranks, rsa_spearman
from stabaudit.metrics.neighbour_ranks import rank_correlation, surroundings
from stabaudit.metrics.pair_scores import ScoreName
from stabaudit.metrics.sampled_rows import sampled
from stabaudit.metrics.score_pairs import score_pairs
from stabaudit.metrics.split import split_halves


def by_loop(a, b, k=10, rows=None):
    from_a, from_b = cdist(a, a), cdist(b, b)
    np.fill_diagonal(from_a, np.inf)
    found = []
    for i in range(len(a)) if rows is None else rows:
        near = np.argsort(from_a[i])[:k]
        found.append(spearmanr(from_a[i, near], from_b[i, near]).statistic)
    return np.mean(found)


@pytest.mark.slow
def test_it_is_what_a_loop_over_rows_gives():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(400, 3))
    b = np.column_stack([np.sinh(a[:, 0]), a[:, 1] + 0.3 * rng.normal(size=400)])
    assert knn_rank_correlation(a, b) == pytest.approx(by_loop(a, b), abs=1e-10)
    assert knn_rank_correlation(b, a) == pytest.approx(by_loop(b, a), abs=1e-10)
    many = rng.normal(size=(1500, 2))
    moved = many + 0.05 * rng.normal(size=many.shape)
    rows = np.sort(np.random.default_rng(1500).choice(1500, 500, replace=False))
    assert knn_rank_correlation(many, moved) == pytest.approx(by_loop(many, moved, rows=rows), abs=1e-10)


def test_a_map_that_is_locally_a_rotation_keeps_near_ranks_and_not_far_ones():
    rng = np.random.default_rng(1)
    angle = np.sort(rng.uniform(0, 1.9 * np.pi, size=900))
    line, circle = angle[:, None], np.column_stack([np.cos(angle), np.sin(angle)])
    assert knn_rank_correlation(line, circle) > 0.999
    assert rsa_spearman(line, circle) < 0.9


@pytest.mark.slow
def test_unrelated_latents_score_0_and_the_floor_is_that_of_shuffled_rows():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 600, 3))
    fit = split_halves(np.arange(600))
    scored = score_pairs([a, b], fit, scores=["knn_rank_correlation"], floor_draws=60, rng=rng).pairs[0]
    floor = scored.independence[ScoreName("knn_rank_correlation", None, "out")]
    brute = [knn_rank_correlation(a[~fit], rng.permutation(b[~fit])) for _ in range(60)]
    assert abs(floor.mean() - np.mean(brute)) < 2 * np.hypot(floor.std(), np.std(brute)) / np.sqrt(60)
    assert abs(np.mean(brute)) < 0.02


def test_sides_in_another_order_are_those_of_permuted_rows():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 300, 2))
    order = rng.permutation(300)
    of_a, of_b = surroundings(a), surroundings(b)
    assert rank_correlation(of_a, of_b.permuted(order)) == pytest.approx(knn_rank_correlation(a, b[order]), abs=1e-12)
    assert rank_correlation(of_b.permuted(order), of_a) == pytest.approx(knn_rank_correlation(b[order], a), abs=1e-12)
    assert rank_correlation(of_a.permuted(order), of_b.permuted(order)) == pytest.approx(knn_rank_correlation(a, b), abs=1e-12)


def test_rows_that_are_all_the_same_few_rows_and_far_magnitudes():
    rng = np.random.default_rng(4)
    a = rng.normal(size=(50, 2))
    assert knn_rank_correlation(a, np.zeros((50, 2))) == 0.0
    assert knn_rank_correlation(np.zeros((50, 2)), a) == 0.0
    assert knn_rank_correlation(a[:3], 2 * a[:3]) == pytest.approx(1.0)
    assert knn_rank_correlation(1e200 * a, 1e-200 * a) == pytest.approx(1.0)


def test_two_orders_one_after_the_other():
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(2, 200, 2))
    first, second = rng.permutation(200), rng.permutation(200)
    twice = surroundings(b).permuted(first).permuted(second)
    assert rank_correlation(surroundings(a), twice) == pytest.approx(knn_rank_correlation(a, b[first][second]), abs=1e-12)
    assert rank_correlation(twice, surroundings(a)) == pytest.approx(knn_rank_correlation(b[first][second], a), abs=1e-12)


def test_of_many_rows_neighbours_are_looked_for_among_a_part(monkeypatch):
    monkeypatch.setattr(neighbour_ranks, "MOST_CENTRES", 40)
    monkeypatch.setattr(neighbour_ranks, "MOST_ROWS", 100)
    rng = np.random.default_rng(6)
    a = rng.normal(size=(300, 2))
    b = a + 0.1 * rng.normal(size=a.shape)
    centres, among = sampled(300, 40), sampled(300, 100)
    assert 0 < len(set(centres) & set(among)) < 40  # some are among those looked through, some are not
    apart, found = cdist(a, a), []
    for i in centres:
        near = sorted(set(among) - {i}, key=lambda j: apart[i, j])[:10]
        found.append(spearmanr(apart[i, near], np.linalg.norm(b[near] - b[i], axis=1)).statistic)
    assert knn_rank_correlation(a, b) == pytest.approx(np.mean(found), abs=1e-10)


def test_rows_that_are_equal_are_neighbours_and_none_is_its_own():
    rng = np.random.default_rng(7)
    a, b = np.tile(rng.normal(size=(4, 2)), (2, 1)), rng.normal(size=(8, 3))  # few enough that all others are neighbours
    found = [spearmanr(cdist(a, a)[i, others], cdist(b, b)[i, others]).statistic for i, others in others_of(8)]
    assert knn_rank_correlation(a, b) == pytest.approx(np.mean(found), abs=1e-10)
    many = surroundings(np.concatenate([np.ones((30, 2)), rng.normal(size=(30, 2))]))
    assert not (many.near == many.centres[:, None]).any()
    assert all(len(set(row)) == 10 for row in many.near.tolist())
    assert (many.near[:30] < 30).all()


def others_of(n):
    return [(i, [j for j in range(n) if j != i]) for i in range(n)]

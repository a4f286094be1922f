"""Neighbours kept, against loops over rows."""

import numpy as np
import pytest

from stabaudit.errors import BadData
from stabaudit.metrics import knn_jaccard, knn_overlap, neighbours
from stabaudit.metrics.neighbours import nearest
from stabaudit.metrics.sampled_rows import reordered, sampled


def by_hand(a, b, k=10):
    """Overlap and Jaccard index by sorting all distances."""
    found = []
    for i in range(len(a)):
        near = [set(np.argsort(np.where(np.arange(len(z)) == i, np.inf, ((z - z[i]) ** 2).sum(axis=1)))[:k]) for z in (a, b)]
        found.append((len(near[0] & near[1]) / k, len(near[0] & near[1]) / len(near[0] | near[1])))
    return np.mean(found, axis=0)


def latents(n=150):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(n, 4))
    return a, a + 0.5 * rng.normal(size=(n, 4))


def test_they_are_those_of_all_distances():
    a, b = latents()
    assert (knn_overlap(a, b), knn_jaccard(a, b)) == pytest.approx(by_hand(a, b), abs=1e-12)


def test_of_few_rows_all_are_neighbours():
    a, b = latents(6)
    assert knn_overlap(a, b) == 1.0
    with pytest.raises(BadData, match="1 row, expected at least 2"):
        knn_overlap(a[:1], b[:1])


def test_neighbours_of_rows_in_another_order_are_found_without_a_search():
    a, _ = latents()
    order = np.random.default_rng(1).permutation(len(a))
    np.testing.assert_array_equal(nearest(a).permuted(order).of_row, nearest(a[order]).of_row)


def test_unrelated_latents_keep_as_many_as_chance_gives():
    rng = np.random.default_rng(2)
    found = [knn_overlap(rng.normal(size=(101, 3)), rng.normal(size=(101, 3))) for _ in range(100)]
    assert np.mean(found) == pytest.approx(0.1, abs=4 * np.std(found) / 10)


def test_of_many_rows_a_fixed_part_is_searched(monkeypatch):
    monkeypatch.setattr(neighbours, "MOST_ROWS", 60)
    a, b = latents()
    rows = sampled(len(a), 60)
    assert len(rows) == len(set(rows.tolist())) == 60
    assert knn_overlap(a, b) == pytest.approx(by_hand(a[rows], b[rows])[0], abs=1e-12)
    order = np.random.default_rng(3).permutation(len(a))
    assert sorted(reordered(order, 60)) == list(range(60))

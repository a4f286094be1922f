"""Clusters that are found again, split or merged, in worlds whose truth is known."""

import numpy as np
import pytest

from stabaudit.metrics.cluster_agreement import Clustering, overlap
from stabaudit.metrics.cluster_recovery import CONTAINED, PART, found_again, reading, splits


def counts_of(a, b):
    return overlap(Clustering.of(a), Clustering.of(b))


def noisy(rng, a, share):
    """Some rows in clusters at random."""
    b, moved = a.copy(), rng.random(len(a)) < share
    b[moved] = rng.integers(0, a.max() + 1, moved.sum())
    return b


@pytest.mark.parametrize("seed", range(4))
def test_the_best_partner_is_that_of_sets(seed):
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 6, 200)
    b = noisy(rng, a, 0.5)
    rows_a, rows_b = ([set(np.flatnonzero(of == cluster)) for cluster in np.unique(of)] for of in (a, b))
    table = np.array([[len(one & other) / len(one | other) for other in rows_b] for one in rows_a])
    found = found_again(counts_of(a, b))
    np.testing.assert_allclose(found.jaccard, table.max(axis=1), atol=1e-15)
    np.testing.assert_array_equal(found.partner, table.argmax(axis=1))


def world(rng, n, k):
    return rng.choice(k, n, p=rng.dirichlet(np.full(k, 5.0)))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.6, 1.0])
@pytest.mark.parametrize(("n", "k"), [(60, 4), (300, 8), (2000, 12)])
def test_the_same_clusters_up_to_noise_are_neither_split_nor_merged(n, k, share):
    rng = np.random.default_rng(n + k)
    wrong = 0
    for _ in range(100):
        a = world(rng, n, k)
        counts = counts_of(a, noisy(rng, a, share))
        wrong += bool(splits(counts)) + bool(splits(counts.T))
    assert wrong <= 1


@pytest.mark.parametrize("noise", [0.1, 0.3, 0.6])
def test_rows_that_cross_the_borders_of_clusters_split_none(noise):
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(100):
        centres, of = 2.0 * rng.normal(size=(8, 3)), world(rng, 800, 8)
        z = centres[of] + rng.normal(size=(800, 3))
        a, b = (nearest(z + noise * rng.normal(size=z.shape), centres) for _ in range(2))
        counts = counts_of(a, b)
        wrong += bool(splits(counts)) + bool(splits(counts.T))
    assert wrong <= 1


def nearest(z, centres):
    return ((z[:, None] - centres) ** 2).sum(axis=-1).argmin(axis=1)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1])
@pytest.mark.parametrize("first", [0.5, 0.7])
def test_a_cluster_that_is_cut_in_two_is_found_split_and_the_other_way_round_merged(share, first):
    rng = np.random.default_rng(5)
    found = others = 0
    for _ in range(100):
        a = rng.choice(6, 1000, p=[0.25, 0.15, 0.15, 0.15, 0.15, 0.15])
        b = np.where((a == 0) & (rng.random(1000) > first), 6, a)
        seen_b = noisy(rng, b, share)
        counts = counts_of(a, seen_b)
        seen = splits(counts)
        found += [(one.whole, one.parts) for one in seen] == [(0, (0, 6))]
        others += bool(splits(counts.T))
        assert [one.rows for one in seen] == [counts[one.whole, list(one.parts)].sum() for one in seen]
        assert splits(counts_of(seen_b, a).T) == seen  # b's clusters are merged in a
    assert found >= 97
    assert others <= 1


def test_thresholds_are_where_they_are_said_to_be():
    def cut(part, foreign=0):
        return splits(np.array([[1000 - part, part, 0], [0, foreign, 3000]]))

    assert [bool(cut(round(1000 * PART) + more)) for more in (-1, 0)] == [False, True]
    part, chance = 400, 1000 / 4000
    inside = chance + CONTAINED * (1 - chance)  # of the rows of the part
    most = int(part * (1 - inside) / inside)
    assert [bool(splits(np.array([[600, part, 0], [0, most + more, 3000 - most - more]]))) for more in (0, 2)] == [True, False]


def test_clusters_in_one_large_one_are_not_merged_by_chance():
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, b = rng.choice(5, 500), rng.choice(2, 500, p=[0.95, 0.05])
        assert not splits(counts_of(a, b).T)
    assert not splits(counts_of(np.zeros(20, dtype=int), np.repeat([0, 1], 10)))  # all rows in one cluster: nothing beyond chance


def test_a_few_rows_are_no_part():
    assert not splits(np.array([[4, 4, 0], [0, 0, 30]]))
    assert splits(np.array([[5, 5, 0], [0, 0, 30]]))


@pytest.mark.parametrize(
    ("jaccard", "word"), [(0.85, "highly stable"), (0.8499, "stable"), (0.75, "stable"), (0.6, "pattern"), (0.59, "unstable")]
)
def test_the_usual_reading(jaccard, word):
    assert reading(jaccard, np.array([0.1, 0.2])) == word


def test_what_shuffles_reach_is_chance_and_a_large_cluster_has_no_reading():
    assert reading(0.2, np.array([0.1, 0.2])) == "chance"
    assert reading(0.95, np.array([0.9, 0.91])) is None

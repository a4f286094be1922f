"""RSA and distance correlation against scipy and loops."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from scipy.stats import pearsonr, spearmanr

from stabaudit.errors import BadData
from stabaudit.metrics import distance_correlation, distance_scores, rsa_pearson, rsa_spearman
from stabaudit.metrics.distance_scores import Distances, centred_distances, distance_ranks, distances, root_of_agreement
from stabaudit.metrics.sampled_rows import sampled


def latents(n=80):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(n, 3)) * [1.0, 5.0, 0.2] + 100.0
    return a, np.column_stack([a[:, 1] ** 2, rng.normal(size=n)])


def by_hand(a, b):
    """Distance correlation as Székely, Rizzo and Bakirov 2007 define it (2.8-2.10)."""

    def centred(z):
        found = cdist(z, z)
        n = len(z)
        return np.array([[found[k, m] - found[k].mean() - found[:, m].mean() + found.mean() for m in range(n)] for k in range(n)])

    x, y = centred(a), centred(b)
    return np.sqrt((x * y).mean() / np.sqrt((x * x).mean() * (y * y).mean()))


def test_they_are_those_of_scipy_and_of_the_definition():
    a, b = latents()
    assert rsa_pearson(a, b) == pytest.approx(pearsonr(pdist(a), pdist(b)).statistic, abs=1e-10)
    assert rsa_spearman(a, b) == pytest.approx(spearmanr(pdist(a), pdist(b)).statistic, abs=1e-10)
    assert distance_correlation(a, b) == pytest.approx(by_hand(a, b), abs=1e-10)


def test_distance_correlation_sees_what_correlation_does_not():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(900, 1))
    related, unrelated = distance_correlation(x, x**2), distance_correlation(x, rng.normal(size=(900, 1)))
    assert abs(np.corrcoef(x.T, (x**2).T)[0, 1]) < 0.2
    assert related > 0.4
    assert unrelated < 0.15


@pytest.mark.parametrize("score", [rsa_pearson, rsa_spearman, distance_correlation])
def test_units_do_not_count_and_what_does_not_vary_has_nothing_in_common(score):
    a, b = latents()
    a = a - a.mean(axis=0)
    assert score(1e-160 * a, 1e150 * b) == pytest.approx(score(a, b), abs=1e-10)
    assert score(np.ones((20, 2)), b[:20]) == 0.0
    with pytest.raises(BadData, match="expected at least 3"):
        score(a[:2], b[:2])


def test_rows_in_another_order_and_a_part_of_many(monkeypatch):
    a, b = latents()
    order = np.random.default_rng(2).permutation(len(a))
    np.testing.assert_allclose(distances(a).permuted(order).matrix, distances(a[order]).matrix, atol=1e-12)
    monkeypatch.setattr(distance_scores, "MOST_ROWS", 30)
    rows = sampled(len(a), 30)
    assert rsa_pearson(a, b) == pytest.approx(pearsonr(pdist(a[rows]), pdist(b[rows])).statistic, abs=1e-6)


@pytest.mark.parametrize("side", [distances, distance_ranks, centred_distances])
def test_sides_of_many_rows_in_another_order_give_what_a_shuffle_of_the_part_gives(side, monkeypatch):
    monkeypatch.setattr(distance_scores, "MOST_ROWS", 30)
    a, _ = latents()
    whole, order = side(a), np.random.default_rng(3).permutation(len(a))
    assert whole.matrix.shape == (30, 30)
    shuffled = whole.permuted(order).matrix
    ranks = [sorted(order[sampled(len(a), 30)]).index(one) for one in order[sampled(len(a), 30)]]
    assert sorted(ranks) == list(range(30))
    np.testing.assert_array_equal(shuffled, whole.matrix[ranks][:, ranks])
    assert np.sum(whole.matrix.astype(float) ** 2) == pytest.approx(1.0, rel=1e-6)  # its score with itself


def test_what_only_rounding_varies_does_not_vary():
    rng = np.random.default_rng(4)
    a, _ = latents(40)
    corners = np.eye(40) + 1e-16 * rng.normal(size=(40, 40))  # all √2 apart
    assert rsa_pearson(corners, a) == 0.0
    assert distance_correlation(np.eye(3), a[:3]) == pytest.approx(by_hand(np.eye(3), a[:3]), abs=1e-10)
    slightly = np.eye(40) + 1e-6 * rng.normal(size=(40, 40))
    assert rsa_pearson(slightly, slightly) == pytest.approx(1.0)


def test_a_sum_that_rounding_leaves_below_zero_has_the_root_zero():
    assert root_of_agreement(Distances(np.full((2, 2), 1e-9)), Distances(np.full((2, 2), -1e-9))) == 0.0

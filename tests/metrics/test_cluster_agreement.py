"""Agreement of clusterings, against scikit-learn and against its definition."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, normalized_mutual_info_score

from stabaudit.errors import BadData
from stabaudit.metrics.cluster_agreement import (
    INFORMATION,
    MOST_CLUSTERS,
    NORMALISED,
    SCORE,
    Clustering,
    agreement,
    expected_information,
    overlap,
)


def two(seed, n=200, k=5, other=4):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, k, n), rng.integers(0, other, n)
    b[: n // 2] = a[: n // 2] % other
    return a, b


def of(values):
    return Clustering.of(np.asarray(values))


@pytest.mark.parametrize("seed", range(6))
def test_all_three_are_those_of_scikit_learn(seed):
    for a, b in (two(seed), two(seed, 30, 12, 9), two(seed, 2000, 40, 3), (np.arange(20), two(seed, 20)[0])):
        found = agreement(of(a), of(b))
        others = adjusted_rand_score(a, b), adjusted_mutual_info_score(a, b), normalized_mutual_info_score(a, b)
        assert found == pytest.approx(others, abs=1e-12)
        assert found == pytest.approx(agreement(of(b), of(a)), abs=1e-12)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0, 0, 0], [1, 1, 1]),
        ([0, 0, 0], [0, 1, 2]),
        ([0, 1, 2], [5, 6, 7]),
        ([0, 0, 1], [1, 0, 0]),
        ([0, 0, 1, 1], [0, 1, 0, 1]),
    ],
)
def test_clusterings_of_few_rows_one_cluster_or_one_for_each_row(a, b):
    others = adjusted_rand_score(a, b), adjusted_mutual_info_score(a, b), normalized_mutual_info_score(a, b)
    assert agreement(of(a), of(b)) == pytest.approx(others, abs=1e-12)


def test_names_do_not_matter_and_may_be_text():
    a, b = two(1)
    renamed = np.array(["delta", "alpha", "gamma", "beta", "epsilon"])[a]
    assert agreement(of(renamed), of(-7 * b)) == pytest.approx(agreement(of(a), of(b)), abs=1e-14)
    assert agreement(of(a), of(renamed)) == pytest.approx((1.0, 1.0, 1.0), abs=1e-12)


def test_expected_information_is_the_mean_over_all_shuffles():
    a, b = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 0, 1, 1, 1])
    entropies = of(a).entropy, of(b).entropy
    shuffled = [
        agreement(of(a), of(b[list(order)])).normalised_information * sum(entropies) / 2 for order in permutations(range(6))
    ]
    assert expected_information(of(a), of(b)) == pytest.approx(np.mean(shuffled), abs=1e-12)
    assert entropies == pytest.approx((np.log(3), np.log(2)))


def test_shuffles_have_the_same_chance_and_are_zero_on_average_after_it():
    a, b = two(2, 300)
    one, other, rng = of(a), of(b), np.random.default_rng(0)
    chance = expected_information(one, other)
    draws = np.array([agreement(one, other.permuted(rng.permutation(300)), chance) for _ in range(400)])
    error = draws.std(axis=0) / 20
    assert (np.abs(draws.mean(axis=0)[:2]) < 3 * error[:2]).all()
    assert draws.mean(axis=0)[2] > 5 * error[2]  # NMI is not corrected


def test_ranges():
    worst = agreement(of([0, 0, 1, 1]), of([0, 1, 0, 1]))
    assert worst.rand == pytest.approx(SCORE.low) == -0.5
    assert worst.mutual_information < 0.0 == NORMALISED.low
    assert INFORMATION.low == -np.inf
    assert (SCORE.scale, INFORMATION.scale, NORMALISED.scale) == ("log1m", "log1m", "logit")


def test_overlap_counts_rows():
    a, b = two(3)
    counts = overlap(of(a), of(b))
    assert all(counts[i, j] == ((a == i) & (b == j)).sum() for i in range(5) for j in range(4))
    with pytest.raises(BadData, match="of the same rows"):
        overlap(of(a), of(b[:-1]))


@pytest.mark.parametrize(
    ("assigned", "said"),
    [
        (["a", "", "b", ""], r"2 rows have no cluster \(''\)"),
        (["a", "nan"], r"1 row has no cluster \('nan'\)"),
        (np.array([0.5, 1.0]), "float64, expected integers or text"),
        (np.zeros((2, 2), dtype=int), r"shape \(2, 2\)"),
        (np.arange(MOST_CLUSTERS + 1), "2,001 clusters of 2,001 rows, expected at most 2,000"),
        ([], r"shape \(0,\)"),
    ],
)
def test_what_is_no_clustering_is_refused_in_one_line(assigned, said):
    with pytest.raises(BadData, match=said) as refused:
        Clustering.of(np.asarray(assigned), "vae#3: its clusters")
    assert str(refused.value).startswith("vae#3: its clusters: ")
    assert "\n" not in str(refused.value)

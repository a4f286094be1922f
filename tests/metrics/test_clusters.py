"""Clusterings and their agreement."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score

from stabaudit.errors import BadData
from stabaudit.metrics import clusters
from stabaudit.metrics.cluster_agreement import adjusted_rand
from stabaudit.metrics.clusters import by_mixture, k_means, most_probable_component, most_probable_of_independent
from stabaudit.metrics.mixtures import GaussianMixture


@pytest.mark.parametrize("seed", range(5))
def test_the_index_is_that_of_scikit_learn_and_of_its_definition_over_pairs(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 4, 30), rng.integers(0, 3, 30)
    b[:15] = a[:15]
    found = adjusted_rand(a, b)
    assert found == pytest.approx(adjusted_rand_score(a, b), abs=1e-12)
    pairs = list(combinations(range(30), 2))
    in_a, in_b = (np.array([labels[i] == labels[j] for i, j in pairs]) for labels in (a, b))
    expected = in_a.sum() * in_b.sum() / len(pairs)
    assert found == pytest.approx(((in_a & in_b).sum() - expected) / ((in_a.sum() + in_b.sum()) / 2 - expected), abs=1e-12)
    assert found == adjusted_rand(b, a)


def test_names_of_clusters_do_not_matter_and_chance_is_0():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 5, 400)
    assert adjusted_rand(a, np.array(list("qrstu"))[a]) == 1.0
    assert np.mean([adjusted_rand(a, rng.permutation(a)) for _ in range(300)]) == pytest.approx(0.0, abs=0.001)


@pytest.mark.parametrize(
    ("a", "b", "value"), [([0, 0, 0], [1, 1, 1], 1.0), ([0, 1, 2], [5, 6, 7], 1.0), ([0, 0, 0], [0, 1, 2], 0.0)]
)
def test_clusterings_without_a_choice(a, b, value):
    assert adjusted_rand(np.array(a), np.array(b)) == adjusted_rand_score(a, b) == value


def blobs(n, centres):
    rng = np.random.default_rng(1)
    of = rng.integers(0, len(centres), n)
    return centres[of] + 0.1 * rng.normal(size=(n, centres.shape[1])), of


def test_k_means_finds_what_lies_apart_and_gives_the_same_again(monkeypatch):
    z, of = blobs(600, np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0], [5.0, 5.0]]))
    found = k_means(z, 4, seed=0)
    assert adjusted_rand(found, of) == 1.0
    np.testing.assert_array_equal(found, k_means(z, 4, seed=0))
    monkeypatch.setattr(clusters, "FIT_ROWS", 100)  # thinned, and every row assigned
    assert adjusted_rand(k_means(z, 4, seed=0), of) == 1.0


def test_fewer_rows_that_differ_than_clusters_are_no_fault():
    assert len(np.unique(k_means(np.repeat([[0.0], [1.0]], 10, axis=0), 5, seed=0))) == 2


def test_the_most_probable_component_is_that_of_the_densities_of_scipy():
    rng = np.random.default_rng(2)
    roots = rng.normal(size=(3, 2, 2))
    mixture = GaussianMixture(
        np.array([0.6, 0.4, 0.0]), rng.normal(size=(3, 2)), roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(2)
    )
    z = rng.normal(size=(200, 2))
    parts = zip(mixture.weight, mixture.mean, mixture.covariance, strict=True)
    density = np.array([weight * multivariate_normal(mean, covariance).pdf(z) for weight, mean, covariance in parts])
    np.testing.assert_array_equal(most_probable_component(z, mixture), density.argmax(axis=0))


def test_a_mixture_finds_what_k_means_cannot_and_constant_dimensions_count_for_nothing():
    rng = np.random.default_rng(0)
    of = rng.integers(0, 2, 600)
    z = np.column_stack([rng.normal(size=600) * 10, 2.0 * of + 0.2 * rng.normal(size=600), np.full(600, 7.0)])
    found = by_mixture(z, 2, seed=0)
    assert adjusted_rand(found, of) > 0.99
    assert adjusted_rand(k_means(z, 2, seed=0), of) < 0.2
    np.testing.assert_array_equal(found, by_mixture(z, 2, seed=0))
    assert by_mixture(np.ones((10, 2)), 3, seed=0).tolist() == [0] * 10


def test_a_mixture_of_too_few_rows_is_refused():
    with pytest.raises(BadData, match="12 rows are too few to fit 4 Gaussians of 3 dimensions"):
        by_mixture(np.random.default_rng(0).normal(size=(12, 3)), 4, seed=0)


@pytest.mark.parametrize("unit", [1e-200, 1e-20, 1e20, 1e200])
@pytest.mark.parametrize("method", [k_means, by_mixture])
def test_units_do_not_matter(method, unit):
    z, of = blobs(200, np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]]))
    assert adjusted_rand(method(unit * z, 3, seed=0), of) == 1.0


def test_single_precision_gives_the_same_clusters():
    z, of = blobs(300, np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]]))
    assert adjusted_rand(k_means(z.astype(np.float32), 3, seed=0), of) == 1.0


def test_independent_dimensions_are_a_case_of_a_mixture():
    rng = np.random.default_rng(3)
    weight, mean, log_var = np.array([0.7, 0.3, 0.0]), rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    z = rng.normal(size=(300, 4))
    expected = most_probable_component(z, GaussianMixture.diagonal(weight, mean, log_var))
    np.testing.assert_array_equal(most_probable_of_independent(z, weight, mean, log_var), expected)

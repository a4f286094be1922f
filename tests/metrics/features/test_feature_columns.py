"""Similarities of features against numpy's, however columns are stored and however few are looked at together."""

import numpy as np
import pytest
from scipy import sparse

from stabaudit.errors import BadData, UsageError
from stabaudit.metrics.features.candidates import candidates
from stabaudit.metrics.features.columns import DenseColumns, columns_of, crossed, firing_rates, paired
from stabaudit.metrics.features.floors import random_directions
from stabaudit.metrics.features.tiles import Tiles

ROWS, D_A, D_B = 300, 40, 55
FIT = np.flatnonzero(np.arange(ROWS) % 2)


def codes(seed, d, share=0.1, rows=ROWS):
    """Activations of which few are not 0."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random((rows, d)) < share, rng.exponential(size=(rows, d)) + 0.1, 0.0)


def stored(values, how):
    return sparse.csr_array(values) if how == "sparse" else values.astype(np.float32) if how == "single" else values


def similarities(tiles):
    return np.concatenate([block for blocks in tiles.over_blocks(lambda _, strength: strength.copy()) for block in blocks])


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr("stabaudit.metrics.features.columns.CHUNK", 8_000)
    monkeypatch.setattr("stabaudit.metrics.features.tiles.MOST_ROWS", 7)


@pytest.mark.parametrize("share", [0.05, 0.6])
@pytest.mark.parametrize("how_b", ["dense", "single", "sparse"])
@pytest.mark.parametrize("how_a", ["dense", "sparse"])
@pytest.mark.parametrize("memory", [10**8, 60_000])
def test_similarities_are_correlations(how_a, how_b, share, memory, small_blocks):
    a, b = codes(0, D_A, share), codes(1, D_B, share)
    b[:, 3] = 2.0 * a[:, 5]
    columns = [columns_of(stored(one, how), FIT, "it") for one, how in ((a, how_a), (b, how_b))]
    expected = np.corrcoef(a[FIT].T, b[FIT].T)[:D_A, D_A:]
    np.testing.assert_allclose(similarities(Tiles(*columns, memory)), np.abs(expected), atol=3e-6)
    some_a, some_b = np.array([5, 1, 39, 5]), np.array([3, 54, 0, 7])
    np.testing.assert_allclose(paired(columns[0], some_a, columns[1], some_b), expected[some_a, some_b], atol=1e-7)
    np.testing.assert_allclose(crossed(columns[0], some_a, columns[1], some_b), expected[np.ix_(some_a, some_b)], atol=1e-7)


def test_similarities_of_weights_are_cosines_without_centring():
    a, b = (np.random.default_rng(seed).standard_normal((d, 12)) + 1.0 for seed, d in enumerate((D_A, D_B)))
    expected = (a / np.linalg.norm(a, axis=1)[:, None]) @ (b / np.linalg.norm(b, axis=1)[:, None]).T
    found = similarities(Tiles(*(DenseColumns.of_directions(one, "it") for one in (a, b)), 10**7))
    np.testing.assert_allclose(found, np.abs(expected), atol=1e-6)


@pytest.mark.parametrize("how", ["dense", "sparse"])
@pytest.mark.parametrize(("factor", "offset"), [(1e-200, 0.0), (1e200, 0.0), (1e-3, 1e4), (1.0, -50.0)])
def test_units_and_offsets_change_no_correlation(how, factor, offset):
    a, b = codes(0, D_A), codes(1, D_B)
    expected = np.abs(np.corrcoef(a[FIT].T, b[FIT].T)[:D_A, D_A:])
    columns = [columns_of(stored(factor * (one + offset), how), FIT, "it") for one in (a, b)]
    np.testing.assert_allclose(similarities(Tiles(*columns, 10**8)), expected, atol=1e-5)


@pytest.mark.parametrize("how", ["dense", "sparse"])
def test_constants_do_not_vary_however_they_are_rounded(how):
    a = codes(0, D_A)
    a[:, 0], a[:, 1], a[FIT, 2] = 0.0, 0.1, 0.3
    columns = columns_of(stored(a, how), FIT, "it")
    assert np.flatnonzero(~columns.varies).tolist() == [0, 1, 2]


@pytest.mark.parametrize("how", ["dense", "sparse"])
def test_shuffled_rows_keep_what_columns_of_one_dictionary_have_to_do_with_each_other(how):
    a = codes(0, D_A)
    a[:, 1] += a[:, 0]
    columns = columns_of(stored(a, how), FIT, "it")
    shuffled = columns.shuffled(np.random.default_rng(0))
    every = np.arange(D_A)
    np.testing.assert_allclose(crossed(shuffled, every, shuffled, every), crossed(columns, every, columns, every), atol=1e-6)
    assert np.abs(np.diag(crossed(columns, every, shuffled, every))).mean() < 0.3


@pytest.mark.parametrize("how", ["dense", "sparse"])
def test_columns_of_some_features_are_theirs(how):
    a = codes(0, D_A)
    kept = np.array([7, 2, 30])
    some = columns_of(stored(a, how), FIT, "it").of(kept)
    other = columns_of(stored(a[:, kept], how), FIT, "it")
    every = np.arange(3)
    np.testing.assert_allclose(crossed(some, every, other, every), np.corrcoef(a[FIT][:, kept].T), atol=1e-6)


@pytest.mark.parametrize("how", ["dense", "sparse"])
@pytest.mark.parametrize("spoilt", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_with_its_feature(how, spoilt):
    a = codes(0, D_A)
    a[FIT[3], 17] = spoilt
    with pytest.raises(BadData, match="it: feature 17 holds NaN or infinite"):
        columns_of(stored(a, how), FIT, "it")


def test_firing_rates_are_of_all_rows():
    a = codes(0, D_A)
    for how in ("dense", "sparse"):
        np.testing.assert_allclose(firing_rates(stored(a, how)), (a != 0).mean(axis=0))


def test_too_little_memory_is_refused():
    tiles = Tiles(*(columns_of(codes(seed, D_A), FIT, "it") for seed in (0, 1)), memory=1000)
    with pytest.raises(UsageError, match="--memory 1000: 40 features need 1 MB"):
        candidates(tiles)


def test_random_directions_are_uniform():
    drawn = random_directions(20_000, 3, np.random.default_rng(0))
    cosines = drawn.standardised(slice(0, 1), slice(None))[0]  # with an axis: uniform on [−1, 1] in three dimensions
    np.testing.assert_allclose(np.quantile(cosines, [0.1, 0.5, 0.9]), [-0.8, 0.0, 0.8], atol=0.02)


@pytest.mark.parametrize("count", [1, 3, 100])
def test_candidates_are_the_most_similar_of_either_side(count, small_blocks):
    columns = [columns_of(stored(codes(seed, d, 0.5), "dense"), FIT, "it") for seed, d in ((0, D_A), (1, D_B))]
    tiles = Tiles(*columns, 10**8)
    every = similarities(tiles)
    known = candidates(tiles, count)
    expected = np.zeros(every.shape, dtype=bool)
    for i, row in enumerate(every):
        expected[i, np.argsort(-row)[:count]] = True
    for j, column in enumerate(every.T):
        expected[np.argsort(-column)[:count], j] = True
    held = np.zeros(every.shape, dtype=bool)
    held[known.of_a, known.of_b] = True
    assert (held == expected).all()
    np.testing.assert_allclose(known.strength, every[known.of_a, known.of_b])
    left = np.where(held, -1.0, every)
    assert (left <= np.minimum.outer(known.limit_a, known.limit_b)).all()
    np.testing.assert_array_equal(known.best_of_a()[0], every.argmax(axis=1))
    np.testing.assert_array_equal(known.best_of_b()[0], every.argmax(axis=0))

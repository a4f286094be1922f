"""Matching of features against all permutations, scipy's assignment on all similarities, and a loop."""

from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from stabaudit.errors import UsageError
from stabaudit.metrics.features.assignment import assign
from stabaudit.metrics.features.candidates import candidates
from stabaudit.metrics.features.columns import DenseColumns, paired
from stabaudit.metrics.features.tiles import Tiles


def directions(seed, d, dims, like=None):
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal((d, dims))
    return drawn if like is None else like[rng.permutation(len(like))[:d]] + 0.4 * drawn


def similarities(a, b):
    return np.abs((a / np.linalg.norm(a, axis=1)[:, None]) @ (b / np.linalg.norm(b, axis=1)[:, None]).T)


def matched(a, b, count=32, how="exact"):
    one, other = (DenseColumns.of_directions(values, "it") for values in (a, b))
    tiles = Tiles(one, other, 10**8)
    return assign(tiles, candidates(tiles, count), lambda i, j: np.abs(paired(one, i, other, j)), how)


def best(a, b):
    every = similarities(a, b)
    return float(every[linear_sum_assignment(every, maximize=True)].mean())


@pytest.mark.parametrize("sizes", [(4, 4), (3, 6), (6, 3)])
def test_exact_is_the_best_of_all_permutations(sizes):
    a, b = directions(0, sizes[0], 3), directions(1, sizes[1], 3)
    every = similarities(a, b)
    every = every if sizes[0] <= sizes[1] else every.T
    expected = max(every[np.arange(len(every)), list(one)].mean() for one in permutations(range(every.shape[1]), len(every)))
    assert matched(a, b, 1).mean == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("count", [1, 4, 32])
@pytest.mark.parametrize(("d_a", "d_b"), [(150, 150), (90, 200), (200, 90)])
@pytest.mark.parametrize("world", ["unrelated", "alike", "few dimensions"])
def test_exact_is_as_good_as_scipy_on_all_similarities(world, d_a, d_b, count):
    dims = 2 if world == "few dimensions" else 24
    b = directions(1, d_b, dims)
    a = directions(0, d_a, dims, like=b if world == "alike" and d_a <= d_b else None)
    found, expected = matched(a, b, count), best(a, b)
    assert found.mean == pytest.approx(expected, abs=1e-5)
    assert found.bound >= expected - 1e-6
    assert found.gap < 1e-5
    every = similarities(a, b)
    assert found.mean == pytest.approx(every[found.of_a, found.of_b].mean(), abs=1e-6)
    assert len(np.unique(found.of_a)) == len(np.unique(found.of_b)) == min(d_a, d_b)


def test_many_equal_features_are_matched_all_the_same():
    a, b = directions(0, 120, 8), directions(1, 120, 8)
    a[20:100] = a[20]
    b[40:110] = a[20]
    found, few = matched(a, b, 16), matched(a, b, 4)
    assert found.mean == pytest.approx(best(a, b), abs=1e-5)
    assert found.gap < 1e-5
    assert few.bound >= best(a, b) - 1e-6  # too few candidates are not hidden


@pytest.mark.parametrize("how", ["exact", "greedy", "sinkhorn"])
def test_copies_in_another_order_are_found(how):
    a = directions(0, 100, 16)
    order = np.random.default_rng(1).permutation(100)
    found = matched(a, -3.0 * a[order], how=how)
    np.testing.assert_array_equal(order[found.of_b], found.of_a)
    assert found.mean == pytest.approx(1.0, abs=1e-6)
    assert found.gap < 1e-5


def test_greedy_takes_the_most_similar_pair_that_is_left():
    a, b = directions(0, 60, 10), directions(1, 80, 10)
    every, expected = similarities(a, b), {}
    for place in np.argsort(-every, axis=None):
        i, j = divmod(int(place), 80)
        if i not in expected and j not in expected.values():
            expected[i] = j
    found = matched(a, b, 80, "greedy")
    assert dict(zip(found.of_a.tolist(), found.of_b.tolist(), strict=True)) == expected


@pytest.mark.parametrize("how", ["greedy", "sinkhorn"])
@pytest.mark.parametrize(("d_a", "d_b"), [(120, 120), (70, 150), (150, 70)])
@pytest.mark.parametrize("count", [2, 32])
def test_other_ways_are_one_to_one_and_their_bound_holds(how, d_a, d_b, count):
    a, b = directions(0, d_a, 24), directions(1, d_b, 24)
    found, expected = matched(a, b, count, how), best(a, b)
    assert len(np.unique(found.of_a)) == len(np.unique(found.of_b)) == min(d_a, d_b)
    assert found.mean <= expected + 1e-6
    assert found.bound >= expected - 1e-6
    assert found.mean > (0.9 if count == 32 else 0.5) * expected


def test_sinkhorn_comes_closer_than_greedy():
    worlds = [(directions(2 * seed, 120, 24), directions(2 * seed + 1, 120, 24)) for seed in range(5)]
    greedy, sinkhorn = ([best(a, b) - matched(a, b, how=how).mean for a, b in worlds] for how in ("greedy", "sinkhorn"))
    assert np.mean(sinkhorn) < 0.5 * np.mean(greedy)


def test_another_way_is_refused():
    with pytest.raises(UsageError, match="unknown way to match features 'exakt'; did you mean 'exact'"):
        matched(directions(0, 4, 3), directions(1, 4, 3), how="exakt")

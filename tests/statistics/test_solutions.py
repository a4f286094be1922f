"""Groups of restarts: found where they are, seldom where they are not."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stabaudit.statistics.solutions import solutions, unseen_share

_path = Path(__file__).parents[1] / "benchmarks" / "worlds.py"
_spec = importlib.util.spec_from_file_location("worlds", _path)
worlds = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(worlds)


@pytest.mark.parametrize("n", [4, 5, 6, 10, 20])
@pytest.mark.parametrize("options", worlds.ALIKE.values(), ids=worlds.ALIKE)
def test_restarts_that_are_alike_are_one_group_in_19_of_20_runs(n, options):
    rng = np.random.default_rng(0)
    split = [len(solutions(worlds.pair_scores([n], rng, **options)).groups) > 1 for _ in range(100)]
    assert np.mean(split) <= 0.05


@pytest.mark.parametrize("sizes", [(3, 1), (4, 1), (3, 2), (3, 3), (2, 2, 2), (9, 1), (5, 5), (6, 2, 1, 1)])
def test_groups_are_found(sizes):
    rng = np.random.default_rng(0)
    right = [tuple(map(len, solutions(worlds.pair_scores(sizes, rng)).groups)) == sizes for _ in range(50)]
    assert np.mean(right) >= 0.95


def test_groups_their_means_and_their_order():
    """Restarts 0, 3, 4 agree, 1 and 2 agree, 5 stands apart."""
    label = np.array([0, 1, 1, 0, 0, 2])
    scores = np.where(label[:, None] == label, 0.9, 0.3)
    scores[1, 2] = scores[2, 1] = 0.8
    scores[0, [3, 4]] = scores[[3, 4], 0] = 0.93
    found = solutions(scores)
    assert found.groups == ((0, 3, 4), (1, 2), (5,))
    assert found.within == pytest.approx((0.92, 0.8, None))
    assert found.across == pytest.approx(0.3)
    assert found.p < 0.05
    assert found.order == (0, 3, 4, 1, 2, 5)


def test_three_restarts_can_show_no_groups():
    found = solutions(np.array([[1.0, 0.95, 0.1], [0.95, 1.0, 0.1], [0.1, 0.1, 1.0]]))
    assert found.groups == ((0, 1, 2),)
    assert found.p is None
    assert found.across is None


def test_two_restarts_are_one_group():
    assert solutions(np.array([[1.0, 0.2], [0.2, 1.0]])).groups == ((0, 1),)


def test_equal_scores_are_one_group():
    assert solutions(np.full((8, 8), 0.7)).groups == (tuple(range(8)),)
    assert solutions(np.ones((8, 8))).groups == (tuple(range(8)),)


def test_the_diagonal_is_not_looked_at():
    scores = worlds.pair_scores((3, 3), np.random.default_rng(0))
    other = scores.copy()
    np.fill_diagonal(other, 0.0)
    found, expected = solutions(other), solutions(scores)
    assert found.p == pytest.approx(expected.p, rel=1e-9)
    assert replace(found, p=expected.p) == expected


def test_a_share_that_goes_unseen_is_missed_by_all_restarts_in_a_twentieth_of_runs():
    rng = np.random.default_rng(0)
    seen = rng.random((100_000, 5)) < unseen_share(5)
    assert (~seen.any(axis=1)).mean() == pytest.approx(0.05, abs=0.003)

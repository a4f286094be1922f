"""UDR against its formula written out, copies, turned copies, and what is not informative."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from stabaudit.metrics import udr
from stabaudit.metrics.unsupervised_ranking import MOST_ROWS, ranking, ranks_of, relative_strength


def written_out(a, b):
    a, b = (z[:, z.var(axis=0) >= 0.01] for z in (a, b))
    r = np.abs([[spearmanr(x, y).statistic for y in b.T] for x in a.T])
    total = sum(max(r[:, k]) ** 2 / sum(r[:, k]) for k in range(r.shape[1]))
    total += sum(max(r[k]) ** 2 / sum(r[k]) for k in range(r.shape[0]))
    return total / sum(r.shape)


def test_it_is_its_formula_of_unequal_numbers_of_dimensions_too():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(300, 4)) * [1.0, 2.0, 0.01, 1.0]  # the third is not informative
    b = np.exp(a[:, [3, 0]] + 0.3 * rng.normal(size=(300, 2)))
    assert udr(a, b) == pytest.approx(written_out(a, b), abs=1e-12)
    assert udr(b, a) == pytest.approx(udr(a, b), abs=1e-12)


def test_a_permuted_copy_with_other_signs_has_1_and_a_turned_one_far_less():
    grid = np.array(np.meshgrid(*[np.arange(7.0)] * 3)).reshape(3, -1).T  # dimensions without any correlation
    assert udr(grid, -grid[:, [2, 0, 1]]) == pytest.approx(1.0)
    turn = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [1.0, 1.0, -2.0]]) / np.sqrt([3.0, 2.0, 6.0])
    assert udr(grid, grid @ turn) < 0.5
    assert udr(grid, grid**3) == pytest.approx(1.0)  # ranks


def test_dimensions_that_are_not_informative_do_not_count():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(500, 2))
    b = np.hstack([a, 0.05 * rng.normal(size=(500, 3))])
    assert udr(a, b) == pytest.approx(udr(a, a))
    assert udr(0.01 * a, a) == 0.0
    assert udr(np.zeros_like(a), a) == 0.0


def test_a_restart_has_the_median_over_the_others():
    pairs = np.array([[0.0, 0.9, 0.8, 0.1], [0.9, 0.0, 0.7, 0.3], [0.8, 0.7, 0.0, 0.2], [0.1, 0.3, 0.2, 0.0]])
    assert ranking(pairs).tolist() == [0.8, 0.7, 0.7, 0.2]


def test_of_many_rows_a_fixed_part_is_ranked_and_a_shuffle_leaves_nothing():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(2 * MOST_ROWS, 2))
    ranks = ranks_of(a)
    assert len(ranks.columns) == MOST_ROWS
    assert relative_strength(ranks, ranks_of(a)) > 0.98
    assert relative_strength(ranks, ranks.permuted(rng.permutation(len(a)))) < 0.05

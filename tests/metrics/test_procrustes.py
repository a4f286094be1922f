"""Procrustes similarity and shape distance against scipy and by hand."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from stabaudit.metrics import procrustes_similarity, shape_distance


def latents(seed, n=200, d=4):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, d)) * np.arange(1, d + 1) + 3.0
    return a, a @ np.linalg.qr(rng.normal(size=(d, d)))[0] * 2.0 + rng.normal(size=(n, d))


def of_unit_norm(z):
    z = z - z.mean(axis=0)
    return z / np.linalg.norm(z)


def test_in_sample_it_is_the_sum_of_singular_values_of_scipy():
    a, b = latents(0)
    turn, total = orthogonal_procrustes(of_unit_norm(a), of_unit_norm(b))
    assert procrustes_similarity(a, b) == pytest.approx(total, abs=1e-10)
    left = np.linalg.norm(of_unit_norm(a) @ turn - of_unit_norm(b))
    assert shape_distance(a, b) == pytest.approx(2 * np.arcsin(left / 2), abs=1e-9)


def test_out_of_sample_the_rotation_of_the_other_rows_is_kept():
    a, b = latents(1)
    fit = np.random.default_rng(2).random(len(a)) < 0.4
    turn, _ = orthogonal_procrustes(a[fit] - a[fit].mean(axis=0), b[fit] - b[fit].mean(axis=0))
    expected = (of_unit_norm(a[~fit]) @ turn * of_unit_norm(b[~fit])).sum()
    assert procrustes_similarity(a, b, fit) == pytest.approx(expected, abs=1e-10)
    assert shape_distance(a, b, fit) == pytest.approx(np.arccos(expected), abs=1e-10)


def test_dimensions_may_differ_in_number_as_if_zeros_were_added():
    a, b = latents(3)
    wide = np.column_stack([b, np.zeros((len(b), 3))])
    assert procrustes_similarity(a, wide) == pytest.approx(procrustes_similarity(a, b), abs=1e-12)


def test_the_distance_is_a_metric():
    rng = np.random.default_rng(4)
    for _ in range(50):
        x, y, z = (rng.normal(size=(30, 3)) for _ in range(3))
        assert shape_distance(x, z) <= shape_distance(x, y) + shape_distance(y, z) + 1e-9
        assert shape_distance(x, y) == pytest.approx(shape_distance(y, x), abs=1e-9)
    assert shape_distance(x, 5.0 * x[:, [2, 0, 1]] * [1, -1, 1] + 7.0) == 0.0


def test_what_does_not_vary_has_nothing_in_common():
    assert procrustes_similarity(np.ones((10, 2)), np.random.default_rng(0).normal(size=(10, 2))) == 0.0


def test_units_do_not_count_however_small_or_large():
    rng = np.random.default_rng(5)
    a, b = (rng.normal(size=(50, 3)) for _ in range(2))
    assert procrustes_similarity(1e-150 * a, 1e140 * b) == pytest.approx(procrustes_similarity(a, b), rel=1e-9)

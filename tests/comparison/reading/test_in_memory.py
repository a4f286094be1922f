"""`stabaudit.compare` of arrays, tensors and frames in memory."""

import numpy as np
import pandas as pd
import pytest
import torch

import stabaudit
from stabaudit.errors import BadData, UsageError

N, D = 500, 3


@pytest.fixture
def restarts():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(N, D))
    return [base + 0.3 * rng.normal(size=base.shape) for _ in range(3)]


def scores(groups, **options):
    found = stabaudit.compare(groups, floor_draws=2, **options)
    return {(s.run_a, s.run_b, s.metric, s.k): s.mean for s in found.scores if s.sample == "out"}


def test_arrays_tensors_and_frames_are_the_same(restarts):
    order = np.random.default_rng(1).permutation(N)
    frames = [pd.DataFrame(z) for z in restarts]
    arrays = scores({"a": restarts})
    assert arrays == scores({"a": [torch.tensor(z, requires_grad=True) for z in restarts]})
    assert arrays == scores({"a": [frames[0], frames[1].iloc[order], frames[2]]})  # joined on the index


def test_they_equal_files_of_the_same(restarts, tmp_path):
    for i, z in enumerate(restarts):
        np.save(tmp_path / f"{i}.npy", z)
    naming = stabaudit.Naming(ids_by_position=True)
    files = stabaudit.compare(*sorted(tmp_path.glob("*.npy")), naming=naming, floor_draws=2)
    between = [s.mean for s in files.scores if s.sample == "out" and s.metric == "strong_mcc"]
    assert scores({"a": restarts})["a", "a", "strong_mcc", None] == pytest.approx(np.mean(between), abs=1e-6)


def test_groups_are_compared_with_each_other(restarts):
    found = scores({"a": restarts, "b": [z[:, ::-1] for z in restarts]})
    assert found["a", "a", "strong_mcc", None] == pytest.approx(found["b", "b", "strong_mcc", None])
    assert found["a", "b", "strong_mcc", None] > 0.9


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"a": [np.ones((5, 2))]}, "nothing to compare it with"),
        ({"a": [np.ones(5), np.ones(5)]}, r"a#0: shape \(5,\)"),
        ({"a": [[["x"]], [["y"]]]}, "a#0: shape"),
        ({"a": [[[1.0], [2.0, 3.0]], [[1.0]]]}, "a#0: expected a table of numbers"),
        ({"a": [], "b": [np.ones((9, 2))] * 2}, "a: no restarts"),
        ({"a": [np.full((9, 2), np.nan), np.ones((9, 2))]}, "a#0: z0 holds 9 NaN"),
        ({"a": [np.zeros((9, 2)), np.ones((8, 2))]}, "hold different samples"),
        ({}, "one mapping from names to lists of arrays"),
    ],
)
def test_what_is_no_table_is_named(wrong, message):
    with pytest.raises((BadData, UsageError), match=message):
        stabaudit.compare(wrong, floor_draws=1)


def test_paths_and_arrays_do_not_mix(restarts):
    with pytest.raises(UsageError, match="not both"):
        stabaudit.compare({"a": restarts}, "runs/a")

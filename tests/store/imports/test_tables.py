"""Histories and evaluation rows."""

import numpy as np
import pandas as pd
import pytest

from stabaudit.errors import BadData
from stabaudit.store.run.evaluation import Evaluation, read_evaluation, write_evaluation
from stabaudit.store.run.history import read_history, write_history


def test_a_history_comes_back_with_the_nan_of_a_divergence(tmp_path):
    path = tmp_path / "h.parquet"
    history = {"epoch": np.arange(3), "loss": np.array([2.0, 1.0, np.nan]), "kl": np.ones(3, np.float32)}
    write_history(path, history)
    read = read_history(path)
    assert list(read) == list(history)
    for name, values in history.items():
        np.testing.assert_array_equal(read[name], values, strict=True)
    np.testing.assert_array_equal(pd.read_parquet(path)["loss"], history["loss"])


def test_a_history_of_no_rows_is_one(tmp_path):
    write_history(tmp_path / "h.parquet", {"loss": np.zeros(0)})
    assert len(read_history(tmp_path / "h.parquet")["loss"]) == 0


def test_columns_of_different_length_are_refused(tmp_path):
    with pytest.raises(BadData, match="differ in length"):
        write_history(tmp_path / "h.parquet", {"a": np.zeros(2), "b": np.zeros(3)})


FULL = {
    "label": np.array([3, 1, 2]),
    "u": np.eye(3, dtype=np.float32),
    "sources": np.arange(6, dtype=np.float32).reshape(3, 2),
}


@pytest.mark.parametrize("present", [(), ("label",), ("u",), ("sources",), ("label", "u", "sources")])
def test_evaluation_rows_come_back(tmp_path, present):
    path = tmp_path / "e.parquet"
    rows = Evaluation(np.array(["b", "a", "c"]), **{name: FULL[name] for name in present})
    write_evaluation(path, rows)
    read = read_evaluation(path)
    np.testing.assert_array_equal(read.sample_id, rows.sample_id)
    for name, values in FULL.items():
        if name in present:
            np.testing.assert_array_equal(getattr(read, name), values, strict=True)
        else:
            assert getattr(read, name) is None


def test_evaluation_rows_that_do_not_fit_together_are_refused(tmp_path):
    path = tmp_path / "e.parquet"
    with pytest.raises(BadData, match="1 sample id is repeated, the first is 1"):
        write_evaluation(path, Evaluation(np.array([1, 1, 2])))
    with pytest.raises(BadData, match="2 sample ids, but rows of"):
        write_evaluation(path, Evaluation(np.array([1, 2]), sources=FULL["sources"]))
    pd.DataFrame({"s0": [1.0]}).to_parquet(path)
    with pytest.raises(BadData, match="sample_id is missing"):
        read_evaluation(path)

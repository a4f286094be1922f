"""The contract of every dataset: checked on making, and identified by what it holds."""

from dataclasses import replace

import numpy as np
import pytest

from stabaudit.data.dataset import Dataset, Split, one_hot, require_finite
from stabaudit.errors import BadData, counted


def make(rows: int = 6) -> Split:
    rng = np.random.default_rng(0)
    labels = np.arange(rows) % 3
    return Split(
        x=rng.normal(size=(rows, 4)).astype(np.float32),
        sample_id=np.arange(rows),
        u=one_hot(labels, 3),
        labels=labels,
        sources=rng.normal(size=(rows, 2)).astype(np.float32),
    )


@pytest.mark.parametrize("field", ["x", "sample_id", "u", "labels", "sources"])
def test_one_value_changes_the_fingerprint(field: str) -> None:
    rows = make()
    changed = getattr(rows, field).copy()
    changed.flat[-1] += 1 if field in {"labels", "sample_id"} else np.float32(1e-3)
    other = replace(rows, sample_id=rows.sample_id + 100)
    before = Dataset("a", rows, other, "gaussian").fingerprint
    assert Dataset("a", replace(rows, **{field: changed}), other, "gaussian").fingerprint != before
    assert Dataset("another name", make(), other, "gaussian").fingerprint == before


def test_a_fingerprint_tells_shapes_and_fields_apart() -> None:
    x = np.arange(12, dtype=np.float32)
    prints = {
        Dataset("a", split, split, "gaussian").fingerprint
        for split in (
            Split(x.reshape(6, 2), np.arange(6)),
            Split(x.reshape(6, 1, 2), np.arange(6)),
            Split(x.reshape(6, 2), np.arange(6), u=x.reshape(6, 2)),
            Split(x.reshape(6, 2), np.arange(6), sources=x.reshape(6, 2)),
        )
    }
    assert len(prints) == 4


def test_nan_is_counted_and_its_column_named() -> None:
    x = np.zeros((5, 3), np.float32)
    x[1, 2] = np.nan
    x[4, 1:] = np.inf
    with pytest.raises(BadData, match=r"^data: x holds 3 NaN or infinite values, the first in column 1$"):
        require_finite(x, "data: x")
    with pytest.raises(BadData, match=r"the first in column 5$"):  # of the flattened row
        require_finite(np.where(np.arange(12).reshape(2, 1, 2, 3) == 11, np.nan, 0.0), "images")
    with pytest.raises(BadData, match=r"holds 2 NaN or infinite values$"):
        require_finite(np.array([np.nan, 0, np.inf]), "a vector")


def test_rows_that_do_not_fit_are_refused() -> None:
    rows = make()
    with pytest.raises(BadData, match="labels has 5 rows, x has 6"):
        Dataset("a", replace(rows, labels=rows.labels[:5]), rows, "gaussian")
    with pytest.raises(BadData, match="1 sample id is repeated, the first is 3"):
        Dataset("a", replace(rows, sample_id=np.array([0, 1, 2, 3, 3, 5])), rows, "gaussian")
    with pytest.raises(BadData, match=r"\(evaluation rows\): no rows"):
        Dataset("a", rows, make(0), "gaussian")
    with pytest.raises(BadData, match=r"shape \(4,\), evaluation rows \(2,\)"):
        Dataset("a", rows, replace(rows, x=rows.x[:, :2]), "gaussian")


def test_sources_have_as_many_names_as_there_are_or_none() -> None:
    rows = make()
    assert Dataset("a", rows, rows, "gaussian", source_names=("x", "y")).source_names == ("x", "y")
    for split, names, count in ((rows, ("x",), 2), (replace(rows, sources=None), ("x", "y"), 0)):
        with pytest.raises(BadData, match=f"a: {counted(len(names), 'name')} of sources, of which there are {count}"):
            Dataset("a", split, split, "gaussian", source_names=names)

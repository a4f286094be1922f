"""Parquet and CSV, held against pandas."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stabaudit.data.formats.tables import Columns, read_table
from stabaudit.errors import BadData, Guessed, Noticed, UsageError

FRAME = pd.DataFrame(
    {
        "a": [0.5, -1.25, 3.0],
        "b": [1, 2, 3],
        "flag": [True, False, True],
        "kind": ["cat", "dog", "cat"],
        "id": ["r1", "r2", "r3"],
    }
)


def save(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


@pytest.fixture(params=[".csv", ".parquet"])
def suffix(request: pytest.FixtureRequest) -> str:
    return request.param


def test_columns_go_where_they_are_named_to(tmp_path: Path, suffix: str) -> None:
    path = save(FRAME, tmp_path / f"table{suffix}")
    arrays = read_table(path, Columns(u=("b",), label="kind", sample_id="id"))
    assert np.array_equal(arrays["x"], FRAME[["a", "flag"]].to_numpy(np.float32))
    assert arrays["x"].dtype == np.float32
    assert arrays["u"].tolist() == [1, 2, 3]
    assert arrays["u"].dtype.kind == "i"
    assert arrays["labels"].tolist() == ["cat", "dog", "cat"]
    assert arrays["sample_id"].tolist() == ["r1", "r2", "r3"]


def test_several_columns_of_u_are_numbers_and_one_may_be_a_label_too(tmp_path: Path, suffix: str) -> None:
    path = save(FRAME[["a", "b", "flag"]], tmp_path / f"table{suffix}")
    arrays = read_table(path, Columns(u=("b", "flag"), label="b"))
    assert np.array_equal(arrays["u"], FRAME[["b", "flag"]].to_numpy(np.float32))
    assert arrays["labels"].tolist() == [1, 2, 3]
    assert np.array_equal(arrays["x"], FRAME[["a"]].to_numpy(np.float32))


def test_text_among_the_dimensions_is_named(tmp_path: Path, suffix: str) -> None:
    path = save(FRAME, tmp_path / f"table{suffix}")
    message = r"not numeric: 'kind'; remove these columns, or name them with --u-columns"
    with pytest.warns(Guessed, match="named by its column 'id'"), pytest.raises(BadData, match=message):
        read_table(path, Columns())


def test_missing_values_and_infinity_are_counted_by_column(tmp_path: Path) -> None:
    (path := tmp_path / "table.csv").write_text("a,b\n1,2\n,inf\n3,4\n")
    with pytest.raises(BadData, match="column 'a' holds 1 missing value"):
        read_table(path, Columns())
    path.write_text("a,b\n1,-inf\n2,inf\n3,4\n")
    with pytest.raises(BadData, match=r"column 'b' holds 2 NaN or infinite values$"):
        read_table(path, Columns())
    pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan, 1.0]}).to_parquet(tmp_path / "table.parquet")
    with pytest.raises(BadData, match="column 'b' holds 1 "):
        read_table(tmp_path / "table.parquet", Columns())


def test_a_column_that_the_file_lacks(tmp_path: Path, suffix: str) -> None:
    path = save(FRAME, tmp_path / f"table{suffix}")
    with pytest.raises(UsageError, match=r"unknown column of .* 'knd'; did you mean 'kind'"):
        read_table(path, Columns(label="knd"))


def test_the_index_of_pandas_is_no_dimension(tmp_path: Path) -> None:
    FRAME[["a", "b"]].set_index(pd.Index([30, 10, 20], name="row")).to_parquet(tmp_path / "named.parquet")
    FRAME[["a", "b"]].iloc[[2, 0, 1]].to_parquet(tmp_path / "unnamed.parquet")
    named = read_table(tmp_path / "named.parquet", Columns(sample_id="row"))
    assert named["x"].shape == (3, 2)
    assert named["sample_id"].tolist() == [30, 10, 20]
    assert read_table(tmp_path / "unnamed.parquet", Columns())["x"].shape == (3, 2)


def test_a_folder_name_adds_no_column(tmp_path: Path) -> None:
    (folder := tmp_path / "year=2020").mkdir()
    assert read_table(save(FRAME[["a"]], folder / "table.parquet"), Columns())["x"].shape == (3, 1)


def test_categories_of_pandas_are_text(tmp_path: Path) -> None:
    FRAME[["a", "kind"]].astype({"kind": "category"}).to_parquet(tmp_path / "table.parquet")
    assert read_table(tmp_path / "table.parquet", Columns(label="kind"))["labels"].tolist() == ["cat", "dog", "cat"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("a,b\n", "no rows"),
        ("1.5,2\n3,4\n", "the first line must name the columns, but it holds numbers"),
        ("a,b\n1,2\n3\n", "another number of fields than the first line, 1 and not 2: '3'"),
        ("a,a\n1,2\n", "several columns are called 'a'"),
        ("a;b\nx;2\n", "not numeric: 'a'"),
        ("a,day\n1,2020-01-01\n", "column 'day' is of type date32"),
    ],
)
def test_csv_files_that_are_no_table_of_numbers(tmp_path: Path, text: str, message: str) -> None:
    (path := tmp_path / "table.csv").write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Noticed)
        with pytest.raises(BadData, match=message) as error:
            read_table(path, Columns())
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_nothing_left_for_x(tmp_path: Path, suffix: str) -> None:
    path = save(FRAME[["kind"]], tmp_path / f"table{suffix}")
    with pytest.raises(BadData, match="no columns are left for x"):
        read_table(path, Columns(label="kind"))


def test_metadata_or_text_that_is_no_utf8_or_json(tmp_path: Path) -> None:
    table = pa.table({"a": [1.0, 2.0]})
    text = table.append_column("kind", pa.array([b"\xff", b"ok"]).view(pa.string()))
    for damaged in (table.replace_schema_metadata({"pandas": "{not json"}), text):
        pq.write_table(damaged, tmp_path / "table.parquet")
        with pytest.raises(BadData, match=r"cannot be read as parquet: |is damaged, cut short or not Parquet"):
            read_table(tmp_path / "table.parquet", Columns())


def test_damaged_parquet_files(tmp_path: Path) -> None:
    whole = save(FRAME[["a", "b"]], tmp_path / "table.parquet").read_bytes()
    for damaged in (b"", b"garbage" * 50, whole[:-1], whole[: len(whole) // 2]):
        (path := tmp_path / "damaged.parquet").write_bytes(damaged)
        with pytest.raises(BadData, match="is damaged, cut short or not Parquet") as error:
            read_table(path, Columns())
        assert "\n" not in str(error.value)


def test_the_index_that_pandas_writes_is_no_feature(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    FRAME[["a", "b"]].to_csv(path)
    assert np.array_equal(read_table(path, Columns())["x"], FRAME[["a", "b"]].to_numpy(np.float32))


def test_a_column_without_a_name_that_is_no_count_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    FRAME[["a", "b"]].set_index(pd.Index([7, 9, 8])).to_csv(path)
    with pytest.raises(BadData, match="column 1 has no name; call it sample_id if it names the rows"):
        read_table(path, Columns())

"""Latents that other programs wrote."""

import io
import pickle
import zipfile

import duckdb
import numpy as np
import pandas as pd
import pytest

from stabaudit.errors import BadData, Guessed, UsageError, strictly
from stabaudit.store.imports.foreign_files import Naming
from stabaudit.store.run.latents import read_latents

VALUES = np.random.default_rng(0).normal(size=(6, 2))


def written(tmp_path, name, content):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    elif isinstance(content, pd.DataFrame):
        content.to_parquet(path)
    elif isinstance(content, dict):
        np.savez(path, **content)
    else:
        np.save(path, content)
    return path


def npy(array, **options):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npy", VALUES),
        ("a.npy", np.asfortranarray(VALUES)),
        ("a.npy", VALUES.astype(">f8")),
        ("a.npz", {"anything": VALUES}),
        ("a.npz", {"z": VALUES, "other": VALUES[:, :1]}),
        ("a.csv", pd.DataFrame(VALUES, columns=["x", "y"]).to_csv(index=False)),
        ("a.parquet", pd.DataFrame(VALUES, columns=["x", "y"])),
        ("a.parquet", pd.DataFrame({"z1": VALUES[:, 1], "file": list("abcdef"), "z0": VALUES[:, 0]})),
        ("A.NPY", npy(VALUES)),
    ],
)
def test_tables_of_numbers_are_latents_whose_rows_are_counted(tmp_path, name, content):
    latents = read_latents(written(tmp_path, name, content))
    assert latents.mean.dtype == np.float32
    np.testing.assert_array_equal(latents.mean, VALUES.astype(np.float32))
    np.testing.assert_array_equal(latents.sample_id, np.arange(6))
    assert latents.ids_by_position
    assert latents.metadata.fingerprint is None


R = "\n".join(['"","V1","V2"', *(f'"{row + 1}",{x!r},{y!r}' for row, (x, y) in enumerate(VALUES.tolist()))])


@pytest.mark.parametrize(
    "content",
    [
        pd.DataFrame(VALUES).to_csv(index=False),
        pd.DataFrame(VALUES).to_csv(),
        pd.DataFrame(VALUES, columns=["x", "y"]).to_csv(),
        pd.read_csv(io.StringIO(pd.DataFrame(VALUES).to_csv())).to_csv(index=False),
        pd.read_csv(io.StringIO(pd.DataFrame(VALUES).to_csv())).to_csv(),
        R,
    ],
    ids=["no index", "index", "names and index", "Unnamed: 0", "two of them", "R"],
)
def test_neither_names_nor_indices_that_pandas_and_r_add_become_latents(tmp_path, content):
    latents = read_latents(written(tmp_path, "a.csv", content))
    np.testing.assert_array_equal(latents.mean, VALUES.astype(np.float32))
    assert latents.ids_by_position  # a count of the rows does not say which samples they are


@pytest.mark.parametrize("index", [[5, 3, 1, 0, 2, 4], list("fedcba"), [0.5, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, None]])
def test_an_index_that_could_name_the_rows_must_be_called_so(tmp_path, index):
    path = written(tmp_path, "a.csv", pd.DataFrame(VALUES, index=index).to_csv())
    with pytest.raises(BadData, match=r"a\.csv: column 1 has no name; call it sample_id if it names the rows") as refused:
        read_latents(path)
    assert "\n" not in str(refused.value)
    np.testing.assert_array_equal(read_latents(path, Naming(ids_by_position=True)).mean, VALUES.astype(np.float32))
    named = pd.DataFrame(VALUES, index=index).assign(sample_id=list("uvwxyz"), cell=list("klmnop"))
    latents = read_latents(written(tmp_path, "b.csv", named.drop(columns="cell").to_csv()))
    assert (latents.sample_id.tolist(), latents.mean.shape) == (list("uvwxyz"), (6, 2))
    latents = read_latents(written(tmp_path, "c.csv", named.drop(columns="sample_id").to_csv()), Naming("cell"))
    assert (latents.sample_id.tolist(), latents.mean.shape) == (list("klmnop"), (6, 2))


def test_an_index_can_be_named_by_its_lack_of_a_name(tmp_path):
    path = written(tmp_path, "a.csv", pd.DataFrame(VALUES, index=list("fedcba")).to_csv())
    assert read_latents(path, Naming(id_column="")).sample_id.tolist() == list("fedcba")


def test_other_columns_without_a_name_are_refused_whatever_names_the_rows(tmp_path):
    path = written(tmp_path, "a.csv", "sample_id,x,\n1,2.5,3\n2,0.5,4\n")
    with pytest.raises(BadData, match="column 3 has no name"):
        read_latents(path)


@pytest.mark.parametrize(
    "content", ["1,0\n2,5\n4,3\n", "0.0,1.0\n2,5\n4,3\n", "0,1.5\n1,2.5\n", "0.0,0.5\n1,0.25\n2.0,3\n", "0.5\n1\n2\n"]
)
def test_lines_of_numbers_are_rows(tmp_path, content):
    expected = np.loadtxt(io.StringIO(content), delimiter=",", ndmin=2)
    path = written(tmp_path, "a.csv", content)
    with pytest.warns(Guessed, match="its first line holds numbers and is taken for a row of them"):
        np.testing.assert_array_equal(read_latents(path).mean, expected)
    with pytest.raises(UsageError, match="name the columns in the first line"), strictly(True):
        read_latents(path)


def test_a_first_column_that_counts_the_rows_is_left_out_where_nothing_has_a_name(tmp_path):
    path = written(tmp_path, "a.csv", pd.DataFrame(VALUES).to_csv(header=False))
    with (
        pytest.warns(Guessed, match="first line"),
        pytest.warns(Guessed, match="its first column counts the rows and is left out"),
    ):
        np.testing.assert_array_equal(read_latents(path).mean, VALUES.astype(np.float32))


@pytest.mark.parametrize("ids", [[9, 8, 7, 6, 5, 4], list("fedcba")])
def test_ids_are_kept(tmp_path, ids):
    frame = pd.DataFrame(VALUES, columns=["x", "y"]).assign(sample_id=ids)
    for path in (
        written(tmp_path, "a.parquet", frame),
        written(tmp_path, "b.parquet", frame.astype({"sample_id": "category"})),
        written(tmp_path, "a.csv", frame.to_csv(index=False)),
        written(tmp_path, "a.npz", {"z": VALUES, "sample_id": np.array(ids)}),
    ):
        latents = read_latents(path)
        assert latents.sample_id.tolist() == ids
        assert not latents.ids_by_position


def test_what_duckdb_writes_is_read(tmp_path):
    path = tmp_path / "a.parquet"
    duckdb.sql(f"copy (select 1.5 as z0, 2::tinyint as z1, 'a' as sample_id) to '{path}'")  # z0 is a decimal
    latents = read_latents(path)
    assert latents.mean.tolist() == [[1.5, 2.0]]
    assert latents.sample_id.tolist() == ["a"]


@pytest.mark.parametrize("kind", ["int8", "uint64", "float16", "float32"])
def test_numbers_of_every_type_are_read(tmp_path, kind):
    values = np.arange(6).reshape(3, 2).astype(kind)
    for name, content in (("a.parquet", pd.DataFrame(values, columns=["x", "y"])), ("a.npy", values)):
        np.testing.assert_array_equal(read_latents(written(tmp_path, name, content)).mean, values.astype(np.float32), strict=True)


FRAME = pd.DataFrame(VALUES, columns=["z0", "z1"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.parquet", FRAME.rename(columns={"z1": "z2"}), "column z1 is missing among 2 columns"),
        ("a.parquet", FRAME.assign(z1=list("abcdef")), "column 'z1' is .*, expected numbers"),
        ("a.parquet", pd.DataFrame({"x": VALUES[:, 0], "y": list("abcdef")}), "column 'y' is .*, expected numbers"),
        ("a.parquet", FRAME.assign(log_var0=0.0), "1 column of log-variances for 2 dimensions"),
        ("a.parquet", FRAME.assign(log_var0="a", log_var1="b"), "column 'log_var0' is"),
        ("a.parquet", FRAME.assign(z1=[1.0, None, 3, 4, 5, 6]), "z1 holds 1 NaN"),
        ("a.parquet", FRAME.assign(z0=1e300), "z0 holds 6 NaN or infinite"),
        ("a.parquet", FRAME.assign(sample_id=1), "1 sample id is repeated, the first is 1"),
        (
            "a.parquet",
            FRAME.assign(sample_id=0.5 + np.arange(6)),
            "sample_id holds double with fractions, expected integers or text",
        ),
        ("a.parquet", FRAME.assign(sample_id=["a", None, "b", "c", "d", "e"]), "sample_id is absent in 1 row"),
        ("a.parquet", FRAME[:0], "expected .n, d. with n and d at least 1"),
        ("a.parquet", pd.DataFrame({"sample_id": [1, 2]}), "no latent dimensions"),
        ("a.npy", VALUES[0], "expected numbers of shape"),
        ("a.npy", VALUES.astype(complex), "complex128"),
        ("a.npy", np.array([[{}]], dtype=object), "Python objects, which are never unpickled"),
        ("a.npy", np.zeros(3, dtype=[("a", "f4"), ("b", "f4")]), "holds records"),
        ("a.npy", np.where(VALUES > 0, np.nan, VALUES), "NaN or infinite"),
        ("a.npy", npy(VALUES)[:-1], "takes 96 bytes, the file holds 95"),
        ("a.npy", npy(VALUES) + b"x", "takes 96 bytes, the file holds 97"),
        ("a.npy", npy(VALUES)[:40], "not a numpy array"),
        ("a.npy", b"", "not a numpy array"),
        ("a.npy", pickle.dumps([1, 2]), "not a numpy array"),
        ("a.npy", npy(VALUES).replace(b"(6, 2)", b"(6,-2)"), "at least one row"),
        (
            "a.npy",
            npy(VALUES).replace(b"(6, 2), }" + b" " * 40, b"(10000000000000, 20000000000000), }" + b" " * 14),
            "save it again",
        ),
        ("a.npz", {"a": VALUES, "b": VALUES}, "holds a, b; expected the latents under the key 'z'"),
        ("a.npz", {"z": VALUES, "sample_id": np.arange(5)}, r"sample_id is int64 of shape \(5,\), expected"),
        ("a.npz", {"z": VALUES, "sample_id": np.arange(6) / 2}, "sample_id is float64 of shape"),
        ("a.npz", {"z": np.array([[None]], dtype=object)}, "never unpickled"),
        ("a.npz", b"PK not a zip", "damaged, cut short or not .npz"),
        ("a.csv", "x,y\n1,2\n3\n", "another number of fields than the first line, 1 and not 2"),
        ("a.csv", "x,y\n1,2\n3,oops\n", "column 'y' is string, expected numbers"),
        ("a.csv", "x,y\n1,2\n3,\n", "NaN or infinite"),
        ("a.csv", b"\xff\xfe\x00", "not UTF-8 text"),
        ("a.csv", "", "the file is empty"),
        ("a.csv", "x,y\n", "column 'x' is null|at least 1"),
        ("a.csv", "x,x\n1,2\n", "several columns are called 'x'"),
    ],
)
def test_what_is_no_table_of_latents_is_refused_in_one_line(tmp_path, name, content, message):
    path = written(tmp_path, name, content)
    with pytest.raises(BadData, match=message) as caught:
        read_latents(path)
    assert str(caught.value).count(str(path)) >= 1
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.csv"])
def test_missing_files_are_refused(tmp_path, name):
    with pytest.raises(BadData, match="no such file"):
        read_latents(tmp_path / name)


@pytest.mark.parametrize("keep", [10, 100, -30, -1])
def test_truncated_archives_are_refused(tmp_path, keep):
    path = written(tmp_path, "a.npz", {"z": VALUES})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadData, match="damaged"):
        read_latents(path)


def test_an_archive_with_a_flipped_number_is_refused(tmp_path):
    path = written(tmp_path, "a.npz", {"z": VALUES})
    content = bytearray(path.read_bytes())
    content[content.index(VALUES.tobytes()) + 11] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadData, match="damaged"):
        read_latents(path)


def test_an_archive_that_promises_more_than_it_holds_is_refused_before_memory_is_taken(tmp_path):
    path = tmp_path / "a.npz"
    header = npy(np.zeros((1, 1)))[:-8].replace(b"(1, 1), }" + b" " * 20, b"(99999999999, 99), }" + b" " * 9)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("z.npy", header)
    with pytest.raises(BadData, match="takes 79,199,999,999,208 bytes, the file holds 0"):
        read_latents(path)

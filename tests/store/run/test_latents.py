"""Latents in Parquet: they come back as they went, open in other programs unaided, and damage does not go unnoticed."""

import re

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stabaudit.errors import BadData, BadRun
from stabaudit.store.files import parquet
from stabaudit.store.run.latents import Latents, LatentsMetadata, read_latents, write_latents
from stabaudit.store.run.latents_stream import iter_latents


def assert_same(a: Latents, b: Latents) -> None:
    for name in ("sample_id", "mean", "log_var", "label"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), strict=True)
    assert (a.metadata, a.ids_by_position) == (b.metadata, b.ids_by_position)


@settings(max_examples=25, deadline=None)
@given(shape=st.tuples(st.integers(1, 40), st.integers(1, 12)), text=st.booleans(), bare=st.booleans())
def test_round_trip(tmp_path_factory, latents, shape, text, bare):
    rows, dimensions = shape
    ids = np.array([f"naïve {i}" for i in range(rows)]) if text else np.arange(rows) - 5
    optional = {"log_var": None, "label": None} if bare else {}
    metadata = LatentsMetadata(fingerprint="ab12", restart=3, seed=7)
    written = latents(0, rows, dimensions, sample_id=ids, metadata=metadata, **optional)
    path = tmp_path_factory.mktemp("latents") / "a.parquet"
    write_latents(path, written)
    assert_same(read_latents(path), written)


def test_other_programs_read_it_unaided(tmp_path, latents):
    path, written = tmp_path / "a.parquet", latents()
    write_latents(path, written)
    names = ["sample_id", "label", "z0", "z1", "z2", "log_var0", "log_var1", "log_var2"]
    frame = pd.read_parquet(path)
    assert list(frame.columns) == names
    np.testing.assert_array_equal(frame[["z0", "z1", "z2"]].to_numpy(), written.mean)
    assert duckdb.sql(f"select column_name from (describe select * from '{path}')").fetchall() == [(name,) for name in names]
    np.testing.assert_array_equal(duckdb.sql(f"select log_var2 from '{path}'").fetchnumpy()["log_var2"], written.log_var[:, 2])


def test_no_dictionaries_floats_split_by_byte_and_checksums(tmp_path, latents):
    path = tmp_path / "a.parquet"
    write_latents(path, latents())
    group = pq.ParquetFile(path).metadata.row_group(0)
    for k in range(group.num_columns):
        column = group.column(k)
        assert column.compression == "ZSTD"
        assert not column.has_dictionary_page
        assert ("BYTE_STREAM_SPLIT" in column.encodings) == (column.physical_type == "FLOAT")


@pytest.mark.slow
def test_every_flipped_bit_is_refused_or_changes_no_number(tmp_path, latents):
    """A flipped bit may change the name of a column or what the file says of its origin, never a number unnoticed.

    Those that remain do not get past `Run.latents`, which knows the origin, nor past `verify`, which knows the SHA-256.
    """
    path, flipped, written = tmp_path / "a.parquet", tmp_path / "b.parquet", latents(metadata=LatentsMetadata(fingerprint="ab12"))
    write_latents(path, written)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for place in rng.choice(8 * len(content), size=600, replace=False):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        flipped.write_bytes(damaged)
        try:
            read = read_latents(flipped)
        except BadData:
            refused += 1
            continue
        np.testing.assert_array_equal(read.mean, written.mean)
        np.testing.assert_array_equal(read.log_var, written.log_var)
        if not read.ids_by_position:
            np.testing.assert_array_equal(read.sample_id, written.sample_id)
    assert refused > 350


def test_a_row_group_that_lost_rows_is_refused(tmp_path, latents):
    """A flipped bit in the footer, where no checksum reaches, makes 40 rows 8."""
    path = tmp_path / "a.parquet"
    write_latents(path, latents(rows=40))
    content = path.read_bytes()
    silent = 0
    for place in (place for place, byte in enumerate(content) if byte == 80):  # 40, zigzag-encoded
        path.write_bytes(content[:place] + b"\x10" + content[place + 1 :])
        try:
            rows = pq.read_table(path).num_rows
        except (OSError, pa.ArrowException):
            continue
        if rows == 8:
            silent += 1
            with pytest.raises(BadData, match="8 rows in its groups, 40 in all"):
                read_latents(path)
    assert silent  # pyarrow alone says nothing


@pytest.mark.slow
def test_every_flipped_bit_of_a_page_is_refused(tmp_path):
    """Numbers alone, stored as they are: 187 of 200 such flips read back as other numbers without checksums."""
    path, values = tmp_path / "a.parquet", np.random.default_rng(0).normal(size=(5_000, 1)).astype(np.float32)
    write_latents(path, Latents(np.arange(5_000), values))
    content = path.read_bytes()
    column = pq.ParquetFile(path).metadata.row_group(0).column(1)
    start, end = column.data_page_offset + 100, column.data_page_offset + column.total_compressed_size  # past the page's header
    for place in np.random.default_rng(1).integers(8 * start, 8 * end, size=200):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        for read in (read_latents, lambda path: list(iter_latents(path))):
            with pytest.raises(BadData, match="damaged"):
                read(path)


@pytest.mark.parametrize("keep", [0, 3, 4, 100, -9, -4, -1])
def test_truncated_files_are_refused(tmp_path, latents, keep):
    path = tmp_path / "a.parquet"
    write_latents(path, latents())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadData, match=re.escape(f"{path} is damaged, cut short or not Parquet")):
        read_latents(path)


@pytest.mark.parametrize("content", [b"hello", b"PAR1PAR1", b"PAR1" + bytes(100) + b"PAR1", b"\xff" * 1000])
def test_garbage_is_refused(tmp_path, content):
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    with pytest.raises(BadData, match="not Parquet"):
        read_latents(path)


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(BadData, match="no such file"):
        read_latents(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").mkdir()
    with pytest.raises(BadData, match=r"b\.parquet.* holds no .parquet or .arrow files"):
        read_latents(tmp_path / "b.parquet")
    with pytest.raises(BadData, match=r"expected a file of latents: \.parquet, \.feather, \.arrow, "):
        read_latents(tmp_path / "a.txt")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", ["mean", "log_var"])
def test_numbers_that_are_not_finite_are_counted(tmp_path, latents, value, which):
    bad = latents()
    getattr(bad, which)[4:16, 1] = value
    getattr(bad, which)[4, 2] = value
    name = {"mean": "z1", "log_var": "log_var1"}[which]
    path = tmp_path / "a.parquet"
    with pytest.raises(BadData, match=f"{name} holds 12 NaN or infinite values, and 1 more column holds some"):
        write_latents(path, bad)
    assert not path.exists()
    table = {"sample_id": bad.sample_id} | {f"z{k}": bad.mean[:, k] for k in range(3)}
    pq.write_table(pa.table(table | {f"log_var{k}": bad.log_var[:, k] for k in range(3)}), path)
    with pytest.raises(BadData, match=rf"a\.parquet: {name} holds 12 NaN or infinite values"):
        read_latents(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sample_id": np.repeat(np.arange(15), 2)}, "15 sample ids are repeated, the first is 0"),
        ({"sample_id": np.arange(29)}, "30 rows of means for 29 sample ids"),
        ({"label": np.arange(3)}, "3 rows of labels"),
        ({"log_var": np.zeros((30, 2), np.float32)}, r"log-variances have shape \(30, 2\)"),
        ({"mean": np.zeros(30, np.float32)}, r"expected \(n, d\)"),
        ({"mean": np.zeros((30, 0), np.float32), "log_var": None}, r"expected \(n, d\)"),
    ],
)
def test_arrays_that_do_not_fit_together_are_not_written(tmp_path, latents, changes, message):
    with pytest.raises(BadData, match=message):
        write_latents(tmp_path / "a.parquet", latents(**changes))
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_in_pyarrow_leaves_the_good_file(tmp_path, latents, monkeypatch):
    path = tmp_path / "a.parquet"
    write_latents(path, latents(0))
    good = path.read_bytes()

    def fail(table, file, **_):
        file.write(b"PAR1 half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parquet.pq, "write_table", fail)
    with pytest.raises(BadRun, match="no space left on device"):
        write_latents(path, latents(1))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.parquet"]
    assert path.read_bytes() == good


def test_a_file_damaged_on_its_way_to_the_disk_does_not_take_its_place(tmp_path, latents, monkeypatch):
    path = tmp_path / "a.parquet"
    write_latents(path, latents(0))
    good = path.read_bytes()
    write, page = parquet.pq.write_table, pq.ParquetFile(path).metadata.row_group(0).column(3).data_page_offset

    def flip(table, file, **options):
        write(table, file, **options)
        file.seek(page + 100)
        file.write(b"\xaa\x55" * 8)

    monkeypatch.setattr(parquet.pq, "write_table", flip)
    with pytest.raises(BadData, match="damaged"):
        write_latents(path, latents(1))
    assert path.read_bytes() == good


def test_blocks_add_up_to_the_whole_and_never_hold_more_than_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP", 1_000)
    n, path = 3_500, tmp_path / "a.parquet"
    values = np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)
    write_latents(path, Latents(np.arange(n) * 7, values, values))
    assert pq.ParquetFile(path).num_row_groups == 4
    blocks = list(iter_latents(path, rows=300))
    assert max(len(block.mean) for block in blocks) <= 300
    np.testing.assert_array_equal(np.concatenate([block.mean for block in blocks]), values)
    np.testing.assert_array_equal(np.concatenate([block.sample_id for block in blocks]), np.arange(n) * 7)
    assert all(block.log_var is None for block in blocks)


def test_blocks_of_one_large_row_group_count_their_rows(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": np.arange(1_000.0)}), path)
    blocks = list(iter_latents(path, rows=64))
    assert all(block.ids_by_position for block in blocks)
    np.testing.assert_array_equal(np.concatenate([block.sample_id for block in blocks]), np.arange(1_000))
    np.testing.assert_array_equal(np.concatenate([block.mean[:, 0] for block in blocks]), np.arange(1_000))


def test_newer_metadata_are_refused(tmp_path, latents):
    path = tmp_path / "a.parquet"
    write_latents(path, latents())
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"stabaudit": '{"schema_version": 2}'}), path)
    with pytest.raises(BadData, match="update stabaudit"):
        read_latents(path)

"""What would not fit into memory is refused by its header, before any of it is taken."""

import io
import resource
import zipfile
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.lib import format as npy
from pyarrow import feather
from safetensors.numpy import save_file
from scipy import sparse

from stabaudit.cli.main import _run
from stabaudit.errors import BadData
from stabaudit.store.files import memory, numpy_files
from stabaudit.store.files.arrow_size import inflated_bytes, streamed_bytes
from stabaudit.store.files.feather import read_feather
from stabaudit.store.files.numpy_files import load_npz
from stabaudit.store.files.parquet import read_table
from stabaudit.store.run.latents import read_latents


def header(shape):
    content = io.BytesIO()
    npy.write_array_header_1_0(content, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return content.getvalue()


@pytest.fixture
def small(monkeypatch):
    """A machine of one megabyte."""
    monkeypatch.setattr(memory, "memory_limit", lambda: 1_000_000)


def test_the_machine_and_the_limit_of_the_process_are_what_there_is(monkeypatch):
    machine = memory.memory_limit()
    assert machine > 1e8
    monkeypatch.setattr(resource, "getrlimit", lambda _: (12_345, 12_345))
    assert memory.memory_limit() == 12_345


def test_an_archive_that_unpacks_to_more(small, tmp_path, monkeypatch):
    monkeypatch.setattr(numpy_files, "read_at_most", lambda *_: pytest.fail("read"))
    np.savez_compressed(tmp_path / "bomb.npz", z=np.zeros((1000, 1000), np.float32))
    assert (tmp_path / "bomb.npz").stat().st_size < 10_000
    with pytest.raises(BadData, match=r"bomb.npz: z.npy: shape \(1000, 1000\) of float32 takes 4.0 MB of memory"):
        load_npz(tmp_path / "bomb.npz", {"z"})


def test_a_table_of_one_value_repeated(small, tmp_path):
    table = pa.table({f"z{i}": np.zeros(100_000, np.float32) for i in range(10)})
    pq.write_table(table, tmp_path / "bomb.parquet")
    assert (tmp_path / "bomb.parquet").stat().st_size < 20_000
    with pytest.raises(BadData, match=r"100,000 rows takes 4\.0 MB of memory"):
        read_table(tmp_path / "bomb.parquet")


def test_entries_that_share_bytes_or_a_name(tmp_path):
    content = header((1000,)) + bytes(4000)
    with zipfile.ZipFile(tmp_path / "overlap.npz", "w") as archive:
        archive.writestr("z.npy", content)
        shared = archive.infolist()[0]
        again = zipfile.ZipInfo("a.npy")
        for name in ("header_offset", "file_size", "compress_size", "CRC"):
            setattr(again, name, getattr(shared, name))
        archive.filelist.append(again)
    with pytest.raises(BadData, match="shares bytes with another array"):
        load_npz(tmp_path / "overlap.npz")
    with zipfile.ZipFile(tmp_path / "twice.npz", "w") as archive:
        archive.writestr("z.npy", content)
        archive.writestr("y.npy", content)
        archive.filelist[1].filename = "z.npy"
    with pytest.raises(BadData, match="several arrays called 'z'"):
        load_npz(tmp_path / "twice.npz")


@pytest.mark.parametrize("compression", ["lz4", "zstd", "uncompressed"])
@pytest.mark.parametrize("chunk", [1000, 300])
def test_a_feather_file_says_what_it_inflates_to(tmp_path, compression, chunk):
    """Held against pyarrow's own count of the bytes of the buffers that it reads."""
    table = pa.table(
        {
            "z0": np.random.default_rng(0).normal(size=1000).astype(np.float32),
            "z1": pa.array([None, 1.5] * 500),
            "label": pa.array(["a", "b"] * 500).dictionary_encode(),
        }
    )
    path = tmp_path / "a.feather"
    feather.write_feather(table, path, compression=compression, chunksize=chunk)
    with path.open("rb") as file:
        found = inflated_bytes(file)
    with pa.ipc.open_file(path) as reader:
        batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
    dictionary = batches[0]["label"].dictionary
    assert found == pytest.approx(sum(batch.get_total_buffer_size() for batch in batches) + dictionary.nbytes, rel=0.15)


def streamed(path, table, compression, chunk=1000):
    options = pa.ipc.IpcWriteOptions(compression=None if compression == "uncompressed" else compression)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=chunk)


@pytest.mark.parametrize("compression", ["lz4", "zstd", "uncompressed"])
@pytest.mark.parametrize("chunk", [1000, 300])
def test_an_arrow_stream_says_what_it_inflates_to(tmp_path, compression, chunk):
    table = pa.table(
        {
            "z": pa.array(np.random.default_rng(0).normal(size=(1000, 3)).tolist()),
            "label": pa.array(["a", "b"] * 500).dictionary_encode(),
        }
    )
    path = tmp_path / "a.arrow"
    streamed(path, table, compression, chunk)
    with path.open("rb") as file:
        found = streamed_bytes(file)
    with pa.ipc.open_stream(path.read_bytes()) as reader:
        batches = list(reader)
    expected = sum(batch.get_total_buffer_size() for batch in batches) + batches[0]["label"].dictionary.nbytes
    assert found == pytest.approx(expected, rel=0.15)


def test_an_arrow_stream_that_inflates_to_more(small, tmp_path, monkeypatch):
    streamed(tmp_path / "bomb.arrow", pa.table({f"z{i}": np.zeros(100_000, np.float32) for i in range(10)}), "zstd", 100_000)
    assert (tmp_path / "bomb.arrow").stat().st_size < 100_000
    monkeypatch.setattr(pa.ipc, "open_stream", lambda *_: pytest.fail("read"))
    with pytest.raises(BadData, match=r"bomb.arrow: what it holds takes 4\.0 MB of memory, and there are 1\.0 MB"):
        read_feather(tmp_path / "bomb.arrow")


def test_an_arrow_stream_whose_messages_lie_is_damaged(tmp_path):
    path = tmp_path / "a.arrow"
    streamed(path, pa.table({"z0": np.arange(100.0), "z1": np.zeros(100)}), "zstd")
    content = path.read_bytes()
    for place in range(0, len(content), 3):
        for value in (0, 255, 128):
            changed = bytearray(content)
            changed[place] = value
            with suppress(ValueError):
                assert streamed_bytes(io.BytesIO(changed)) >= 0


def test_a_sparse_matrix_that_is_more_when_dense(small, tmp_path):
    sparse.save_npz(tmp_path / "bomb.npz", sparse.csr_array((1000, 1000)))
    assert (tmp_path / "bomb.npz").stat().st_size < 10_000
    said = r"bomb.npz: a sparse matrix, as a dense array of shape \(1000, 1000\), takes 8\.0 MB of memory"
    with pytest.raises(BadData, match=said):
        read_latents(tmp_path / "bomb.npz")


def test_a_feather_file_that_inflates_to_more(small, tmp_path, monkeypatch):
    table = pa.table({f"z{i}": np.zeros(100_000, np.float32) for i in range(10)})
    feather.write_feather(table, tmp_path / "bomb.feather", compression="zstd")
    assert (tmp_path / "bomb.feather").stat().st_size < 100_000
    monkeypatch.setattr(feather, "read_table", lambda *_: pytest.fail("read"))
    with pytest.raises(BadData, match=r"bomb.feather: what it holds takes 4\.0 MB of memory, and there are 1\.0 MB"):
        read_feather(tmp_path / "bomb.feather")


def test_a_feather_file_whose_footer_lies_is_damaged(tmp_path):
    """Every byte of the footer and of the messages, set to values that lead elsewhere."""
    table = pa.table({"z0": np.arange(100.0), "z1": np.zeros(100)})
    path = tmp_path / "a.feather"
    feather.write_feather(table, path, compression="zstd")
    content = path.read_bytes()
    for place in range(0, len(content), 3):
        for value in (0, 255, 128):
            changed = bytearray(content)
            changed[place] = value
            with suppress(ValueError):
                assert inflated_bytes(io.BytesIO(changed)) >= 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "ending",
    ["npy", "npz", "csv", "csv.gz", "feather", "arrow", "tab", "lists", "parts", "sparse.npz", "safetensors", "parquet", "h5ad"],
)
@pytest.mark.parametrize("command", ["import", "compare"])
def test_files_are_held_against_memory_before_they_are_read(ending, command, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    z = np.zeros((2000, 60), np.float32) + np.arange(2000)[:, None]
    frame = pd.DataFrame(z, columns=[f"z{k}" for k in range(60)])
    write = {
        "npy": lambda path: np.save(path, z),
        "npz": lambda path: np.savez_compressed(path, z=z),
        "csv": lambda path: frame.to_csv(path, index=False),
        "csv.gz": lambda path: frame.to_csv(path, index=False),
        "feather": lambda path: feather.write_feather(pa.Table.from_pandas(frame), path, compression="zstd"),
        "arrow": lambda path: streamed(path, pa.Table.from_pandas(frame), "zstd"),
        "tab": lambda path: frame.to_csv(path, index=False, sep="\t"),
        "lists": lambda path: pq.write_table(pa.table({"z": z.tolist()}), path),
        "parts": in_parts,
        "sparse.npz": lambda path: sparse.save_npz(path, sparse.csr_array(z)),
        "safetensors": lambda path: save_file({"z": z}, path),
        "parquet": lambda path: pq.write_table(pa.Table.from_pandas(frame), path),
        "h5ad": lambda path: h5ad(path, z),
    }
    a, b = (f"{name}.{'parquet' if ending in {'lists', 'parts'} else ending}" for name in "ab")
    for path in (a, b):
        write[ending](path)
    words = {"import": ["import", a, b, "--out", "run"], "compare": ["compare", a, b]}
    assert _run([*words[command], "--ids-by-position", "--memory", "100kB"]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count(" error: ")) == ("", 1)
    assert err.count("\n") <= (2 if ending in {"lists", "parts"} else 1)  # how the file is taken is said before
    assert "--memory" in err
    assert not (tmp_path / "run").exists()


def in_parts(path):
    z = np.zeros((2000, 60), np.float32)
    Path(path).mkdir()
    for place in range(4):
        pq.write_table(pa.table({f"z{k}": z[:500, k] for k in range(60)}), f"{path}/part-{place}.parquet")


def h5ad(path, z):
    with h5py.File(path, "w") as file:
        file.create_dataset("obsm/X", data=z, compression="gzip")
        file.create_group("obs").attrs["_index"] = "names"
        file["obs/names"] = np.arange(len(z))


def test_import_reads_what_memory_allows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        np.save(f"{name}.npy", np.random.default_rng(ord(name)).normal(size=(50, 2)))
    assert _run(["import", "a.npy", "b.npy", "--ids-by-position", "--memory", "1MB", "--out", "run"]) == 0

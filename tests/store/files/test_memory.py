"""What would not fit into memory is refused by its header, before any of it is taken."""

import io
import resource
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.lib import format as npy

from stabaudit.errors import BadData
from stabaudit.store.files import memory, numpy_files
from stabaudit.store.files.numpy_files import load_npz
from stabaudit.store.files.parquet import read_table


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
    with pytest.raises(BadData, match=r"bomb.npz: z.npy: shape \(1000, 1000\) of float32 takes 0.0 GB of memory"):
        load_npz(tmp_path / "bomb.npz", {"z"})


def test_a_table_of_one_value_repeated(small, tmp_path):
    table = pa.table({f"z{i}": np.zeros(100_000, np.float32) for i in range(10)})
    pq.write_table(table, tmp_path / "bomb.parquet")
    assert (tmp_path / "bomb.parquet").stat().st_size < 20_000
    with pytest.raises(BadData, match=r"100,000 rows takes 0\.0 GB of memory"):
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

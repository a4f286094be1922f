"""A write leaves the old file or the new one, whole, whatever goes wrong."""

import errno
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stabaudit.errors import BadData, BadRun
from stabaudit.store.files.atomic import missing, sha256, write_atomically, write_bytes


def held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"good")
    return path


def test_bytes_are_written_and_replaced(tmp_path):
    path = tmp_path / "new" / "folder" / "a.bin"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert held(path.parent) == {"a.bin": b"two"}
    assert sha256(path) == hashlib.sha256(b"two").hexdigest()


def test_the_file_is_flushed_before_it_takes_its_place_and_its_folder_after(good, monkeypatch):
    events = []
    replace = Path.replace

    def flushed(descriptor):
        events.append("flush folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "flush file")

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", lambda self, to: (events.append("replace"), replace(self, to)))
    write_atomically(good, lambda file: file.write(b"new"), lambda _: events.append("check"))
    assert events == ["flush file", "check", "replace", "flush folder"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError, ValueError])
def test_a_writer_that_stops_half_way_leaves_the_good_file(good, stop):
    def write(file):
        file.write(b"bad" * 100_000)
        raise stop

    with pytest.raises(stop):
        write_atomically(good, write, lambda _: None)
    assert held(good.parent) == {"a.bin": b"good"}


def test_a_check_that_fails_leaves_the_good_file(good):
    seen = []

    def check(path):
        seen.append(path.read_bytes())
        raise BadData("not what was meant")

    with pytest.raises(BadData, match="not what was meant"):
        write_atomically(good, lambda file: file.write(b"bad"), check)
    assert seen == [b"bad"]
    assert held(good.parent) == {"a.bin": b"good"}


def test_bytes_that_do_not_read_back_are_refused(good, monkeypatch):
    monkeypatch.setattr(Path, "read_bytes", lambda _: b"flipped")
    with pytest.raises(BadRun, match="does not read back"):
        write_bytes(good, b"new")
    monkeypatch.undo()
    assert held(good.parent) == {"a.bin": b"good"}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space left on device"),
        (errno.EROFS, "read-only file system"),
        (errno.EACCES, "permission denied"),
        (errno.EIO, "input/output error"),
    ],
)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_the_system_refuses_is_one_line_that_names_file_and_cause(good, monkeypatch, number, words, call):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), refuse)
    with pytest.raises(BadRun, match=words) as caught:
        write_bytes(good, b"new")
    monkeypatch.undo()
    assert str(good) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert held(good.parent) == {"a.bin": b"good"}


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np, pyarrow as pa
from stabaudit.errors import BadRun
from stabaudit.store.files.atomic import write_bytes
from stabaudit.store.files.parquet import write_table
from stabaudit.store.files.safetensors_file import write_weights
folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
values = np.random.default_rng(0).normal(size=100_000)
for name, write in {
    "a.bin": lambda path: write_bytes(path, values.tobytes()),
    "b.parquet": lambda path: write_table(path, pa.table({"z0": values})),
    "c.safetensors": lambda path: write_weights(path, {"w": values}),
}.items():
    try:
        write(folder / name)
    except BadRun as error:
        print(error)
"""


@pytest.mark.slow
def test_files_larger_than_the_system_allows_leave_the_good_ones(tmp_path):
    names = ["a.bin", "b.parquet", "c.safetensors"]
    for name in names:
        (tmp_path / name).write_bytes(b"good")
    done = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"cannot write {tmp_path / name}" for name in names]
    assert all("file too large" in line for line in lines)
    assert held(tmp_path) == dict.fromkeys(names, b"good")


def test_the_name_of_a_temporary_file_fits_where_the_name_of_the_file_fits(tmp_path):
    path = tmp_path / ("x" * 255)
    write_bytes(path, b"one")
    assert path.read_bytes() == b"one"
    with pytest.raises(BadRun, match="file name too long"):
        write_bytes(tmp_path / ("x" * 256), b"one")


def test_a_missing_path_names_its_neighbours(tmp_path):
    (tmp_path / "vade-mlp").mkdir()
    assert "did you mean" in missing(tmp_path / "vad-mlp")
    assert "vade-mlp" in missing(tmp_path / "vad-mlp")
    assert "did you mean" not in missing(tmp_path / "other" / "folder")

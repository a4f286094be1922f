"""A disk that is full or read-only: one line, nothing half-written, and the same command goes on once there is room."""

import errno
import io
import os
import re
import resource
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path

import pytest

from stabaudit.cli.main import _run
from stabaudit.errors import BadRun
from stabaudit.store.run.run_folder import Run
from stabaudit.store.run.verify import verify


@pytest.fixture
def full_disk(monkeypatch):
    """A disk with room for so many bytes more: `full_disk(4096)`; None: room enough."""
    room = [float("inf")]

    class File(io.FileIO):
        def write(self, content):
            size = memoryview(content).nbytes
            if size > room[0]:
                super().write(memoryview(content).cast("B")[: int(room[0])])
                room[0] = 0
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            room[0] -= size
            return super().write(content)

    opened = Path.open

    def new(path, mode="r", *rest, **named):
        return File(path, mode) if "x" in mode else opened(path, mode, *rest, **named)

    monkeypatch.setattr(Path, "open", new)

    def limit(size):
        room[0] = float("inf") if size is None else size

    return limit


@pytest.mark.slow
def test_a_disk_that_fills_up_at_any_byte_leaves_whole_files_and_a_run_that_goes_on(full_disk, manifest, tmp_path, victims):
    def refused(folder):
        try:
            victims.write(folder, manifest)
        except BadRun as error:
            return str(error)
        return None

    assert refused(tmp_path / "calm") is None
    whole, done = victims.content(tmp_path / "calm"), []
    for room in count(0, 700):
        folder = tmp_path / str(room)
        full_disk(room)
        said = refused(folder)
        full_disk(None)
        if said is None:
            break
        untouched = r"(; what was there before is untouched)?"  # said of files; not of a lock that nothing was there before
        assert re.fullmatch(rf"cannot write .*: no space left on device{untouched}", said)
        assert all(file == "run.json" or held == whole[file] for file, held in victims.content(folder).items())
        if (folder / "run.json").exists():
            assert verify(Run.open(folder)) == []
            done.append(len(Run.open(folder).done))
        assert refused(folder) is None
        assert victims.content(folder) == whole
    assert set(done) == {0, 1, 2}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 48 kB, and a function that gives it other options."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("may not mount a file system here")
    yield folder, lambda options: subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)
    subprocess.run(["umount", folder], check=True)


TRAIN = "train vae -d 3 -n 2 --steps 8 --set widths=32 --workers 1 --quiet --exact"


@pytest.mark.slow
def test_a_training_on_a_full_disk_says_so_and_goes_on_when_there_is_room(small_disk, capfd):
    disk, remount = small_disk
    command = [*TRAIN.split(), "--out", str(disk / "run")]
    assert _run(command) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "no space left on device" in err
    assert "Traceback" not in err
    run = Run.open(disk / "run")
    assert verify(run) == []
    assert len(run.done) < 2
    assert not list(disk.rglob("*.tmp"))
    remount("size=10m")
    assert _run(command) == 0
    run = Run.open(disk / "run")
    assert run.done == [0, 1]
    assert verify(run) == []


def test_a_read_only_disk_is_refused_before_anything_is_trained(small_disk, capfd, monkeypatch):
    disk, remount = small_disk
    (disk / "empty").mkdir()
    remount("ro")
    monkeypatch.setattr("stabaudit.engines.local.LocalEngine.run", lambda *_: pytest.fail("trained"))
    for name in ("new", "empty"):
        assert _run([*TRAIN.split(), "--out", str(disk / name)]) == 2
        assert capfd.readouterr().err == f"stabaudit: error: cannot write in {disk / name}: read-only file system\n"


@pytest.mark.parametrize(("call", "number"), [("mkdir", errno.EROFS), ("mkdir", errno.EACCES), ("open", errno.EACCES)])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_trained(tmp_path, capfd, monkeypatch, call, number):
    (tmp_path / "run").mkdir() if call == "open" else None
    refused, real = str(tmp_path / "run"), getattr(os, call)

    def refuse(path, *arguments, **named):
        if str(path).startswith(refused):
            raise OSError(number, os.strerror(number), path)
        return real(path, *arguments, **named)

    monkeypatch.setattr(os, call, refuse)
    monkeypatch.setattr("stabaudit.engines.local.LocalEngine.run", lambda *_: pytest.fail("trained"))
    assert _run([*TRAIN.split(), "--out", refused]) == 2
    err = capfd.readouterr().err
    assert err == f"stabaudit: error: cannot write in {refused}: {os.strerror(number).lower()}\n"


@pytest.mark.slow
def test_a_full_temporary_folder_is_named_and_nothing_is_trained(small_disk, tmp_path, capfd, monkeypatch):
    """The dataset is written there for the workers."""
    disk, _ = small_disk
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    monkeypatch.setattr("stabaudit.engines.local.warm_up", lambda: None)  # processes that would hold the disk
    monkeypatch.setattr("stabaudit.engines.local._Worker.assign", lambda *_: pytest.fail("trained"))
    assert _run([*TRAIN.split(), "--out", str(tmp_path / "run")]) == 2
    assert capfd.readouterr().err == (
        f"stabaudit: error: cannot write the dataset for the workers in {disk}: no space left, or a limit on the size of files "
        "(ulimit -f); make room there, or set TMPDIR\n"
    )
    assert not list(disk.glob("stabaudit-*"))
    assert verify(Run.open(tmp_path / "run")) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kilobytes", "said"), [(64, "cannot write the dataset for the workers"), (1, "cannot write run/run.json")]
)
def test_a_limit_on_the_size_of_files_is_one_line(kilobytes, said, tmp_path):
    """`ulimit -f`, in a process of its own; numpy's OSError has no number."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * kilobytes, 1024 * kilobytes))

    done = subprocess.run(
        [sys.executable, "-m", "stabaudit", *TRAIN.split(), "--out", "run"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        preexec_fn=limit,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr
    assert "file too large" in done.stderr or "ulimit -f" in done.stderr
    if (tmp_path / "run" / "run.json").exists():
        assert verify(Run.open(tmp_path / "run")) == []

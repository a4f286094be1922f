"""One writer at a time, and no lock outlives its process."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from stabaudit.errors import BadRun
from stabaudit.store.run.lock import LOCK, NOTE, WriteLock

HOLD = """
import sys, time
from pathlib import Path
from stabaudit.store.run.lock import WriteLock
lock = WriteLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""

AS_NOBODY = """
import os, sys
from pathlib import Path
from stabaudit.errors import BadRun
from stabaudit.store.run.lock import WriteLock
os.setuid(65534)
try:
    WriteLock(Path(sys.argv[1]))
except BadRun as error:
    print(error)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of tmp_path."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_writer_is_told_who_writes(tmp_path, holder):
    for _ in range(2):  # asking does not disturb the lock
        with pytest.raises(BadRun, match=rf"is being written by process {holder.pid} on .+ since \d{{4}}-") as caught:
            WriteLock(tmp_path)
        assert str(tmp_path) in str(caught.value)


@pytest.mark.slow
def test_the_lock_of_a_killed_process_is_none(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert (tmp_path / LOCK).exists()
    assert (tmp_path / NOTE).exists()
    WriteLock(tmp_path).release()


def test_a_process_does_not_write_a_run_twice_at_once(tmp_path):
    lock = WriteLock(tmp_path)
    with pytest.raises(BadRun, match=f"process {os.getpid()} "):
        WriteLock(tmp_path)
    lock.release()
    lock.release()
    WriteLock(tmp_path).release()
    assert not (tmp_path / NOTE).exists()


@pytest.mark.parametrize("note", [None, b"", b"\xff", b'{"process": "x"}'])
def test_a_note_that_says_nothing_does_no_harm(tmp_path, note):
    lock = WriteLock(tmp_path)
    (tmp_path / NOTE).unlink() if note is None else (tmp_path / NOTE).write_bytes(note)
    with pytest.raises(BadRun, match="being written by another process"):
        WriteLock(tmp_path)
    lock.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(BadRun, match=r"cannot write in .*: read-only file system"):
        WriteLock(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_of_another_user_is_refused(tmp_path):
    process = subprocess.run([sys.executable, "-c", AS_NOBODY, tmp_path], capture_output=True, text=True, check=True)
    assert "permission denied" in process.stdout


@pytest.mark.filterwarnings("ignore:flock not supported")  # of filelock, for ENOSYS
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    lock = WriteLock(tmp_path)
    with pytest.raises(BadRun, match=f"is being written by process {os.getpid()} "):
        WriteLock(tmp_path)
    lock.release()
    WriteLock(tmp_path).release()

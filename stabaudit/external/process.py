"""One program of the user's at work: started in a process group of its own, watched, stopped, its latents kept."""

import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from stabaudit.config import Frozen
from stabaudit.external import watcher
from stabaudit.external.command_line import arguments_of
from stabaudit.store.files.atomic import make_folder, shown
from stabaudit.store.files.regular import read_regular
from stabaudit.store.run import layout
from stabaudit.store.run.external_labels import Program
from stabaudit.store.run.run_folder import Run

PATIENCE = 5.0  # seconds that a program has to end after it was asked to
LAST_WORDS = 200  # characters of a log that a message repeats
_TAIL = 4000  # bytes of a log that are looked at for its last words
_PROCESS = "process"  # a note in the folder of an attempt: number of the process, and when it began
_COMPLETE = "-complete"  # ended the names of folders of programs that ended well, before there was a note of it in them
_STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Ended(Frozen):
    """How a program ended.

    Args:
        seconds: that it took.
        status: exit status, negative for a signal; None: it was stopped.
        timed_out: whether it was stopped after its time.
        last_words: the last line that it printed.
    """

    seconds: float
    status: int | None
    timed_out: bool
    last_words: str


class Attempt:
    """A program at work on one restart.

    Its latents go to a folder of their own, for a program that outlived a killed call must not write into this one's. Nothing
    that a program which ended by itself wrote is ever deleted here: it may be hours of work.

    Args:
        folder: of the run that it is to be part of, or another.
        program: that is to be called.
        index: of the restart.
    """

    def __init__(self, folder: Path, program: Program, index: int) -> None:
        self.index = index
        self.folder = folder.resolve() / layout.PROGRAMS / f"restart-{index:03d}-{secrets.token_hex(4)}"
        self.log = folder / layout.log(index)
        self.timed_out = False
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._began = self._ended = 0.0

    @property
    def latents(self) -> Path:
        """What it writes."""
        return self.folder / f"latents.{self._program.latents_format}"

    def start(self, threads: int, place: Path | None = None) -> None:
        """Call the program; where Ctrl-C or SIGTERM come in between, they take effect when it can be stopped.

        Args:
            threads: of its numerical libraries, where the environment does not say.
            place: the folder in which it is called; None: this process's.

        Raises:
            OSError: where it cannot be called.
        """
        make_folder(self.folder)
        make_folder(self.log.parent)
        self.log.unlink(missing_ok=True)
        arguments = arguments_of(self._program, restart=self.index, latents=self.latents)
        watched = [sys.executable, "-I", "-S", watcher.__file__, str(PATIENCE), str(self.folder / watcher.NOTE), *arguments]
        with self.log.open("xb") as log:
            log.write(f"$ {shlex.join(arguments)}\n".encode(errors="backslashreplace"))
            log.flush()
            with _undisturbed():
                self._began = time.monotonic()
                self._process = subprocess.Popen(  # noqa: S603 -- the user's own command
                    watched,
                    stdin=subprocess.PIPE,  # open for as long as stabaudit lives
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={name: str(threads) for name in _THREADS} | os.environ,
                    start_new_session=True,
                    cwd=place,
                )
                (self.folder / _PROCESS).write_text(f"{self._process.pid} {_beginning(self._process.pid)}", encoding="utf-8")

    @property
    def seconds(self) -> float:
        """From its beginning to its end, or until now."""
        return (self._ended or time.monotonic()) - self._began

    @property
    def status(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        if self._process is None:
            return None
        status = self._process.poll()
        if status is not None and self._process.stdin is not None:
            self._process.stdin.close()
        return status

    def has_ended(self, timeout: float | None) -> bool:
        """Whether there is nothing more to wait for."""
        running = self.status is None
        self.timed_out = running and timeout is not None and self.seconds > timeout
        if running and not self.timed_out:
            return False
        self._ended = time.monotonic()
        return True

    def ended(self) -> Ended:
        """How it ended."""
        status = None if self.timed_out else self.status
        return Ended(seconds=self.seconds, status=status, timed_out=self.timed_out, last_words=self.last_words())

    def discard(self) -> None:
        """Delete what it wrote."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and to all that it started."""
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def wait(self, seconds: float) -> None:
        """Wait for it, but not longer than so many seconds."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
            _ = self.status

    def last_words(self) -> str:
        """The last line of its log, on one line."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - _TAIL))
            content = log.read(_TAIL).decode(errors="replace").split("\n", maxsplit=1)[-1]
        lines = [" ".join(line.split()) for line in content.splitlines() if line.strip()]
        return shown(lines[-1][-LAST_WORDS:]) if lines else ""


@contextmanager
def running() -> Iterator[list[Attempt]]:
    """Programs that do not outlive the block, however it ends."""
    attempts: list[Attempt] = []
    try:
        yield attempts
    finally:
        cut_off = [attempt for attempt in attempts if attempt.status is None]
        stop(attempts)
        for attempt in attempts:
            if attempt in cut_off:
                attempt.discard()


def stop(attempts: Sequence[Attempt]) -> None:
    """Ask programs to end, and after a while make them."""
    try:
        for attempt in attempts:
            attempt.signal(signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        for attempt in attempts:
            attempt.wait(max(0.0, end - time.monotonic()))
    finally:  # also when Ctrl-C is pressed once more
        for attempt in attempts:
            attempt.signal(signal.SIGKILL)
            attempt.wait(PATIENCE)


def kept(run: Run, program: Program, index: int) -> list[Path]:
    """Latents for a restart whose program ended well and that were not taken in, the newest first.

    The call was killed before, or they could not be used then. Folders without latents are deleted.
    """
    found = []
    for folder in (run.folder / layout.PROGRAMS).glob(f"restart-{index:03d}-*"):
        latents = folder / f"latents.{program.latents_format}"
        cut_off = _end_orphan(folder)
        complete = folder.name.endswith(_COMPLETE) or (folder / watcher.NOTE).exists()
        if not latents.exists() or (cut_off and not complete):
            shutil.rmtree(folder, ignore_errors=True)
        elif complete:
            found.append(latents)
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def _end_orphan(folder: Path) -> bool:
    """End the program that writes there, with all that it started: stabaudit was killed and it was not.

    Returns:
        Whether there was one.
    """
    try:
        number, _, began = read_regular(folder / _PROCESS, _TAIL).decode().partition(" ")
        process = int(number)
    except (OSError, ValueError):
        return False
    if not began or _beginning(process) != began:  # it has ended, and another may have its number
        return False
    for name, patience in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, PATIENCE)):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process, name)
        end = time.monotonic() + patience
        while _beginning(process) == began and time.monotonic() < end:
            time.sleep(0.05)
    return True


def _beginning(process: int) -> str:
    """When a process began, in ticks since the machine did; empty where it has ended, or where nothing tells."""
    try:
        words = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if words[0] in {"Z", "X"} else words[19]


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM take effect at the end of the block, not within."""
    caught: list[int] = []
    # Only the main thread hears signals, and only what Python handles can wait.
    ours = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in _STOPPING} if ours else {}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    try:
        for number in handlers:
            signal.signal(number, lambda number, _: caught.append(number))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for heard in caught:
            signal.raise_signal(heard)

"""Restarts trained by a program of the user's: called once for each, in parallel, and its latents taken in.

A program gets its seed and a path to write latents to. It runs in a process group of its own, with its words in
`logs/restart-003.txt`, so that it can be stopped with all that it started. What it wrote is checked like any foreign file; a
restart whose program fails, takes too long or writes nothing of use is recorded as failed, with the reason, and tried again
when the same command is run again. Nothing here needs torch.
"""

import difflib
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stabaudit.errors import BadData, UsageError
from stabaudit.store import layout
from stabaudit.store.environment import environment
from stabaudit.store.external import UNKNOWN, UNNAMED, External, Program
from stabaudit.store.files import make_folder, shown
from stabaudit.store.importing import Rows, named_rows
from stabaudit.store.manifest import DatasetRecord, Manifest, Restart
from stabaudit.store.run import Run

PLACEHOLDERS = ("seed", "latents", "restart")
TICK = 0.05  # seconds between looks at the programs
PATIENCE = 5.0  # seconds that a program has to end after it was asked to
LAST_WORDS = 200  # characters of a log that a message repeats
_SCRATCH = ".programs"  # folder of what programs are writing, within the run's
_FOR_A_SHELL = {"|", "||", "&", "&&", ";", "<", ">", ">>", "2>", "2>&1"}
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_EMPTY = DatasetRecord(name=UNNAMED, fingerprint=UNKNOWN, train_rows=0, evaluation_rows=0, shape=[])


@dataclass(frozen=True)
class Call:
    """How programs are called, beside what decides their latents.

    Args:
        workers: programs at a time.
        timeout: seconds that each may take; None: any.
    """

    workers: int
    timeout: float | None = None

    @property
    def threads(self) -> int:
        """Threads of each program's numerical libraries, where the environment does not say: the cores are shared."""
        return max(1, (os.cpu_count() or 1) // self.workers)


def require_callable(program: Program) -> list[str]:
    """Refuse a command that cannot be called, before anything is written.

    Returns:
        What the user should know.

    Raises:
        UsageError: no {latents}, a misspelt placeholder, words for a shell without one, or no such program.
    """
    command = program.command
    for name in re.findall(r"\{(\w+)\}", command):
        near = difflib.get_close_matches(name, PLACEHOLDERS, n=1)
        if name not in PLACEHOLDERS and near:
            raise UsageError(f"--command: unknown placeholder {{{name}}}; did you mean {{{near[0]}}}?")
    if "{latents}" not in command:
        raise UsageError("--command: nothing says where latents are to be written; put {latents} where the program takes a path")
    if not program.shell:
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"--command {command!r}: {str(error).lower()}") from error
        if asked := [word for word in words if word in _FOR_A_SHELL]:
            raise UsageError(f"--command: {asked[0]!r} is for a shell, and none reads the command; add --shell")
        if shutil.which(words[0]) is None:
            raise UsageError(f"--command: no program {words[0]!r} is found; give its path, or add --shell for a shell's own")
    if "{seed}" not in command:
        return ["the command has no {seed}: its restarts differ only if the program draws seeds of its own"]
    return []


def arguments_of(program: Program, *, restart: int, latents: Path) -> list[str]:
    """The arguments that a program is called with for one restart.

    >>> arguments_of(Program(command="python fit.py --seed {seed} -o {latents}", seed=7), restart=2, latents=Path("a b.npy"))
    ['python', 'fit.py', '--seed', '9', '-o', 'a b.npy']
    """
    values = {"seed": str(program.seed + restart), "restart": str(restart), "latents": str(latents)}

    def filled(text: str) -> str:
        return re.sub(r"\{(seed|latents|restart)\}", lambda found: values[found[1]], text)

    if program.shell:
        values["latents"] = shlex.quote(values["latents"])
        return ["/bin/sh", "-c", filled(program.command)]
    return [filled(word) for word in shlex.split(program.command)]


def run_program(
    folder: Path,
    external: External,
    restarts: int,
    call: Call,
    *,
    command: str,
    on_end: Callable[[Restart], None] = lambda _: None,
) -> Run:
    """Have a program train what is missing of a run.

    Restarts that are done are left alone, failed ones are tried again. However the call ends, no program outlives it.

    Args:
        folder: the run folder.
        external: what is known of the run, its program included.
        restarts: how many there are to be.
        call: how the program is called.
        command: of stabaudit, for the manifest.
        on_end: is told of every restart that ends.

    Raises:
        BadRun: a folder that holds something else, cannot be written, or is being written by another process.
    """
    program = external.program
    assert program is not None  # noqa: S101 -- what distinguishes such a run
    manifest = Manifest(
        name=folder.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        config=None,
        external=external,
        dataset=_EMPTY.model_copy(update={"name": external.dataset or UNNAMED}),
        environment=environment(threads_per_worker=call.threads),
        shards=[[index] for index in range(restarts)],
        restarts=[Restart(index=index, seed=program.seed + index) for index in range(restarts)],
    )
    with Run.prepare(folder, manifest) as run:
        shutil.rmtree(folder / _SCRATCH, ignore_errors=True)
        for index in run.unfinished:
            if run.restart(index).state == "failed":
                run.record(Restart(index=index, seed=program.seed + index))
        _train(run, external, program, call, on_end)
    return run


def _train(run: Run, external: External, program: Program, call: Call, on_end: Callable[[Restart], None]) -> None:
    waiting = deque(run.unfinished)
    # The first restart that succeeds says which rows there are.
    rows = Rows.of(run.latents(run.done[0]), f"restart {run.done[0]}") if run.done else None
    with _running() as attempts:
        while waiting or attempts:
            while waiting and len(attempts) < call.workers:
                attempts.append(_Attempt(run, program, waiting.popleft(), call.threads))
            for attempt in [one for one in attempts if one.has_ended(call.timeout)]:
                attempts.remove(attempt)
                attempt.stop()
                restart, rows = _outcome(run, external, attempt, rows)
                run.record(restart)
                on_end(restart)
            time.sleep(TICK)
    with suppress(OSError):  # latents that could not be used are kept there
        (run.folder / _SCRATCH).rmdir()


class _Attempt:
    """A program at work on one restart."""

    def __init__(self, run: Run, program: Program, index: int, threads: int) -> None:
        self.index = index
        # A name of its own: a program that outlived a killed call must not write into this one's.
        self.folder = run.folder.resolve() / _SCRATCH / f"restart-{index:03d}-{secrets.token_hex(4)}"
        self.latents = self.folder / f"latents.{program.latents_format}"
        self.log = run.folder / layout.log(index)
        self.timed_out = False
        make_folder(self.folder)
        make_folder(self.log.parent)
        self.log.unlink(missing_ok=True)
        arguments = arguments_of(program, restart=index, latents=self.latents)
        self._began = time.monotonic()
        with self.log.open("xb") as log:
            log.write(f"$ {shlex.join(arguments)}\n".encode(errors="backslashreplace"))
            log.flush()
            self._process = subprocess.Popen(  # noqa: S603 -- the user's own command
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={name: str(threads) for name in _THREADS} | os.environ,
                start_new_session=True,
            )

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    @property
    def status(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        return self._process.returncode

    def has_ended(self, timeout: float | None) -> bool:
        """Whether there is nothing more to wait for."""
        self.timed_out = self._process.poll() is None and timeout is not None and self.seconds > timeout
        return self.timed_out or self._process.returncode is not None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and to all that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def stop(self) -> None:
        """End what is left of it."""
        _stop([self])

    def wait(self, seconds: float) -> None:
        """Wait for it, but not longer than so many seconds."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def last_words(self) -> str:
        """The last line of its log, on one line."""
        content = self.log.read_bytes()[-4000:].decode(errors="replace").split("\n", maxsplit=1)[-1]
        lines = [" ".join(line.split()) for line in content.splitlines() if line.strip()]
        return shown(lines[-1][-LAST_WORDS:]) if lines else ""


@contextmanager
def _running() -> Iterator[list[_Attempt]]:
    """Programs that do not outlive the block, however it ends."""
    attempts: list[_Attempt] = []
    try:
        yield attempts
    finally:
        _stop(attempts)


def _stop(attempts: Sequence[_Attempt]) -> None:
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


def _outcome(run: Run, external: External, attempt: _Attempt, rows: Rows | None) -> tuple[Restart, Rows | None]:
    """What became of a restart whose program has ended, and the rows that the run has from now on."""
    restart = run.restart(attempt.index).model_copy(update={"seconds": round(attempt.seconds, 3)})
    wrong = _what_went_wrong(attempt)
    if wrong is None:
        try:
            latents = named_rows(attempt.latents, external)
            if rows is None:
                rows = Rows.of(latents, f"restart {attempt.index}")
                run.describe(rows.describe(external, f"{run.manifest.created} {run.manifest.command}"), rows.grid)
            else:
                rows.require(latents, f"restart {attempt.index}")
            run.save_latents(attempt.index, latents)
        except (BadData, UsageError) as error:
            wrong = f"its latents cannot be used: {error}"
        else:
            shutil.rmtree(attempt.folder, ignore_errors=True)
            return restart.model_copy(update={"state": "done"}), rows
    said = attempt.last_words()
    detail = f"{wrong}{f' ({said})' if said else ''}; see {shown(attempt.log)}"
    if not attempt.latents.exists():
        shutil.rmtree(attempt.folder, ignore_errors=True)
    return restart.model_copy(update={"state": "failed", "detail": detail}), rows


def _what_went_wrong(attempt: _Attempt) -> str | None:
    """Why there are no latents to read; None where there are."""
    if attempt.timed_out:
        return f"its program was stopped after {attempt.seconds:.0f} s, the --timeout"
    status = attempt.status or 0
    if status < 0:
        return f"its program was killed by {signal.Signals(-status).name}"
    if status > 0:
        return f"its program ended with exit status {status}"
    if not attempt.latents.exists():
        return "its program ended without writing {latents}"
    return None

"""Restarts trained by a program of the user's: called once for each, in parallel, and its latents taken in.

A program gets its seed and a path to write latents to. It runs in a process group of its own, with its words in
`logs/restart-003.txt`, so that it can be stopped with all that it started. What it wrote is checked like any foreign file; a
restart whose program fails, takes too long or writes nothing of use is recorded as failed, with the reason, and tried again
when the same command is run again. What a program wrote that ended well is never deleted unless it was taken in: it is looked at
again before the program is. Nothing here needs torch.
"""

import os
import shlex
import shutil
import signal
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stabaudit.engines.base import Engine, Event, Failed, Finished
from stabaudit.errors import BadData, UsageError
from stabaudit.external.process import Attempt, Ended, kept, running, stop
from stabaudit.external.remote import Order, result_of, task_of
from stabaudit.external.watcher import NOTE
from stabaudit.store.files.atomic import shown, write_bytes
from stabaudit.store.imports.import_run import Rows, named_rows
from stabaudit.store.run import layout
from stabaudit.store.run.environment import environment
from stabaudit.store.run.external_labels import UNKNOWN, UNNAMED, External, Program
from stabaudit.store.run.manifest import DatasetRecord, Manifest, Restart
from stabaudit.store.run.own_source import source_of_command
from stabaudit.store.run.run_folder import Run

TICK = 0.05  # seconds between looks at the programs
_EMPTY = DatasetRecord(name=UNNAMED, fingerprint=UNKNOWN, train_rows=0, evaluation_rows=0, shape=[])


@dataclass(frozen=True)
class Call:
    """How programs are called, beside what decides their latents.

    Args:
        workers: programs at a time.
        timeout: seconds that each may take; None: any.
        accept_change: whether a run goes on although a file that the command names has changed since.
        engine: where they are called; None: here.
    """

    workers: int
    timeout: float | None = None
    accept_change: bool = False
    engine: Engine | None = None

    @property
    def threads(self) -> int:
        """Threads of each program's numerical libraries, where the environment does not say: the cores are shared."""
        return 1 if self.engine is not None else max(1, (os.cpu_count() or 1) // self.workers)


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
        on_end: called with every restart that ends.

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
        source=source_of_command(shlex.split(program.command)),
        shards=[[index] for index in range(restarts)],
        restarts=[Restart(index=index, seed=program.seed_of(index)) for index in range(restarts)],
    )
    with Run.prepare(folder, manifest, accept_change=call.accept_change) as run:
        for index in run.unfinished:
            if run.restart(index).state == "failed":
                run.record(Restart(index=index, seed=program.seed_of(index)))
        try:
            intake = _take_kept(run, external, program, on_end)
            (_train if call.engine is None else _train_elsewhere)(run, intake, program, call, on_end)
        finally:
            with suppress(OSError):  # latents that could not be used are kept there
                (folder / layout.PROGRAMS).rmdir()
    return run


class _Intake:
    """Takes latents into a run. The first that can be used say which rows there are."""

    def __init__(self, run: Run, external: External) -> None:
        self._run = run
        self._external = external
        self._rows = Rows.of(run.latents(run.done[0]), f"restart {run.done[0]}") if run.done else None

    def take(self, path: Path, index: int) -> None:
        """Make the latents in a file those of a restart.

        Raises:
            BadData: where they cannot be used.
            UsageError: where they cannot be read as they are.
        """
        latents = named_rows(path, self._external)
        if self._rows is None:
            rows = Rows.of(latents, f"restart {index}")
            made = f"{self._run.manifest.created} {self._run.manifest.command}"
            self._run.describe(rows.describe(self._external, made), rows.grid)
            self._rows = rows
        else:
            self._rows.require(latents, f"restart {index}")
        self._run.save_latents(index, latents)


def _take_kept(run: Run, external: External, program: Program, on_end: Callable[[Restart], None]) -> _Intake:
    """Take in what programs of an earlier call have left, where it can be used."""
    intake = _Intake(run, external)
    for index in run.unfinished:
        for latents in kept(run, program, index):
            try:
                intake.take(latents, index)
            except (BadData, UsageError):
                continue  # kept on; the program is called again
            run.record(restart := run.restart(index).model_copy(update={"state": "done"}))
            shutil.rmtree(latents.parent, ignore_errors=True)
            on_end(restart)
            break
    return intake


def _train(run: Run, intake: _Intake, program: Program, call: Call, on_end: Callable[[Restart], None]) -> None:
    waiting = deque(run.unfinished)
    with running() as attempts:
        while waiting or attempts:
            while waiting and len(attempts) < call.workers:
                attempts.append(Attempt(run.folder, program, waiting.popleft()))
                attempts[-1].start(call.threads)
            ended = [attempt for attempt in attempts if attempt.has_ended(call.timeout)]
            stop(ended)  # together: each may take its time to obey; and what those have started that ended by themselves
            for attempt in ended:
                attempts.remove(attempt)
                on_end(_record(run, intake, attempt, attempt.ended(), call.timeout))
            time.sleep(TICK)


def _train_elsewhere(run: Run, intake: _Intake, program: Program, call: Call, on_end: Callable[[Restart], None]) -> None:
    """Have an engine call the program; what it wrote comes back as bytes and is taken in here."""
    assert call.engine is not None  # noqa: S101 -- why it is elsewhere
    waiting = list(run.unfinished)
    tasks = [
        task_of(
            index,
            Order(
                program=program,
                index=index,
                threads=call.threads,
                timeout=call.timeout,
                folder=str(Path.cwd()),
                source=run.manifest.source,
            ),
        )
        for index in waiting
    ]

    def on_event(event: Event) -> None:
        if isinstance(event, Finished):
            ended, log, latents = result_of(event.result)
            attempt = Attempt(run.folder, program, event.key)
            write_bytes(attempt.log, log)
            if latents is not None:
                write_bytes(attempt.latents, latents)
                if ended.status == 0:
                    write_bytes(attempt.folder / NOTE, b"")
            on_end(_record(run, intake, attempt, ended, call.timeout))
        elif isinstance(event, Failed):
            run.record(restart := run.restart(event.key).model_copy(update={"state": "failed", "detail": event.message}))
            on_end(restart)

    call.engine.run(tasks, {"": {}}, on_event, lambda: None)


def _record(run: Run, intake: _Intake, attempt: Attempt, ended: Ended, timeout: float | None) -> Restart:
    """Take in what a program that has ended wrote, and record what became of its restart."""
    restart = _outcome(run, intake, attempt, ended, timeout)
    run.record(restart)
    if restart.state == "done":
        attempt.discard()
    return restart


def _outcome(run: Run, intake: _Intake, attempt: Attempt, ended: Ended, timeout: float | None) -> Restart:
    """What became of a restart whose program has ended."""
    restart = run.restart(attempt.index).model_copy(update={"seconds": round(ended.seconds, 3)})
    wrong = _what_went_wrong(ended, attempt.latents, timeout)
    if wrong is None:
        try:
            intake.take(attempt.latents, attempt.index)
        except (BadData, UsageError) as error:
            wrong = f"its latents cannot be used: {error}"
        else:
            return restart.model_copy(update={"state": "done"})
    said = ended.last_words
    detail = f"{wrong}{f' ({said})' if said else ''}; see {shown(attempt.log)}"
    if not attempt.latents.exists():
        attempt.discard()
    return restart.model_copy(update={"state": "failed", "detail": detail})


def _what_went_wrong(ended: Ended, latents: Path, timeout: float | None) -> str | None:
    """Why there are no latents to read; None where there are."""
    if ended.timed_out:
        return f"its program was stopped after {timeout:g} s, the --timeout"
    status = ended.status or 0
    if status < 0:
        return f"its program was killed by {_signal_name(-status)}"
    if status > 0:
        return f"its program ended with exit status {status}"
    if not latents.exists():
        return "its program ended without writing {latents}"
    return None


def _signal_name(number: int) -> str:
    """What a signal is called; those of real time have no names.

    >>> _signal_name(9), _signal_name(40)
    ('SIGKILL', 'signal 40')
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

"""This machine: worker processes of one thread each.

Workers come from a fork server that has imported torch once and started no threads, so that a new worker takes milliseconds. A
worker that dies takes its task with it, not the others: the task is reported as failed and a fresh worker goes on with the rest.
"""

import multiprocessing
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from stabaudit.engines.base import TICK, Arrays, Event, Failed, Kept, Task, Told, perform
from stabaudit.engines.shared_arrays import PREFIX, claim, share, shared, sweep

_SAFE_PATH = "PYTHONSAFEPATH"  # the variable that keeps the working directory from the places of modules
PATIENCE = 5.0  # seconds that a worker with nothing left to do has to leave
PRELOADED = [
    "stabaudit.training.shards.shard",
    "torch._dynamo",
]  # the second is what tracing imports at its first call, in 0.7 s


class LocalEngine:
    """Worker processes on this machine.

    Args:
        slots: how many at a time; None: one for each core that this process may use.
    """

    def __init__(self, slots: int | None = None) -> None:
        self.slots = slots or default_workers()

    def run(
        self,
        tasks: Sequence[Task],
        arrays: Mapping[str, Arrays],
        on_event: Callable[[Event], None],
        on_tick: Callable[[], None],
    ) -> None:
        """Run tasks (see `stabaudit.engines.base.Engine.run`).

        Raises:
            BadRun: where there is no room for the arrays among temporary files.
        """
        waiting, context = deque(tasks), _context()
        with ExitStack() as stack:
            sweep()
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX)))
            claim(scratch, stack)
            folders: dict[str, Path] = {}
            for number, name in enumerate(dict.fromkeys(task.arrays for task in tasks)):
                folders[name] = scratch / str(number)
                share(arrays[name], folders[name])
            pool = stack.enter_context(_pool())
            while waiting or pool:
                while waiting and len(pool) < self.slots:
                    pool.append(_Worker(context, folders))
                    pool[-1].assign(waiting.popleft())
                for ready in wait([worker.connection for worker in pool], timeout=TICK):
                    worker = next(worker for worker in pool if worker.connection is ready)
                    event = worker.receive()
                    on_event(event)
                    if isinstance(event, Told | Kept):
                        continue
                    if worker.alive and waiting:
                        worker.assign(waiting.popleft())
                    else:
                        worker.stop(PATIENCE)
                        pool.remove(worker)
                on_tick()


def default_workers() -> int:
    """One worker per core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def warm_up() -> None:
    """Start the fork server, which imports torch, while the caller is busy with something else."""
    _context()


class _Worker:
    """A process and the task it is on."""

    def __init__(self, context: Any, folders: Mapping[str, Path]) -> None:  # noqa: ANN401 -- the types of contexts are private
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, folders, os.environ.get(_SAFE_PATH)), daemon=True)
        with _without_main(), _safe_path():
            self._process.start()
        theirs.close()
        self.alive = True
        self._task: Task | None = None

    def assign(self, task: Task) -> None:
        self._task = task
        with suppress(OSError):  # a worker that is gone shows when it is listened to
            self.connection.send(task)

    def receive(self) -> Event:
        """The next event; a broken connection means that the process is gone."""
        assert self._task is not None  # noqa: S101 -- only busy workers are waited for
        try:
            event: Event = self.connection.recv()
        except (EOFError, OSError):
            self.alive = False
            self._process.join()
            return Failed(self._task.key, f"its worker process ended with exit status {self._process.exitcode}")
        return event

    def stop(self, patience: float = 0.0) -> None:
        """End the process, by itself if it does within so many seconds: then it cleans up behind it."""
        self.connection.close()
        self._process.join(patience)
        self._process.terminate()
        self._process.join()


@contextmanager
def _without_main() -> Iterator[None]:
    """Let workers not import the caller's script, of which they need nothing: so it works without `if __name__ == "__main__"`."""
    main = vars(sys.modules["__main__"])
    hidden: dict[str, Any] = {name: main[name] for name in ("__spec__", "__file__") if name in main}
    main.pop("__file__", None)
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(hidden)


@contextmanager
def _safe_path() -> Iterator[None]:
    """Let Python's own helper processes, which begin with `python -c`, take no module from the working directory.

    Workers get the places of modules from this process, the working directory last and only where a user named a module.
    """
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        _set_safe_path(before)


def _set_safe_path(value: str | None) -> None:
    os.environ.pop(_SAFE_PATH, None)
    if value is not None:
        os.environ[_SAFE_PATH] = value


@contextmanager
def _pool() -> Iterator[list[_Worker]]:
    """Workers that do not outlive the block, however it ends."""
    pool: list[_Worker] = []
    try:
        yield pool
    finally:
        for worker in pool:
            worker.stop()


def _context() -> Any:  # noqa: ANN401 -- the types of contexts are private
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver, resource_tracker  # noqa: PLC0415 -- not on every platform

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    # Ctrl-C reaches every process of a terminal, and the parent decides: the server and its workers start with it blocked.
    with _safe_path():
        resource_tracker.ensure_running()  # where it must be started it unblocks the signal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


class _Listener:
    """Tells the parent process what a task tells."""

    def __init__(self, connection: Connection, key: int) -> None:
        self._connection, self._key = connection, key

    def tell(self, what: Mapping[str, Any]) -> None:
        self._connection.send(Told(self._key, what))

    def keep(self, checkpoint: bytes) -> None:
        self._connection.send(Kept(self._key, checkpoint))


def _work(connection: Connection, folders: Mapping[str, Path], safe_path: str | None) -> None:
    """Do one task after another until the other end closes; `safe_path` is what the user's environment says of it."""
    _set_safe_path(safe_path)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where there is no fork server
    mapped: dict[str, Arrays] = {}
    while True:
        try:
            task: Task = connection.recv()
            if task.arrays not in mapped:
                mapped = {task.arrays: shared(folders[task.arrays])}
            connection.send(perform(task, mapped[task.arrays], _Listener(connection, task.key)))
        except (EOFError, BrokenPipeError):
            return  # the parent is gone

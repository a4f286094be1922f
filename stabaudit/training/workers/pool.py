"""Where shards run: worker processes of one thread each.

Workers come from a fork server that has imported torch once and started no threads, so that a new worker takes milliseconds. A
worker that dies takes its shard with it, not the run: the shard is reported as failed and a fresh worker goes on with the rest.
"""

import multiprocessing
import os
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from stabaudit.errors import StabauditError
from stabaudit.training.workers.messages import Event, Failed, Finished, Progress, Shard

_SAFE_PATH = "PYTHONSAFEPATH"  # the variable that keeps the working directory from the places of modules
TICK = 0.2  # seconds between calls of `on_tick` while nothing happens
PATIENCE = 5.0  # seconds that a worker with nothing left to do has to leave
PRELOADED = [
    "stabaudit.training.workers.shard",
    "torch._dynamo",
]  # the second is what tracing imports at its first call, in 0.7 s


def run_shards(shards: Sequence[Shard], workers: int, on_event: Callable[[Event], None], on_tick: Callable[[], None]) -> None:
    """Train shards in worker processes and tell what happens, in the calling thread.

    Args:
        shards: what to train, in order.
        workers: processes at most.
        on_event: called for every event of every shard; exactly one `Finished` or `Failed` ends each.
        on_tick: called at least every `TICK` seconds.
    """
    waiting = deque(shards)
    context = _context()
    with _pool() as pool:
        while waiting or pool:
            while waiting and len(pool) < workers:
                pool.append(_Worker(context))
                pool[-1].assign(waiting.popleft())
            for ready in wait([worker.connection for worker in pool], timeout=TICK):
                worker = next(worker for worker in pool if worker.connection is ready)
                event = worker.receive()
                on_event(event)
                if isinstance(event, Progress):
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
    """A process and the shard it is on."""

    def __init__(self, context: Any) -> None:  # noqa: ANN401 -- the types of contexts are private
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, os.environ.get(_SAFE_PATH)), daemon=True)
        with _without_main(), _safe_path():
            self._process.start()
        theirs.close()
        self.alive = True
        self._shard: Shard | None = None

    def assign(self, shard: Shard) -> None:
        self._shard = shard
        with suppress(OSError):  # a worker that is gone shows when it is listened to
            self.connection.send(shard)

    def receive(self) -> Event:
        """The next event; a broken connection means that the process is gone."""
        assert self._shard is not None  # noqa: S101 -- only busy workers are waited for
        try:
            event: Event = self.connection.recv()
        except (EOFError, OSError):
            self.alive = False
            self._process.join()
            return Failed(self._shard, f"its worker process ended with exit status {self._process.exitcode}")
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


def settle() -> None:
    """Make the calling process a worker: one thread, huge pages, no time lost on denormal numbers, the same bits on a GPU too."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch asks for huge pages: a tenth less time with large weights
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it, cuBLAS may add up in another order each time
    import torch  # noqa: PLC0415 -- preloaded by the fork server

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False  # float32 convolutions are what a run says that it computed


def _work(connection: Connection, safe_path: str | None) -> None:
    """Train one shard after another until the other end closes; `safe_path` is what the user's environment says of it."""
    _set_safe_path(safe_path)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where there is no fork server
    settle()
    from stabaudit.training.workers.shard import train_shard  # noqa: PLC0415

    while True:
        try:
            shard: Shard = connection.recv()
        except EOFError:
            return
        try:
            connection.send(Finished(shard, train_shard(shard, connection.send)))
        except StabauditError as error:
            connection.send(Failed(shard, str(error)))
        except BrokenPipeError:
            return  # the parent is gone
        except Exception as error:  # noqa: BLE001 -- whatever a family raises is told, and the others go on
            connection.send(Failed(shard, " ".join("".join(traceback.format_exception_only(error)).split())))

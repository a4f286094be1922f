"""A Ray cluster: every task is a Ray task, large arrays lie in Ray's object store, and nothing else needs to be shared.

Checkpoints and progress go to an actor beside the caller. A task whose worker or machine is lost starts again from its last
checkpoint on what is left (Ray: Moritz et al. 2018, arXiv:1712.05889).
"""

import logging
import math
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from stabaudit.engines.base import ATTEMPTS, TICK, Arrays, Event, Failed, Finished, Kept, Task, Told, perform
from stabaudit.errors import BadRun, UsageError

CONNECT = 10.0  # seconds until a cluster that does not answer is given up


class RayEngine:
    """Tasks on a Ray cluster.

    Args:
        slots: tasks at a time; None: one for each CPU of the cluster.
        address: of the cluster, "HOST:PORT"; None: the one that RAY_ADDRESS or a running `ray start` names, else a new one here.

        gpus: of each task, for --device cuda; may be a fraction.

    Raises:
        UsageError: where Ray is not installed, or a setting that cannot be.
        BadRun: where there is no cluster at the address.
    """

    def __init__(self, slots: int | None = None, address: str | None = None, gpus: str = "0") -> None:
        try:
            import ray  # noqa: PLC0415 -- an extra
        except ImportError as error:
            raise UsageError('--engine ray needs Ray: pip install "stabaudit[ray]"') from error
        self._ray: Any = ray
        self._needs = {"num_cpus": 1.0, "num_gpus": _amount("gpus", gpus)}
        if not ray.is_initialized():
            _require_answer(address or os.environ.get("RAY_ADDRESS", ""))
            try:
                ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
                where = f"at {address}" if address else "here"
                raise BadRun(f"no Ray cluster {where}: {' '.join(str(error).split())}") from error
        there = self._ray.cluster_resources()
        rooms = [int(there.get(name[4:-1].upper(), 0) / amount) for name, amount in self._needs.items() if amount]
        self.slots = slots or max(1, min(rooms))

    def run(
        self,
        tasks: Sequence[Task],
        arrays: Mapping[str, Arrays],
        on_event: Callable[[Event], None],
        on_tick: Callable[[], None],
    ) -> None:
        """Run tasks (see `stabaudit.engines.base.Engine.run`)."""
        ray = self._ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415 -- an extra

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        board = ray.remote(num_cpus=0, scheduling_strategy=here)(_Board).remote()
        stored = {name: ray.put(dict(arrays[name])) for name in dict.fromkeys(task.arrays for task in tasks)}
        remote = ray.remote(**self._needs, max_retries=0, scheduling_strategy="SPREAD")(_perform)
        waiting = deque(tasks)
        attempts = dict.fromkeys((task.key for task in tasks), 0)
        running: dict[Any, Task] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self.slots:
                    task = waiting.popleft()
                    attempts[task.key] += 1
                    running[remote.remote(task, attempts[task.key], stored[task.arrays], board)] = task
                ended, _ = ray.wait(list(running), timeout=TICK)
                last = {task.key: task.checkpoint for task in running.values()}
                for event in ray.get(board.drain.remote({task.key: attempts[task.key] for task in running.values()})):
                    on_event(event)
                    if isinstance(event, Kept):
                        last[event.key] = event.checkpoint
                running = {reference: replace(task, checkpoint=last[task.key]) for reference, task in running.items()}
                for reference in ended:
                    task = running.pop(reference)
                    outcome = self._outcome(reference, task)
                    if outcome is not None:
                        on_event(outcome)
                    elif attempts[task.key] < ATTEMPTS:
                        waiting.append(task)
                    else:
                        on_event(Failed(task.key, f"its worker or its machine was lost {ATTEMPTS} times"))
                on_tick()
        finally:
            for reference in running:
                ray.cancel(reference, force=True)
            ray.kill(board)

    def _outcome(self, reference: Any, task: Task) -> Finished | Failed | None:  # noqa: ANN401 -- Ray's own types
        """What became of an attempt that has ended; None where its worker or machine was lost."""
        from ray import exceptions  # noqa: PLC0415 -- an extra

        try:
            outcome: Finished | Failed = self._ray.get(reference)
        except exceptions.RayTaskError as error:  # raised before the function was there: nothing in it raises
            said = " ".join(str(error.cause).split())
            return Failed(task.key, f"a machine of the cluster cannot run it ({said}); install the same stabaudit on every one")
        except (exceptions.WorkerCrashedError, exceptions.NodeDiedError, exceptions.OutOfMemoryError, exceptions.ObjectLostError):
            return None
        except exceptions.RayError as error:
            return Failed(task.key, f"Ray: {' '.join(str(error).split())}")
        return outcome


class _Board:
    """An actor beside the caller: what tasks tell, until the caller takes it away."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: list[tuple[int, Event]] = []

    def put(self, attempt: int, event: Event) -> None:
        """Take what an attempt at a task tells."""
        with self._lock:
            self._told.append((attempt, event))

    def drain(self, attempts: Mapping[int, int]) -> list[Event]:
        """What came since the last call from the given attempts of tasks; what other attempts have told is dropped."""
        with self._lock:
            told, self._told = self._told, []
        return [event for attempt, event in told if attempts.get(event.key) == attempt]


class _Messenger:
    """Tells a board what a task tells."""

    def __init__(self, board: Any, key: int, attempt: int) -> None:  # noqa: ANN401 -- Ray's own types
        self._board, self._key, self._attempt = board, key, attempt

    def tell(self, what: Mapping[str, Any]) -> None:
        self._board.put.remote(self._attempt, Told(self._key, what))

    def keep(self, checkpoint: bytes) -> None:
        self._board.put.remote(self._attempt, Kept(self._key, checkpoint))


def _perform(task: Task, attempt: int, arrays: Arrays, board: Any) -> Finished | Failed:  # noqa: ANN401 -- Ray's own types
    """Do a task in a worker of the cluster."""
    return perform(task, arrays, _Messenger(board, task.key, attempt))


def _require_answer(address: str) -> None:
    """Refuse "HOST:PORT" where nobody listens, to which Ray would go on trying to connect for minutes.

    Raises:
        BadRun: naming it.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise BadRun(f"no Ray cluster at {address}: {getattr(error, 'strerror', None) or error}") from error


def _amount(name: str, text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < math.inf:
        raise UsageError(f"--engine-set {name}={text}: expected a number of at least 0")
    return amount

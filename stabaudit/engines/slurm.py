"""SLURM: every task is a job, submitted by submitit, which requeues it where it is preempted or runs out of time.

Jobs get their parcels and leave their results in a folder of the user's that all nodes see. What submitit pickles there is not
read here: results, checkpoints and progress are files of bytes and JSON.
"""

import json
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stabaudit.engines.base import ATTEMPTS, TICK, Arrays, Event, Failed, Finished, Kept, Task, Told, perform
from stabaudit.engines.shared_arrays import PREFIX, claim, share, shared, sweep
from stabaudit.errors import BadRun, UsageError
from stabaudit.store.files.atomic import make_folder, reason, shown, write_bytes

SLOTS = 32  # jobs at a time, where the user does not say
GRACE = 10.0  # seconds in which the files of a job that has ended may still come in over a network
_FINISHED, _FAILED, _CHECKPOINT, _TOLD = "finished", "failed", "checkpoint", "told.json"


class SlurmEngine:
    """Jobs on SLURM.

    Args:
        slots: jobs at a time; None: 32.
        folder: for the jobs' files; every node must see it.
        timeout_min: minutes that a job may take before it is requeued.
        partition: SLURM's partition; None: its default.
        account: SLURM's account; None: its default.
        cpus: cores of each job.
        gpus: of each job, for --device cuda.
        memory_gb: of each job; None: SLURM's default.
        cluster: "slurm", or "local" for processes on this machine, to try it.

    Raises:
        UsageError: no submitit, no folder, or a setting that cannot be.
        BadRun: where there is no SLURM, or the folder cannot be written.
    """

    def __init__(  # noqa: PLR0917 -- settings are named
        self,
        slots: int | None = None,
        folder: str | None = None,
        timeout_min: str = "240",
        partition: str | None = None,
        account: str | None = None,
        cpus: str = "1",
        gpus: str | None = None,
        memory_gb: str | None = None,
        cluster: str = "slurm",
    ) -> None:
        try:
            import submitit  # noqa: PLC0415 -- an extra
        except ImportError as error:
            raise UsageError('--engine slurm needs submitit: pip install "stabaudit[slurm]"') from error
        if folder is None:
            raise UsageError("--engine slurm needs a folder for its jobs that every node sees: --engine-set folder=PATH")
        if cluster not in {"slurm", "local"}:
            raise UsageError(f"--engine-set cluster={cluster}: expected slurm or local")
        self.slots = slots or SLOTS
        self._folder = Path(folder).absolute()
        self._cluster = cluster
        wanted = {
            "timeout_min": _positive("timeout_min", timeout_min),
            "cpus_per_task": _positive("cpus", cpus),
            "gpus_per_node": None if gpus is None else _positive("gpus", gpus),
            "mem_gb": None if memory_gb is None else _positive("memory_gb", memory_gb),
            "slurm_partition": partition,
            "slurm_account": account,
        }
        self._parameters = {name: value for name, value in wanted.items() if value is not None}
        try:
            make_folder(self._folder)
            submitit.AutoExecutor(self._folder, cluster=cluster)
        except OSError as error:
            raise BadRun(f"cannot write in {shown(self._folder)}: {reason(error)}") from error
        except RuntimeError as error:
            raise BadRun(f"--engine slurm: {error}; --engine-set cluster=local tries jobs on this machine") from error

    def run(
        self,
        tasks: Sequence[Task],
        arrays: Mapping[str, Arrays],
        on_event: Callable[[Event], None],
        on_tick: Callable[[], None],
    ) -> None:
        """Run tasks (see `stabaudit.engines.base.Engine.run`).

        Raises:
            BadRun: where there is no room for the arrays in the folder.
        """
        waiting = deque(tasks)
        attempts = dict.fromkeys((task.key for task in tasks), 0)
        with ExitStack() as stack:
            sweep(self._folder)
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX, dir=self._folder)))
            claim(scratch, stack)
            folders: dict[str, Path] = {}
            for number, name in enumerate(dict.fromkeys(task.arrays for task in tasks)):
                folders[name] = scratch / f"arrays-{number}"
                share(arrays[name], folders[name])
            running: list[_Running] = []
            stack.callback(_cancel, running)
            while waiting or running:
                while waiting and len(running) < self.slots:
                    task = waiting.popleft()
                    attempts[task.key] += 1
                    running.append(self._submit(task, folders[task.arrays], scratch / f"task-{task.key}-{attempts[task.key]}"))
                for one in list(running):
                    for event in one.news():
                        on_event(event)
                    if not one.ended:
                        continue
                    running.remove(one)
                    if one.outcome is not None:
                        on_event(one.outcome)
                    elif attempts[one.task.key] < ATTEMPTS:
                        waiting.append(one.task)
                    else:
                        on_event(Failed(one.task.key, f"its job ended {ATTEMPTS} times without a result ({one.job.state})"))
                time.sleep(TICK)
                on_tick()

    def _submit(self, task: Task, arrays: Path, place: Path) -> "_Running":
        import submitit  # noqa: PLC0415 -- an extra

        place.mkdir()
        executor = submitit.AutoExecutor(place / "job", cluster=self._cluster)
        executor.update_parameters(name="stabaudit", **self._parameters)
        return _Running(task, place, executor.submit(_Job(task, arrays, place)))


@dataclass
class _Running:
    """A job, and what it has left in its place so far."""

    task: Task
    place: Path
    job: Any  # submitit's types are not those of a stable interface
    outcome: Finished | Failed | None = None
    ended: bool = False
    _seen: dict[str, int] = field(default_factory=dict)
    _gone: float | None = None  # when the job had ended without a result

    def news(self) -> list[Event]:
        """What is new; afterwards `ended` says whether anything more can come, and `outcome` what came of it."""
        found: list[Event] = []
        if (checkpoint := self._changed(_CHECKPOINT)) is not None:
            self.task = replace(self.task, checkpoint=checkpoint)
            found.append(Kept(self.task.key, checkpoint))
        if (told := self._changed(_TOLD)) is not None:
            found.append(Told(self.task.key, json.loads(told)))
        if (result := self._changed(_FINISHED)) is not None:
            self.outcome, self.ended = Finished(self.task.key, result), True
        elif (message := self._changed(_FAILED)) is not None:
            self.outcome, self.ended = Failed(self.task.key, message.decode()), True
        elif self.job.done():
            self._gone = self._gone or time.monotonic()
            self.ended = time.monotonic() - self._gone > GRACE
        return found

    def _changed(self, name: str) -> bytes | None:
        """The content of a file of the job, where it is another than before."""
        path = self.place / name
        try:
            when = path.stat().st_mtime_ns
            if self._seen.get(name) == when:
                return None
            content = path.read_bytes()
        except OSError:  # not there, or not yet over the network
            return None
        self._seen[name] = when
        return content


class _Job:
    """What a node calls. submitit asks `checkpoint` what to submit again where the job is preempted or out of time."""

    def __init__(self, task: Task, arrays: Path, place: Path) -> None:
        self._task, self._arrays, self._place = task, arrays, place

    def __call__(self) -> None:
        kept = self._place / _CHECKPOINT
        task = replace(self._task, checkpoint=kept.read_bytes()) if kept.exists() else self._task
        outcome = perform(task, shared(self._arrays), self)
        if isinstance(outcome, Finished):
            write_bytes(self._place / _FINISHED, outcome.result)
        else:
            write_bytes(self._place / _FAILED, outcome.message.encode())

    def checkpoint(self) -> object:
        """The same job again; it goes on from the checkpoint in its place."""
        import submitit  # noqa: PLC0415 -- an extra

        return submitit.helpers.DelayedSubmission(self)

    def tell(self, what: Mapping[str, Any]) -> None:
        write_bytes(self._place / _TOLD, json.dumps(what).encode())

    def keep(self, checkpoint: bytes) -> None:
        write_bytes(self._place / _CHECKPOINT, checkpoint)


def _cancel(running: Sequence[_Running]) -> None:
    """End the jobs that are still there; one that SLURM does not end by itself fails when its place is gone."""
    for one in running:
        with suppress(Exception):  # whatever SLURM's own programs make of it
            one.job.cancel(check=False)


def _positive(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--engine-set {name}={text}: expected a whole number of at least 1")
    return int(text)

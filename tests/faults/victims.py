"""What is killed: processes that write or train a run, forked from one that has imported all, so that a hundred are cheap."""

import multiprocessing
import os
import signal
import sys
import time
from contextlib import suppress

import numpy as np

from stabaudit.store.files import atomic as files
from stabaudit.store.run import lock
from stabaudit.store.run.evaluation import Evaluation
from stabaudit.store.run.latents import Latents
from stabaudit.store.run.run_folder import Run
from stabaudit.store.run.verify import verify

ROWS = 40
GRACE = 0.1  # seconds that what was killed has to be gone; where nobody buries orphans they are never gone


class Victim:
    """A process in a session of its own that runs `work(*arguments)`, from construction until it ends or is killed."""

    def __init__(self, work, *arguments):
        from stabaudit.engines import local as workers

        context = workers._context()
        self._ready, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_begin, args=(theirs, work, *arguments))
        with workers._without_main():
            self._process.start()
        theirs.close()
        self._ready.recv()

    def killed(self, seconds):
        """Kill it and its children after so many seconds; whether it was still at work then."""
        self._process.join(seconds)
        alive = self._process.is_alive()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.join()
        assert alive or self._process.exitcode == 0
        end = time.monotonic() + GRACE
        with suppress(ProcessLookupError):
            while time.monotonic() < end:  # its children may be in the middle of a call to the system
                os.killpg(self._process.pid, 0)
                time.sleep(0.001)
        return alive

    def ended(self, patience=60):
        """Wait for its end, and say after how many seconds it came and with which exit status."""
        start = time.monotonic()
        self._process.join(patience)
        return time.monotonic() - start, self._process.exitcode


class _NoPandas:
    """pyarrow imports pandas where there is one, which takes longer than all the rest."""

    def find_spec(self, name, *_):
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _begin(ready, work, *arguments):
    os.setsid()
    os.fsync = lambda _: None  # what is killed need not survive a power cut
    sys.meta_path.insert(0, _NoPandas())
    ready.send(None)
    ready.close()
    work(*arguments)


def content(folder):
    """All files of a folder but the lock's, by path within it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in {lock.LOCK, lock.NOTE}
    }


def require_whole(folder, undisturbed):
    """Hold that every restart that is said to be done has the bits of an undisturbed run, and that nothing else is amiss."""
    if (folder / "run.json").exists():
        run = Run.open(folder)
        assert verify(run) == []
        for index in run.done:
            assert (
                run.latents_path(index).read_bytes() == (undisturbed / run.latents_path(index).relative_to(folder)).read_bytes()
            )


def kill_often(work, what, undisturbed, seconds, times):
    """Kill `work(folder, what)` at random moments and start it again until it comes to its end, in one folder after another.

    Args:
        work: finishes a run.
        what: tells which.
        undisturbed: a folder in which nobody was killed; the others are made beside it.
        seconds: how long that took.
        times: how often to kill.

    Returns:
        The folders.
    """
    rng, killed, folders = np.random.default_rng(0), 0, []
    while killed < times:
        folders.append(undisturbed.with_name(str(len(folders))))
        patience = seconds
        while Victim(work, folders[-1], what).killed(rng.uniform(0, patience)):
            killed += 1
            patience *= 1.2  # or nobody would come to an end on a machine that has become slower
            require_whole(folders[-1], undisturbed)
    return folders


def write(folder, manifest, deadly=None):
    """Finish a run of made-up files; the writer kills itself before so many calls that change the disk."""
    if deadly is not None:
        _count_down(deadly)
    with Run.prepare(folder, manifest) as run:
        run.save_evaluation(Evaluation(np.arange(ROWS)))
        for index in run.unfinished:
            rng = np.random.default_rng(index)
            run.save_history(index, {"loss": rng.normal(size=5)})
            run.save_latents(index, Latents(np.arange(ROWS), rng.normal(size=(ROWS, 3)).astype(np.float32)))
            run.save_weights(index, {"w": rng.normal(size=(8, 8))})
            run.record(run.restart(index).model_copy(update={"state": "done"}))


def _count_down(calls):
    left = [calls]

    def deadly(function):
        def call(*arguments, **named):
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return function(*arguments, **named)

        return call

    for owner, names in {
        os: ["fsync"],
        files.Path: ["replace", "unlink", "mkdir"],
        lock.FileLock: ["acquire", "release"],
    }.items():
        for name in names:
            setattr(owner, name, deadly(getattr(owner, name)))


def train_run(folder, prepared):
    """Train a run with two workers and a checkpoint after every epoch."""
    from stabaudit.engines.local import LocalEngine
    from stabaudit.training.train import Job, train

    train([Job(prepared, folder)], LocalEngine(2))


def trainings_killed(prepared, undisturbed, times):
    """Kill trainings that are forked from this process, after it has trained once itself: then nothing is slow any more."""
    from stabaudit.engines import local as workers
    from stabaudit.training.shards import shard
    from stabaudit.training.train import Job, train

    workers._context = lambda: multiprocessing.get_context("fork")
    workers.PATIENCE = 0.0  # such workers hold both ends of their connection, and so would never leave by themselves
    shard.CHECKPOINT_SECONDS = 0.0
    train([Job(prepared, undisturbed.with_name("warm"))], _ThisProcess())
    seconds, status = Victim(train_run, undisturbed, prepared).ended()
    assert status == 0
    folders = kill_often(train_run, prepared, undisturbed, seconds, times)
    undisturbed.with_name("killed").write_text("\n".join(map(str, folders)))


class _ThisProcess:
    """An engine without workers."""

    slots = 1

    def run(self, tasks, arrays, on_event, _):
        from stabaudit.engines.base import perform

        for task in tasks:
            on_event(perform(task, arrays[task.arrays], self))

    def tell(self, what):
        pass

    def keep(self, checkpoint):
        pass

"""Train runs: everything between a checked configuration and a finished run folder."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from stabaudit.store.run.evaluation import Evaluation
from stabaudit.store.run.manifest import Restart
from stabaudit.store.run.resume import agree
from stabaudit.store.run.run_folder import Run
from stabaudit.training.prepared_run import Job
from stabaudit.training.workers.messages import Event, Failed, Finished, Shard
from stabaudit.training.workers.pool import run_shards
from stabaudit.training.workers.shared_arrays import PREFIX, claim, share, sweep


def train(
    jobs: Sequence[Job],
    workers: int,
    on_event: Callable[[Event], None] = lambda _: None,
    on_tick: Callable[[], None] = lambda: None,
) -> list[Run]:
    """Train what is missing in each run, all shards in one pool of workers.

    A restart that diverges or fails is recorded and does not stop the others. After an interruption the same call goes on from
    the last checkpoints. Restarts that are done or diverged are left alone; failed ones are tried again.

    Args:
        jobs: the runs.
        workers: worker processes.
        on_event: called with progress and with shards that end.
        on_tick: is called several times a second.

    Returns:
        The runs, in order.

    Raises:
        BadRun: a folder that holds something else, cannot be written, or is being written by another process.
    """
    with ExitStack() as stack:
        wanted = [job.prepared.manifest(job.folder.resolve().name, workers) for job in jobs]
        for job, manifest in zip(jobs, wanted, strict=True):  # refuse all before one is written
            agree(job.folder, manifest, accept_change=job.accept_change)
        runs = [
            stack.enter_context(Run.prepare(job.folder, manifest, accept_change=job.accept_change))
            for job, manifest in zip(jobs, wanted, strict=True)
        ]
        sweep()
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX)))
        claim(scratch, stack)
        shards: list[Shard] = []
        by_folder: dict[Path, Run] = {}
        for job, run in zip(jobs, runs, strict=True):
            by_folder[run.folder] = run
            rows = job.prepared.dataset.evaluation
            run.save_evaluation(Evaluation(rows.sample_id, rows.labels, rows.u, rows.sources))
            waiting = _unfinished(run)
            if waiting:
                arrays = scratch / job.prepared.dataset.fingerprint
                if not arrays.exists():
                    share(job.prepared.dataset, arrays)
                shards += [Shard(run.folder, arrays, n, restarts, job.prepared.config) for n, restarts in waiting]

        def record(event: Event) -> None:
            if isinstance(event, Finished | Failed):
                run = by_folder[event.shard.folder]
                for restart in _records(run, event):
                    run.record(restart)
            on_event(event)

        if shards:
            run_shards(shards, workers, record, on_tick)
    return runs


def _records(run: Run, event: Finished | Failed) -> list[Restart]:
    if isinstance(event, Finished):
        return event.restarts
    failed = {"state": "failed", "detail": event.message}
    return [run.restart(i).model_copy(update=failed) for i in event.shard.restarts if i in run.unfinished]


def _unfinished(run: Run) -> list[tuple[int, tuple[int, ...]]]:
    """Shards with a restart still to be trained, by number."""
    missing = set(run.unfinished)
    return [(number, tuple(shard)) for number, shard in enumerate(run.manifest.shards) if missing & set(shard)]

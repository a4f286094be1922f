"""Train runs: everything between a checked configuration and a finished run folder.

Workers get parcels of bytes and give bytes back; only the process that has the right to write a run writes it.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from stabaudit.engines import base
from stabaudit.engines.base import Arrays, Engine, Task
from stabaudit.errors import StabauditError, UsageError, are, counted
from stabaudit.store.run.evaluation import Evaluation
from stabaudit.store.run.resume import agree
from stabaudit.store.run.run_folder import Run
from stabaudit.training.prepared_run import Job
from stabaudit.training.shards.dataset_arrays import arrays_of
from stabaudit.training.shards.messages import Event, Failed, Finished, Progress, Shard
from stabaudit.training.shards.order import order_parcel, result_of

WORK = "stabaudit.training.shards.shard:work"


def train(
    jobs: Sequence[Job],
    engine: Engine,
    on_event: Callable[[Event], None] = lambda _: None,
    on_tick: Callable[[], None] = lambda: None,
) -> list[Run]:
    """Train what is missing in each run, all shards together on one engine.

    A restart that diverges or fails is recorded and does not stop the others. After an interruption the same call goes on from
    the last checkpoints. Restarts that are done or diverged are left alone; failed ones are tried again.

    Args:
        jobs: the runs.
        engine: where their shards are trained.
        on_event: called with progress and with shards that end.
        on_tick: is called several times a second.

    Returns:
        The runs, in order.

    Raises:
        UsageError: a part of a run that has no shards.
        BadRun: a folder that holds something else, cannot be written, or is being written by another process.
    """
    with ExitStack() as stack:
        wanted = [job.prepared.manifest(job.folder.resolve().name) for job in jobs]
        for job, manifest in zip(jobs, wanted, strict=True):  # refuse all before one is written
            _require_part(job, len(agree(job.folder, manifest, accept_change=job.accept_change).shards))
        runs = [
            stack.enter_context(Run.prepare(job.folder, manifest, accept_change=job.accept_change))
            for job, manifest in zip(jobs, wanted, strict=True)
        ]
        under_way: list[tuple[Run, Shard]] = []
        tasks: list[Task] = []
        arrays: dict[str, Arrays] = {}
        for job, run in zip(jobs, runs, strict=True):
            dataset, config = job.prepared.dataset, job.prepared.config
            rows = dataset.evaluation
            run.save_evaluation(Evaluation(rows.sample_id, rows.labels, rows.u, rows.sources))
            for number in _unfinished(run, job.part):
                restarts = tuple(run.manifest.shards[number])
                arrays.setdefault(dataset.fingerprint, arrays_of(dataset))
                parcel, checkpoint = order_parcel(run, restarts, config), run.load_checkpoint(number)
                tasks.append(Task(len(tasks), WORK, parcel, dataset.fingerprint, checkpoint))
                under_way.append((run, Shard(run.folder, number, restarts, config)))
        if tasks:
            engine.run(tasks, arrays, lambda event: _take(event, under_way, on_event), on_tick)
    return runs


def _take(event: base.Event, under_way: Sequence[tuple[Run, Shard]], on_event: Callable[[Event], None]) -> None:
    """Put what an engine tells into the run folder, and tell who watches."""
    run, shard = under_way[event.key]
    if isinstance(event, base.Told):
        on_event(Progress(shard, event.what["step"], event.what["total_steps"], tuple(event.what["loss"])))
    elif isinstance(event, base.Kept):
        run.save_checkpoint(shard.number, event.checkpoint)
    elif isinstance(event, base.Finished):
        try:
            restarts, files = result_of(event.result)
            run.take(files)
        except StabauditError as error:  # no room for the files: the others may still find some
            _fail(run, shard, str(error), on_event)
        else:
            run.record(*restarts)
            on_event(Finished(shard, restarts))
    else:
        _fail(run, shard, event.message, on_event)


def _fail(run: Run, shard: Shard, message: str, on_event: Callable[[Event], None]) -> None:
    unfinished = [run.restart(index) for index in shard.restarts if index in run.unfinished]
    run.record(*(restart.model_copy(update={"state": "failed", "detail": message}) for restart in unfinished))
    on_event(Failed(shard, message))


def _require_part(job: Job, shards: int) -> None:
    """Refuse a part of a run in which there is nothing to train.

    Raises:
        UsageError: saying how to make more parts.
    """
    if job.part is not None and job.part[1] > shards:
        restarts, parts = job.prepared.config.restarts, job.part[1]
        size = -(-restarts // parts)
        more = f"--shard-size {size} makes {-(-restarts // size)}" if restarts >= parts else f"there cannot be {parts} parts"
        said = f"{counted(restarts, 'restart')} {are(restarts)} trained in {counted(shards, 'group')}"
        raise UsageError(f"--shard {job.part[0]}/{parts}: {said}; {more}")


def _unfinished(run: Run, part: tuple[int, int] | None) -> list[int]:
    """Numbers of shards with a restart still to be trained, of all or of part i of n."""
    missing = set(run.unfinished)
    numbers = range(len(run.manifest.shards)) if part is None else range(part[0] - 1, len(run.manifest.shards), part[1])
    return [number for number in numbers if missing & set(run.manifest.shards[number])]

"""Progress on stderr: bars with time left on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, ConsoleDimensions
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from stabaudit.cli.output import command_line, message
from stabaudit.errors import StabauditError
from stabaudit.store.run.manifest import Restart
from stabaudit.store.run.run_folder import Run
from stabaudit.training.prepared_run import Job
from stabaudit.training.shards.messages import Event, Failed, Finished, Shard
from stabaudit.training.shards.messages import Progress as Advance

LINE_SECONDS = 30.0
BARS = 16  # more restarts than this share one bar per run

Watch = tuple[Callable[[Event], None], Callable[[], None]]


@contextmanager
def watch(jobs: Sequence[Job], *, quiet: bool) -> Iterator[Watch]:
    """What to call on every event and several times a second while jobs are trained."""
    try:
        if quiet:
            yield (lambda _: None), (lambda: None)
        elif sys.stderr.isatty():
            bars = _Bars(jobs)
            with bars.progress:
                yield bars.on_event, lambda: None
        else:
            lines = _Lines()
            yield lines.on_event, lines.on_tick
    except (KeyboardInterrupt, SystemExit):  # Ctrl-C, SIGTERM
        message(f"interrupted; to go on: {command_line()}")
        raise


def _ended(job: Job) -> list[Restart]:
    """Restarts that are done or diverged already; none where there is no run yet, or one that training will refuse."""
    try:
        run = Run.open(job.folder)
    except StabauditError:
        return []
    wanted = range(job.prepared.config.restarts)
    return [one for one in run.manifest.restarts if one.state in {"done", "diverged"} and one.index in wanted]


class _Roomy(Console):
    """A console that leaves the end of each line free, where a terminal echoes "^C": it would break the line in two."""

    @property
    def size(self) -> ConsoleDimensions:
        """What may be drawn on."""
        width, height = super().size
        return ConsoleDimensions(max(1, width - len("^C") - 1), height)

    @size.setter
    def size(self, size: tuple[int, int]) -> None:
        self._width, self._height = size


class _Rate(ProgressColumn):
    """Steps a second of one restart, or of all that share a bar."""

    def render(self, task: Task) -> Text:
        """Nothing before it is known."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


class _Bars:
    """One bar per restart, or one per run where that would be too many."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            _Rate(),
            TimeRemainingColumn(compact=True),
            console=_Roomy(stderr=True),
        )
        total = sum(job.prepared.config.restarts for job in jobs)
        self._each = total <= BARS
        self._tasks: dict[tuple[Path, int], TaskID] = {}
        self._step: dict[tuple[Path, int], int] = {}
        self._ended: set[tuple[Path, int]] = set()  # before this call
        for job in jobs:
            for restart in range(job.prepared.config.restarts if self._each else 1):
                label = f"{job.folder.name} #{restart}" if self._each else job.folder.name
                self._tasks[job.folder.resolve(), restart] = self.progress.add_task(
                    escape(label), total=None, start=False, loss=""
                )
            self._draw_done(job)

    def _draw_done(self, job: Job) -> None:
        """Draw restarts that an earlier call has ended as they ended."""
        for restart in _ended(job):
            key = (job.folder.resolve(), restart.index if self._each else 0)
            self._ended.add((key[0], restart.index))
            total = restart.steps * (1 if self._each else job.prepared.config.restarts)
            said = "" if not self._each else "[red]diverged[/red]" if restart.state == "diverged" else restart.state
            self.progress.start_task(self._tasks[key])
            self.progress.update(self._tasks[key], total=total, advance=restart.steps, loss=said)

    def on_event(self, event: Event) -> None:
        folder = event.shard.folder.resolve()
        diverged = {r.index for r in event.restarts if r.state == "diverged"} if isinstance(event, Finished) else set()
        for row, restart in enumerate(event.shard.restarts):
            if (folder, restart) in self._ended:
                continue
            task = self._tasks[folder, restart if self._each else 0]
            self.progress.start_task(task)
            if isinstance(event, Advance):
                loss = f"loss {event.loss[row]:.4g}" if event.loss else ""
                self._move(task, event, restart, loss)
            elif isinstance(event, Failed):
                self.progress.update(task, loss="[red]failed[/red]")
            elif restart in diverged:
                self.progress.update(task, loss="[red]diverged[/red]")

    def _move(self, task: TaskID, event: Advance, restart: int, loss: str) -> None:
        key = (event.shard.folder, restart)
        total = event.total_steps * (1 if self._each else event.shard.config.restarts)
        self.progress.update(task, total=total, loss=loss, advance=event.step - self._step.get(key, 0))
        self._step[key] = event.step


class _Lines:
    """A line per shard that ends, and one every half a minute about those that are under way."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()
        self._under_way: dict[tuple[Path, int], Advance] = {}
        self._began: dict[tuple[Path, int], tuple[float, int]] = {}  # when a shard was first heard of, and its step then

    def on_event(self, event: Event) -> None:
        key = (event.shard.folder, event.shard.number)
        if isinstance(event, Advance):
            self._began.setdefault(key, (time.monotonic(), event.step))
            self._under_way[key] = event
            return
        self._under_way.pop(key, None)
        seconds = time.monotonic() - self._start
        if isinstance(event, Failed):
            message(f"{_name(event.shard)} failed: {event.message}")
        elif isinstance(event, Finished):
            states = {restart.state: [r.index for r in event.restarts if r.state == restart.state] for restart in event.restarts}
            for state, indices in states.items():
                message(f"{event.shard.folder.name} {_restarts(indices)} {state} after {seconds:.0f} s")

    def on_tick(self) -> None:
        if time.monotonic() - self._last < LINE_SECONDS:
            return
        self._last = time.monotonic()
        for key, advance in self._under_way.items():
            began, first = self._began[key]
            done = advance.step - first
            rate = done / (self._last - began) if done else None
            rest = f", {rate:.3g}/s, about {(advance.total_steps - advance.step) / rate:.0f} s left" if rate else ""
            message(f"{_name(advance.shard)}: step {advance.step} of {advance.total_steps}{rest}")


def _name(shard: Shard) -> str:
    return f"{shard.folder.name} {_restarts(shard.restarts)}"


def _restarts(indices: Sequence[int]) -> str:
    return f"restart{'s' if len(indices) > 1 else ''} {', '.join(map(str, indices))}"

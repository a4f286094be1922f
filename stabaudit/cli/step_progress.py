"""Progress of what takes longer than two seconds and trains nothing: comparisons, floors, imports, reports.

On a terminal a bar with what is being done and the time left; elsewhere a line every half a minute. Both on stderr.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stabaudit.steps import listening

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE = 2.0  # seconds before anything is shown
LINE_SECONDS = 30.0
_REFRESH = 0.1  # seconds between redrawings
_QUIET = {"--quiet", "-q"}


@contextmanager
def steps_shown(arguments: Sequence[str]) -> Iterator[None]:
    """Show the steps that are counted in the block, unless the command line asks for quiet."""
    if _QUIET & set(arguments):
        yield
        return
    shown = _Bar() if sys.stderr.isatty() else _Lines()
    try:
        with listening(shown.on_step):
            yield
    finally:
        shown.stop()


class _Shown:
    """What both ways of showing know: when it all began, and when what is done now did."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._what, self._began = "", self._start
        self._before = self._start  # when the last step was done, of whatever

    def on_step(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if what != self._what:
            self.stop()
            self._what, self._began = what, self._before
        self._before = now
        if done >= total:
            self.stop()
        elif now - self._start > PATIENCE:
            self.show(what, done, total, now)

    def left(self, done: int, total: int, now: float) -> float | None:
        """Seconds until all steps are done; None before there is anything to tell it from."""
        passed = now - self._began
        return passed * (total - done) / done if done and passed > 0 else None

    def show(self, what: str, done: int, total: int, now: float) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        """Leave nothing behind."""


class _Bar(_Shown):
    def __init__(self) -> None:
        super().__init__()
        self._progress: Progress | None = None
        self._task: Any = None
        self._drawn = 0.0

    def show(self, what: str, done: int, total: int, now: float) -> None:
        if self._progress is None:
            self._open(what, total)
        if self._progress is not None and now - self._drawn > _REFRESH:
            self._drawn = now
            left = self.left(done, total, now)
            self._progress.update(
                self._task, completed=done, left="" if left is None else f"about {left:.0f} s left", refresh=True
            )

    def _open(self, what: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
        self._progress.start()
        self._task = self._progress.add_task(what, total=total, left="")

    def stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class _Lines(_Shown):
    def __init__(self) -> None:
        super().__init__()
        self._last = self._start

    def show(self, what: str, done: int, total: int, now: float) -> None:
        if now - self._last < LINE_SECONDS:
            return
        from stabaudit.cli.output import message

        self._last = now
        left = self.left(done, total, now)
        message(f"{what}: {done:,} of {total:,}" + ("" if left is None else f", about {left:.0f} s left"))

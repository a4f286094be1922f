"""What every engine promises.

An engine runs tasks somewhere. A task is the name of a function and a parcel of bytes; what the function gives back are bytes
too. No path travels, so the machines need share no disk, and an attempt that comes late has nothing that it could write over.
An engine keeps a task's last checkpoint, and hands it on when the task has to be tried again on another machine.
"""

import importlib
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from stabaudit.errors import StabauditError

Arrays = Mapping[str, NDArray[Any]]
ATTEMPTS = 5  # at a task, before it is given up: machines are lost now and then, a task that kills its worker does so always
TICK = 0.2  # seconds between calls of `on_tick` while nothing happens


@dataclass(frozen=True)
class Task:
    """Work for an engine.

    Args:
        key: tells it from the other tasks of a call.
        function: `package.module:function`, called as `function(parcel, arrays, checkpoint, report)`; gives bytes.
        parcel: what it needs to know.
        arrays: the name of the large arrays that it reads.
        checkpoint: where it goes on, as `Report.keep` got it; None: from the beginning.
    """

    key: int
    function: str
    parcel: bytes
    arrays: str
    checkpoint: bytes | None = None


class Report(Protocol):
    """What a function that works tells of, while it does."""

    def tell(self, what: Mapping[str, Any]) -> None:
        """Tell how far it is, by what JSON can hold."""

    def keep(self, checkpoint: bytes) -> None:
        """Hand over where to go on, should this machine be lost."""


@dataclass(frozen=True)
class Told:
    """What a task told of."""

    key: int
    what: Mapping[str, Any]


@dataclass(frozen=True)
class Kept:
    """A checkpoint of a task."""

    key: int
    checkpoint: bytes


@dataclass(frozen=True)
class Finished:
    """A task that is done, and what its function gave."""

    key: int
    result: bytes


@dataclass(frozen=True)
class Failed:
    """A task that raised an error, or whose process or machine died too often."""

    key: int
    message: str


Event = Told | Kept | Finished | Failed


class Engine(Protocol):
    """Somewhere to run tasks."""

    @property
    def slots(self) -> int:
        """How many tasks run at a time."""

    def run(
        self,
        tasks: Sequence[Task],
        arrays: Mapping[str, Arrays],
        on_event: Callable[[Event], None],
        on_tick: Callable[[], None],
    ) -> None:
        """Run tasks and tell what happens, in the calling thread; nothing runs any more when it returns or raises.

        Args:
            tasks: what to run, in order.
            arrays: the large arrays that tasks read, by the name that a task has for them.
            on_event: called for every event of every task; exactly one `Finished` or `Failed` ends each.
            on_tick: called several times a second.

        Raises:
            StabauditError: where nothing can be run at all.
        """


def perform(task: Task, arrays: Arrays, report: Report) -> Finished | Failed:
    """Do a task in the calling process; whatever it raises is told, not raised.

    Raises:
        BrokenPipeError: where nobody listens to the report any more.
    """
    try:
        module, _, name = task.function.partition(":")
        function: Callable[[bytes, Arrays, bytes | None, Report], bytes] = getattr(importlib.import_module(module), name)
        return Finished(task.key, function(task.parcel, arrays, task.checkpoint, report))
    except StabauditError as error:
        return Failed(task.key, str(error))
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 -- whatever a user's model raises is told, and the others go on
        return Failed(task.key, " ".join("".join(traceback.format_exception_only(error)).split()))

"""Work dealt out to threads, each of which has the linear-algebra library to itself on one thread.

The library's own threads gain nothing on the d × d matrices of a pair, and where other programs hold the cores they wait for
each other: 4,950 pairs of 50 × 50 took 84 s on two such threads of two busy cores, 12 s on one. Threads that share no work do not
wait.
"""

import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # it ships no types

from stabaudit.steps import counted

Item = TypeVar("Item")
Result = TypeVar("Result")


def single_threaded() -> AbstractContextManager[object]:
    """A context in which the linear-algebra libraries of this process use one thread."""
    context: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return context


def alone() -> AbstractContextManager[object]:
    """A context in which no library that is loaded now starts threads, whose sums would differ from call to call."""
    context: AbstractContextManager[object] = ThreadpoolController().limit(limits=1)
    return context


def in_parallel(work: Callable[[Item], Result], items: Sequence[Item], what: str = "") -> list[Result]:
    """`work` on every item, on as many threads as the linear-algebra libraries have now; results in the order of the items.

    What an item gives must not depend on when its turn comes: random numbers come with the item. `what` names the work for
    whoever listens to its steps (see `stabaudit.steps`).
    """
    threads = min(len(items), _threads())
    with single_threaded():
        found = map(work, items) if threads < 2 else _pool(threads, os.getpid()).map(work, items)
        return list(counted(found, len(items), what))


class _Ignored:
    """Filters of warnings that several threads want at once: `warnings.catch_warnings` by itself is one for the whole process."""

    def __init__(self) -> None:
        self.lock, self.users, self.filters = threading.Lock(), 0, ExitStack()


_IGNORED = _Ignored()


@contextmanager
def ignoring(category: type[Warning]) -> Iterator[None]:
    """A context in which warnings of a category are not shown, whatever other threads enter and leave meanwhile."""
    with _IGNORED.lock:
        if not _IGNORED.users:
            _IGNORED.filters.enter_context(warnings.catch_warnings())
        _IGNORED.users += 1
        warnings.simplefilter("ignore", category)
    try:
        yield
    finally:
        with _IGNORED.lock:
            _IGNORED.users -= 1
            if not _IGNORED.users:
                _IGNORED.filters.close()


def _threads() -> int:
    return max((int(library.num_threads) for library in _controller().lib_controllers if library.user_api == "blas"), default=1)


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:  # noqa: ARG001 -- a forked process has none of its parent's threads
    return ThreadPoolExecutor(threads)  # kept: to start threads takes as long as a small product


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looks the loaded libraries up, a few milliseconds

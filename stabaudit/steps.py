"""How far long work is: whoever works counts its steps, whoever listens shows them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
Listener = Callable[[str, int, int], None]  # what is done, steps that are, steps in all

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell a listener of all steps in the block."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def steps(items: Sequence[Item], what: str) -> Iterator[Item]:
    """Each of some items in turn; that it is done is told when the next is asked for.

    >>> with listening(lambda what, done, total: print(f"{what}: {done} of {total}")):
    ...     for _ in steps("ab", "letters read"):
    ...         pass
    letters read: 1 of 2
    letters read: 2 of 2
    """
    yield from counted(items, len(items), what)


def told(what: str, done: int, total: int) -> None:
    """Tell of a step by itself."""
    listener = _listener.get()
    if listener is not None and what:
        listener(what, done, total)


def counted(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """The same of items that do not know how many they are."""
    for done, item in enumerate(items, 1):
        yield item
        told(what, done, total)

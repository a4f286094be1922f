"""Small matrices on one thread.

Threads of the linear-algebra library gain nothing on the d × d matrices of a pair, and where other programs hold the cores they
wait for each other: 4,950 pairs of 50 × 50 took 84 s on two threads of two busy cores, 12 s on one. Large products keep all
threads.
"""

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # it ships no types


def single_threaded() -> AbstractContextManager[object]:
    """A context in which the linear-algebra libraries of this process use one thread."""
    context: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return context


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looks the loaded libraries up, a few milliseconds

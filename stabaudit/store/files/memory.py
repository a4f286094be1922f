"""How large a file is once it is read is known first, from its header, and held against the memory of the machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from stabaudit.errors import BadData

_asked: ContextVar[int | None] = ContextVar("memory", default=None)  # bytes


@contextmanager
def at_most(memory: int | None) -> Iterator[None]:
    """Refuse files in the block that take more than so many bytes, the user's --memory; None: than the machine has."""
    before = _asked.set(memory)
    try:
        yield
    finally:
        _asked.reset(before)


def require_memory(needed: int, what: str) -> None:
    """Refuse what cannot fit into memory before any of it is taken.

    Args:
        needed: bytes.
        what: the file, and what of it.

    Raises:
        BadData: where the machine, the limit on this process or --memory has less.
    """
    asked, limit = _asked.get(), memory_limit()
    if limit is None or needed <= limit:
        return
    if limit == asked:
        raise BadData(f"{what} takes {_amount(needed)} of memory, --memory allows {_amount(asked)}; raise it to read the file")
    raise BadData(f"{what} takes {_amount(needed)} of memory, and there are {_amount(limit)}; is it what it should be?")


def memory_limit() -> int | None:
    """Bytes of memory that a file can take: those of the machine, of `ulimit -v` or of --memory; None where nobody says."""
    limits = []
    with suppress(ValueError, OSError, AttributeError):  # not on every platform
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 -- not on every platform

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            limits.append(soft)
    if (asked := _asked.get()) is not None:
        limits.append(asked)
    return min((limit for limit in limits if limit > 0), default=None)


def _amount(size: int) -> str:
    """Bytes in the unit that suits them, in powers of ten.

    >>> _amount(4_000_000), _amount(2_500_000_000), _amount(10)
    ('4.0 MB', '2.5 GB', '10 bytes')
    """
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size} bytes"

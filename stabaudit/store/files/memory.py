"""How large a file is once it is read is known first, from its header, and held against the memory of the machine."""

import os
from contextlib import suppress

from stabaudit.errors import BadData


def require_memory(needed: int, what: str) -> None:
    """Refuse what cannot fit into memory before any of it is taken.

    Args:
        needed: bytes.
        what: the file, and what of it.

    Raises:
        BadData: where the machine, or the limit on this process, has less.
    """
    limit = memory_limit()
    if limit is not None and needed > limit:
        raise BadData(
            f"{what} takes {needed / 1e9:,.1f} GB of memory, and there are {limit / 1e9:,.1f} GB; is it what it should be?"
        )


def memory_limit() -> int | None:
    """Bytes of memory that this process can have at most: those of the machine, or of `ulimit -v`; None where nobody says."""
    limits = []
    with suppress(ValueError, OSError, AttributeError):  # not on every platform
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 -- not on every platform

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            limits.append(soft)
    return min((limit for limit in limits if limit > 0), default=None)

"""What a process finds around it: streams that are closed, variables of the environment, too little memory."""

import os
import sys
import time

from stabaudit.errors import UsageError

_OFF = {"", "0", "false", "no", "off"}
# What libraries say where the system gave no memory, in whatever kind of error.
_NO_MEMORY = ("allocate memory", "failed to map segment", "out of memory", "can't start new thread")


def debugging() -> bool:
    """Whether tracebacks are wanted, by --debug or STABAUDIT_DEBUG; 0, false, no and off mean that they are not."""
    return os.environ.get("STABAUDIT_DEBUG", "").strip().lower() not in _OFF


def have_streams() -> None:
    """Let what is written to a stream that was closed go nowhere, and not into the next file that is opened."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 -- takes the number that is free


def require_sound() -> None:
    """Refuse a variable of the environment that libraries could not read.

    Raises:
        UsageError: naming it.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return
    try:
        time.gmtime(int(epoch))
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"SOURCE_DATE_EPOCH={epoch!r}: expected a time in seconds since 1970; set it so, or unset it") from error


def what_is_lacking(error: Exception) -> str | None:
    """What the machine did not give, where that is what an error says; None for others."""
    said = " ".join(str(error).split())[:200]
    if isinstance(error, MemoryError) or any(words in said for words in _NO_MEMORY):
        return f"not enough memory ({said or 'the system gave none'}); free some, raise the limit (ulimit -v), or use less"
    return said if isinstance(error, OSError) and said else None

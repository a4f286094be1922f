"""East wing: measures, as pure functions of two arrays; nothing here depends on files or runs.

    from stabaudit.metrics import affine_r2, cka, decorrelated_strong_mcc, strong_mcc, weak_mcc

Every registered score of pairs can be imported by its name; `stabaudit.metrics.scores` is the table of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def __getattr__(name: str) -> "Callable[..., float]":
    """The function of a registered score; loaded when it is asked for."""
    from stabaudit.registry import known  # noqa: PLC0415

    entry = None if name.startswith("_") else known("score").get(name)
    if entry is None:
        message = f"module 'stabaudit.metrics' has no attribute {name!r}"
        raise AttributeError(message)
    module, _, attribute = entry.target.partition(":")
    found = getattr(import_module(module), attribute)
    function: Callable[..., float] | None = getattr(found, "function", found)
    if function is None:
        message = f"{name} is not a function of two arrays"
        raise AttributeError(message)
    return function

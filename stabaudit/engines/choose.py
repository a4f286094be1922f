"""The engine that a user asks for, by name."""

from collections.abc import Mapping
from inspect import signature

from stabaudit.engines.base import Engine
from stabaudit.engines.local import LocalEngine
from stabaudit.errors import UsageError
from stabaudit.registry import resolve


def engine_of(name: str = "local", slots: int | None = None, settings: Mapping[str, str] | None = None) -> Engine:
    """The engine of a name.

    Args:
        name: registered, or `package.module:Class`.
        slots: tasks at a time; None: as many as suits.
        settings: further arguments of the engine's class, as text.

    Raises:
        UsageError: an unknown engine or setting, or one that cannot be used here.
    """
    settings = dict(settings or {})
    made = LocalEngine if name == "local" else resolve("engine", name)
    if not callable(getattr(made, "run", None)):
        raise UsageError(f"engine {name!r} has no method 'run': expected a class as stabaudit.engines.base.Engine says")
    known = [parameter for parameter in signature(made).parameters if parameter != "slots"]
    for key in settings:
        if key not in known:
            listed = f"it has {', '.join(known)}" if known else "it has none"
            raise UsageError(f"--engine-set {key}: engine {name!r} has no such setting; {listed}")
    engine: Engine = made(slots, **settings)
    return engine

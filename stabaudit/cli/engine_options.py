"""Options of commands that say where work runs."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from stabaudit.engines.base import Engine

EngineOption = Annotated[
    str, typer.Option(metavar="NAME", help="Where the work is done: local, ray, slurm; see 'stabaudit list engines'.")
]
EngineSetOption = Annotated[
    list[str] | None, typer.Option("--engine-set", metavar="KEY=VALUE", help="A setting of the engine; repeat it.")
]
WorkersOption = Annotated[
    int | None, typer.Option(help="How many work at a time; one per core, or as many as the engine has room for.", min=1)
]


def chosen_engine(name: str, workers: int | None, settings: list[str] | None) -> "Engine":
    """The engine that a user asks for.

    Raises:
        UsageError: an unknown engine or setting, or one that cannot be used here.
    """
    from stabaudit.engines.choose import engine_of
    from stabaudit.errors import UsageError

    given: dict[str, str] = {}
    for text in settings or []:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--engine-set {text!r}: expected key=value")
        given[key] = value
    return engine_of(name, workers, given)


def elsewhere(name: str, workers: int | None, settings: list[str] | None) -> "Engine | None":
    """The engine that pairs are scored on; None for this process, which uses all cores anyway.

    Raises:
        UsageError: as `chosen_engine`, or what says nothing of this process.
    """
    from stabaudit.errors import UsageError

    if name != "local":
        return chosen_engine(name, workers, settings)
    if settings or workers is not None:
        raise UsageError("--engine-set and --workers: of another engine; here pairs are scored on all cores of this machine")
    return None

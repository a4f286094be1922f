"""What `--help` prints beside an option: the panel that it stands in, and a word for its type where that says something."""

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.models import ArgumentInfo, OptionInfo

_WORDS: dict[type, str] = {bool: "", str: "TEXT", int: "INT", float: "NUMBER", Path: "PATH"}
Command = Callable[..., None]


class PlainCommand(TyperCommand):
    """A command whose help shows no Python types: arguments have names that say it, and `--help` stands last."""

    def get_help_option(self, ctx: Any) -> TyperOption | None:  # noqa: ANN401 -- typer's private type
        """The option `--help`, in the panel of the last option."""
        return _plain(super().get_help_option(ctx), self.params)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 -- likewise
        """Write the help."""
        for parameter in self.params:
            if isinstance(parameter, TyperArgument):
                vars(parameter)["display_type_rich"] = lambda _=None, **__: None
        super().format_help(ctx, formatter)


class PlainGroup(TyperGroup):
    """The same of the program itself."""

    def get_help_option(self, ctx: Any) -> TyperOption | None:  # noqa: ANN401 -- typer's private type
        """The option `--help`."""
        return _plain(super().get_help_option(ctx), self.params)


def _plain(option: TyperOption | None, params: Sequence[object]) -> TyperOption | None:
    if option is not None and params:
        option.metavar = ""
        option.rich_help_panel = getattr(params[-1], "rich_help_panel", None)
    return option


def with_plain_types(command: Command) -> Command:
    """A command whose flags show no type, and its other options a word for it."""

    def plainly(_: str, kind: object, info: OptionInfo | ArgumentInfo) -> None:
        if isinstance(info, OptionInfo) and info.metavar is None and info.parser is None:
            info.metavar = next((_WORDS[one] for one in _types(kind) if one in _WORDS), None)

    return _changed(command, plainly)


def in_panels(panels: Mapping[str, Sequence[str]]) -> Callable[[Command], Command]:
    """A decorator that puts the parameters of a command into panels.

    Args:
        panels: names of parameters by the title of their panel.
    """
    titles = {name: title for title, names in panels.items() for name in names}

    def into(name: str, _: object, info: OptionInfo | ArgumentInfo) -> None:
        info.rich_help_panel = titles.get(name)

    return lambda command: _changed(command, into)


def _changed(command: Command, change: Callable[[str, object, OptionInfo | ArgumentInfo], None]) -> Command:
    """The command, each of its parameters described by a changed copy: commands share descriptions."""
    for name, annotation in command.__annotations__.items():
        if hasattr(annotation, "__metadata__"):
            kind, info, *rest = get_args(annotation)
            own: Any = copy.copy(info)
            change(name, kind, own)
            command.__annotations__[name] = Annotated[kind, own, *rest]
    if "__signature__" in vars(command):  # of a decorator that adds parameters; it is looked at first
        signature = inspect.signature(command)
        parameters = [one.replace(annotation=command.__annotations__[name]) for name, one in signature.parameters.items()]
        vars(command)["__signature__"] = signature.replace(parameters=parameters)
    return command


def _types(kind: Any) -> list[Any]:  # noqa: ANN401 -- an annotation
    """The classes that an annotation is made of."""
    parts = get_args(kind)
    return [one for part in parts for one in _types(part)] if parts else [kind]

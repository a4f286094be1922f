"""What `stabaudit train` refuses to take together, with what to type instead."""

import typer

from stabaudit.cli.typed import was_typed
from stabaudit.errors import UsageError

# Options that say how stabaudit trains, and those that say how a program is called.
OWN = (
    *("data", "data_dir", "download", "unchecked_data", "arch", "likelihood", "latent_dim", "settings"),
    *("label_column", "u_columns", "scale", "channels_last", "strict"),
    *("shard", "shard_size"),
    *("binarise", "encode_binarised", "encode_dropout"),
    *("device", "exact", "geometry", "precision", "force", "compile", "epochs", "steps", "batch_size", "lr", "schedule"),
)
OF_PROGRAMS = (
    *("shell", "timeout", "latents_format", "ids_by_position"),
    *("family_label", "architecture", "dataset"),
)


def require_one(context: typer.Context, family: str | None, command: str | None) -> None:
    """Refuse both or neither of FAMILY and --command, and options of the one with the other.

    Raises:
        UsageError: naming them.
    """
    if command is None:
        _name_the_right_place(context, family)
    if family is None and command is None:
        raise UsageError("give a model family ('stabaudit list families') or a --command")
    if family is not None and command is not None:
        raise UsageError(f"--command trains instead of a family: leave out {family!r}, or say --family {family} to call it that")
    foreign, of = (OF_PROGRAMS, "--command") if command is None else (OWN, "a model family")
    for parameter in context.command.params:
        if parameter.name in foreign and was_typed(context, parameter.name):
            raise UsageError(f"{parameter.opts[0]} goes with {of}; leave it out")


def _name_the_right_place(context: typer.Context, family: str | None) -> None:
    """Refuse what names results of a program where a family or data to train on are meant, with what to type.

    Raises:
        UsageError: the argument or option that is meant.
    """
    label, dataset, architecture = (context.params.get(name) for name in ("family_label", "dataset", "architecture"))
    if label is not None:
        if family is None:
            raise UsageError(f"--family says what a --command trains; a family is named without it: stabaudit train {label}")
        raise UsageError(f"--family goes with --command; leave it out, as {family!r} is the family")
    for option, value, meant in (("--dataset", dataset, "--data"), ("--architecture", architecture, "--arch")):
        if value is not None:
            raise UsageError(f"{option} goes with --command, for what reports call its results; here it is {meant} {value}")


def require_until(context: typer.Context, until: str | None, vary: str | None) -> None:
    """Refuse --max-restarts where nothing adds restarts, and --until where these would be one seed's or only a part is trained.

    Raises:
        UsageError: what to type instead.
    """
    if until is None and was_typed(context, "max_restarts"):
        raise UsageError("--max-restarts goes with --until; --restarts says how many there are to be")
    if until is not None and context.params.get("shard") is not None:
        raise UsageError("--until looks at all restarts, --shard trains a part of them: leave out one of them")
    if until is not None and vary == "none":
        raise UsageError("--until asks how restarts vary; --vary none trains one seed again and again: leave out one of them")


def one_seed(vary: str | None) -> bool:
    """Whether every restart of a program has the first one's seed.

    Raises:
        UsageError: sources that cannot be told apart from outside.
    """
    if vary not in {None, "none"}:
        raise UsageError("--vary: a program gets one seed, so only 'none' can be said of it: every restart has the same")
    return vary == "none"

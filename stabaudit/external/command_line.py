"""What the program of a restart is called with: the user's command, its placeholders filled in.

{seed} is that of the restart, {restart} its index, and {latents} the path to write to.
"""

import difflib
import re
import shlex
import shutil
from pathlib import Path

from stabaudit.errors import UsageError
from stabaudit.external.shell_quoting import PLACEHOLDER, PLACEHOLDERS, filled_for_shell
from stabaudit.store.run.external_labels import External, Program

_FOR_A_SHELL = {"|", "||", "&", "&&", ";", "<", ">", ">>", "2>", "2>&1"}


def require_callable(external: External) -> list[str]:
    """Refuse a command that cannot be called, or whose latents could not be used, before anything is written.

    Args:
        external: what is known of the run, its program included.


    Returns:
        What the user should know.

    Raises:
        UsageError: no {latents}, a misspelt placeholder, words for a shell without one, no such program, or rows that
            nothing names.
    """
    program = external.program
    assert program is not None  # noqa: S101 -- what distinguishes such a run
    command = program.command
    for name in re.findall(r"\{(\w+)\}", command):
        near = difflib.get_close_matches(name, PLACEHOLDERS, n=1)
        if name not in PLACEHOLDERS and near:
            raise UsageError(f"--command: unknown placeholder {{{name}}}; did you mean {{{near[0]}}}?")
    if "{latents}" not in command:
        raise UsageError("--command: nothing says where latents are to be written; put {latents} where the program takes a path")
    if not program.shell:
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"--command {command!r}: {str(error).lower()}") from error
        if asked := [word for word in words if word in _FOR_A_SHELL]:
            raise UsageError(f"--command: {asked[0]!r} is for a shell, and none reads the command; add --shell")
        if shutil.which(words[0]) is None:
            raise UsageError(f"--command: no program {words[0]!r} is found; give its path, or add --shell for a shell's own")
    if program.latents_format == "npy" and not external.ids_by_position:
        raise UsageError(
            "--command: an .npy file cannot name its rows; add --ids-by-position if row i is the same sample in every restart, "
            "or write names beside the latents (sample_id) and say --latents-format parquet, csv or npz"
        )
    if "{seed}" not in command:
        return ["the command has no {seed}: its restarts differ only if the program draws seeds of its own"]
    return []


def arguments_of(program: Program, *, restart: int, latents: Path) -> list[str]:
    r"""The arguments that a program is called with for one restart.

    >>> arguments_of(Program(command="python fit.py --seed {seed} -o {latents}", seed=7), restart=2, latents=Path("a b.npy"))
    ['python', 'fit.py', '--seed', '9', '-o', 'a b.npy']

    For a shell the values are put in so that they stay one word, whether the user has put quotes around them or not:

    >>> arguments_of(Program(command='fit {latents} && test -s "{latents}"', shell=True), restart=0, latents=Path("a b.npy"))[-1]
    'fit \'a b.npy\' && test -s "a b.npy"'
    """
    values = {"seed": str(program.seed_of(restart)), "restart": str(restart), "latents": str(latents)}

    if program.shell:
        return ["/bin/sh", "-c", filled_for_shell(program.command, values)]
    return [re.sub(PLACEHOLDER, lambda found: values[found[1]], word) for word in shlex.split(program.command)]

r"""Values put into a shell's command so that each stays as it is, inside the user's quotes and outside.

Where a value stands decides how it must be written (POSIX.1-2017, Shell Command Language, 2.2 Quoting): bare it needs quotes,
between double quotes some characters need a backslash, between single quotes only a single quote is special. Substitutions,
`$(…)` and backquotes, begin such places anew. Values without special characters, as most paths are, are the same everywhere.
"""

import re
import shlex
from collections.abc import Mapping

PLACEHOLDERS = ("seed", "latents", "restart")
PLACEHOLDER = rf"\{{({'|'.join(PLACEHOLDERS)})\}}"
_TOKENS = re.compile(rf"{PLACEHOLDER}|\\[^{{]|\$\(|.", re.DOTALL)
_BARE = {"(", "$(", "`"}  # what begins a place where quotes mean something again


def filled_for_shell(command: str, values: Mapping[str, str]) -> str:
    r"""A command with its placeholders filled in.

    Args:
        command: as the user gave it.
        values: by placeholder.

    >>> print(filled_for_shell("fit {latents} '{latents}' | tee \"$(dirname \"{latents}\")/log\"", {"latents": "a's b"}))
    fit 'a'"'"'s b' 'a'"'"'s b' | tee "$(dirname "a's b")/log"
    """
    within: list[str] = []  # what has been opened and not closed yet, the innermost last
    filled = []
    for token in _TOKENS.finditer(command):
        text, name = token[0], token[1]
        place = within[-1] if within else "("
        if name is not None:
            text = _written(values[name], place)
        elif place == "'":
            # A backslash means nothing here, so `\'` ends the quotes.
            if text.endswith("'"):
                within.pop()
        elif (text, place) in {('"', '"'), (")", "("), (")", "$("), ("`", "`")} and within:
            within.pop()
        elif text in {"$(", "`"} or (place in _BARE and text in {"'", '"', "("}):
            within.append(text)
        filled.append(text)
    return "".join(filled)


def _written(value: str, place: str) -> str:
    """A value as it is written within quotes of a kind, or without."""
    if place == "'":
        return value.replace("'", "'\"'\"'")
    if place == '"':
        return re.sub(r'([\\"$`])', r"\\\1", value)
    return shlex.quote(value)

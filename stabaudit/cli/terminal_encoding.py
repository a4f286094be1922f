"""Words on terminals and in pipes whose encoding lacks some of their characters: a table line of hyphens says the same."""

import codecs
import io
import sys

_HANDLER = "stabaudit.legible"
_ASCII = {"─": "-", "│": "|", "–": "-", "−": "-", "×": "x", "²": "2", "…": ".", "≥": ">=", "≤": "<=", "±": "+-"}


def legible(error: UnicodeError) -> tuple[str, int]:
    r"""What to write for characters that an encoding lacks, and where to go on: a handler of encoding errors.

    >>> codecs.register_error("demo", legible)
    >>> "R² of größe ──".encode("ascii", "demo")
    b'R2 of gr\\u00f6\\u00dfe --'
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    written = [_ASCII.get(character) or f"\\u{ord(character):04x}" for character in lacking]  # as JSON writes them too
    return "".join(written), error.end


def be_legible() -> None:
    """Let nothing that is written to stdout or stderr fail for its characters."""
    codecs.register_error(_HANDLER, legible)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)

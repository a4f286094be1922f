"""Text of others as plain text: run names, paths and messages may hold anything, and must stay text wherever they are shown."""

import re


def clean(text: str) -> str:
    r"""Text without control characters, which neither XML nor a reader can bear.

    >>> clean("a\x00b\u202ec")
    'a\ufffdb\ufffdc'
    """
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def plain(text: str) -> str:
    r"""One line of text that neither a terminal nor a build server acts on.

    GitHub's runner takes lines of any output that begin with "::", or that hold "##[", for commands; a backslash stops it.

    >>> plain("two\nlines"), plain("::error::no"), plain("a ##[error]b")
    ('two lines', '\\::error::no', 'a #\\#[error]b')
    """
    line = clean(re.sub(r"\s+", " ", text)).replace("##[", "#\\#[")
    return re.sub(r"^ ?::", r"\\\g<0>", line)

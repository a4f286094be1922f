"""What goes wrong and the user can fix: one clear line and exit status 2, no traceback.

A message says what, where, what was expected and what to do. Anything that is not a `StabauditError` is a defect of stabaudit.
What is counted agrees with its count: "1 row is", "2 rows are".
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun; the plural is given where it is not the noun with an s.

    >>> counted(1, "pair"), counted(1200, "row"), counted(2, "category", "categories")
    ('1 pair', '1,200 rows', '2 categories')
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def are(count: int) -> str:
    """The verb that follows a count.

    >>> [f"{n} of 2 restarts {are(n)} done" for n in range(3)]
    ['0 of 2 restarts are done', '1 of 2 restarts is done', '2 of 2 restarts are done']
    """
    return "is" if count == 1 else "are"


class StabauditError(Exception):
    """Base of all errors with a message for the user."""


class UsageError(StabauditError):
    """An option, name or combination of them that cannot be used."""


class BadData(StabauditError):
    """A file or array that does not hold what it should."""


class BadRun(StabauditError):
    """A run folder that cannot be read, or not be written by this command."""


class Noticed(UserWarning):
    """How an input was taken; commands print it, once for all files alike.

    Args:
        where: the file.
        what: how it was read, and what of it.
    """

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.what = what


class Guessed(Noticed):
    """How an input was taken that could have been meant in another way; `strictly` refuses it.

    Args:
        where: the file.
        what: how it was read, and what of it.
        instead: what to write, so that nothing need be guessed.
    """

    def __init__(self, where: str, what: str, instead: str) -> None:
        super().__init__(where, what)
        self.instead = instead


@contextmanager
def strictly(strict: bool) -> Iterator[None]:
    """Refuse whatever is guessed in the block, where `strict`.

    Raises:
        UsageError: saying what would have been guessed, and what to write instead.
    """
    with warnings.catch_warnings():
        if strict:
            warnings.simplefilter("error", Guessed)
        try:
            yield
        except Guessed as guess:
            if not strict:
                raise
            raise UsageError(f"{guess}, which --strict does not guess; {guess.instead}") from guess

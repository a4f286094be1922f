"""Text: a file of one document a line, as the Yahoo and Yelp files of the literature are laid out (Yang et al. 2017).

A line is a document of words between blanks, or a label, a tab and the document. Where every line has a tab, what is before the
first is the label. A document becomes codes: 1 for a word that the vocabulary lacks, 2 for its end, then the words by frequency
in the training documents, ties in alphabetical order. Code 0 stands where a document has ended already, and a decoder is given it
where a document begins; no likelihood asks for it. A document that is too long is cut and has no end.

The file is read three times, line by line: memory holds the codes, four bytes each, and the table of words.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

from stabaudit.config import NonNegative, Positive
from stabaudit.data.dataset import Array, Dataset, FloatArray, Split
from stabaudit.data.splitting import hold_out, take
from stabaudit.errors import BadData, are, counted

PREFIX = "text:"  # before the path of such a file
UNKNOWN, END, FIRST_WORD = 1, 2, 3
SYMBOLS = ("<unknown>", "<end>")  # of the codes before the first word
MOST_COUNTED = 1_000_000  # words in the table; beyond it the rarest so far are dropped

Fraction = Annotated[float, Field(ge=0, lt=1)]


class Document(NamedTuple):
    """One line of a file: its number, counted from 1, its label, None where there is none, and its words."""

    line: int
    label: str | None
    words: list[str]


class _Survey(NamedTuple):
    """What a first reading of a file tells: how many documents, and whether every line has a tab."""

    documents: int
    labelled: bool


def load(
    path: Path,
    *,
    vocabulary: Annotated[int, Field(ge=FIRST_WORD)] = 10_000,
    length: Positive = 32,
    lowercase: bool = False,
    labels: bool | None = None,
    holdout: Fraction = 0.2,
    split_seed: NonNegative = 0,
) -> Dataset:
    """Load a file of documents. Ids are line numbers from 1, and blank lines are left out.

    Args:
        path: the file, UTF-8.
        vocabulary: symbols at most, "unknown" and "end" among them.
        length: symbols of a document at most.
        lowercase: whether upper and lower case are the same word.
        labels: whether a label and a tab stand before every document; None: where every line has a tab.
        holdout: fraction of the documents, drawn at random, to evaluate on; 0 evaluates on the training documents.
        split_seed: decides which documents are held out.

    Raises:
        BadData: a missing or unreadable file, no documents, or too few to hold some out.
    """
    survey = _survey(path)
    labelled = survey.labelled if labels is None else labels
    count = survey.documents
    training = np.ones(count, bool)
    if holdout > 0:
        first, second = hold_out(np.zeros(count), holdout, seed=split_seed)
        if not (len(first) and len(second)):
            few = f"{counted(count, 'document')} {are(count)} too few"
            raise BadData(f"{path}: {few} to hold out {holdout:.0%} of; set holdout=0 to hold out none")
        training[second] = False
    words = known_words(
        (document.words for document, seen in zip(_documents(path, labelled, lowercase), training, strict=True) if seen),
        vocabulary,
    )
    codes = {word: number for number, word in enumerate(words, FIRST_WORD)}
    x = np.zeros((count, length), np.float32)
    lines = np.empty(count, np.int64)
    numbers: dict[str, int] = {}
    classes = np.empty(count, np.int64)
    for row, document in enumerate(_documents(path, labelled, lowercase)):
        lines[row] = document.line
        encode(document.words, codes, x[row])
        if document.label is not None:
            classes[row] = numbers.setdefault(document.label, len(numbers))
    rows = Split(x=x, sample_id=lines, labels=_sorted_classes(classes, numbers) if labelled else None)
    train = rows if training.all() else take(rows, np.flatnonzero(training))
    evaluation = train if training.all() else take(rows, np.flatnonzero(~training))
    return Dataset(f"{PREFIX}{path}", train, evaluation, "categorical", vocabulary=(*SYMBOLS, *words))


def encode(words: Iterable[str], codes: dict[str, int], row: FloatArray) -> None:
    """Write the codes of a document and of its end, as far as there is room, into a row of zeros, shape (length,)."""
    place = 0
    for word in words:
        if place == len(row):
            return
        row[place] = codes.get(word, UNKNOWN)
        place += 1
    if place < len(row):
        row[place] = END


def known_words(documents: Iterable[list[str]], most: int) -> list[str]:
    """The most frequent words, so that there are at most so many symbols; ties in alphabetical order.

    When the table of words passes a million, those seen least so far are dropped from it (Manku & Motwani 2002): memory stays
    bounded, and only words at the edge of so large a vocabulary can be missed.

    Example:
        >>> known_words([["b", "a", "b"], ["c", "a", "b"]], 4)
        ['b', 'a']
    """
    counts: Counter[str] = Counter()
    seldom = 0
    for words in documents:
        counts.update(words)
        while len(counts) > MOST_COUNTED:
            seldom += 1
            counts = Counter({word: times for word, times in counts.items() if times > seldom})
    for symbol in SYMBOLS:
        counts.pop(symbol, None)  # in a file they mean what they mean here
    return sorted(counts, key=lambda word: (-counts[word], word))[: most - len(SYMBOLS)]


def _survey(path: Path) -> _Survey:
    documents, labelled = 0, True
    for _, line in _lines(path):
        documents += 1
        labelled = labelled and "\t" in line
    if not documents:
        raise BadData(f"{path}: no documents, expected one a line")
    return _Survey(documents, labelled)


def _documents(path: Path, labelled: bool, lowercase: bool) -> Iterator[Document]:
    """All documents in order.

    Raises:
        BadData: a line without a tab, where there should be labels.
    """
    for number, line in _lines(path):
        label, tab, text = line.partition("\t") if labelled else (None, "\t", line)
        if not tab:
            raise BadData(f"{path}, line {number}: no tab, expected a label, a tab and the document; or set labels=false")
        yield Document(number, label, (text.lower() if lowercase else text).split())


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, with their numbers from 1.

    Raises:
        BadData: a file that is missing, cannot be read or is no UTF-8.
    """
    number = 0
    try:
        if path.exists() and not path.is_file():
            raise BadData(f"{path} is no regular file, expected a text of one document a line")
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                if text.strip():
                    yield number, text
    except FileNotFoundError as error:
        raise BadData(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise BadData(f"{path}, line {number}: no UTF-8 text ({error.reason}); convert it first") from error
    except OSError as error:
        raise BadData(f"{path} cannot be read: {error.strerror or error}") from error


def _sorted_classes(classes: Array, numbers: dict[str, int]) -> Array:
    """Labels as 0..K−1 in sorted order of their texts, from the order in which they were met."""
    order = sorted(numbers, key=lambda text: (not text.isdecimal(), int(text) if text.isdecimal() else 0, text))
    ranks = np.empty(len(order), np.int64)
    for rank, text in enumerate(order):
        ranks[numbers[text]] = rank
    return ranks[classes]

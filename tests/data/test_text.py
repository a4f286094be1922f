"""Documents of a file as codes: by hand, in bounded memory, and what is refused."""

import tracemalloc
from collections import Counter

import numpy as np
import pytest

from stabaudit.data import text
from stabaudit.data.dataset import Dataset, Split
from stabaudit.data.load import load_dataset
from stabaudit.errors import BadData, UsageError


def load(path, content, **options):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_dataset(f"text:{path}", {"holdout": 0, **options})


def words_of(dataset, row):
    """A document as it is read: codes by their meaning, without what follows the end."""
    return [dataset.vocabulary[int(code) - 1] for code in dataset.train.x[row] if code > 0]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "documents.txt"


def test_documents_are_codes_of_words_by_frequency_with_an_end(file):
    dataset = load(file, "b a b\n\n  c b  \n", length=4)
    assert dataset.vocabulary == ("<unknown>", "<end>", "b", "a", "c")  # a and c are as frequent
    assert dataset.train.x.tolist() == [[3, 4, 3, 2], [5, 3, 2, 0]]
    assert dataset.train.sample_id.tolist() == [1, 3]  # line numbers
    assert dataset.train.labels is None
    assert (dataset.likelihood, dataset.name) == ("categorical", f"text:{file}")


def test_rare_words_are_unknown_and_long_documents_have_no_end(file):
    dataset = load(file, "a a b\na c a a a\n", vocabulary=3, length=3)
    assert [words_of(dataset, row) for row in (0, 1)] == [["a", "a", "<unknown>"], ["a", "<unknown>", "a"]]


def test_a_file_that_writes_the_symbols_means_them(file):
    dataset = load(file, "<unknown> a <end>\n", length=5)
    assert dataset.vocabulary == ("<unknown>", "<end>", "a")
    assert dataset.train.x.tolist() == [[1, 3, 1, 2, 0]]


@pytest.mark.parametrize(
    ("content", "labels", "documents"),
    [
        ("4\tgood food\n0\tbad\n10\tgood\n", [1, 0, 2], ["good food", "bad", "good"]),  # in the order of numbers
        ("pos\tgood\r\nneg\tbad\tfood\r\n", [1, 0], ["good", "bad food"]),
        ("4\tgood\nbad\n", None, ["4 good", "bad"]),  # not every line has a tab
    ],
)
def test_what_stands_before_a_tab_in_every_line_is_the_label(file, content, labels, documents):
    dataset = load(file, content, length=5)
    assert (dataset.train.labels is None) == (labels is None)
    assert labels is None or dataset.train.labels.tolist() == labels
    assert [" ".join(words_of(dataset, row)[:-1]) for row in range(len(documents))] == documents


def test_labels_can_be_words(file):
    dataset = load(file, "1\ta\n2\tb\n", labels=False)
    assert dataset.train.labels is None
    assert words_of(dataset, 0) == ["1", "a", "<end>"]


def test_case_can_be_ignored(file):
    assert load(file, "A a\n", lowercase=True).vocabulary == ("<unknown>", "<end>", "a")
    assert load(file, "A a\n").vocabulary == ("<unknown>", "<end>", "A", "a")


def test_the_vocabulary_is_that_of_the_training_documents_alone(file):
    lines = [f"word{number}" for number in range(20)]
    file.write_text("\n".join(lines))
    dataset = load_dataset(f"text:{file}", {"holdout": 0.25})
    assert (len(dataset.train), len(dataset.evaluation)) == (15, 5)
    assert set(dataset.vocabulary[2:]) == {lines[number - 1] for number in dataset.train.sample_id}
    assert (dataset.evaluation.x[:, 0] == text.UNKNOWN).all()
    assert not set(dataset.train.sample_id) & set(dataset.evaluation.sample_id)


def test_the_table_of_words_stays_small_and_keeps_the_frequent(monkeypatch):
    monkeypatch.setattr(text, "MOST_COUNTED", 50)
    rng = np.random.default_rng(0)
    documents = [[f"w{word}" for word in rng.zipf(1.5, 30) % 3000] for _ in range(400)]
    exact = Counter(word for document in documents for word in document)
    assert len(exact) > 300
    assert text.known_words(documents, 7) == sorted(exact, key=lambda word: (-exact[word], word))[:5]


@pytest.mark.slow
def test_a_hundred_thousand_documents_take_little_more_than_their_codes(file):
    rng = np.random.default_rng(0)
    vocabulary = np.array([f"word{number}" for number in range(2000)])
    with file.open("w") as out:
        for _ in range(100):
            out.writelines(f"1\t{' '.join(line)}\n" for line in vocabulary[rng.integers(2000, size=(1000, 20))])
    assert file.stat().st_size > 15e6
    tracemalloc.start()
    try:
        dataset = load_dataset(f"text:{file}", {"length": 16})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(dataset.train) + len(dataset.evaluation) == 100_000
    assert peak < 5 * (100_000 * 16 * 4)  # as lists of words they would take twenty times as much


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (b"", {}, ": no documents, expected one a line"),
        (b"\n \n", {}, ": no documents, expected one a line"),
        (b"fine\nwor\xffd\n", {}, ", line 2: no UTF-8 text (invalid start byte); convert it first"),
        (b"a\n", {"labels": True}, ", line 1: no tab, expected a label, a tab and the document; or set labels=false"),
        (b"a\n", {"holdout": 0.5}, ": 1 document is too few to hold out 50% of; set holdout=0 to hold out none"),
    ],
)
def test_what_is_no_text_is_one_line(file, content, options, said):
    with pytest.raises(BadData) as refused:
        load(file, content, **options)
    assert str(refused.value) == f"{file}{said}"


def test_missing_files_folders_and_sizes_are_one_line(tmp_path):
    with pytest.raises(BadData, match="no such file"):
        load_dataset(f"text:{tmp_path / 'none.txt'}", {})
    with pytest.raises(BadData, match="is no regular file, expected a text of one document a line"):
        load_dataset(f"text:{tmp_path}", {})
    with pytest.raises(UsageError, match="option 'vocabulary' of dataset"):
        load_dataset("text:x", {"vocabulary": 2})


CODES = np.float32([[1, 2, 0], [2, 1, 1]])


@pytest.mark.parametrize(
    ("x", "vocabulary", "likelihood", "said"),
    [
        (CODES, ("a",), "categorical", "x holds numbers that are no codes from 0 to 1, the size of the vocabulary"),
        (CODES + 0.5, ("a", "b", "c"), "categorical", "x holds numbers that are no codes from 0 to 3"),
        (CODES - 1, ("a", "b"), "categorical", "x holds numbers that are no codes from 0 to 2"),
        (CODES * [[1], [0]], ("a", "b"), "categorical", "sample 1 is an empty document"),
        (CODES, (), "categorical", "a vocabulary goes with the categorical likelihood, and that with a vocabulary"),
        (CODES, ("a", "b"), "gaussian", "a vocabulary goes with the categorical likelihood, and that with a vocabulary"),
        (CODES[:, None], ("a", "b"), "categorical", "documents have shape (2, 1, 3), expected codes of shape (n, length)"),
    ],
)
def test_x_that_are_no_documents_are_one_line(x, vocabulary, likelihood, said):
    rows = Split(x.astype(np.float32), np.arange(2))
    with pytest.raises(BadData) as refused:
        Dataset("own", rows, rows, likelihood, vocabulary=vocabulary)
    assert str(refused.value).startswith(f"own: {said}")


def test_other_words_are_other_data():
    rows = Split(CODES, np.arange(2))
    of = [Dataset("own", rows, rows, "categorical", vocabulary=words).fingerprint for words in (("a", "b"), ("a", "c"))]
    assert of[0] != of[1]

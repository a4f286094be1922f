"""CIFAR-10 from its binary batches (Krizhevsky 2009).

A batch is a row of records of 3,073 bytes, nothing else:

    label 0..9 | 1,024 red, 1,024 green, 1,024 blue pixels, each colour row by row

The batches are read out of `cifar-10-binary.tar.gz`, or from the folder that it unpacks to. Batches 1 to 5 are the training rows,
with ids from 0 (to 49999 in the published files); the test batch is the evaluation rows, ids going on from there. The edition in
Python pickles is never opened.
"""

import re
from functools import partial
from pathlib import Path

import numpy as np

from stabaudit.data.dataset import Dataset, Split, one_hot
from stabaudit.data.formats.archives import read_tar
from stabaudit.data.published_files import DataFolder, Published
from stabaudit.errors import BadData
from stabaudit.store.files.atomic import reason
from stabaudit.store.files.binary import read_at_most
from stabaudit.store.files.regular import open_regular

ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST = "test_batch.bin"
CLASSES = 10
IMAGE_SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32  # bytes
BATCH_LIMIT = 10_000 * RECORD  # bytes of a published batch
PICKLE_NAME = re.compile(r"(^|/)(data_batch_\d+|test_batch|batches\.meta)$")  # those of the Python edition have no ending
PICKLE_START = b"\x80"  # protocol 2 and later; as a label it would be 128

CIFAR10 = Published(
    name="cifar10",
    url="https://www.cs.toronto.edu/~kriz/",
    sha256={ARCHIVE: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
    unpacked={ARCHIVE: FOLDER},
    pickled=("cifar-10-python.tar.gz", "cifar-10-batches-py", "data_batch_1"),
)


def load(files: DataFolder) -> Dataset:
    """Load CIFAR-10: x in [0, 1] of shape (3, 32, 32), labels 0..9 (kinds of things), u the one-hot label."""
    source = files.find(CIFAR10)[ARCHIVE]
    batches = _from_folder(source) if source.is_dir() else _from_archive(source)
    train = _read_split([batches[name] for name in TRAIN], first_id=0)
    return Dataset("cifar10", train, _read_split([batches[TEST]], first_id=len(train)), "logistic")


Records = np.ndarray[tuple[int, int], np.dtype[np.uint8]]


def _read_split(batches: list[Records], first_id: int) -> Split:
    records = np.concatenate(batches)
    labels = records[:, 0].astype(np.int64)
    return Split(
        x=np.divide(records[:, 1:], 255, dtype=np.float32).reshape(-1, *IMAGE_SHAPE),
        sample_id=first_id + np.arange(len(labels)),
        u=one_hot(labels, CLASSES),
        labels=labels,
    )


def _from_folder(folder: Path) -> dict[str, Records]:
    batches = {}
    for name in (*TRAIN, TEST):
        path = folder / name
        try:
            with open_regular(path) as file:
                batches[name] = _records(read_at_most(file, BATCH_LIMIT + 1), str(path))
        except FileNotFoundError as error:
            _refuse_pickle(path.stem if path.with_suffix("").exists() else "", folder)
            raise BadData(f"{folder} lacks {name}; unpack {ARCHIVE} again") from error
        except OSError as error:
            raise BadData(f"{path} cannot be read: {reason(error)}") from error
    return batches


def _from_archive(path: Path) -> dict[str, Records]:
    names = {name: f"{FOLDER}/{name}" for name in (*TRAIN, TEST)}
    contents = read_tar(path, names.values(), refuse=partial(_refuse_pickle, where=path), largest=BATCH_LIMIT)
    for member in names.values():
        if member not in contents:
            raise BadData(f"{path} lacks {member}; get the published {ARCHIVE}")
    return {name: _records(contents[member], f"{path}: {member}") for name, member in names.items()}


def _refuse_pickle(name: str, where: Path) -> None:
    if PICKLE_NAME.search(name):
        raise BadData(
            f"{where} holds {name}, a Python pickle, which can run any program and is never opened; get {ARCHIVE}, the binary "
            f"edition, with --download or from {CIFAR10.url}"
        )


def _records(content: bytearray, where: str) -> Records:
    """Bytes of one batch as records, shape (n, 3073), n ≥ 1.

    Raises:
        BadData: another kind of file, cut short or too long, or a label above 9.
    """
    if content.startswith(PICKLE_START):
        raise BadData(f"{where} is a Python pickle, which is never opened; get {ARCHIVE}, the binary edition, from {CIFAR10.url}")
    if not content or len(content) % RECORD or len(content) > BATCH_LIMIT:
        found = f"more than {BATCH_LIMIT:,}" if len(content) > BATCH_LIMIT else f"{len(content):,}"
        raise BadData(f"{where} has {found} bytes, expected 1 to 10,000 records of {RECORD:,} bytes; get the file again")
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    if (highest := records[:, 0].max()) >= CLASSES:
        raise BadData(f"{where}: label {highest} found, expected 0 to {CLASSES - 1}")
    return records

"""SVHN, digits of house numbers, from its MATLAB files (Netzer et al. 2011): format 2, cropped digits.

`train_32x32.mat` and `test_32x32.mat` are MATLAB 5 files with the arrays

    X  (32, 32, 3, n)  unsigned bytes: row, column, colour, image        y  (n, 1)  1..9, and 10 for the digit 0

The training file is the training rows, with ids from 0 (to 73256 in the published file); the test file is the evaluation rows,
ids going on from there.
"""

from pathlib import Path

import numpy as np

from stabaudit.data.dataset import Dataset, Split, one_hot
from stabaudit.data.formats.mat5 import read_mat
from stabaudit.data.published_files import DataFolder, Published
from stabaudit.errors import BadData

TRAIN, TEST = "train_32x32.mat", "test_32x32.mat"
CLASSES = 10
IMAGE_SHAPE = (32, 32, 3)
IMAGES_LIMIT = 100_000  # the training file holds 73,257

SVHN = Published(
    name="svhn",
    url="http://ufldl.stanford.edu/housenumbers/",  # offered without TLS; the checksums are what is trusted
    sha256={
        TRAIN: "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        TEST: "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
    },
)


def load(files: DataFolder) -> Dataset:
    """Load SVHN: x in [0, 1] of shape (3, 32, 32), labels 0..9 (the digit in the middle), u the one-hot label."""
    paths = files.find(SVHN)
    train = _read_split(paths[TRAIN], first_id=0)
    return Dataset("svhn", train, _read_split(paths[TEST], first_id=len(train)), "logistic")


def _read_split(path: Path, first_id: int) -> Split:
    arrays = read_mat(path, ("X", "y"), largest=IMAGES_LIMIT * 32 * 32 * 3)
    images, classes = arrays["X"], arrays["y"]
    count = classes.size
    if count == 0 or images.shape != (*IMAGE_SHAPE, count) or classes.shape != (count, 1):
        raise BadData(
            f"{path}: X has shape {images.shape}, y {classes.shape}; expected {(*IMAGE_SHAPE, 'n')} and {('n', 1)}, n ≥ 1"
        )
    if classes.min() < 1 or classes.max() > CLASSES:
        raise BadData(
            f"{path}: labels {classes.min()} to {classes.max()} found, expected 1 to {CLASSES} ({CLASSES} is the digit 0)"
        )
    labels = classes[:, 0].astype(np.int64) % CLASSES
    return Split(
        x=np.divide(images.transpose(3, 2, 0, 1), 255, dtype=np.float32, order="C"),
        sample_id=first_id + np.arange(count),
        u=one_hot(labels, CLASSES),
        labels=labels,
    )

"""MNIST and Fashion-MNIST from their IDX files (LeCun et al. 1998; Xiao et al. 2017).

An IDX file is a header of big-endian 32-bit numbers, then the values in row-major order:

    0x00 0x00 type dimensions | size of each dimension | values        type 0x08: unsigned bytes

Pixels 0..255 become x in [0, 1]. The training files are the training rows, with ids from 0 (to 59999 in the published files); the
test files are the evaluation rows, ids going on from there.
"""

import math
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from stabaudit.data.dataset import Dataset, Split, one_hot
from stabaudit.data.formats.archives import uncompressed
from stabaudit.data.published_files import DataFolder, Published
from stabaudit.errors import BadData, counted
from stabaudit.store.files.binary import read_at_most

UNSIGNED_BYTE = 0x08
IMAGE_SHAPE = (28, 28)
CLASSES = 10

TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"
TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"

# SHA-256 of the .gz files as published, and of their content, taken from files whose MD5 are those that the publishers give.
MNIST = Published(
    name="mnist",
    instead="mnist-5k",
    url="https://ossci-datasets.s3.amazonaws.com/mnist/",  # a mirror: the original site no longer serves the files
    sha256={
        TRAIN_IMAGES: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        TRAIN_LABELS: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        TEST_IMAGES: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        TEST_LABELS: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    content={
        TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
)
FASHION_MNIST = Published(
    name="fashion-mnist",
    url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",  # offered without TLS; the checksums are what is trusted
    sha256={
        TRAIN_IMAGES: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        TRAIN_LABELS: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        TEST_IMAGES: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        TEST_LABELS: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
    content={
        TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
)


def load_mnist(files: DataFolder) -> Dataset:
    """Load MNIST: x of shape (1, 28, 28), labels 0..9, u the one-hot label."""
    return _load(files, MNIST, not_from=FASHION_MNIST)


def load_fashion_mnist(files: DataFolder) -> Dataset:
    """Load Fashion-MNIST: x of shape (1, 28, 28), labels 0..9 (kinds of clothing), u the one-hot label."""
    return _load(files, FASHION_MNIST, not_from=MNIST)


def _load(files: DataFolder, published: Published, not_from: Published) -> Dataset:
    paths = files.find(published, not_from=not_from)  # the two use the same file names
    train = _read_split(paths[TRAIN_IMAGES], paths[TRAIN_LABELS], first_id=0)
    evaluation = _read_split(paths[TEST_IMAGES], paths[TEST_LABELS], first_id=len(train))
    return Dataset(published.name, train, evaluation, "bernoulli")


def _read_split(images: Path, labels: Path, first_id: int) -> Split:
    pixels = read_idx(images, IMAGE_SHAPE)
    classes = read_idx(labels, ()).astype(np.int64)
    if len(pixels) != len(classes):
        found = f"{labels} holds {counted(len(classes), 'label')}, {images} holds {counted(len(pixels), 'image')}"
        raise BadData(f"{found}; both must be of one set")
    if classes.max() >= CLASSES:
        raise BadData(f"{labels}: label {classes.max()} found, expected 0 to {CLASSES - 1}")
    return Split(
        x=np.divide(pixels[:, None], 255, dtype=np.float32),
        sample_id=first_id + np.arange(len(classes)),
        u=one_hot(classes, CLASSES),
        labels=classes,
    )


def read_idx(path: Path, item_shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, gzipped or not (by its content, whatever its name).

    Args:
        path: the file.
        item_shape: shape that one item must have: (28, 28) for images, () for labels.

    Returns:
        The items, shape (n, *item_shape), n ≥ 1.

    Raises:
        BadData: unreadable, cut short, too long, or another kind of file.
    """
    with uncompressed(path) as stream:
        return _parse(stream, path, item_shape)


def _parse(stream: BinaryIO, path: Path, item_shape: tuple[int, ...]) -> NDArray[np.uint8]:
    dimensions = 1 + len(item_shape)
    expected_magic = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    header = bytes(read_at_most(stream, 4 + 4 * dimensions))
    if header[:4] != expected_magic:
        raise BadData(
            f"{path} is not the IDX file wanted: it starts with {header[:4].hex() or 'nothing'}, expected {expected_magic.hex()} "
            f"(unsigned bytes, {counted(dimensions, 'dimension')})"
        )
    if len(header) < 4 + 4 * dimensions:
        raise BadData(f"{path} ends within its header, after {len(header)} of {4 + 4 * dimensions} bytes; get the file again")
    count, *shape = (int(size) for size in np.frombuffer(header[4:], ">u4"))
    if tuple(shape) != item_shape:
        raise BadData(f"{path}: items have shape {tuple(shape)}, expected {item_shape}")
    if count == 0:
        raise BadData(f"{path} holds no items")
    expected = count * math.prod(item_shape)
    values = read_at_most(stream, expected + 1)  # one more than expected: shows excess, and makes gzip verify its checksum
    if len(values) != expected:
        found = "more" if len(values) > expected else f"only {len(values):,}"
        promised = f"{counted(count, 'item')}, {counted(expected, 'byte')}"
        follow = "follows" if len(values) == 1 else "follow"
        raise BadData(f"{path}: the header promises {promised}; {found} {follow}; get the file again")
    return np.frombuffer(values, np.uint8).reshape(count, *item_shape)

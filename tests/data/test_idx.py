"""IDX files: exact values from whole files, one clear line for every kind of damage."""

import gzip
import os
import struct
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stabaudit.data import idx as idx_module
from stabaudit.data.idx import TRAIN_LABELS, load_fashion_mnist, load_mnist, read_idx
from stabaudit.data.published_files import DataFolder
from stabaudit.errors import BadData

ToIdx = Callable[[np.ndarray], bytes]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_values_come_back_whatever_the_name_says(
    tmp_path: Path, idx: ToIdx, images: np.ndarray, compressed: bool, suffix: str
) -> None:
    content = idx(images)
    (path := tmp_path / f"images{suffix}").write_bytes(gzip.compress(content) if compressed else content)
    assert np.array_equal(read_idx(path, (28, 28)), images)


def test_a_whole_dataset(tmp_path: Path, write_mnist: Callable[..., None]) -> None:
    write_mnist(tmp_path / "mnist", train=12, test=6)
    dataset = load_mnist(DataFolder(tmp_path, unchecked=True))
    assert (dataset.name, dataset.likelihood) == ("mnist", "bernoulli")
    assert dataset.train.x.shape == (12, 1, 28, 28)
    assert dataset.train.x.dtype == np.float32
    raw = gzip.decompress((tmp_path / "mnist/train-images-idx3-ubyte.gz").read_bytes())[16:]
    assert np.array_equal(np.rint(dataset.train.x * 255).astype(np.uint8).tobytes(), raw)
    assert (dataset.train.x.min(), dataset.train.x.max()) == (0, 1)
    assert dataset.train.sample_id.tolist() == list(range(12))
    assert dataset.evaluation.sample_id.tolist() == list(range(12, 18))
    assert dataset.evaluation.labels.tolist() == list(
        gzip.decompress((tmp_path / "mnist/t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    )
    assert np.array_equal(dataset.evaluation.u, np.eye(10)[dataset.evaluation.labels])


def test_gz_and_plain_are_the_same_data(tmp_path: Path, write_mnist: Callable[..., None]) -> None:
    write_mnist(tmp_path / "a")
    write_mnist(tmp_path / "b", compressed=False)
    write_mnist(tmp_path / "c", seed=1)
    a, b, c = (load_mnist(DataFolder(tmp_path / name, unchecked=True)).fingerprint for name in "abc")
    assert a == b != c


def header(magic: int, *sizes: int) -> bytes:
    return struct.pack(f">{1 + len(sizes)}I", magic, *sizes)


BODY = bytes(2 * 784)
DAMAGED = {
    "empty": (b"", "starts with nothing, expected 00000803"),
    "garbage": (b"<html>404</html>" * 9, "starts with 3c68746d"),
    "labels for images": (
        header(0x801, 2) + b"\0\1",
        r"starts with 00000801, expected 00000803 \(unsigned bytes, 3 dimensions\)",
    ),
    "floats": (header(0xD03, 2, 28, 28) + BODY, "starts with 00000d03"),
    "little-endian": (struct.pack("<4I", 0x803, 2, 28, 28) + BODY, "starts with 03080000"),
    "cut in the header": (header(0x803, 2), "ends within its header, after 8 of 16 bytes"),
    "other size": (header(0x803, 2, 14, 56) + BODY, r"items have shape \(14, 56\), expected \(28, 28\)"),
    "cut short": (header(0x803, 2, 28, 28) + BODY[:-1], r"promises 2 items, 1,568 bytes; only 1,567 follow"),
    "too long": (header(0x803, 2, 28, 28) + BODY + b"\0", "promises 2 items, 1,568 bytes; more follow"),
    "no items": (header(0x803, 0, 28, 28), "holds no items"),
}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("case", DAMAGED)
def test_damage_is_named(tmp_path: Path, case: str, compressed: bool) -> None:
    content, message = DAMAGED[case]
    (path := tmp_path / "images").write_bytes(gzip.compress(content) if compressed else content)
    with pytest.raises(BadData, match=message) as error:
        read_idx(path, (28, 28))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("keep", [3, 20, -9, -1])
def test_a_cut_gzip_file(tmp_path: Path, idx: ToIdx, images: np.ndarray, keep: int) -> None:
    (path := tmp_path / "images.gz").write_bytes(gzip.compress(idx(images))[:keep])
    with pytest.raises(BadData, match="damaged or cut short"):
        read_idx(path, (28, 28))


def test_a_flipped_bit_in_a_gzip_file(tmp_path: Path, idx: ToIdx, images: np.ndarray) -> None:
    stored = bytearray(gzip.compress(idx(images), compresslevel=0))
    stored[len(stored) // 2] ^= 1  # in the values: only gzip's own checksum can tell
    (path := tmp_path / "images.gz").write_bytes(stored)
    with pytest.raises(BadData, match="CRC check failed"):
        read_idx(path, (28, 28))


@pytest.mark.parametrize("compressed", [False, True])
def test_a_promise_of_terabytes_takes_no_memory(tmp_path: Path, compressed: bool) -> None:
    content = header(0x803, 0xFFFFFFFF, 28, 28) + BODY
    (path := tmp_path / "images").write_bytes(gzip.compress(content) if compressed else content)
    tracemalloc.start()
    with pytest.raises(BadData, match="promises 4,294,967,295 items"):
        read_idx(path, (28, 28))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10e6


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(position=st.integers(0, 2000), value=st.integers(0, 255), end=st.integers(0, 2000), compressed=st.booleans())
def test_no_damage_gets_through_or_surprises(tmp_path: Path, position: int, value: int, end: int, compressed: bool) -> None:
    pixels = np.arange(2 * 784).astype(np.uint8)
    whole = bytearray(header(0x803, 2, 28, 28) + pixels.tobytes())
    if compressed:
        whole = bytearray(gzip.compress(bytes(whole), mtime=0))
    damaged = bytearray(whole)
    damaged[position % len(whole)] = value
    damaged = damaged[: end if end < len(whole) else None]
    (path := tmp_path / "images").write_bytes(damaged)
    try:
        read = read_idx(path, (28, 28))
    except BadData:
        return
    assert read.shape == (2, 28, 28)
    if compressed:  # the checksum leaves only what does not touch the values
        assert np.array_equal(read.ravel(), pixels)


def test_labels_and_images_must_belong_together(tmp_path: Path, idx: ToIdx, write_mnist: Callable[..., None]) -> None:
    write_mnist(tmp_path)
    (labels := tmp_path / TRAIN_LABELS).write_bytes(gzip.compress(idx(np.arange(10))))
    with pytest.raises(BadData, match=r"holds 10 labels, .*train-images.* holds 12 images"):
        load_mnist(DataFolder(tmp_path, unchecked=True))
    labels.write_bytes(gzip.compress(idx(np.arange(12))))
    with pytest.raises(BadData, match="label 11 found, expected 0 to 9"):
        load_mnist(DataFolder(tmp_path, unchecked=True))


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="cannot be read: is a directory"):
        read_idx(tmp_path, (28, 28))


def test_files_of_the_other_dataset_are_recognised(
    tmp_path: Path, write_mnist: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mnist(tmp_path)
    digest = sha256((tmp_path / TRAIN_LABELS).read_bytes()).hexdigest()
    theirs = replace(idx_module.FASHION_MNIST, sha256={**idx_module.FASHION_MNIST.sha256, TRAIN_LABELS: digest})
    monkeypatch.setattr(idx_module, "FASHION_MNIST", theirs)
    assert load_fashion_mnist(DataFolder(tmp_path, unchecked=True)).name == "fashion-mnist"
    with pytest.raises(BadData, match="belongs to fashion-mnist, not to mnist"):
        load_mnist(DataFolder(tmp_path, unchecked=True))


REAL = Path(os.environ.get("STABAUDIT_DATA") or Path(__file__).parents[2].parent / "shared" / "data")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "load", "mean", "sd"),
    [
        ("mnist", load_mnist, 0.1307, 0.3081),  # constants that the field has normalised by since LeNet
        ("fashion-mnist", load_fashion_mnist, 0.2860, 0.3530),
    ],
)
def test_the_real_files(name: str, load: Callable[..., object], mean: float, sd: float) -> None:
    folder = REAL / name
    if not (folder / TRAIN_LABELS).is_file():
        pytest.skip(f"real data: no {name} folder in {REAL.name}; set STABAUDIT_DATA to the folder that holds it")
    dataset = load(DataFolder(REAL))
    assert dataset.train.x.shape == (60_000, 1, 28, 28)
    assert dataset.evaluation.x.shape == (10_000, 1, 28, 28)
    assert dataset.evaluation.sample_id[[0, -1]].tolist() == [60_000, 69_999]
    assert dataset.train.x.mean(dtype=np.float64) == pytest.approx(mean, abs=5e-5)
    assert dataset.train.x.std(dtype=np.float64) == pytest.approx(sd, abs=5e-5)
    assert np.bincount(dataset.evaluation.labels).sum() == 10_000
    published = idx_module.MNIST if name == "mnist" else idx_module.FASHION_MNIST
    for file, digest in published.sha256.items():
        if (folder / file).is_file():
            assert sha256((folder / file).read_bytes()).hexdigest() == digest

"""SVHN: MATLAB files written by SciPy come back exactly; damage and lies about sizes are one clear line and no memory."""

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from stabaudit.data.formats.mat5 import read_mat
from stabaudit.data.load import load_dataset
from stabaudit.data.published_files import DataFolder
from stabaudit.data.svhn import TEST, TRAIN, load
from stabaudit.errors import BadData


def arrays(rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    classes = (1 + (9 + np.arange(rows)) % 10).astype(np.uint8)  # 10, 1, 2, …
    return {"X": rng.integers(0, 256, (32, 32, 3, rows), dtype=np.uint8), "y": classes[:, None]}


def mat(content: dict[str, object], *, compressed: bool = True) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, content, do_compression=compressed)
    return buffer.getvalue()


def compressed(content: bytes, level: int) -> bytes:
    """A compressed element; unlike others it is not padded."""
    packed = zlib.compress(content, level)
    return struct.pack("<II", 15, len(packed)) + packed


def array(
    name: str, shape: tuple[int, ...], values: bytes, *, announced: int | None = None, order: str = "<", flags: int = 9
) -> bytes:
    """An array of unsigned bytes, put together from the description of the format."""

    def field(kind: int, content: bytes, size: int | None = None) -> bytes:
        return struct.pack(f"{order}II", kind, len(content) if size is None else size) + content + bytes(-len(content) % 8)

    body = field(6, struct.pack(f"{order}II", flags, 0)) + field(5, struct.pack(f"{order}{len(shape)}i", *shape))
    body += field(1, name.encode()) + field(2, values, announced)
    return field(14, body)


HEADER = b"MATLAB 5.0 MAT-file, written by hand".ljust(124)
LITTLE, BIG = HEADER + b"\x00\x01IM", HEADER + b"\x01\x00MI"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "svhn").mkdir()
    (tmp_path / "svhn" / TRAIN).write_bytes(mat(arrays(12)))
    (tmp_path / "svhn" / TEST).write_bytes(mat(arrays(5, seed=1), compressed=False))
    return tmp_path


def test_every_pixel_is_in_its_place(folder: Path) -> None:
    dataset = load_dataset("svhn", {}, DataFolder(folder, unchecked=True))
    assert (dataset.name, dataset.likelihood) == ("svhn", "logistic")
    for split, file in ((dataset.train, TRAIN), (dataset.evaluation, TEST)):
        theirs = loadmat(folder / "svhn" / file)
        assert split.x.dtype == np.float32
        assert split.x.flags.c_contiguous
        for row in range(len(split)):
            for colour in range(3):
                assert np.array_equal(split.x[row, colour], theirs["X"][:, :, colour, row] / np.float32(255))
        assert split.labels.tolist() == [0 if label == 10 else label for label in theirs["y"].ravel()]
        assert np.array_equal(split.u, np.eye(10)[split.labels])
    assert dataset.train.labels.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert dataset.train.sample_id.tolist() == list(range(12))
    assert dataset.evaluation.sample_id.tolist() == list(range(12, 17))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(shape=st.lists(st.integers(0, 6), min_size=2, max_size=5), compressed=st.booleans(), seed=st.integers(0, 9))
def test_agrees_with_scipy(tmp_path: Path, shape: list[int], compressed: bool, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    others = {"before": {"cell": ["text", 2.5]}, "wanted": values, "after": np.eye(3), "flag": np.array([True])}
    (path := tmp_path / "any.mat").write_bytes(mat(others, compressed=compressed))
    read = read_mat(path, ("wanted",), largest=10**6)["wanted"]
    theirs = loadmat(path)["wanted"]
    assert read.shape == theirs.shape
    assert np.array_equal(read, theirs)


def test_both_byte_orders(tmp_path: Path) -> None:
    values = bytes(range(12))
    for header, order in ((LITTLE, "<"), (BIG, ">")):
        (path := tmp_path / "order.mat").write_bytes(header + array("v", (3, 4), values, order=order))
        assert read_mat(path, ("v",), largest=12)["v"].tobytes("F") == values
        assert np.array_equal(loadmat(path)["v"], np.arange(12).reshape(4, 3).T)


WHOLE = arrays(3)
DAMAGED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is not a MATLAB 5 file but another kind of file"),
    "garbage": (b"<html>404</html>" * 20, "is not a MATLAB 5 file"),
    "format 7.3": (HEADER + b"\x00\x02IM" + bytes(400), "one of format 7.3, which is HDF5"),
    "header only": (LITTLE, "holds no array X"),
    "no labels": (mat({"X": WHOLE["X"]}), "holds no array y"),
    "other names": (mat({"x": WHOLE["X"], "Y": WHOLE["y"]}), "holds no array X"),
    "labels of numbers": (mat({**WHOLE, "y": WHOLE["y"].astype(float)}), "y does not hold unsigned bytes"),
    "logical": (mat({**WHOLE, "y": WHOLE["y"] > 3}), "y does not hold unsigned bytes"),
    "a cell": (mat({**WHOLE, "X": {"X": WHOLE["X"]}}), "X does not hold unsigned bytes"),
    "images first": (mat({**WHOLE, "X": WHOLE["X"].transpose(3, 0, 1, 2)}), r"X has shape \(3, 32, 32, 3\)"),
    "grey": (mat({**WHOLE, "X": WHOLE["X"][:, :, 0]}), r"X has shape \(32, 32, 3\)"),
    "fewer labels": (mat({**WHOLE, "y": WHOLE["y"][:2]}), r"X has shape \(32, 32, 3, 3\), y \(2, 1\)"),
    "labels in a row": (mat({**WHOLE, "y": WHOLE["y"].T}), r"y \(1, 3\)"),
    "no rows": (mat({"X": WHOLE["X"][..., :0], "y": WHOLE["y"][:0]}), "n ≥ 1"),
    "label 0": (mat({**WHOLE, "y": WHOLE["y"] % 10}), "labels 0 to 2 found, expected 1 to 10"),
    "label 11": (mat({**WHOLE, "y": WHOLE["y"] + 1}), "labels 2 to 11 found"),
    "twice": (LITTLE + array("y", (1, 1), b"\1") * 2, "holds y twice"),
    "cut in the values": (mat(WHOLE, compressed=False)[:-4000], "X ends after|holds no array y|damaged or cut short"),
    "cut in compressed data": (mat({"X": WHOLE["X"]})[:-5], "damaged or cut short"),
    "more values": (LITTLE + array("y", (1, 2), b"\1\2\3"), r"y has 3 bytes of type 2 for shape \(1, 2\)"),
    "fewer values": (LITTLE + array("y", (1, 4), b"\1\2\3"), r"y has 3 bytes of type 2 for shape \(1, 4\)"),
    "negative sizes": (LITTLE + array("y", (-1, -3), b"\1\2\3"), r"y has shape \(-1, -3\)"),
    "complex": (LITTLE + array("y", (1, 1), b"\1", flags=0x809), "y does not hold unsigned bytes"),
    "an endless name": (LITTLE + array("y" * 300, (1, 1), b"\1"), "damaged: an array has a field of type 1"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_is_named(folder: Path, case: str) -> None:
    content, message = DAMAGED[case]
    (folder / "svhn" / TRAIN).write_bytes(content)
    with pytest.raises(BadData, match=message) as error:
        load(DataFolder(folder, unchecked=True))
    assert TRAIN in str(error.value)
    assert "\n" not in str(error.value)


def test_a_flipped_bit_in_compressed_data(folder: Path) -> None:
    stored = bytearray(LITTLE + compressed(array("X", (32, 32, 3, 1), bytes(3072)), 0))
    stored[1000] ^= 1  # in the values: only zlib's own checksum can tell
    (path := folder / "svhn" / TRAIN).write_bytes(stored)
    with pytest.raises(BadData, match=r"damaged or cut short .*incorrect data check"):
        read_mat(path, ("X",), largest=10**6)


BOMB = bytes(60_000_000)
LIES: dict[str, Callable[[], tuple[bytes, str]]] = {
    "terabytes announced": lambda: (array("X", (32, 32, 3, 2**30), b"x", announced=2**32 - 1), "expected at most 307,200,000"),
    "within the limit, but not there": lambda: (
        array("X", (32, 32, 3, 99_000), b"x" * 999, announced=32 * 32 * 3 * 99_000),
        "X ends after [0-9,]+ of 304,128,000 values",
    ),
    "more than the shape": lambda: (array("X", (32, 32, 3, 1), BOMB), "has 60,000,000 bytes of type 2 for shape"),
    "another array": lambda: (array("Z", (60_000_000, 1), BOMB), "holds no array X"),
    "after the values": lambda: (array("X", (32, 32, 3, 1), bytes(3072)) + BOMB, "holds no array y"),
}


@pytest.mark.parametrize("case", LIES)
def test_a_small_file_takes_little_memory(folder: Path, case: str) -> None:
    content, message = LIES[case]()
    (folder / "svhn" / TRAIN).write_bytes(LITTLE + compressed(content, 1))
    del content
    tracemalloc.start()
    with pytest.raises(BadData, match=message):
        load(DataFolder(folder, unchecked=True))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10e6


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"no train_32x32\.mat, test_32x32\.mat in .*svhn or .*; get them with --download"):
        load(DataFolder(tmp_path, unchecked=True))
    (tmp_path / "svhn" / TRAIN).mkdir(parents=True)
    with pytest.raises(BadData, match="cannot be read: is a directory"):
        read_mat(tmp_path / "svhn" / TRAIN, ("X",), largest=1)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(
    places=st.lists(st.tuples(st.integers(100, 400), st.integers(0, 255)), min_size=1, max_size=3),
    end=st.integers(0, 20_000),
    compressed=st.booleans(),
)
def test_no_damage_surprises(tmp_path: Path, places: list[tuple[int, int]], end: int, compressed: bool) -> None:
    content = bytearray(mat(WHOLE, compressed=compressed))
    for place, value in places:
        content[place] = value
    (path := tmp_path / "any.mat").write_bytes(content[: end if end < len(content) else None])
    try:
        read = read_mat(path, ("X", "y"), largest=10**6)
    except BadData as error:
        assert "\n" not in str(error)  # noqa: PT017 -- damage may well miss everything that is read
    else:
        assert set(read) == {"X", "y"}

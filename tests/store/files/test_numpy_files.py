"""`.npy` and `.npz` files: what numpy wrote comes back; what is damaged, forged or pickled does not."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stabaudit.errors import BadData
from stabaudit.store.files.numpy_files import load_npy, load_npz

ARRAYS = {
    "float32": np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4),
    "Fortran order": np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
    "big-endian": np.arange(5, dtype=">i4"),
    "text": np.array(["a", "long"]),
    "bool": np.array([True, False]),
    "no rows": np.zeros((0, 3)),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_what_numpy_saved_comes_back(tmp_path: Path, kind: str) -> None:
    np.save(tmp_path / "x.npy", ARRAYS[kind])
    np.savez(tmp_path / "x.npz", x=ARRAYS[kind], other=np.arange(3))
    np.savez_compressed(tmp_path / "y.npz", x=ARRAYS[kind])
    for read in (load_npy(tmp_path / "x.npy"), load_npz(tmp_path / "x.npz")["x"], load_npz(tmp_path / "y.npz")["x"]):
        assert read.dtype == ARRAYS[kind].dtype
        assert read.shape == ARRAYS[kind].shape
        assert np.array_equal(read, ARRAYS[kind])
        assert read.flags.writeable
    assert set(load_npz(tmp_path / "x.npz")) == {"x", "other"}


def test_pickles_are_refused_unread(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (pytest.fail, ("unpickled",))

    trap = np.array([Trap()], dtype=object)
    np.save(tmp_path / "x.npy", trap, allow_pickle=True)
    np.savez(tmp_path / "x.npz", x=trap)
    with pytest.raises(BadData, match="holds Python objects"):
        load_npy(tmp_path / "x.npy")
    with pytest.raises(BadData, match=r"x\.npy holds Python objects"):
        load_npz(tmp_path / "x.npz")


def forged(shape: tuple[int, ...], content: bytes = bytes(8)) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return header.getvalue() + content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a numpy array in .npy format"),
        (b"garbage, certainly no array" * 9, "is not a numpy array in .npy format"),
        (forged((1,))[:40], "is not a numpy array in .npy format"),
        (forged((2,)), "shape (2,) of float64 takes 16 bytes, the file holds 8"),
        (forged((1,), bytes(9)), "takes 8 bytes, the file holds 9"),
        (forged((-1,)), "has shape (-1,), expected at least one row"),
        (forged(()), "has shape (), expected at least one row"),
        (forged((1 << 40, 1 << 10)), "shape (1099511627776, 1024) of float64"),
        (b"\x93NUMPY\x07\x00" + bytes(99), "is not a numpy array in .npy format"),
    ],
)
def test_damage_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (path := tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(BadData) as error:
        load_npy(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", content)
    with pytest.raises(BadData) as error:
        load_npz(tmp_path / "x.npz")
    assert message in str(error.value)


def test_a_forged_archive_takes_no_memory(tmp_path: Path) -> None:
    """Header and directory agree on terabytes that are not there."""
    content = forged((1 << 28,))
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content)
        archive.filelist[0].file_size = len(content) - 8 + (8 << 28)  # 2 GiB, written to the directory on closing
    tracemalloc.start()
    with pytest.raises(BadData):
        load_npz(tmp_path / "x.npz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10e6


def test_an_archive_whose_names_are_no_text_is_refused(tmp_path: Path) -> None:
    np.savez(path := tmp_path / "x.npz", x=np.arange(3))
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")  # in the directory: the flag for UTF-8, and a name that is not
    content[entry + 9] |= 0x08
    content[entry + 46] = 0xFF
    path.write_bytes(content)
    with pytest.raises(BadData, match=r"damaged, cut short or not \.npz"):
        load_npz(path)


def test_archives_that_are_none(tmp_path: Path) -> None:
    (path := tmp_path / "x.npz").write_bytes(b"not a zip archive")
    with pytest.raises(BadData, match=r"damaged, cut short or not \.npz"):
        load_npz(path)
    np.savez(path, x=np.arange(1000.0))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadData, match=r"damaged, cut short or not \.npz"):
        load_npz(path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Reading `.npy` or `.npz` file required additional header parsing")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(position=st.integers(0, 10_000), flip=st.integers(1, 255), end=st.integers(0, 800), compressed=st.booleans())
def test_an_archive_is_whole_or_refused(tmp_path: Path, position: int, flip: int, end: int, compressed: bool) -> None:
    x = np.arange(30.0).reshape(10, 3)
    (np.savez_compressed if compressed else np.savez)(tmp_path / "x.npz", x=x)
    damaged = bytearray((tmp_path / "x.npz").read_bytes())
    damaged[position % len(damaged)] ^= flip
    (tmp_path / "x.npz").write_bytes(damaged[: end if end < len(damaged) else None])
    try:
        arrays = load_npz(tmp_path / "x.npz")
    except BadData:
        return
    assert all(np.array_equal(array, x) for array in arrays.values())  # zip's checksum: all that may change is the name

"""Omniglot: exact areas from whole pictures; archives and pictures that are damaged, foreign or hostile."""

import io
import re
import stat
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from stabaudit.data.formats.archives import read_zip
from stabaudit.data.load import load_dataset
from stabaudit.data.omniglot import BACKGROUND, EVALUATION, decode, load
from stabaudit.data.published_files import DataFolder
from stabaudit.errors import BadData, UsageError

SIDE = 105


def drawing(seed: int) -> np.ndarray:
    """Ink as booleans, shape (105, 105)."""
    return np.random.default_rng(seed).random((SIDE, SIDE)) < 0.2


def png(ink: np.ndarray, mode: str = "1") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(~ink).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def handmade(grey: np.ndarray, *, depth: int = 8, colour: int = 0, interlaced: bool = False, extra: bytes = b"") -> bytes:
    """A PNG picture put together from the description of the format; Adam7 where interlaced."""
    adam7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    passes = [grey[y::dy, x::dx] for y, x, dy, dx in adam7] if interlaced else [grey]
    rows = b"".join(b"\0" + row.tobytes() for part in passes for row in part)
    header = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], depth, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


LAYOUT = {
    BACKGROUND: [("Greek", "character01"), ("Greek", "character02"), ("Latin", "character01")],
    EVALUATION: [("Tibetan", "character01")],
}
DRAWERS = 4


def names(archive: str) -> list[str]:
    return [
        f"{archive.removesuffix('.zip')}/{alphabet}/{character}/{i:04d}_{drawer:02d}.png"
        for i, (alphabet, character) in enumerate(LAYOUT[archive], start=1)
        for drawer in range(1, DRAWERS + 1)
    ]


DRAWINGS = {name: drawing(seed) for seed, name in enumerate(names(BACKGROUND) + names(EVALUATION))}
Entry = tuple[str | zipfile.ZipInfo, bytes]


def write(path: Path, *extra: Entry, without: str = "") -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir(path.stem)
        for name in names(path.name)[::-1]:
            if name != without:
                archive.writestr(name, png(DRAWINGS[name]))
        for name, content in extra:
            archive.writestr(name, content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "omniglot").mkdir()
    for archive in LAYOUT:
        write(tmp_path / "omniglot" / archive)
    return tmp_path


def by_areas(ink: np.ndarray, size: int) -> np.ndarray:
    """Means over areas by brute force: every pixel cut into as many parts as there are new pixels, axis by axis."""
    rows = np.repeat(ink, size, axis=0).reshape(size, SIDE, SIDE).mean(axis=1)
    return np.repeat(rows, size, axis=1).reshape(size, size, SIDE).mean(axis=2)


@pytest.mark.parametrize("size", [28, 105, 32, 7])
def test_pictures_are_means_over_areas(folder: Path, size: int) -> None:
    dataset = load_dataset("omniglot", {"size": str(size)}, DataFolder(folder, unchecked=True))
    assert (dataset.name, dataset.likelihood) == ("omniglot", "bernoulli")
    assert dataset.train.x.dtype == np.float32
    for split in (dataset.train, dataset.evaluation):
        assert split.x.shape == (len(split), 1, size, size)
        for x, name in zip(split.x, split.sample_id, strict=True):
            ink = next(ink for path, ink in DRAWINGS.items() if path.partition("/")[2] == f"{name}.png")
            np.testing.assert_allclose(x[0], by_areas(ink, size), atol=1e-7)


def test_rows_labels_and_auxiliary_variable(folder: Path) -> None:
    dataset = load(DataFolder(folder, unchecked=True))
    train, evaluation = dataset.train, dataset.evaluation
    assert np.bincount(train.labels).tolist() == [3, 3, 3, 3]  # a quarter of each character's drawings is held out
    assert np.bincount(evaluation.labels).tolist() == [1, 1, 1, 1]
    every = sorted([*train.sample_id, *evaluation.sample_id])
    assert every == sorted(name.partition("/")[2].removesuffix(".png") for name in DRAWINGS)
    characters = ["Greek/character01", "Greek/character02", "Latin/character01", "Tibetan/character01"]
    for split in (train, evaluation):
        assert [characters[label] for label in split.labels] == [name.rpartition("/")[0] for name in split.sample_id]
        alphabets = ["Greek", "Latin", "Tibetan"]
        assert [alphabets[code] for code in split.u.argmax(1)] == [name.partition("/")[0] for name in split.sample_id]
        assert np.array_equal(split.u.sum(1), np.ones(len(split)))
    assert load(DataFolder(folder, unchecked=True), split_seed=0).fingerprint == dataset.fingerprint
    assert load(DataFolder(folder, unchecked=True), split_seed=1).fingerprint != dataset.fingerprint


@pytest.mark.parametrize("size", ["3", "106", "a"])
def test_sizes_that_make_no_sense(folder: Path, size: str) -> None:
    with pytest.raises(UsageError, match="option 'size' of dataset omniglot"):
        load_dataset("omniglot", {"size": size}, DataFolder(folder, unchecked=True))


GREY = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
PALETTE = np.random.default_rng(1).permutation(256).astype(np.uint8)  # index → grey
PLTE = chunk(b"PLTE", np.repeat(PALETTE, 3).tobytes())


def test_every_way_to_store_grey() -> None:
    ink = drawing(3)
    for mode in ("1", "L", "P"):
        assert np.array_equal(decode(png(ink, mode), "x"), np.where(ink, 0, 255))
    for interlaced in (False, True):
        assert np.array_equal(decode(handmade(GREY, interlaced=interlaced), "x"), GREY)
        assert np.array_equal(decode(handmade(GREY, colour=3, interlaced=interlaced, extra=PLTE), "x"), PALETTE[GREY])


def header(width: int, height: int, depth: int = 1, colour: int = 0) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


END = chunk(b"IDAT", zlib.compress(bytes(15 * SIDE))) + chunk(b"IEND", b"")
PLAIN = png(drawing(0))
BAD_PICTURES = {
    "empty": (b"", "is not a PNG picture of 105×105 pixels"),
    "garbage": (b"<html>404</html>", "is not a PNG picture"),
    "JPEG": (b"\xff\xd8\xff\xe0" + bytes(200), "is not a PNG picture"),
    "smaller": (png(drawing(0)[:28, :28]), "is not a PNG picture of 105×105"),
    "a bomb by its header": (header(2**31 - 1, 2**31 - 1) + END, "is not a PNG picture of 105×105"),
    "a bomb by a second header": (header(SIDE, SIDE) + header(60_000, 60_000)[8:] + END, "damaged|not a grey picture"),
    "colours": (png(drawing(0), "RGB"), "is not a grey picture"),
    "transparent": (png(drawing(0), "LA"), "is not a grey picture"),
    "transparent by palette": (handmade(GREY, colour=3, extra=PLTE + chunk(b"tRNS", b"\0\x80")), "is not a grey picture"),
    "sixteen bits": (handmade(np.zeros((SIDE, SIDE), ">u2"), depth=16), "is not a grey picture"),
    "cut short": (PLAIN[: len(PLAIN) // 2], "is damaged"),
    "no pixels": (header(SIDE, SIDE) + chunk(b"IEND", b""), "is damaged"),
    "too few pixels": (handmade(GREY)[:33] + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b""), "is damaged"),
    "a flipped bit in the header": (PLAIN[:30] + bytes([PLAIN[30] ^ 1]) + PLAIN[31:], "is damaged"),
    "a text bomb": (
        handmade(GREY, extra=chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(30_000_000), 9))),
        "damaged|more than 65,536",
    ),
}


@pytest.mark.parametrize("case", BAD_PICTURES)
def test_a_bad_picture_is_named_and_takes_no_memory(folder: Path, case: str) -> None:
    content, message = BAD_PICTURES[case]
    name = names(EVALUATION)[2]
    write(folder / "omniglot" / EVALUATION, (name, content), without=name)
    tracemalloc.start()
    with pytest.raises(BadData, match=message) as error:
        load(DataFolder(folder, unchecked=True))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10e6
    assert f"{EVALUATION}: {name}" in str(error.value)
    assert "\n" not in str(error.value)


def test_bytes_after_the_picture_do_not_matter() -> None:
    assert np.array_equal(decode(PLAIN + b"more", "x"), decode(PLAIN, "x"))


def test_a_large_file_is_not_decoded(folder: Path) -> None:
    name = names(EVALUATION)[0]
    bomb = PLAIN + bytes(60_000_000)
    write(folder / "omniglot" / EVALUATION, (name, bomb), without=name)
    del bomb
    tracemalloc.start()
    with pytest.raises(BadData, match=rf"{name} unpacks to more than 65,536 bytes"):
        load(DataFolder(folder, unchecked=True))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10e6


def special(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3  # Unix
    info.external_attr = (kind | 0o777) << 16
    return info


def packed(name: str, method: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = method
    return info


HOSTILE: dict[str, tuple[Entry, str]] = {
    "a symbolic link": ((special("images_evaluation/link", stat.S_IFLNK), b"/etc/passwd"), "is a link or a device"),
    "a link for a picture": (
        (special("images_evaluation/T/character01/0001_09.png", stat.S_IFLNK), b"/"),
        "is a link or a device",
    ),
    "a pipe": ((special("pipe", stat.S_IFIFO), b""), "is a link or a device"),
    "an absolute name": (("/etc/cron.d/job", b"x"), "name /etc/cron.d/job leads out of the archive"),
    "a name that climbs": (("images_evaluation/../../job", b"x"), "leads out of the archive"),
    "a name for Windows": (("..\\job", b"x"), "leads out of the archive"),
    "a name on two lines": (("../two\nlines", b"x"), r"'\.\./two\\nlines' leads out of the archive"),
    "LZMA": ((packed("images_evaluation/x", zipfile.ZIP_LZMA), b"x"), "encrypted or packed in an unusual way"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_archives_are_not_trusted(folder: Path, case: str) -> None:
    entry, message = HOSTILE[case]
    write(folder / "omniglot" / EVALUATION, entry)
    before = sorted(folder.rglob("*"))
    with pytest.raises(BadData, match=message) as error:
        load(DataFolder(folder, unchecked=True))
    assert "\n" not in str(error.value)
    assert sorted(folder.rglob("*")) == before  # nothing was unpacked


def test_one_name_twice(folder: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        write(folder / "omniglot" / EVALUATION, (names(EVALUATION)[0], PLAIN))
    with pytest.raises(BadData, match="several files of one name"):
        load(DataFolder(folder, unchecked=True))


def test_one_drawing_in_both_archives(folder: Path) -> None:
    name = names(BACKGROUND)[0].replace("background", "evaluation")
    write(folder / "omniglot" / EVALUATION, (name, PLAIN))
    with pytest.raises(BadData, match="1 sample id is repeated, the first is Greek/character01/0001_01"):
        load(DataFolder(folder, unchecked=True))


def test_names_are_compared_exactly(folder: Path) -> None:
    expected = load(DataFolder(folder, unchecked=True)).fingerprint
    others = ["__MACOSX/images_evaluation/T/character01/._0001_01.png", "images_evaluation/T/character01/0001_01.PNG"]
    others += ["x/images_evaluation/T/character01/0001_01.png", "images_evaluation/T/character01/٠٠٠١_01.png", ".DS_Store"]
    write(folder / "omniglot" / EVALUATION, *[(name, PLAIN) for name in others])
    assert load(DataFolder(folder, unchecked=True)).fingerprint == expected


def test_the_archives_the_wrong_way_round(folder: Path) -> None:
    (folder / "omniglot" / EVALUATION).write_bytes((folder / "omniglot" / BACKGROUND).read_bytes())
    with pytest.raises(BadData, match=r"images_evaluation\.zip holds no images_evaluation/<alphabet>/character<number>/"):
        load(DataFolder(folder, unchecked=True))


def encrypted(content: bytes) -> bytes:
    place = content.index(b"PK\1\2") + 8
    return content[:place] + b"\1" + content[place + 1 :]


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "not a zip archive"),
    "garbage": (lambda _: b"<html>404</html>", "not a zip archive"),
    "cut short": (lambda content: content[:-30], "not a zip archive"),
    "encrypted": (encrypted, "encrypted or packed in an unusual way"),
    "too large": (lambda content: bytes(33 << 20) + content, "expected at most 33,554,432"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_archive(folder: Path, case: str) -> None:
    change, message = DAMAGE[case]
    path = folder / "omniglot" / BACKGROUND
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(BadData, match=rf"images_background\.zip.*{message}"):
        load(DataFolder(folder, unchecked=True))


def test_too_many_entries(folder: Path) -> None:
    with pytest.raises(BadData, match="holds 5 files, expected at most 4"):
        list(read_zip(folder / "omniglot" / EVALUATION, re.compile("x"), largest=1, most=4))


def test_missing_files_are_named(folder: Path) -> None:
    (folder / "omniglot" / EVALUATION).unlink()
    with pytest.raises(BadData, match=r"no images_evaluation\.zip in .*omniglot; get them with --download"):
        load(DataFolder(folder, unchecked=True))


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(position=st.floats(0, 1), value=st.integers(0, 255), end=st.one_of(st.just(1.0), st.floats(0, 1)))
def test_no_damage_surprises(folder: Path, position: float, value: int, end: float) -> None:
    write(path := folder / "omniglot" / EVALUATION)
    content = bytearray(path.read_bytes())
    content[int(position * (len(content) - 1))] = value
    path.write_bytes(content[: int(end * len(content))])
    try:
        dataset = load(DataFolder(folder, unchecked=True))
    except BadData as error:
        assert "\n" not in str(error)  # noqa: PT017 -- damage may well miss everything that is read
    else:
        assert dataset.train.x.shape[1:] == (1, 28, 28)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(position=st.integers(0, len(PLAIN) - 1), value=st.integers(0, 255), end=st.integers(0, 2 * len(PLAIN)))
def test_no_damaged_picture_surprises(position: int, value: int, end: int) -> None:
    content = bytearray(PLAIN)
    content[position] = value
    try:
        assert decode(bytes(content[:end]), "x").shape == (SIDE, SIDE)
    except BadData as error:
        assert "\n" not in str(error)  # noqa: PT017

"""CIFAR-10: exact pixels from whole batches, and archives that are damaged, foreign or hostile."""

import gzip
import io
import pickle
import tarfile
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stabaudit.data.cifar10 import ARCHIVE, FOLDER, RECORD, load
from stabaudit.data.formats import archives
from stabaudit.data.load import load_dataset
from stabaudit.data.published_files import DataFolder
from stabaudit.errors import BadData

ROWS = {**{f"data_batch_{i}.bin": i for i in range(1, 6)}, "test_batch.bin": 4}


def batch(rows: int, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    return b"".join(bytes([rng.integers(10)]) + rng.bytes(3072) for _ in range(rows))


BATCHES = {name: batch(rows, seed) for seed, (name, rows) in enumerate(ROWS.items())}
Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes = b"", **attributes: object) -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info, content


WHOLE = [member(f"{FOLDER}/{name}", content) for name, content in BATCHES.items()]


def tar(members: Iterable[Member], dialect: int = tarfile.USTAR_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=dialect) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Callable[[bytes], DataFolder]:
    """Write the bytes of a tar archive, gzipped, to where CIFAR-10 is looked for."""

    def write(content: bytes) -> DataFolder:
        (tmp_path / "cifar10").mkdir(exist_ok=True)
        (tmp_path / "cifar10" / ARCHIVE).write_bytes(gzip.compress(content, 1))
        return DataFolder(tmp_path, unchecked=True)

    return write


def unpack(folder: Path) -> Path:
    (folder / FOLDER).mkdir(parents=True)
    for name, content in BATCHES.items():
        (folder / FOLDER / name).write_bytes(content)
    return folder / FOLDER


Archive = Callable[[bytes], DataFolder]


def test_every_byte_is_in_its_place(archive: Archive) -> None:
    dataset = load(archive(tar([member(FOLDER, type=tarfile.DIRTYPE), member(f"{FOLDER}/readme.html", b"<html>"), *WHOLE[::-1]])))
    assert (dataset.name, dataset.likelihood) == ("cifar10", "logistic")
    assert dataset.train.x.shape == (15, 3, 32, 32)
    assert dataset.train.x.dtype == np.float32
    content = BATCHES["data_batch_3.bin"]  # its rows are 3, 4 and 5
    label, red, blue = content[RECORD], content[RECORD + 1 + 32 * 7 + 5], content[RECORD + 1 + 2048 + 32 * 7 + 5]
    assert dataset.train.labels[4] == label
    assert dataset.train.x[4, 0, 7, 5] == np.float32(red) / np.float32(255)
    assert dataset.train.x[4, 2, 7, 5] == np.float32(blue) / np.float32(255)
    for split, names in ((dataset.train, list(BATCHES)[:5]), (dataset.evaluation, ["test_batch.bin"])):
        pixels = np.rint(split.x * 255).astype(np.uint8).reshape(len(split), -1)
        rows = [bytes([label]) + row.tobytes() for label, row in zip(split.labels, pixels, strict=True)]
        assert b"".join(rows) == b"".join(BATCHES[name] for name in names)
        assert np.array_equal(split.u, np.eye(10)[split.labels])
    assert dataset.train.sample_id.tolist() == list(range(15))
    assert dataset.evaluation.sample_id.tolist() == list(range(15, 19))


@pytest.mark.parametrize("dialect", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_archive_and_folder_are_the_same_data(tmp_path: Path, archive: Archive, dialect: int) -> None:
    expected = load_dataset("cifar10", {}, DataFolder(unpack(tmp_path / "unpacked").parent, unchecked=True)).fingerprint
    long = member("long/" * 30 + "name", b"x", pax_headers={"comment": "ü" * 600} if dialect == tarfile.PAX_FORMAT else {})
    members = [*WHOLE[:2], *([] if dialect == tarfile.USTAR_FORMAT else [long]), *WHOLE[2:]]
    assert load(archive(tar(members, dialect))).fingerprint == expected
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / ARCHIVE.removesuffix(".gz")).write_bytes(tar(members, dialect))
    assert load(DataFolder(tmp_path / "plain", unchecked=True)).fingerprint == expected


BATCH = BATCHES["data_batch_2.bin"]
BAD_BATCHES = {
    "cut short": (BATCH[:-1], "has 6,145 bytes, expected 1 to 10,000 records of 3,073 bytes"),
    "CIFAR-100's records": (bytes(3074), "has 3,074 bytes"),
    "empty": (b"", "has 0 bytes"),
    "too large": (bytes(10_001 * RECORD), r"(has 30,733,073 bytes, expected at most|has more than) 30,730,000"),
    "a label above 9": (b"\x0a" + BATCH[1:], "label 10 found, expected 0 to 9"),
    "a renamed pickle": (pickle.dumps({b"data": [1]}, 2), f"is a Python pickle, which is never opened; get {ARCHIVE}"),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("case", BAD_BATCHES)
def test_a_bad_batch_is_named(tmp_path: Path, archive: Archive, case: str, packed: bool) -> None:
    content, message = BAD_BATCHES[case]
    if packed:
        files = archive(tar([WHOLE[0], member(f"{FOLDER}/data_batch_2.bin", content), *WHOLE[2:]]))
    else:
        (unpack(tmp_path) / "data_batch_2.bin").write_bytes(content)
        files = DataFolder(tmp_path, unchecked=True)
    with pytest.raises(BadData, match=rf"data_batch_2\.bin:? .*{message}") as error:
        load(files)
    assert "\n" not in str(error.value)


def test_a_missing_batch_is_named(tmp_path: Path, archive: Archive) -> None:
    with pytest.raises(BadData, match=rf"lacks {FOLDER}/data_batch_3\.bin; get the published {ARCHIVE}"):
        load(archive(tar([*WHOLE[:2], *WHOLE[3:]])))
    (unpack(tmp_path / "folder") / "test_batch.bin").unlink()
    with pytest.raises(BadData, match=r"cifar-10-batches-bin lacks test_batch\.bin; unpack"):
        load(DataFolder(tmp_path / "folder", unchecked=True))


@pytest.mark.parametrize("name", ["cifar-10-python.tar.gz", "cifar-10-batches-py", "data_batch_1"])
@pytest.mark.parametrize("below", ["", "cifar10"])
def test_the_pickled_edition_is_not_opened(tmp_path: Path, name: str, below: str) -> None:
    (tmp_path / below / name).mkdir(parents=True)
    with pytest.raises(
        BadData, match=rf"{name} holds Python pickles, .* never opened; it needs {ARCHIVE}: get them with --download"
    ):
        load(DataFolder(tmp_path, unchecked=True))
    unpack(tmp_path / below)  # beside the binary edition it does not matter
    assert len(load(DataFolder(tmp_path, unchecked=True)).train) == 15


def test_pickles_under_the_names_of_the_binary_edition(tmp_path: Path, archive: Archive) -> None:
    pickled = r"holds (\S*/)?data_batch_1, a Python pickle, which .* is never opened; get cifar-10-binary\.tar\.gz"
    with pytest.raises(BadData, match=pickled):
        load(archive(tar([member("cifar-10-batches-py/data_batch_1", pickle.dumps([1]))])))
    (folder := tmp_path / "pickles" / FOLDER).mkdir(parents=True)
    (folder / "data_batch_1").write_bytes(pickle.dumps([1]))
    with pytest.raises(BadData, match=pickled):
        load(DataFolder(tmp_path / "pickles", unchecked=True))


def test_missing_files_are_told_with_what_would_do(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=rf"no {ARCHIVE} \(or without \.gz, or unpacked as {FOLDER}\) in "):
        load(DataFolder(tmp_path, unchecked=True))


TARGET = f"{FOLDER}/data_batch_1.bin"
HOSTILE = {
    "a symbolic link": (member(TARGET, type=tarfile.SYMTYPE, linkname="/etc/passwd"), "is a link or a device"),
    "a hard link": (member("other", type=tarfile.LNKTYPE, linkname=TARGET), "is a link or a device"),
    "a device": (member("zero", type=tarfile.CHRTYPE), "is a link or a device"),
    "a sparse file": (member("holes", type=tarfile.GNUTYPE_SPARSE), "is a link or a device"),
    "an absolute name": (member("/etc/cron.d/job", b"x"), "name /etc/cron.d/job leads out of the archive"),
    "a name that climbs": (member(f"{FOLDER}/../../job", b"x"), "leads out of the archive"),
    "a name for Windows": (member("..\\job", b"x"), "leads out of the archive"),
    "a name on two lines": (member("../two\nlines", b"x"), r"'\.\./two\\nlines' leads out of the archive"),
    "one name twice": (member(TARGET, BATCHES["data_batch_1.bin"]), f"holds {TARGET} twice"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_archives_are_not_trusted(tmp_path: Path, archive: Archive, case: str) -> None:
    entry, message = HOSTILE[case]
    files = archive(tar([*WHOLE, entry]))
    with pytest.raises(BadData, match=message) as error:
        load(files)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.rglob("*")] == ["cifar10", ARCHIVE]  # nothing was unpacked


def test_names_are_compared_exactly(archive: Archive) -> None:
    for other in (TARGET.upper(), f"./{TARGET}", f"x/{TARGET}", f"{TARGET} "):
        with pytest.raises(BadData, match=f"lacks {TARGET}"):
            load(archive(tar([member(other, BATCHES["data_batch_1.bin"]), *WHOLE[1:]])))


def with_size(field: bytes) -> bytes:
    """A tar archive whose first header has another size, its checksum mended."""
    content = bytearray(tar(WHOLE))
    content[124:136] = field
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    return bytes(content)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (b"77777777777\0", r"unpacks to more than 536,870,912 bytes"),
        (b"04000000000\0", r"unpacks to more than"),
        (b"00200000000\0", r"data_batch_1\.bin has 33,554,432 bytes, expected at most 30,730,000"),
        (b"-0000000001\0", "no size that can be read"),
        (b"\x80" + bytes(10) + b"\1", "no size that can be read"),  # base 256, for files above 8 GiB
        (b"\xff" * 12, "no size that can be read"),  # minus one in base 256: the standard library loops for ever
        (b"00000000000\0", "has 0 bytes|is not a tar archive"),
        (b"00000006000\0", "has 3,072 bytes|is not a tar archive"),
        (b"00000016003\0", "has 7,171 bytes|is not a tar archive"),
    ],
)
def test_sizes_are_not_trusted(archive: Archive, field: bytes, message: str) -> None:
    files = archive(with_size(field))
    tracemalloc.start()
    with pytest.raises(BadData, match=message):
        load(files)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.slow
@pytest.mark.parametrize("where", ["extension", "file", "end"])
def test_a_gzip_bomb_takes_no_memory(archive: Archive, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setattr(archives, "TAR_LIMIT", 40_000_000)
    size = 60_000_000
    bomb = {
        "extension": tar([member("x", bytes(size), type=tarfile.XHDTYPE), *WHOLE]),
        "file": tar([member("x", bytes(size)), *WHOLE]),
        "end": tar(WHOLE) + bytes(size),
    }[where]
    files = archive(bomb)
    del bomb
    tracemalloc.start()
    with pytest.raises(BadData, match="unpacks to more than 40,000,000 bytes"):
        load(files)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10e6


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", bytes(5), b"x" * 4096])
def test_another_kind_of_file(archive: Archive, content: bytes) -> None:
    with pytest.raises(BadData, match=rf"is not a tar archive|lacks {TARGET}"):
        load(archive(content))


def test_a_flipped_bit_anywhere_in_the_pixels(tmp_path: Path) -> None:
    stored = bytearray(gzip.compress(tar(WHOLE), compresslevel=0))
    stored[len(stored) // 2] ^= 1
    (tmp_path / ARCHIVE).write_bytes(stored)
    with pytest.raises(BadData, match="CRC check failed"):
        load(DataFolder(tmp_path, unchecked=True))


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(position=st.integers(0, 80_000), value=st.integers(0, 255), end=st.integers(0, 80_000), packed=st.booleans())
def test_no_damage_surprises(tmp_path: Path, position: int, value: int, end: int, packed: bool) -> None:
    content = bytearray(tar(WHOLE))
    if packed:
        content = bytearray(gzip.compress(bytes(content), 1, mtime=0))
    content[position % len(content)] = value
    (tmp_path / ARCHIVE).write_bytes(content[: end if end < len(content) else None])
    try:
        dataset = load(DataFolder(tmp_path, unchecked=True))
    except BadData as error:
        assert "\n" not in str(error)  # noqa: PT017 -- damage may well miss everything that is read
    else:
        assert dataset.train.x.shape[1:] == (3, 32, 32)

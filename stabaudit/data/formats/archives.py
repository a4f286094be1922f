"""Published archives read as streams: nothing is unpacked to disk, and nothing that an archive says of itself is believed.

Names are compared, never used as paths; an archive with a link, a device or a name that leads elsewhere is refused whole. Sizes
are limits to check, never memory to reserve; what unpacks to more than any published file is refused as soon as it does.

The tar reader knows what published data sets use: headers of 512 bytes (POSIX ustar and its elders), each followed by its content
in whole blocks. The standard library's believes the sizes it finds in extensions (a negative one made it loop for ever,
CVE-2025-8194, and a large one is read into memory), so extensions are ignored here.
"""

import gzip
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from stabaudit.errors import BadData
from stabaudit.store.files.atomic import reason, shown
from stabaudit.store.files.binary import CHUNK, read_at_most
from stabaudit.store.files.regular import open_regular, require_regular

GZIP_MAGIC = b"\x1f\x8b"
USTAR_MAGIC = b"ustar\0"
BLOCK = 512  # bytes of a tar header, and what contents are padded to
FILES, FOLDER, EXTENSIONS = (b"0", b"\0", b"7"), b"5", (b"x", b"g", b"L", b"K")
TAR_LIMIT = 512 << 20  # bytes unpacked; that of CIFAR-10 has 184 million
ZIP_LIMIT = 32 << 20  # bytes packed, which bounds its directory; the larger of Omniglot's has 9.5 million
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others reserve memory by what they announce
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError, NotImplementedError)


@contextmanager
def uncompressed(path: Path) -> Iterator[BinaryIO]:
    """Open a file that is gzipped or not, by its content, whatever its name.

    Raises:
        BadData: unreadable, or damaged or cut short; while it is read, too.
    """
    try:
        with ExitStack() as stack:
            stream = stack.enter_context(open_regular(path))
            compressed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            stream.seek(0)
            yield cast("BinaryIO", stack.enter_context(gzip.GzipFile(fileobj=stream))) if compressed else stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadData(f"{path}: the gzip data are damaged or cut short ({error}); get the file again") from error
    except OSError as error:
        raise BadData(f"{path} cannot be read: {reason(error)}") from error


def read_tar(path: Path, wanted: Collection[str], *, refuse: Callable[[str], None], largest: int) -> dict[str, bytearray]:
    """Read files out of a tar archive, gzipped or not.

    Args:
        path: the archive.
        wanted: names within the archive, compared exactly.
        refuse: called with every name, raises where one should not be there.
        largest: most bytes that a wanted file may have.

    Returns:
        Contents by name, of those wanted that are there.

    Raises:
        BadData: unreadable, damaged, cut short, not a tar archive, or one that is not to be trusted.
    """
    contents: dict[str, bytearray] = {}
    left = TAR_LIMIT
    with uncompressed(path) as stream:
        while any(header := read_at_most(stream, BLOCK)):
            entry = _parse_header(bytes(header), path)
            padded = -(-entry.size // BLOCK) * BLOCK
            left -= BLOCK + padded
            if left < 0:
                raise BadData(f"{path} unpacks to more than {TAR_LIMIT:,} bytes; get the published file")
            refuse(entry.name)
            if entry.kind not in FILES or entry.name not in wanted:
                _skip(stream, padded, path)
                continue
            if entry.name in contents:
                raise BadData(f"{path} holds {entry.name} twice; get the published file")
            if entry.size > largest:
                raise BadData(f"{path}: {entry.name} has {entry.size:,} bytes, expected at most {largest:,}")
            contents[entry.name] = read_at_most(stream, entry.size)
            _skip(stream, padded - len(contents[entry.name]), path)
        while rest := stream.read(CHUNK):  # to the end, where gzip verifies its checksum
            left -= len(rest)
            if left < 0:
                raise BadData(f"{path} unpacks to more than {TAR_LIMIT:,} bytes; get the published file")
    return contents


@dataclass(frozen=True)
class _Entry:
    name: str
    kind: bytes
    size: int


def _parse_header(header: bytes, path: Path) -> _Entry:
    written = re.fullmatch(rb"[ \0]*([0-7]{1,7})[ \0]*", header[148:156])
    # The checksum is the sum over the header with blanks in its own place.
    if len(header) < BLOCK or not written or int(written[1], 8) != sum(header) - sum(header[148:156]) + 8 * ord(" "):
        raise BadData(f"{path} is not a tar archive, or is damaged or cut short; get the file again")
    name, prefix = (field.partition(b"\0")[0].decode("utf-8", "backslashreplace") for field in (header[:100], header[345:500]))
    if header.startswith(USTAR_MAGIC, 257) and prefix:
        name = f"{prefix}/{name}"
    kind, size = header[156:157], re.fullmatch(rb"[ \0]*([0-7]{1,11})[ \0]*", header[124:136])
    if not size:
        raise BadData(f"{path}: {shown(name)} has no size that can be read; get the published file")
    if kind not in EXTENSIONS:
        _refuse_escape(name, path)
        if kind not in {*FILES, FOLDER}:
            raise BadData(f"{path}: {shown(name)} is a link or a device; get the published file, which holds plain files only")
    return _Entry(name, kind, int(size[1], 8))


def _skip(stream: BinaryIO, count: int, path: Path) -> None:
    while count > 0:
        passed = len(stream.read(min(CHUNK, count)))
        if not passed:
            raise BadData(f"{path} is cut short; get the file again")
        count -= passed


def read_zip(path: Path, wanted: re.Pattern[str], *, largest: int, most: int) -> Iterator[tuple[re.Match[str], bytes]]:
    """Read files out of a zip archive one by one, ordered by name.

    Args:
        path: the archive.
        wanted: what the whole name of a wanted file matches; others are ignored.
        largest: most bytes that a wanted file may have.
        most: how many entries the archive may have.

    Yields:
        The matched name and the content.

    Raises:
        BadData: unreadable, damaged, not a zip archive, or one that is not to be trusted.
    """
    try:
        if (packed := require_regular(path)) > ZIP_LIMIT:
            raise BadData(f"{path} has {packed:,} bytes, expected at most {ZIP_LIMIT:,}; get the published file")
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > most:
                raise BadData(f"{path} holds {len(entries):,} files, expected at most {most:,}; get the published file")
            for entry in entries:
                _refuse_untrusted(entry, path)
            names = {entry.filename: entry for entry in entries}
            if len(names) < len(entries):
                raise BadData(f"{path} holds several files of one name; get the published file")
            for name in sorted(names):
                if match := wanted.fullmatch(name):
                    with archive.open(names[name]) as file:
                        content = read_at_most(cast("BinaryIO", file), largest + 1)  # to the end: zip verifies its checksum
                    if len(content) > largest:
                        raise BadData(f"{path}: {name} unpacks to more than {largest:,} bytes; get the published file")
                    yield match, bytes(content)
    except OSError as error:
        raise BadData(f"{path} cannot be read: {reason(error)}") from error
    except ZIP_ERRORS as error:
        raise BadData(f"{path} is damaged, cut short or not a zip archive ({error}); get the file again") from error


def _refuse_untrusted(entry: zipfile.ZipInfo, path: Path) -> None:
    _refuse_escape(entry.filename, path)
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise BadData(
            f"{path}: {shown(entry.filename)} is a link or a device; get the published file, which holds plain files only"
        )
    if entry.compress_type not in ZIP_METHODS or entry.flag_bits & 1:
        raise BadData(f"{path}: {shown(entry.filename)} is encrypted or packed in an unusual way; get the published file")


def _refuse_escape(name: str, path: Path) -> None:
    if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts:
        raise BadData(f"{path}: the name {shown(name)} leads out of the archive; get the published file")

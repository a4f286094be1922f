"""Runs in an object store, `s3://bucket/run`: read in place, a file at a time.

Of what lies below an address the manifests are fetched at once, and any other file when it is first asked for, into a temporary
folder that ends with the process. Everything else in this package reads from there and does not know; messages say the address.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from stabaudit.errors import BadRun

_MANIFEST = "run.json"
_ADDRESS = re.compile(r"(s3|gs):/+(?=[^/])")  # a path that was an address has lost a slash
_BLOCK = 1 << 20  # bytes read at a time
_CONNECT, _REQUEST = 10, 60  # seconds until a store that does not answer is given up


@dataclass(frozen=True)
class Address:
    """A place in an object store.

    Args:
        scheme: "s3" or "gs".
        path: bucket and key, without a slash at either end.
    """

    scheme: str
    path: str

    @classmethod
    def of(cls, path: Path | str) -> "Address | None":
        """The place that a path names; None where it names none.

        >>> Address.of(Path("s3://bucket/runs/a")), Address.of("runs/a")
        (Address(scheme='s3', path='bucket/runs/a'), None)
        """
        found = _ADDRESS.match(str(path))
        return None if found is None else cls(found[1], str(path)[found.end() :].strip("/"))

    def __str__(self) -> str:
        """As it can be typed."""
        return f"{self.scheme}://{self.path}"

    def __truediv__(self, name: str) -> "Address":
        """A place below."""
        return Address(self.scheme, f"{self.path}/{name}")

    def sizes(self) -> dict[str, int] | None:
        """Bytes of all objects below, by path from here; of an object itself under ""; None where there is nothing.

        Raises:
            BadRun: where the store cannot be read.
        """
        from pyarrow.fs import FileSelector, FileType  # noqa: PLC0415 -- rarely needed

        with _told(f"cannot read {self}"):
            here = _system(self).get_file_info(self.path)
            if here.type == FileType.File:
                return {"": here.size}
            found = _system(self).get_file_info(FileSelector(self.path, recursive=True, allow_not_found=True))
        files = {info.path.removeprefix(f"{self.path}/"): info.size for info in found if info.type == FileType.File}
        return files or None

    def sha256(self) -> str:
        """SHA-256 of the object's bytes, as they are read back.

        Raises:
            BadRun: where it cannot be read.
        """
        digest = hashlib.sha256()
        with _told(f"cannot read {self}"), _system(self).open_input_stream(self.path) as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
        return digest.hexdigest()

    def fetch(self, path: Path) -> None:
        """Write the object to a file.

        Raises:
            BadRun: where it cannot be read, or the file cannot be written.
        """
        temporary = path.with_name(f".{path.name}.part")
        with _told(f"cannot read {self}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            with _system(self).open_input_stream(self.path) as stream, temporary.open("wb") as file:
                shutil.copyfileobj(stream, file, _BLOCK)
            temporary.replace(path)

    def put(self, path: Path) -> None:
        """Make the object what a file holds.

        Raises:
            BadRun: where it cannot be written.
        """
        with _told(f"cannot write {self}"), path.open("rb") as file, _system(self).open_output_stream(self.path) as stream:
            shutil.copyfileobj(file, stream, _BLOCK)

    def delete(self) -> None:
        """Take the object away.

        Raises:
            BadRun: where it cannot be.
        """
        with _told(f"cannot delete {self}"):
            _system(self).delete_file(self.path)


def local(path: Path | str) -> Path:
    """Where this process reads what a path or an address names: a path itself, or a folder that mirrors the address.

    Raises:
        BadRun: nothing at the address, or nothing that can be read.
    """
    address = Address.of(path)
    return Path(path) if address is None else _mirrored(address)


def present(path: Path) -> Path:
    """The path itself, once the file that it mirrors is there; of other paths nothing is asked.

    Raises:
        BadRun: where the file cannot be read.
    """
    address = _ABSENT.pop(path, None)
    if address is not None:
        try:
            address.fetch(path)
        except BadRun:
            _ABSENT[path] = address
            raise
    return path


def all_present(folder: Path) -> None:
    """Fetch all that is mirrored below a folder.

    Raises:
        BadRun: where a file cannot be read.
    """
    for path in [path for path in _ABSENT if path.is_relative_to(folder)]:
        present(path)


def address_of(path: Path | str) -> str:
    """What a path is to the user: the address that it mirrors, or itself.

    >>> address_of(Path("runs/a"))
    'runs/a'
    """
    for folder, address in _FOLDERS.items():
        if Path(path).is_relative_to(folder):
            below = Path(path).relative_to(folder).as_posix()
            return str(address) if below == "." else str(address / below)
    return str(path)


_ABSENT: dict[Path, Address] = {}  # files that are mirrored and were not asked for yet
_FOLDERS: dict[Path, Address] = {}  # folders, and what they mirror


@cache
def _mirrored(address: Address) -> Path:
    sizes = address.sizes()
    if sizes is None:
        raise BadRun(f"{address}: nothing is there; check the address")
    folder = _scratch() / str(len(_FOLDERS)) / address.path.rpartition("/")[2]
    _FOLDERS[folder] = address
    if "" in sizes:
        address.fetch(folder)
        return folder
    runs = [name.removesuffix(_MANIFEST) for name in sizes if name.rpartition("/")[2] == _MANIFEST]
    if not runs:
        raise BadRun(f"{address}: no runs here or below; 'stabaudit push RUN {address}' puts one there")
    for name in sizes:
        _ABSENT[folder / name] = address / name
    for run in runs:
        present(folder / f"{run}{_MANIFEST}")
    return folder


@cache
def _scratch() -> Path:
    """A temporary folder that ends with the process."""
    _KEPT.append(tempfile.TemporaryDirectory(prefix="stabaudit-"))
    return Path(_KEPT[-1].name)


_KEPT: list["tempfile.TemporaryDirectory[str]"] = []


@cache
def _system_of(scheme: str, bucket: str) -> Any:  # noqa: ANN401 -- pyarrow has no types
    from pyarrow import fs  # noqa: PLC0415 -- rarely needed

    if scheme == "gs":
        return fs.GcsFileSystem()
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region is None and endpoint is None:
        region = fs.resolve_s3_region(bucket)
    return fs.S3FileSystem(endpoint_override=endpoint, region=region, connect_timeout=_CONNECT, request_timeout=_REQUEST)


def _system(address: Address) -> Any:  # noqa: ANN401 -- pyarrow has no types
    return _system_of(address.scheme, address.path.partition("/")[0])


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Errors of a store as one line."""
    try:
        yield
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())
        raise BadRun(f"{what}: {said}") from error

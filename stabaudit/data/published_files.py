"""The data folder: where a dataset's published files are found, or downloaded to.

A dataset's files lie in a subfolder that has its name, or directly in the data folder; `.gz` or plain, and an archive may be
unpacked. Files are checked against pinned SHA-256 whenever they are found: downloads before they get their name.
"""

import hashlib
import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Self

from stabaudit.data.formats.archives import TAR_LIMIT, uncompressed
from stabaudit.errors import BadData
from stabaudit.store.files.atomic import sha256
from stabaudit.store.files.binary import CHUNK

ENVIRONMENT_VARIABLE = "STABAUDIT_DATA"
TIMEOUT = 60  # seconds without an answer


@dataclass(frozen=True)
class Published:
    """Files as their publisher offers them.

    Args:
        name: the dataset.
        url: the address that a file name is appended to.
        sha256: file name to the SHA-256 of the file.
        content: name of a `.gz` file to the SHA-256 of what is in it.
        unpacked: name of an archive to the folder it unpacks to, which does as well.
        pickled: names of editions in Python pickles, which are never opened.
        instead: a dataset that is a part of it and comes from elsewhere.
        git: where the publisher's git repository holds a file and no SHA-256 is known, its object name there, which is the SHA-1
            of "blob", its size and its content.
    """

    name: str
    url: str
    sha256: Mapping[str, str]
    content: Mapping[str, str] = field(default_factory=dict)
    unpacked: Mapping[str, str] = field(default_factory=dict)
    pickled: tuple[str, ...] = ()
    instead: str | None = None
    git: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all files."""
        return (*self.sha256, *self.git)

    def digest(self, name: str, path: Path) -> tuple[str, str, str]:
        """What a file is known by, that of the file here, and that of the published one."""
        if name in self.git:
            return "git object", _git_object(path), self.git[name]
        return "SHA-256", sha256(path), self.sha256[name]


def _git_object(path: Path) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    digest.update(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@dataclass(frozen=True)
class DataFolder:
    """A folder that holds datasets.

    Args:
        path: the folder.
        download: whether missing files are downloaded.
        unchecked: whether files are taken whose SHA-256 is another than the publisher's.
    """

    path: Path
    download: bool = False
    unchecked: bool = False

    @classmethod
    def locate(cls, data_dir: Path | None = None, *, download: bool = False, unchecked: bool = False) -> Self:
        """Choose the folder: the one given, else that of the environment variable STABAUDIT_DATA, else ./data."""
        return cls(data_dir or Path(os.environ.get(ENVIRONMENT_VARIABLE) or "data"), download, unchecked)

    def find(self, published: Published, *, not_from: Published | None = None) -> dict[str, Path]:
        """Where each file of a dataset is, by its published name. All are taken from one folder.

        Args:
            published: the dataset.
            not_from: another one, whose files have the same names.

        Raises:
            BadData: files are missing and not to be downloaded, are not those that were published, or a download fails.
        """
        folders = [self.path / published.name, self.path]
        places = {folder: {name: _present(folder, name, published) for name in published.files} for folder in folders}
        folder = next((folder for folder in folders if any(places[folder].values())), folders[0])
        found = places[folder]
        missing = [name for name, path in found.items() if path is None]
        if missing and not self.download:
            where = f"say where they are with --data-dir or {ENVIRONMENT_VARIABLE}"
            remedy = f"get them with --download or from {published.url}, or {where}"
            if published.instead:
                remedy += f"; --data {published.instead} takes a part that 'stabaudit[demo]' brings"
            for pickled in (place / name for place in folders for name in published.pickled):
                if pickled.exists():
                    raise BadData(
                        f"dataset {published.name}: {pickled} holds Python pickles, which can run any program and are never "
                        f"opened; it needs {', '.join(missing)}: {remedy}"
                    )
            looked = folder if len(missing) < len(found) else f"{folders[0]} or {folders[1]}"
            raise BadData(f"dataset {published.name}: no {_described(missing, published)} in {looked}; {remedy}")
        for name, path in found.items():
            if path is not None:
                self._check(published, name, path, not_from)
        return {name: path or fetch(published, name, folder) for name, path in found.items()}

    def _check(self, published: Published, name: str, path: Path, not_from: Published | None) -> None:
        """Refuse a file that is not the one that was published.

        Raises:
            BadData: saying what it is instead, and how to go on.
        """
        insist = "--unchecked-data takes it as it is"
        if path.is_dir():
            if not self.unchecked:
                raise BadData(f"{path} cannot be checked as {name} can; put that in its place; {insist}")
            return
        kind, found, expected = published.digest(name, path)
        digests = [found]
        if name in published.content and found != expected:
            digests.append(_digest_of_content(path))  # packed anew, or plain
        if not_from is not None and not {not_from.sha256[name], not_from.content.get(name)}.isdisjoint(digests):
            raise BadData(f"{path} belongs to {not_from.name}, not to {published.name}; give the folder of {published.name}")
        if not self.unchecked and {expected, published.content.get(name)}.isdisjoint(digests):
            raise BadData(
                f"{path} is not the file that was published: {kind} {found}, expected {expected}; get it "
                f"again from {published.url}; {insist}"
            )


def _digest_of_content(path: Path) -> str:
    """SHA-256 of a file's content, unpacked where it is gzipped; of the beginning of what is larger than any published file."""
    digest, left = hashlib.sha256(), TAR_LIMIT
    with uncompressed(path) as stream:
        while left > 0 and (chunk := stream.read(CHUNK)):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def _present(folder: Path, name: str, published: Published) -> Path | None:
    candidates = [folder / name, folder / name.removesuffix(".gz")]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None and name in published.unpacked and (folder / published.unpacked[name]).is_dir():
        return folder / published.unpacked[name]
    return found


def _described(missing: list[str], published: Published) -> str:
    """The missing names, and what would do in their place."""
    also = ["without .gz"] if any(name.endswith(".gz") for name in missing) else []
    also += [f"unpacked as {published.unpacked[name]}" for name in missing if name in published.unpacked]
    return ", ".join(missing) + (f" (or {', or '.join(also)})" if also else "")


def fetch(published: Published, name: str, folder: Path) -> Path:
    """Download one file into `folder`, verify it, and only then give it its name.

    Raises:
        BadData: no connection, no such file, a full disk, or other content than expected. Nothing is kept then.
    """
    target, url = folder / name, published.url + name
    part = folder / f".{name}.{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadData(f"{folder} cannot be made ({error.strerror}); choose another folder with --data-dir") from error
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response, part.open("wb") as file:  # noqa: S310 -- pinned addresses
            while chunk := response.read(CHUNK):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        kind, found, expected = published.digest(name, part)
        if found != expected:
            raise BadData(f"{url}: {kind} is {found}, expected {expected}; nothing was kept")
        part.replace(target)
    except (OSError, HTTPException) as error:
        raise BadData(f"{url}: cannot be downloaded to {folder} ({error}); nothing was kept") from error
    finally:
        part.unlink(missing_ok=True)
    return target

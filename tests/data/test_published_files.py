"""Where files are looked for, and that nothing but the right bytes gets a file's name. The server is on loopback."""

import functools
import gzip
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stabaudit.data import idx as idx_module
from stabaudit.data.load import load_dataset
from stabaudit.data.published_files import DataFolder, Published
from stabaudit.errors import BadData

CONTENT = {"one.gz": b"first", "two.gz": b"second" * 500_000}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server's address and the folder that it serves."""
    (root := tmp_path / "server").mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=root)) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/", root
        http.shutdown()
        thread.join()


@pytest.fixture
def published(server: tuple[str, Path]) -> Published:
    url, root = server
    for name, content in CONTENT.items():
        (root / name).write_bytes(content)
    return Published("toy", url, {name: sha256(content).hexdigest() for name, content in CONTENT.items()})


NOWHERE = Published("toy", "http://127.0.0.1:9/", dict.fromkeys(CONTENT, "0" * 64))


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_a_subfolder_wins_over_the_folder_itself(tmp_path: Path) -> None:
    touch(tmp_path, "one.gz", "two")
    unchecked = DataFolder(tmp_path, unchecked=True)
    assert unchecked.find(NOWHERE) == {"one.gz": tmp_path / "one.gz", "two.gz": tmp_path / "two"}
    touch(tmp_path / "toy", "one", "two.gz")
    assert unchecked.find(NOWHERE) == {"one.gz": tmp_path / "toy/one", "two.gz": tmp_path / "toy/two.gz"}


def test_missing_files_are_named_with_every_remedy(tmp_path: Path) -> None:
    with pytest.raises(BadData) as error:
        DataFolder(tmp_path).find(NOWHERE)
    message = str(error.value)
    assert "\n" not in message
    for part in (
        "one.gz, two.gz",
        f"{tmp_path / 'toy'} or {tmp_path}",
        "--download",
        "http://127.0.0.1:9/",
        "STABAUDIT_DATA",
        "--data-dir",
    ):
        assert part in message


def test_files_are_never_mixed_from_two_folders(tmp_path: Path) -> None:
    touch(tmp_path, "one.gz")
    touch(tmp_path / "toy", "two.gz")
    with pytest.raises(BadData, match=rf"no one\.gz \(or without \.gz\) in {tmp_path / 'toy'};"):
        DataFolder(tmp_path).find(NOWHERE)


def test_the_argument_wins_over_the_environment_over_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STABAUDIT_DATA", str(tmp_path))
    assert DataFolder.locate(Path("given"), download=False).path == Path("given")
    assert DataFolder.locate(None, download=False).path == tmp_path
    monkeypatch.setenv("STABAUDIT_DATA", "")
    assert DataFolder.locate(None, download=False).path == Path("data")


def test_download_fetches_what_is_missing_and_only_that(tmp_path: Path, published: Published, server: tuple[str, Path]) -> None:
    (server[1] / "one.gz").unlink()
    touch(tmp_path / "data/toy", "one.gz")
    found = DataFolder(tmp_path / "data", download=True, unchecked=True).find(published)
    assert found["one.gz"].read_bytes() == b""
    assert found["two.gz"].read_bytes() == CONTENT["two.gz"]
    assert sorted(path.name for path in (tmp_path / "data/toy").iterdir()) == ["one.gz", "two.gz"]
    assert DataFolder(tmp_path / "data", unchecked=True).find(NOWHERE) == found  # there now, without the network


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def test_files_are_checked_whenever_they_are_found(tmp_path: Path) -> None:
    """As they were published, packed anew, or unpacked; otherwise they are refused, or taken where the user insists."""
    content = b"labels" * 100
    packed = gzip.compress(content, mtime=0)
    toy = Published("toy", "http://127.0.0.1:9/", {"one.gz": digest(packed)}, content={"one.gz": digest(content)})
    for name, written in (("one.gz", packed), ("one.gz", gzip.compress(content, 1, mtime=7)), ("one", content)):
        (tmp_path / "one.gz").unlink(missing_ok=True)
        (tmp_path / name).write_bytes(written)
        assert DataFolder(tmp_path).find(toy) == {"one.gz": tmp_path / name}
    (tmp_path / "one").write_bytes(content[:-1] + b"z")
    with pytest.raises(
        BadData, match=r"one is not the file that was published: SHA-256 [0-9a-f]{64}, .*; --unchecked-data takes"
    ):
        DataFolder(tmp_path).find(toy)
    assert DataFolder(tmp_path, unchecked=True).find(toy) == {"one.gz": tmp_path / "one"}


def test_a_folder_in_place_of_an_archive_is_taken_where_the_user_insists(tmp_path: Path) -> None:
    toy = Published("toy", "http://127.0.0.1:9/", {"one.tar.gz": "0" * 64}, unpacked={"one.tar.gz": "one"})
    (tmp_path / "one").mkdir()
    with pytest.raises(BadData, match=r"one cannot be checked as one\.tar\.gz can; .*--unchecked-data takes it"):
        DataFolder(tmp_path).find(toy)
    assert DataFolder(tmp_path, unchecked=True).find(toy) == {"one.tar.gz": tmp_path / "one"}


def test_other_bytes_than_pinned_are_not_kept(tmp_path: Path, published: Published, server: tuple[str, Path]) -> None:
    (server[1] / "one.gz").write_bytes(b"First")
    with pytest.raises(BadData, match=r"one\.gz: SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64}; nothing was kept"):
        DataFolder(tmp_path / "data", download=True).find(published)
    assert list((tmp_path / "data/toy").iterdir()) == []


def test_a_server_without_the_file_or_no_server(tmp_path: Path, published: Published, server: tuple[str, Path]) -> None:
    (server[1] / "two.gz").unlink()
    with pytest.raises(BadData, match=r"two\.gz: cannot be downloaded to .* \(HTTP Error 404: File not found\)"):
        DataFolder(tmp_path / "data", download=True).find(published)
    assert [path.name for path in (tmp_path / "data/toy").iterdir()] == ["one.gz"]
    with pytest.raises(BadData, match="Connection refused"):
        DataFolder(tmp_path / "elsewhere", download=True).find(NOWHERE)


def test_a_connection_that_breaks_off(tmp_path: Path, published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server announces more than it sends."""
    monkeypatch.setattr(Quiet, "copyfile", lambda _, source, output: output.write(source.read(100)))
    with pytest.raises(BadData, match=r"SHA-256|IncompleteRead"):
        DataFolder(tmp_path / "data", download=True).find(replace(published, sha256={"two.gz": published.sha256["two.gz"]}))
    assert list((tmp_path / "data/toy").iterdir()) == []


def test_a_data_folder_that_is_a_file(tmp_path: Path, published: Published) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(BadData, match="cannot be made"):
        DataFolder(tmp_path / "data", download=True).find(published)


def test_a_dataset_downloads_end_to_end(
    tmp_path: Path, server: tuple[str, Path], write_mnist: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, root = server
    write_mnist(root)
    digests = {name: sha256((root / name).read_bytes()).hexdigest() for name in idx_module.MNIST.sha256}
    monkeypatch.setattr(idx_module, "MNIST", Published("mnist", url, digests))
    dataset = load_dataset("mnist", {}, DataFolder(tmp_path / "data", download=True))
    assert len(dataset.train) == 12
    assert load_dataset("mnist", {}, DataFolder(tmp_path / "data")).fingerprint == dataset.fingerprint


def test_a_file_known_by_its_git_object_alone(tmp_path: Path, server: tuple[str, Path]) -> None:
    url, root = server
    (root / "three.bin").write_bytes(b"hello world\n")
    known = Published("toy", url, {}, git={"three.bin": "3b18e512dba79e4c8300dd08aeb37f8e728b8dad"})  # as `git hash-object` says
    folder = DataFolder(tmp_path / "data", download=True)
    path = folder.find(known)["three.bin"]
    assert path.read_bytes() == b"hello world\n"
    assert folder.find(known)["three.bin"] == path
    path.write_bytes(b"hello earth\n")
    with pytest.raises(BadData, match=r"git object [0-9a-f]+, expected 3b18e512"):
        folder.find(known)
    path.unlink()
    (root / "three.bin").write_bytes(b"other")
    with pytest.raises(
        BadData, match=r"git object is [0-9a-f]+, expected 3b18e512dba79e4c8300dd08aeb37f8e728b8dad; nothing was kept"
    ):
        folder.find(known)
    assert not list((tmp_path / "data" / "toy").iterdir())

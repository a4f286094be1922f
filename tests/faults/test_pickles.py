"""Pickles are never loaded: one that would make a file when it is opened makes none, wherever it is put."""

import io
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from stabaudit.cli.main import _run
from stabaudit.store.run.checkpoint import parse_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:pyarrow.PyExtensionType:FutureWarning")


class Trap:
    """What makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.fixture
def sprung(tmp_path):
    """Where the file would be made."""
    return tmp_path / "sprung"


def saved(save):
    save(content := io.BytesIO())
    return content.getvalue()


def table_of(trap):
    """A table whose column says that its type is to be unpickled (CVE-2023-47248)."""
    metadata = {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": pickle.dumps(trap)}
    return pa.table([np.arange(9.0)], schema=pa.schema([pa.field("z0", pa.float64(), metadata=metadata)]))


KINDS = {
    "pickle": pickle.dumps,
    "torch": lambda trap: saved(lambda file: torch.save({"weights": trap}, file)),
    "npy": lambda trap: saved(lambda file: np.save(file, np.array([[trap]] * 9, dtype=object), allow_pickle=True)),
    "npz": lambda trap: saved(lambda file: np.savez(file, x=np.array([[trap]] * 9, dtype=object))),
    "parquet": lambda trap: saved(lambda file: pq.write_table(table_of(trap), file)),
}
OTHERS = ["npy", "npz", "parquet"]
SUFFIXES = [*OTHERS, "pt", "pkl", "csv", "h5ad", "json", "toml"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_trap_works(sprung, kind):
    """Those who unpickle spring it, but for pyarrow, which no longer does."""
    content = io.BytesIO(KINDS[kind](Trap(sprung)))
    if kind == "pickle":
        pickle.load(content).close()
    elif kind == "torch":
        torch.load(content, weights_only=False)["weights"].close()
    elif kind == "parquet":
        pytest.importorskip("pyarrow", minversion="14.0.1")
        pq.read_table(content)
        return
    else:
        loaded = np.load(content, allow_pickle=True)
        array = loaded["x"] if kind == "npz" else loaded
        array[0, 0].close()
    assert sprung.exists()


@pytest.mark.parametrize(("kind", "suffix"), [*(("pickle", suffix) for suffix in SUFFIXES), *zip(OTHERS, OTHERS, strict=True)])
@pytest.mark.parametrize(
    "command",
    [
        "compare {path} {path}2",
        "import {path} --out run",
        "report {path}",
        "check run --baseline {path}",
        "train vae -n 1 --steps 1 --data {path}",
        "audit {path}",
    ],
    ids=lambda command: command.split()[0],
)
def test_no_command_unpickles_a_file(tmp_path, sprung, monkeypatch, capfd, *, kind, suffix, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stabaudit.engines.local.warm_up", lambda: None)
    for name in (f"x.{suffix}", f"x.{suffix}2"):
        (tmp_path / name).write_bytes(KINDS[kind](Trap(sprung)))
    status = _run(command.format(path=f"x.{suffix}").split())
    assert not sprung.exists()
    assert status == 2
    err = capfd.readouterr().err
    assert err.splitlines()[-1].startswith("stabaudit: error: ")  # after how a file was taken that could be read
    assert "internal error" not in err


@pytest.mark.parametrize("kind", ["pickle", "torch"])
@pytest.mark.parametrize(
    "file", ["run.json", "evaluation.parquet", "latents/restart-000.parquet", "weights/restart-000.safetensors"]
)
def test_no_file_of_a_run_is_unpickled(tmp_path, sprung, manifest, victims, capfd, *, kind, file):
    victims.write(tmp_path / "run", manifest)
    (tmp_path / "run" / file).write_bytes(KINDS[kind](Trap(sprung)))
    for command in ("verify", "show", "compare"):
        _run([command, str(tmp_path / "run")])
    assert not sprung.exists()
    assert "Traceback" not in capfd.readouterr().err
    assert _run(["verify", str(tmp_path / "run")]) == 2


@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_no_checkpoint_is_unpickled(sprung, kind):
    assert parse_checkpoint(KINDS[kind](Trap(sprung)), "it") is None
    assert not sprung.exists()


@pytest.mark.parametrize("name", ["data_batch_1", "data_batch_1.bin"])
def test_the_pickled_edition_of_cifar10_is_not_opened(tmp_path, sprung, capfd, name):
    folder = tmp_path / "cifar10" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(pickle.dumps({b"data": Trap(sprung), b"labels": [1]}))
    assert _run(["train", "vae", "--data", "cifar10", "--data-dir", str(tmp_path), "--dry-run"]) == 2
    assert "ickle" in capfd.readouterr().err
    assert not sprung.exists()

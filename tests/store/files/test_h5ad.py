"""`.h5ad` files: what anndata wrote is read; what is damaged, forged or points elsewhere is not."""

import gzip
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stabaudit.errors import BadData, StabauditError, UsageError
from stabaudit.store.files.h5ad import read_h5ad
from stabaudit.store.imports.foreign_files import Naming
from stabaudit.store.run.latents import read_latents

h5py = pytest.importorskip("h5py")

# anndata 0.12.19 wrote it (compression="gzip"): 12 rows AAC0-1 …, obsm X_pca, X_scVI = arange(24)/8 and the sparse X_sparse,
# columns of obs batch (categorical a, b), cell (text c0 …), number (11 … 0).
WRITTEN = Path(__file__).with_name("anndata-0.12.19.h5ad.gz")


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    path = tmp_path_factory.mktemp("cells") / "cells.h5ad"
    path.write_bytes(gzip.decompress(WRITTEN.read_bytes()))
    return path


@pytest.fixture
def make(tmp_path):
    """Write an array and names as anndata lays them out, and change the file with a function."""

    def write(change=len, values=None, **options):
        path = tmp_path / "made.h5ad"
        with h5py.File(path, "w") as file:
            file.create_dataset("obsm/z", data=np.arange(10.0).reshape(5, 2) if values is None else values, **options)
            file.create_dataset("obs/_index", data=[f"r{i}" for i in range(5)])
            file["obs"].attrs["_index"] = "_index"
            change(file)
        return path

    return write


def test_what_anndata_wrote_is_read(cells):
    values, ids, _ = read_h5ad(cells, "X_scVI")
    np.testing.assert_array_equal(values, np.arange(24, dtype=np.float32).reshape(12, 2) / 8, strict=True)
    assert ids.tolist() == [f"AAC{i}-1" for i in range(12)]
    np.testing.assert_array_equal(read_h5ad(cells, "X_sparse")[0], np.eye(12, 3), strict=True)
    assert read_h5ad(cells, "X")[0].shape == (12, 2)
    np.testing.assert_array_equal(read_h5ad(cells, "obsm/X_scVI")[0], values)
    assert read_h5ad(cells, "X_pca", "cell")[1].tolist() == [f"c{i}" for i in range(12)]
    assert read_h5ad(cells, "X_pca", "number")[1].tolist() == list(range(11, -1, -1))
    assert read_h5ad(cells, "X_pca", "batch")[1].tolist() == ["a", "b"] * 6
    latents = read_latents(cells, Naming(obsm="X_scVI"))
    assert (latents.mean.dtype, latents.ids_by_position) == (np.float32, False)


def test_names_are_not_paths(make, tmp_path):
    """Along a path a name could leave the file: `elsewhere` is a link to another one."""
    with h5py.File(tmp_path / "other.h5ad", "w") as file:
        file["names"] = [f"r{i}" for i in range(5)]
        file["z"] = np.zeros((5, 2))

    def change(file):
        file["obs/elsewhere"] = file["obsm/elsewhere"] = h5py.ExternalLink("other.h5ad", "/")
        file["obs/inside/names"] = np.arange(5)

    path = make(change)
    for column in ("elsewhere/names", "inside/names", "/obs/_index"):
        with pytest.raises(UsageError, match="unknown column of obs"):
            read_h5ad(path, "z", column)
        with h5py.File(path, "r+") as file:
            file["obs"].attrs["_index"] = column
        with pytest.raises(BadData, match=f"no '{column}' in /obs"):
            read_h5ad(path, "z")
    with pytest.raises(UsageError, match="unknown array in obsm"):
        read_h5ad(path, "elsewhere/z")


@pytest.mark.parametrize("there", [True, False])
def test_files_that_links_name_are_not_opened(make, tmp_path, there):
    if there:
        h5py.File(tmp_path / "other.h5ad", "w").close()
    path = make(linked("obsm/z", h5py.ExternalLink("other.h5ad", "/")))
    with pytest.raises(BadData, match="'z' is a link to elsewhere, which is not followed"):
        read_h5ad(path, "z")


def test_the_only_array_needs_no_key(make):
    np.testing.assert_array_equal(read_h5ad(make())[0], np.arange(10.0).reshape(5, 2))
    for options in ({"compression": "gzip"}, {"compression": "lzf", "chunks": (2, 2)}, {"chunks": (3, 1)}, {"shuffle": True}):
        np.testing.assert_array_equal(read_h5ad(make(**options))[0], np.arange(10.0).reshape(5, 2))


@pytest.mark.parametrize(
    ("naming", "error", "message"),
    [
        ((None, None), UsageError, r"several arrays in obsm \(X_pca, X_scVI, X_sparse\); name one by --obsm; X can be named too"),
        (("X_pc", None), UsageError, "did you mean 'X_pca' or 'X_scVI'"),
        (("layers/counts", None), UsageError, "unknown array in obsm .* known: X, X_pca, X_scVI, X_sparse"),
        (("X_pca", "cel"), UsageError, "did you mean 'cell'"),
    ],
)
def test_arrays_and_columns_that_are_not_there_are_named(cells, naming, error, message):
    with pytest.raises(error, match=message):
        read_h5ad(cells, *naming)


def replaced(name, **options):
    def change(file):
        del file[name]
        file.create_dataset(name, **options)

    return change


def linked(name, link):
    def change(file):
        del file[name]
        file[name] = link

    return change


def virtual(file):
    del file["obsm/z"]
    layout = h5py.VirtualLayout((5, 2), "f8")
    layout[:] = h5py.VirtualSource("other.h5ad", "obsm/z", (5, 2), "f8")
    file.create_virtual_dataset("obsm/z", layout)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.pop("obsm"), "no 'obsm' in /"),
        (lambda file: file.pop("obs"), "no 'obs' in /"),
        (replaced("obs", data=[1]), "'obs' is no group"),
        (lambda file: file["obs"].attrs.pop("_index"), "not .h5ad"),
        (linked("obsm/z", h5py.ExternalLink("other.h5ad", "obsm/z")), "'z' is a link to elsewhere"),
        (linked("obs", h5py.ExternalLink("other.h5ad", "obs")), "'obs' is a link to elsewhere"),
        (virtual, "/obsm/z lies in other files"),
        (replaced("obsm/z", shape=(5, 2), dtype="f8", external=[("/etc/hostname", 0, 80)]), "/obsm/z lies in other files"),
        (replaced("obsm/z", shape=(10**12, 10**3), chunks=(1000, 10), dtype="f8"), "takes 8,000,000,000,000,000 bytes, the file"),
        (replaced("obsm/z", shape=(10**9, 4), chunks=(1000, 4), dtype="f8", compression="gzip"), "takes 32,000,000,000 bytes"),
        (replaced("obs/_index", shape=(10**12,), chunks=(1000,), dtype=h5py.string_dtype()), "takes 8,000,000,000,000 bytes"),
        (replaced("obsm/z", data=np.zeros(5)), r"float64 of shape \(5,\), expected numbers of shape \(n, d\)"),
        (replaced("obsm/z", data=np.zeros((4, 2))), "obs names 5 rows, the array has 4"),
        (replaced("obsm/z", data=[["a", "b"]] * 5), "expected numbers"),
        (replaced("obs/_index", data=np.zeros(5)), "obs/_index is float64 of shape"),
    ],
)
def test_what_is_no_such_file_is_refused_before_memory_is_taken(make, change, message):
    path = make(change)
    tracemalloc.start()
    try:
        with pytest.raises(BadData, match=message) as refused:
            read_h5ad(path, "z")
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()
    assert str(refused.value).count(str(path)) == 1
    assert "\n" not in str(refused.value)


def test_rows_without_a_name_are_refused(make):
    def absent(file):
        group = file.create_group("obs/kind")
        group["codes"], group["categories"] = np.array([0, 1, -1, 0, 1], dtype="i1"), ["a", "b"]
        group = file.create_group("obs/word")
        group["values"], group["mask"] = ["a", "b", "c", "d", "e"], [False, False, True, False, False]

    path = make(absent)
    for column in ("kind", "word"):
        with pytest.raises(BadData, match=f"obs/{column} is absent in some rows"):
            read_h5ad(path, None, column)


def test_without_h5py_one_line_says_what_to_install(make, monkeypatch):
    path = make()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UsageError, match=r"made\.h5ad: \.h5ad files are read by h5py: pip install 'stabaudit\[anndata\]'$"):
        read_latents(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60, derandomize=True)
@given(position=st.integers(0, 50_000), flip=st.integers(1, 255), end=st.integers(0, 60_000))
def test_a_damaged_file_is_refused_or_read_but_never_an_internal_error(cells, tmp_path, position, flip, end):
    content = bytearray(cells.read_bytes())
    content[position % len(content)] ^= flip
    (path := tmp_path / "damaged.h5ad").write_bytes(content[: end if end < len(content) else None])
    try:
        values, ids, _ = read_h5ad(path, "X_scVI")
    except StabauditError as error:
        assert "\n" not in str(error)  # noqa: PT017 -- most of the flips are harmless
        return
    assert len(values) == len(ids)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(BadData, match="no such file"):
        read_h5ad(tmp_path / "a.h5ad")

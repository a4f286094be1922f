"""Latents that are not what they should be are refused in one line that says where and what to do."""

import errno
import json
import pickle

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather
from scipy import sparse

from stabaudit.cli.main import _run
from stabaudit.store.imports import table_folder

pytestmark = pytest.mark.slow

N, D = 60, 4
Z = np.random.default_rng(0).normal(size=(N, D))
ROWS = Z.tolist()


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def invoke(*words, command=("compare", "import")):
        said = []
        for one in command:
            more = ["--out", "run"] if one == "import" else []
            assert _run([one, *map(str, words), *more]) == 2
            out, err = capsys.readouterr()
            assert out == ""
            lines = [line for line in err.splitlines() if " error: " in line]
            assert len(lines) == 1, err
            assert not any(word in err for word in ("internal error", "Traceback", "np."))
            said.append(lines[0])
        return said[0]

    return invoke


def table(rows, kind=None, **more):
    return pa.table({"sample_id": np.arange(len(rows)), "embedding": pa.array(rows, type=kind), **more})


def changed(row, value):
    return [value if i == row else one for i, one in enumerate(ROWS)]


# ruff: noqa: E501 -- a line each
TABLES = {
    "ragged": (table(changed(7, [1.0, 2.0])), (), "lists of different lengths, 4 in row 0 and 2 in row 7"),
    "ragged inside": (table([[[1.0], [2.0]]] * 5 + [[[1.0], [2.0, 3.0]]]), (), "lists of different lengths, 1 in row 0 and 2 in row 5"),
    "no list": (table(changed(11, None)), (), "column 'embedding' holds no list in row 11"),
    "no list of one size": (table(changed(11, None), pa.list_(pa.float32(), D)), (), "column 'embedding' holds no list in row 11"),
    "an absent number": (table(changed(13, [1.0, None, 2.0, 3.0])), (), "column 'embedding' lacks a number in row 13"),
    "NaN": (table(changed(13, [1.0, float("nan"), 2.0, 3.0])), (), "z1 holds 1 NaN"),
    "empty lists": (table([[]] * N, pa.list_(pa.float64())), (), "column 'embedding' holds empty lists"),
    "several": (table(ROWS, other=pa.array(ROWS)), (), "several columns hold lists of numbers (embedding, other); name the embedding by --key"),
    "no such key": (table(ROWS), ("--key", "embeding"), "unknown column of a.parquet 'embeding'; did you mean 'embedding'?"),
    "a key of numbers": (table(ROWS, x=np.arange(N)), ("--key", "x"), "column 'x' is int64, expected lists of numbers as in embedding"),
    "words": (table([["a", "b"]] * N), (), "column 'embedding' is list<"),
    "two dictionaries": (table([{"a": 1}] * N), (), "column 'embedding' is struct<"),
}  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", TABLES)
def test_lists_that_are_no_embedding(name, streamed, refused, tmp_path, monkeypatch):
    from stabaudit.comparison.reading import selectors

    made, options, message = TABLES[name]
    for file in "ab":
        pq.write_table(made, tmp_path / f"{file}.parquet")
    if streamed:
        monkeypatch.setattr(selectors, "_BYTES_PER_NUMBER", 10**6)
        said = refused("a.parquet", "b.parquet", *options, "--memory", "10MB", command=("compare",))
        inside = name.startswith("ragged") or name in {"no list", "empty lists"}
        assert message in said or (inside and "of different lengths" in said)
    else:
        assert message in refused("a.parquet", "b.parquet", *options)


@pytest.mark.parametrize("ending", ["arrow", "ipc", "feather"])
@pytest.mark.parametrize("streamed", [False, True])
def test_arrow_that_is_cut_short_or_none(ending, streamed, refused, tmp_path):
    path = tmp_path / f"a.{ending}"
    made = pa.table({f"z{k}": Z[:, k] for k in range(D)})
    with pa.OSFile(str(path), "wb") as file, (pa.ipc.new_stream if streamed else pa.ipc.new_file)(file, made.schema) as writer:
        writer.write_table(made)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"\xff\xff\xff\xff\x10", b"words", b"", pickle.dumps(Z)):
        path.write_bytes(content)
        assert "is damaged, cut short or not" in refused(path.name, command=("import",))


def parts_of(matrix):
    found = {"data": matrix.data, "format": matrix.format.encode(), "shape": matrix.shape}
    if matrix.format == "coo":
        return found | {"row": matrix.row, "col": matrix.col}
    return found | {"indices": matrix.indices, "indptr": matrix.indptr}


CSR, CSC, COO = sparse.csr_array(Z), sparse.csc_array(Z), sparse.coo_array(Z)
SPARSE = {
    "bsr": (parts_of(sparse.bsr_array(Z)), "in the format 'bsr', expected csr, csc or coo; save its .tocsr()"),
    "dia": ({"data": Z, "offsets": np.arange(N), "format": b"dia", "shape": (N, D)}, "in the format 'dia', expected csr"),
    "of bits": (parts_of(sparse.csr_array(Z > 0)), "a sparse matrix of bool, expected numbers"),
    "index outside": (parts_of(CSR) | {"indices": CSR.indices + 1}, "is damaged: no sparse matrix of shape (60, 4)"),
    "index below": (parts_of(CSC) | {"indices": CSC.indices - 9}, "is damaged: no sparse matrix of shape (60, 4)"),
    "row outside": (parts_of(COO) | {"row": COO.row * 9}, "is damaged: no sparse matrix of shape (60, 4)"),
    "ends outside": (parts_of(CSR) | {"indptr": CSR.indptr[::-1]}, "is damaged: no sparse matrix of shape (60, 4)"),
    "fractions": (parts_of(CSR) | {"indptr": CSR.indptr + 0.5}, "indices of a sparse matrix that are no integers"),
    "one number": (parts_of(CSR) | {"shape": 5}, "a sparse matrix of shape 5, expected (n, d)"),
    "three numbers": (parts_of(CSR) | {"shape": (5, 5, 5)}, "a sparse matrix of shape [5, 5, 5], expected (n, d)"),
    "nothing": (parts_of(CSR) | {"shape": (0, 5)}, "a sparse matrix of shape [0, 5], expected (n, d)"),
    "no indices": ({k: v for k, v in parts_of(CSR).items() if k != "indices"}, "a sparse matrix without indices"),
    "objects": (parts_of(CSR) | {"data": np.array([None] * CSR.nnz)}, "holds Python objects, which are never unpickled"),
    "an object for a format": (parts_of(CSR) | {"format": np.array({}, dtype=object)}, "holds Python objects"),
    "huge": (
        parts_of(CSR) | {"shape": (10**9, 10**9)},
        "as a dense array of shape (1000000000, 1000000000), takes 8,000,000,000.0 GB of memory, --memory allows 1.0 GB",
    ),
}


@pytest.mark.parametrize("name", SPARSE)
def test_sparse_matrices_that_cannot_be_made_dense(name, refused, tmp_path):
    arrays, message = SPARSE[name]
    for file in "ab":
        np.savez(tmp_path / f"{file}.npz", **arrays)
    assert message in refused("a.npz", "b.npz", "--ids-by-position", "--memory", "1GB", command=("import",))
    said = refused("a.npz", "b.npz", "--ids-by-position", "--memory", "1GB", command=("compare",))
    assert ("with 240 entries takes 48.0 GB of memory" if name == "huge" else message) in said


def cells(path, **places):
    with h5py.File(path, "w") as file:
        for group in ("obs", "obsm", "layers"):
            file.create_group(group)
        file["obs"].attrs["_index"] = "_index"
        file["obs/_index"] = np.arange(N)
        for place, value in places.items():
            if isinstance(value, dict):
                group = file.create_group(place.replace("__", "/"))
                group.attrs.update(value.pop("attrs"))
                for name, part in value.items():
                    group[name] = part
            else:
                file[place.replace("__", "/")] = value


def of_csr(**changed):
    attrs = {"encoding-type": changed.pop("form", "csr_matrix"), "shape": changed.pop("shape", CSR.shape)}
    return {"attrs": attrs, "data": CSR.data, "indices": CSR.indices, "indptr": CSR.indptr} | changed


CELLS = {
    "no such layer": ({"layers__counts": Z}, "layers/count", "unknown array in obsm of a.h5ad 'layers/count'; did you mean 'layers/counts'?"),
    "nothing said": ({"layers__counts": Z, "X": Z}, None, "holds nothing in obsm; name one by --obsm; X, layers/counts can be named too"),
    "a frame": ({"obsm__f": {"attrs": {"encoding-type": "dataframe"}, "x": Z[:, 0]}}, "f", "obsm/f is a frame or of another kind"),
    "index outside": ({"layers__c": of_csr(indices=CSR.indices + 1)}, "layers/c", "is damaged: no sparse matrix of shape (60, 4)"),
    "no data": ({"layers__c": {"attrs": {"encoding-type": "csr_matrix", "shape": (N, D)}}}, "layers/c", "no 'data' in /layers/c"),
    "data of rows": ({"layers__c": of_csr(data=Z)}, "layers/c", "data of a sparse matrix is no row of numbers"),
    "huge": ({"layers__c": of_csr(shape=(10**6, 10**6))}, "layers/c", "--memory"),
    "other rows": ({"layers__c": Z[:9]}, "layers/c", "obs names 60 rows, the array has 9"),
    "words": ({"layers__c": np.array([b"a"] * N)}, "layers/c", "expected numbers of shape (n, d)"),
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
def test_layers_that_cannot_be_read(name, refused, tmp_path):
    places, obsm, message = CELLS[name]
    cells(tmp_path / "a.h5ad", **places)
    (tmp_path / "b.h5ad").write_bytes((tmp_path / "a.h5ad").read_bytes())
    option = () if obsm is None else ("--obsm", obsm)
    assert message in refused("a.h5ad", "b.h5ad", *option, "--memory", "1GB")


def frame(z=Z):
    return pd.DataFrame(z, columns=[f"z{k}" for k in range(z.shape[1])]).assign(sample_id=np.arange(len(z)))


def test_parts_that_do_not_fit_together(refused, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        frame().iloc[:30].to_parquet(tmp_path / folder / "part-0.parquet", index=False)
        frame().iloc[30:].drop(columns="z3").to_parquet(tmp_path / folder / "part-1.parquet", index=False)
    assert "part-1.parquet lacks column 'z3', which other parts of the table have" in refused("a", "b")
    for folder in ("a", "b"):
        frame().iloc[30:].astype({"z3": str}).to_parquet(tmp_path / folder / "part-1.parquet", index=False)
    assert "its parts do not fit together" in refused("a", "b")
    for folder in ("a", "b"):
        (tmp_path / folder / "part-1.parquet").write_bytes(b"words")
    assert "part-1.parquet is damaged, cut short or not Parquet" in refused("a", "b")
    for folder in ("a", "b"):
        (tmp_path / folder / "part-1.parquet").unlink()
        feather.write_feather(frame().iloc[30:], tmp_path / folder / "part-1.arrow")
    assert "holds .arrow and .parquet files; expected the parts of one table" in refused("a", "b")


def test_a_folder_that_is_said_to_be_a_table_and_is_none(refused, tmp_path):
    (tmp_path / "a").mkdir()
    np.save(tmp_path / "a" / "z.npy", Z)
    assert "--folder table: a holds no .parquet or .arrow files" in refused("a", "--folder", "table")


def test_folders_that_cannot_be_read(refused, tmp_path, monkeypatch):
    """A link that leads to itself, or a folder that the system refuses."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "fold=1").symlink_to(".", target_is_directory=True)
    (tmp_path / "a" / "fold=2").mkdir()
    frame().to_parquet(tmp_path / "a" / "fold=2" / "x.parquet", index=False)
    assert "sample ids are repeated" in refused("a", "--folder", "table", command=("import",))

    def refuse(folder):
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(table_folder.Path, "iterdir", refuse)
    assert "cannot read a: permission denied" in refused("a", command=("compare", "import", "dimensions"))


def test_two_files_that_are_transposes_of_each_other(refused, tmp_path):
    np.save(tmp_path / "a.npy", Z)
    np.save(tmp_path / "b.npy", Z.T)
    said = refused("a.npy", "b.npy", "--ids-by-position", command=("compare",))
    assert "b has shape (4, 60), a (60, 4); one of the two is transposed: save it with a row for each sample, as z.T" in said
    said = refused("a.npy", "b.npy", "--ids-by-position", command=("import",))
    assert "b.npy has shape (4, 60), a.npy (60, 4); one of the two is transposed" in said
    assert "one of the two is transposed" in refused(".", "--ids-by-position", command=("compare", "dimensions", "restarts"))


def test_import_says_which_option_to_use_of_more_dimensions_than_rows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        np.save(f"{name}.npy", np.random.default_rng(ord(name)).normal(size=(5, 100)))
    words = ["import", "a.npy", "b.npy", "--ids-by-position", "--out"]
    assert _run([*words, "run"]) == 0
    assert "a.npy: 5 rows of 100 dimensions; if it is the other way round, say --dimensions-first" in capsys.readouterr().err
    assert _run([*words, "turned", "--dimensions-first"]) == 0
    assert "other way round" not in capsys.readouterr().err
    assert json.loads((tmp_path / "turned" / "run.json").read_text())["dataset"]["evaluation_rows"] == 100

"""Latents in every format that people keep embeddings in give the scores of the same numbers in `.npy` files, bit for bit.

Each file is written with the library that people use for it.
"""

import json
import shutil
import warnings
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from scipy import sparse

import stabaudit
from stabaudit.cli.main import _run

pytestmark = pytest.mark.slow

N, D = 240, 3
ID = np.arange(N)
QUICK = ("--floor-draws", "2", "--rotations", "5")
SPARE = np.random.default_rng(5).laplace(size=(N, D)).astype(np.float32)


def latents(seed):
    """Of which a third is zero, so that a sparse matrix has something to leave out."""
    z = SPARE + 0.3 * np.random.default_rng(seed).normal(size=(N, D)).astype(np.float32)
    return np.where(np.abs(z) < 0.4, np.float32(0), z)


def frame(z):
    return pd.DataFrame(z, columns=[f"z{k}" for k in range(z.shape[1])]).assign(sample_id=ID)


def lists(z, kind):
    return pa.table({"sample_id": ID, "embedding": pa.array(z.tolist(), type=kind), "text": [f"line {i}" for i in ID]})


def tensors(z):
    return pa.table({"sample_id": ID, "embedding": pa.FixedShapeTensorArray.from_numpy_ndarray(z)})


def stream(path, table):
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=100)


def arrow_file(path, table, compression="zstd"):
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema, options=options) as writer:
        writer.write_table(table)


def cells(path, place, value):
    """As anndata lays it out."""
    with h5py.File(path, "w") as file:
        for group in ("obs", "obsm", "layers"):
            file.create_group(group)
        file["obs"].attrs["_index"] = "_index"
        file["obs/_index"] = ID
        if sparse.issparse(value):
            found = file.create_group(place)
            found.attrs.update({"encoding-type": f"{value.format}_matrix", "encoding-version": "0.1.0", "shape": value.shape})
            for name in ("data", "indices", "indptr"):
                found.create_dataset(name, data=getattr(value, name), compression="gzip")
        else:
            file.create_dataset(place, data=value)


def table(z):
    return pa.Table.from_pandas(frame(z), preserve_index=False)


def spark(path, z):
    """As Spark leaves it: checksums, a mark, and names of parts with a code."""
    path.mkdir()
    for place in range(3):
        part = frame(z).iloc[place * 80 : place * 80 + 80]
        part.to_parquet(path / f"part-{place:05}-5f1c.c000.snappy.parquet", index=False)
        (path / f".part-{place:05}-5f1c.c000.snappy.parquet.crc").write_bytes(b"crc")
    (path / "_SUCCESS").touch()


def hub(path, z):
    path.mkdir()
    for place in range(12):
        rows = slice(place * 20, place * 20 + 20)
        pq.write_table(lists(z, pa.list_(pa.float32())).slice(rows.start, 20), path / f"train-{place:05}-of-00012.parquet")


def saved_to_disk(path, z):
    path.mkdir()
    whole = lists(z, pa.list_(pa.float32()))
    for place in range(2):
        stream(path / f"data-{place:05}-of-00002.arrow", whole.slice(place * 120, 120))
    (path / "dataset_info.json").write_text("{}")
    (path / "state.json").write_text("{}")


def dask(path, z):
    path.mkdir()
    for place in range(12):  # part.10 comes after part.9
        frame(z).iloc[place * 20 : place * 20 + 20].to_parquet(path / f"part.{place}.parquet", index=False)


POSITION = ("--ids-by-position",)
KEY = ("--key", "embedding")
# ruff: noqa: E501 -- a line each
FORMATS = {  # name: ending, how latents are written, what has to be said of them
    "tsv": (".tsv", lambda p, z: frame(z).to_csv(p, index=False, sep="\t"), ()),
    "tab": (".tab", lambda p, z: frame(z).to_csv(p, index=False, sep="\t"), ()),
    "feather": (".feather", lambda p, z: frame(z).to_feather(p), ()),
    "Arrow file": (".arrow", lambda p, z: arrow_file(p, table(z)), ()),
    "Arrow file, plain": (".ipc", lambda p, z: arrow_file(p, table(z), None), ()),
    "Arrow stream": (".arrow", lambda p, z: stream(p, table(z)), ()),
    "Arrow stream of lists": (".arrow", lambda p, z: stream(p, lists(z, pa.list_(pa.float32()))), KEY),
    "lists": (".parquet", lambda p, z: pq.write_table(lists(z, pa.list_(pa.float32())), p), KEY),
    "large lists": (".parquet", lambda p, z: pq.write_table(lists(z, pa.large_list(pa.float64())), p), KEY),
    "lists of one size": (".parquet", lambda p, z: pq.write_table(lists(z, pa.list_(pa.float32(), D)), p), KEY),
    "nested lists": (".parquet", lambda p, z: pq.write_table(lists(z[:, None], pa.list_(pa.list_(pa.float32()))), p), KEY),
    "tensors": (".parquet", lambda p, z: pq.write_table(tensors(z), p), KEY),
    "views of lists": (".feather", lambda p, z: arrow_file(p, lists(z, pa.list_view(pa.float32()))), KEY),
    "lists of pandas": (".parquet", lambda p, z: pd.DataFrame({"sample_id": ID, "embedding": list(z)}).to_parquet(p, index=False), KEY),
    "csr": (".npz", lambda p, z: sparse.save_npz(p, sparse.csr_array(z)), POSITION),
    "csc": (".npz", lambda p, z: sparse.save_npz(p, sparse.csc_matrix(z)), POSITION),
    "coo": (".npz", lambda p, z: sparse.save_npz(p, sparse.coo_array(z), compressed=False), POSITION),
    "layer": (".h5ad", lambda p, z: cells(p, "layers/counts", z), ("--obsm", "layers/counts")),
    "sparse layer": (".h5ad", lambda p, z: cells(p, "layers/counts", sparse.csr_matrix(z)), ("--obsm", "layers/counts")),
    "sparse obsm": (".h5ad", lambda p, z: cells(p, "obsm/X_pca", sparse.csc_matrix(z)), ()),
    "sparse X": (".h5ad", lambda p, z: cells(p, "X", sparse.csr_matrix(z)), ("--obsm", "X")),
    "dense X": (".h5ad", lambda p, z: cells(p, "X", z), ("--obsm", "X")),
    "Spark": ("", spark, ()),
    "Spark, named so": (".parquet", spark, ()),
    "Dask": ("", dask, ()),
    "pyarrow": ("", lambda p, z: ds.write_dataset(table(z), p, format="parquet", max_rows_per_file=64, max_rows_per_group=64), ()),
    "Hugging Face hub": ("", hub, KEY),
    "Hugging Face disk": ("", saved_to_disk, KEY),
    "Hive": ("", lambda p, z: frame(z).assign(fold=ID // 80).to_parquet(p, partition_cols=["fold"], index=False), ()),
    "dimensions first": (".npy", lambda p, z: np.save(p, z.T), ("--ids-by-position", "--dimensions-first")),
    "dimensions first, sparse": (".npz", lambda p, z: sparse.save_npz(p, sparse.csr_array(z.T)), ("--ids-by-position", "--dimensions-first")),
}  # fmt: skip


def scores_of(capsys, *words, status=0):
    with warnings.catch_warnings():
        assert _run([*map(str, words)]) == status, capsys.readouterr().err
    out, err = capsys.readouterr()
    return json.loads(out)["scores"], err


def written(folder, ending, write, count=3):
    paths = [folder / f"seed{seed}{ending}" for seed in range(count)]
    for seed, path in enumerate(paths):
        write(path, latents(seed))
    return paths


def same(found, expected):
    drop = {"run_a", "run_b"}
    kept = [[{k: v for k, v in one.items() if k not in drop} for one in scores] for scores in (found, expected)]
    assert kept[0] == kept[1]
    assert kept[0]


@pytest.fixture
def known(tmp_path, capsys):
    folder = tmp_path / "as-npy"
    folder.mkdir()
    return scores_of(capsys, "compare", *written(folder, ".npy", np.save), *POSITION, *QUICK, "--format", "json")[0]


@pytest.mark.parametrize("name", FORMATS)
def test_the_scores_are_those_of_npy_bit_for_bit(name, tmp_path, capsys, known):
    ending, write, said = FORMATS[name]
    folder = tmp_path / "given"
    folder.mkdir()
    paths = written(folder, ending, write)
    found, err = scores_of(capsys, "compare", *paths, *said, *QUICK, "--format", "json")
    same(found, known)
    assert ("taken for one table" in err) == paths[0].is_dir()
    assert _run(["import", *map(str, paths), *said, "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    same(scores_of(capsys, "compare", tmp_path / "run", *QUICK, "--format", "json")[0], known)
    of_folder, err = scores_of(capsys, "compare", folder, *said, *QUICK, "--format", "json")
    same(of_folder, known)
    assert f"its 3 {'folders' if paths[0].is_dir() else 'files'} are taken for restarts of one model" in err


@pytest.mark.parametrize("name", ["lists", "Spark", "Arrow stream", "csr", "layer", "Hive"])
@pytest.mark.parametrize("command", ["dimensions", "align", "restarts", "plot box", "plot latents"])
def test_every_command_that_reads_latents_reads_them(name, command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ending, write, said = FORMATS[name]
    Path("given").mkdir()
    first = written(Path("given"), ending, write, 4)[0]
    words = {
        "dimensions": ["dimensions", "given"],
        "align": ["align", "given", "--out", "aligned"],
        "restarts": ["restarts", "given"],
        "plot box": ["plot", "box", "given", "-o", "a.svg"],
        "plot latents": ["plot", "latents", str(first), "-o", "a.svg"],
    }
    assert _run([*words[command], *said]) == 0, capsys.readouterr().err


def test_python_takes_them_too(tmp_path):
    def means(paths, **naming):
        with pytest.warns(UserWarning, match="3 restarts of one model"):
            found = stabaudit.compare(*paths, naming=stabaudit.Naming(one_model=True, **naming), floor_draws=2, rotations=5)
        return [(one.metric, one.mean, one.independence_floor) for one in found.scores]

    of_parts = means(written(tmp_path, "", spark), folder="table")
    assert of_parts == means(written(tmp_path, ".npy", np.save), ids_by_position=True)
    assert of_parts == means(written(tmp_path, ".h5ad", FORMATS["sparse layer"][1]), obsm="layers/counts")


# Folders ---------------------------------------------------------------------------------------------------------------------


def test_a_folder_of_files_still_holds_restarts_unless_it_is_said(tmp_path, capsys, known):
    for seed in range(3):
        frame(latents(seed)).to_parquet(tmp_path / f"model-{seed}.parquet", index=False)
    found, err = scores_of(capsys, "compare", tmp_path, *QUICK, "--format", "json")
    same(found, known)
    assert "taken for restarts of one model" in err
    assert "one table" not in err
    assert _run(["compare", str(tmp_path), "--folder", "table"]) == 2
    assert "sample ids are repeated" in capsys.readouterr().err


def test_what_is_understood_of_a_folder_can_be_said_or_refused(tmp_path, capsys, known):
    parts = tmp_path / "parts"
    parts.mkdir()
    for seed in range(3):
        frame(latents(seed)).to_parquet(parts / f"part-{seed}.parquet", index=False)
    same(scores_of(capsys, "compare", parts, "--folder", "restarts", *QUICK, "--format", "json")[0], known)
    other = tmp_path / "other"
    spark(other, latents(1))
    alone = tmp_path / "alone"
    spark(alone, latents(0))
    assert _run(["compare", str(other), str(alone), "--strict"]) == 2
    err = capsys.readouterr().err
    assert "its 3 files are taken for one table (it holds _SUCCESS), which --strict does not guess; write --folder table" in err
    assert _run(["compare", str(other), str(alone), "--strict", "--folder", "table", *QUICK]) == 0


def test_folders_of_seeds_are_restarts(tmp_path, capsys, known):
    every = pd.concat([frame(latents(seed)).assign(seed=seed) for seed in range(3)])
    every.to_parquet(tmp_path / "all", partition_cols=["seed"], index=False)
    found, err = scores_of(capsys, "compare", tmp_path / "all", *QUICK, "--format", "json")
    same(found, known)
    assert "its 3 folders are taken for restarts of one model" in err


def test_folders_of_any_name_are_restarts_where_it_is_said(tmp_path, capsys, known):
    folder = tmp_path / "models"
    folder.mkdir()
    for seed in range(3):
        frame(latents(seed)).assign(fold=ID // 80).to_parquet(folder / f"model={seed}", partition_cols=["fold"], index=False)
    said = ("--folder", "restarts", "--strict")
    same(scores_of(capsys, "compare", folder, *said, *QUICK, "--format", "json")[0], known)
    assert _run(["import", str(folder), *said, "--out", str(tmp_path / "run")]) == 0
    assert _run(["compare", str(folder), *QUICK]) == 2
    assert "sample ids are repeated" in capsys.readouterr().err


def test_a_key_of_labels_is_the_class_of_the_rows_and_others_are_left_out(tmp_path):
    from stabaudit.store.run.latents import read_latents

    z = latents(0)
    made = frame(z).assign(label=np.where(ID % 2, "odd", "even"), fold=ID % 3)
    made.to_parquet(tmp_path / "t", partition_cols=["label", "fold"], index=False)
    with pytest.warns(UserWarning, match=r"its 6 files are taken for one table \(its folders are called label=even"):
        found = read_latents(tmp_path / "t")
    assert found.mean.shape == (N, D)
    np.testing.assert_array_equal(found.label, np.where(found.sample_id % 2, "odd", "even"))
    np.testing.assert_array_equal(found.mean, z[found.sample_id])


def test_a_run_notices_that_a_part_was_changed(tmp_path, capsys):
    paths = written(tmp_path, "", spark)
    words = ["import", *map(str, paths), "--out", str(tmp_path / "run")]
    assert _run(words) == 0
    assert _run(words) == 0
    shutil.rmtree(paths[1])
    spark(paths[1], latents(7))
    assert _run(words) == 2
    assert "files" in capsys.readouterr().err

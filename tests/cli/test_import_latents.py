"""`stabaudit import`: latents from anywhere become a run that every other command takes."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stabaudit.cli.main import _run
from stabaudit.store.files.natural_order import natural
from stabaudit.store.imports import import_run as importing
from stabaudit.store.run.run_folder import Run

ROWS, D = 200, 3
IDS = [f"cell-{i}" for i in range(ROWS)]


@pytest.fixture(autouse=True)
def _workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def run_command(capfd):
    def command(*words):
        status = _run([str(word) for word in words])
        return status, *capfd.readouterr()

    return command


def latents(seed, *, noise=0.5, d=D):
    """The same sources on other axes for every seed."""
    base = np.random.default_rng(9).laplace(size=(ROWS, d))
    rng = np.random.default_rng(seed)
    return base[:, rng.permutation(d)] + noise * rng.normal(size=base.shape)


def saved(path, values, ids=None):
    """Write latents as the suffix of a path says."""
    path = Path(path)
    path.parent.mkdir(exist_ok=True, parents=True)
    frame = pd.DataFrame(values, columns=[f"z{k}" for k in range(values.shape[1])])
    if ids is not None:
        frame.insert(0, "sample_id", ids)
    match path.suffix:
        case ".npy":
            np.save(path, values)
        case ".npz":
            np.savez(path, z=values, **({} if ids is None else {"sample_id": np.array(ids)}))
        case ".parquet":
            frame.to_parquet(path)
        case ".csv":
            frame.to_csv(path, index=False)
        case ".h5ad":
            h5py = pytest.importorskip("h5py")
            with h5py.File(path, "w") as file:
                file["obsm/X"], file["obs/_index"] = values, ids
                file["obs"].attrs["_index"] = "_index"
    return path


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".csv", ".h5ad"])
def test_files_with_ids_become_a_run_whose_rows_are_joined_on_them(suffix, run_command):
    """Rows lie in another order in every file; scores are those of the files compared directly."""
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(ROWS)
        saved(f"made/seed{seed}{suffix}", latents(seed)[order], [IDS[i] for i in order])
    assert run_command("import", "made", "--out", "run") == (
        0,
        "",
        "stabaudit: 3 restarts of 200 rows are imported to run\nstabaudit: next: stabaudit compare run\n",
    )
    assert run_command("verify", "run")[0] == 0
    of_run = json.loads(run_command("compare", "run", "--format", "json")[1])
    files = sorted(Path("made").iterdir())
    of_files = json.loads(run_command("compare", *files, "--strict", "--format", "json")[1])  # each a model of its own

    def strong(found, relation):
        wanted = {"metric": "strong_mcc", "sample": "in", "relation": relation}
        return [score["mean"] for score in found["scores"] if wanted.items() <= score.items()]

    (mean,) = strong(of_run, "within")
    assert mean == pytest.approx(np.mean(strong(of_files, "between")), abs=1e-6)
    correlations = [
        np.abs(np.corrcoef(latents(a).T, latents(b).T)[:D, D:]).max(axis=1).mean() for a, b in combinations(range(3), 2)
    ]
    assert mean == pytest.approx(np.mean(correlations), abs=0.02)  # half of the rows


def test_every_command_takes_the_run(run_command):
    for seed in range(3):
        saved(f"made/{seed}.npy", latents(seed))
    assert run_command("import", "made", "--out", "runs/pca", "--ids-by-position", "--dataset", "toy", "--family", "pca")[0] == 0
    assert run_command("verify", "runs")[0] == 0
    assert run_command("check", "runs/pca", "--require", "strong_mcc>=0.3")[0] == 0
    assert run_command("check", "runs/pca", "--baseline", "b.json", "--update-baseline")[0] == 0
    assert run_command("plot", "latents", "runs/pca", "--output", "a.svg")[0] == 0
    assert run_command("report", "runs", "--format", "html", "--output", "a.html")[0] == 0
    shown = run_command("show", "runs/pca")[1]
    assert "these latents were imported" in shown
    assert "0.npy, 1.npy, 2.npy" in shown
    Path("runs/pca/latents/restart-001.parquet").unlink()
    status, out, _ = run_command("verify", "runs")
    assert status == 2
    assert "delete it and import the latents" in out


def test_restarts_are_in_the_order_of_their_numbers(run_command):
    for seed in range(11):
        saved(f"made/seed{seed}.npy", np.full((ROWS, 1), seed) + latents(seed, d=1))
    Path("made/.hidden.npy").touch()
    Path("made/notes.txt").touch()
    assert run_command("import", "made", "--out", "run", "--ids-by-position")[0] == 0
    run = Run.open(Path("run"))
    assert [round(float(np.median(run.latents(i).mean))) for i in run.done] == list(range(11))


def test_natural_order():
    names = ["a10b2", "a9", "a10b10", "a", "b1", "a010"]
    assert sorted(names, key=natural) == ["a", "a9", "a010", "a10b2", "a10b10", "b1"]


def test_ids_may_have_another_name(run_command):
    for seed in range(2):
        frame = pd.DataFrame(latents(seed), columns=["a", "b", "c"]).assign(cell=IDS)
        saved_at = Path(f"seed{seed}.csv")
        frame.to_csv(saved_at, index=False)
    assert run_command("import", "seed0.csv", "seed1.csv", "--id-column", "cell", "--out", "run")[0] == 0
    assert Run.open(Path("run")).latents(0).sample_id.tolist() == IDS
    assert Run.open(Path("run")).latents(0).mean.shape == (ROWS, D)
    status, _, err = run_command("import", "seed0.csv", "seed1.csv", "--id-column", "cel", "--out", "other")
    assert (status, err) == (2, "stabaudit: error: unknown column of seed0.csv 'cel'; did you mean 'cell'?\n")
    np.savez("a.npz", z=latents(0), cell=IDS)
    assert run_command("import", "a.npz", "--id-column", "cell", "--out", "third")[0] == 0


def test_rows_matched_by_position_are_compared_between_runs_only_of_the_same_dataset(run_command):
    for name, words in {"a": ["--dataset", "x"], "b": ["--dataset", "x"], "c": ["--dataset", "y"], "d": [], "e": []}.items():
        for seed in range(2):
            saved(f"{name}/{seed}.npy", latents(seed + ord(name)))
        assert run_command("import", name, "--ids-by-position", "--out", f"runs/{name}", *words)[0] == 0
    assert run_command("compare", "runs/a", "runs/b")[0] == 0
    for other in "cd":
        status, _, err = run_command("compare", "runs/a", f"runs/{other}")
        assert status == 2
        assert "nothing says that a#0 and" in err
        assert "--dataset" in err
    assert run_command("compare", "runs/d", "runs/e")[0] == 2
    assert run_command("compare", "runs/d")[0] == 0


@pytest.mark.slow
def test_labels_let_families_be_tested_over_datasets(run_command):
    """Two families on six datasets: less noise is more stable on each of them, and the smallest p of six pairs is 2/2⁶."""
    for dataset in range(6):
        for family, noise in {"good": 0.3, "bad": 0.6 + 0.1 * dataset}.items():
            for seed in range(3):
                saved(f"{family}{dataset}/{seed}.npy", latents(10 * seed + dataset, noise=noise))
            labels = ["--family", family, "--dataset", f"set{dataset}", "--architecture", "none"]
            words = ["--ids-by-position", "--out", f"runs/{family}{dataset}", *labels]
            assert run_command("import", f"{family}{dataset}", *words)[0] == 0
    status, out, _ = run_command("report", "runs", "--wilcoxon", "--floor-draws", "1", "--format", "json")
    assert status == 0
    (test,) = json.loads(out)["families"]
    assert {test["family_a"], test["family_b"]} == {"good", "bad"}
    assert (test["n"], test["p"]) == (6, pytest.approx(2 / 2**6))


def test_true_sources_are_scored(run_command):
    sources = np.random.default_rng(9).laplace(size=(ROWS, D))
    order = np.random.default_rng(1).permutation(ROWS)
    for seed in range(2):
        saved(f"made/{seed}.npz", latents(seed), IDS)
    truth = saved("truth.csv", sources[order], [IDS[i] for i in order])
    assert run_command("import", "made", "--out", "run", "--sources", truth)[0] == 0
    scores = json.loads(run_command("compare", "run", "--format", "json")[1])["scores"]
    (strong,) = [s["mean"] for s in scores if (s["metric"], s["sample"]) == ("source_strong_mcc", "in")]
    assert strong == pytest.approx(np.sqrt(2 / 2.25), abs=0.02)  # variance 2 of the sources, 0.25 of the noise
    saved("fewer.csv", sources[1:], IDS[1:])
    status, _, err = run_command("import", "made", "--out", "other", "--sources", "fewer.csv")
    assert status == 2
    assert "fewer.csv names other rows than made/0.npz" in err
    assert not Path("other").exists()


BAD = latents(3).copy()
BAD[7, 1] = np.nan


@pytest.mark.parametrize(
    ("third", "words", "told"),
    [
        (None, [], "made/0.npz names no rows: give the column that does with --id-column"),
        (None, ["--id-column", "x", "--ids-by-position"], "--id-column and --ids-by-position: give one of them"),
        (
            (latents(2)[1:], None),
            ["--ids-by-position"],
            "made/2.npz has shape (199, 3), made/0.npz (200, 3); restarts of one run",
        ),
        ((latents(2)[:, 1:], None), ["--ids-by-position"], "made/2.npz has shape (200, 2), made/0.npz (200, 3)"),
        ((BAD, None), ["--ids-by-position"], "made/2.npz: z1 holds 1 NaN or infinite value"),
        ((latents(2), [*IDS[1:], "new"]), [], "made/2.npz names other rows than made/0.npz: 199 of 200 ids are in both"),
        ((latents(2), [*IDS[1:], "cell-7"]), [], "made/2.npz: 1 sample id is repeated, the first is cell-7"),
    ],
)
def test_what_does_not_fit_leaves_no_run(third, words, told, run_command):
    ids = IDS if third is not None and third[1] is not None else None
    for seed in range(2):
        saved(f"made/{seed}.npz", latents(seed), ids)
    if third is not None:
        saved("made/2.npz", *third)
    before = sorted(Path().rglob("*"))
    status, out, err = run_command("import", "made", "--out", "runs/new", *words)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert told in err
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["empty"], "empty holds no files of latents (.parquet, .feather, .arrow, "),
        (["mixed"], "mixed holds .csv and .npy files; name those that are restarts, as mixed/*.npy"),
        (["mixed/0.npy", "mixed/../mixed/0.npy"], "mixed/../mixed/0.npy is named twice"),
        (["empty/notes.txt"], "empty/notes.txt: expected a file of latents: .parquet, .feather, .arrow, "),
        (["forged.npy"], "forged.npy: shape (1000000000000, 4) of float64 takes 32,000,000,000,000 bytes, the file holds 0"),
    ],
)
def test_paths_that_are_no_latents_are_one_line(words, told, run_command):
    Path("empty").mkdir()
    Path("empty/notes.txt").touch()
    saved("mixed/0.npy", latents(0))
    saved("mixed/0.csv", latents(0))
    with Path("forged.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 4)})
    status, _, err = run_command("import", *words, "--ids-by-position", "--out", "run")
    assert (status, err.count("\n")) == (2, 1)
    assert told in err
    assert not Path("run").exists()


def test_an_import_that_was_interrupted_is_finished_by_the_same_command(run_command, monkeypatch):
    for seed in range(4):
        saved(f"made/{seed}.npy", latents(seed))
    words = ["import", "made", "--ids-by-position", "--out", "run"]
    whole, save = Run.save_latents, importing.Run.save_latents

    def full(run, index, values):
        if index == 2:
            raise OSError(28, "No space left on device", "run")
        save(run, index, values)

    monkeypatch.setattr(Run, "save_latents", full)
    assert run_command(*words)[0] == 2
    assert [restart.state for restart in Run.open(Path("run")).manifest.restarts] == ["done", "done", "pending", "pending"]
    monkeypatch.setattr(Run, "save_latents", whole)
    kept = Path("run/latents/restart-001.parquet").stat().st_mtime_ns
    assert run_command(*words)[0] == 0
    assert Run.open(Path("run")).done == [0, 1, 2, 3]
    assert Path("run/latents/restart-001.parquet").stat().st_mtime_ns == kept
    assert run_command("verify", "run")[0] == 0


def test_other_latents_are_not_taken_for_those_that_were_imported(run_command):
    for seed in range(2):
        saved(f"made/{seed}.npy", latents(seed))
    words = ["import", "made", "--ids-by-position", "--dataset", "x", "--out", "run"]
    assert run_command(*words)[0] == 0
    assert run_command(*words)[0] == 0
    saved("made/1.npy", latents(5))
    status, _, err = run_command(*words)
    assert status == 2
    assert "run holds another run: files.1.npy is '" in err
    saved("made/1.npy", latents(1))
    saved("made/2.npy", latents(2))
    assert run_command(*words)[0] == 0  # a file more is a restart more
    assert Run.open(Path("run")).done == [0, 1, 2]
    Path("made/0.npy").rename("made/9.npy")
    assert "files.0.npy is '" in run_command(*words)[2]
    assert "family is not set there, 'pca' here" in run_command(*words[:2], "--family", "pca", *words[2:])[2]


def test_seeds_of_imported_restarts_are_but_numbers(run_command):
    """So no pair between two imports is left out."""
    for name in "ab":
        for seed in range(3):
            saved(f"{name}/{seed}.npz", latents(seed + 10 * ord(name)), IDS)
        assert run_command("import", name, "--out", f"runs/{name}", "--family", name)[0] == 0
    status, out, err = run_command("compare", "runs/a", "runs/b", "--format", "json")
    assert (status, err) == (0, "")
    (between,) = [
        s for s in json.loads(out)["scores"] if (s["relation"], s["metric"], s["sample"]) == ("between", "strong_mcc", "out")
    ]
    assert between["pairs"] == 9


def test_one_array_of_an_h5ad_file_is_named(run_command):
    h5py = pytest.importorskip("h5py")
    for seed in range(2):
        with h5py.File(saved(f"cells{seed}.h5ad", latents(seed), IDS), "a") as file:
            file["obsm/X_umap"] = np.zeros((ROWS, 2))
    assert "several arrays in obsm (X, X_umap)" in run_command("import", "cells0.h5ad", "cells1.h5ad", "--out", "run")[2]
    assert run_command("import", "cells0.h5ad", "cells1.h5ad", "--obsm", "X", "--out", "run")[0] == 0
    np.testing.assert_array_equal(Run.open(Path("run")).latents(1).mean, latents(1).astype(np.float32))


def strong_mcc(out):
    return [s["mean"] for s in json.loads(out)["scores"] if (s["metric"], s["sample"]) == ("strong_mcc", "in")]


def test_compare_takes_files_by_position_by_column_and_by_key(run_command):
    """The same two restarts in every guise have the same score."""
    h5py = pytest.importorskip("h5py")
    order = np.random.default_rng(0).permutation(ROWS)
    for seed, rows in enumerate((np.arange(ROWS), order)):
        ids = [IDS[i] for i in rows]
        saved(f"p{seed}.npy", latents(seed))
        pd.DataFrame(latents(seed)[rows], columns=["a", "b", "c"]).assign(cell=ids, sample_id=0).to_csv(
            f"c{seed}.csv", index=False
        )
        with h5py.File(saved(f"h{seed}.h5ad", latents(seed)[rows], ids), "a") as file:
            file["obsm/X_umap"] = np.zeros((ROWS, 2))
            file["X"] = np.zeros(10**5)  # the counts, which are not what is compared
    by_position, by_column, by_key = (
        strong_mcc(run_command("compare", *files, "--format", "json", "--memory", "100kB")[1])
        for files in (
            ["p0.npy", "p1.npy", "--ids-by-position"],
            ["c0.csv", "c1.csv", "--id-column", "cell"],
            ["h0.h5ad", "h1.h5ad", "--obsm", "X"],
        )
    )
    assert by_column == pytest.approx(by_key)
    assert by_position == pytest.approx(by_key, abs=0.05)  # halves are drawn from the names
    for words, told in {
        ("p0.npy", "p1.npy"): "say --ids-by-position of files",
        ("h0.h5ad", "h1.h5ad"): "several arrays in obsm (X, X_umap); name one by --obsm",
        ("c0.csv", "c1.csv", "--id-column", "a", "--ids-by-position"): "give one of them",
        ("p0.npy", "p1.npy", "--ids-by-position", "--memory", "1kB"): "'stabaudit import' it or raise that",
    }.items():
        status, _, err = run_command("compare", *words)
        assert status == 2
        assert told in err


def test_commands_say_once_how_files_were_taken(run_command):
    for seed in range(3):
        values = np.random.default_rng(seed).normal(size=(50, 2))
        pd.DataFrame(values, columns=[1, 2]).to_csv(f"seed{seed}.csv", index=False)
    status, _, err = run_command("import", "seed0.csv", "seed1.csv", "seed2.csv", "--ids-by-position", "--out", "run")
    assert status == 0
    said = [line for line in err.splitlines() if "first line" in line]
    assert said == ["stabaudit: seed0.csv: its first line, 1 to 2, counts the columns and is taken for their names"]
    assert "3 restarts of 50 rows" in err


def test_files_are_compared_with_true_sources_as_they_are(run_command):
    truth = latents(99)
    for seed in range(3):
        saved(f"made/{seed}.npy", truth + 0.1 * np.random.default_rng(seed).normal(size=truth.shape))
    saved("truth.npy", truth)
    words = ("--ids-by-position", "--sources", "truth.npy", "--floor-draws", "2", "--rotations", "9")
    status, out, _ = run_command("compare", "made", *words, "--format", "json")
    assert status == 0
    scores = {s["metric"]: s["mean"] for s in json.loads(out)["scores"] if s["sample"] == "out"}
    assert scores["source_strong_mcc"] > 0.95
    assert run_command("compare", "made", "--ids-by-position", "--sources", "nowhere.npy")[0] == 2


def test_factors_of_a_file_keep_their_names_and_are_refused_by_them(run_command):
    truth = latents(99)
    for seed in range(3):
        saved(f"made/{seed}.npy", truth + 0.1 * np.random.default_rng(seed).normal(size=truth.shape))
    names = ["size", "hue", "angle", "depth"][:D]
    table = pd.DataFrame(truth, columns=names)
    table.to_csv("truth.csv", index=False)
    words = ("compare", "made", "--ids-by-position", "--sources", "truth.csv", "--scores", "mig", "--floor-draws", "2")
    status, out, err = run_command(*words)
    assert status == 0
    assert f"factors: numbers {', '.join(names)}" in err
    assert "sampled" not in out
    table.loc[3, "hue"] = np.nan
    table.to_csv("truth.csv", index=False)
    status, _, err = run_command(*words)
    what = "leave out the rows in question, or train again what gave them"
    assert (status, err.splitlines()[-1]) == (2, f"stabaudit: error: truth.csv: hue holds 1 NaN or infinite value; {what}")

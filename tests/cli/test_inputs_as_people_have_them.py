"""Latents written as people write them: what is recognised is joined and said, what is not is refused.

Two restarts of one representation with noise 0.5, whose strong MCC is about 0.8, or of unrelated noise.
"""

import json
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from stabaudit.cli.main import main

N, D = 400, 4
BASE = np.random.default_rng(0).standard_normal((N, D))
NAMES = np.array([f"cell{i}" for i in range(N)])
LETTERS = list("abcd")


def related(seed):
    return BASE + 0.5 * np.random.default_rng(100 + seed).standard_normal((N, D))


def unrelated(seed):
    return np.random.default_rng(200 + seed).standard_normal((N, D))


def frame(z, names=None):
    return pd.DataFrame(z, columns=names or [f"z{i}" for i in range(D)])


def shuffled(table, seed):
    return table.sample(frac=1, random_state=seed)


def csv(table, seed, path):
    table.to_csv(path, index=False)


def parquet(table, seed, path):
    table.to_parquet(path)


def lists(seed, path, kind):
    pq.write_table(pa.table({"id": NAMES, "embedding": pa.array(related(seed).tolist(), type=kind)}), path)


def outside(values):
    return {"z": values, "sample_id": NAMES}


# ruff: noqa: E501 -- a line each
JOINED = {  # name: suffix, how restart `seed` is written, what is said of it
    "id column": ("parquet", lambda s, p: shuffled(frame(related(s), LETTERS).assign(id=np.arange(N)), s).to_parquet(p, index=False), "named by its column 'id'"),
    "image_id column": ("csv", lambda s, p: shuffled(frame(related(s), LETTERS).assign(image_id=NAMES), s).to_csv(p, index=False), "named by its column 'image_id'"),
    "named index": ("parquet", lambda s, p: shuffled(frame(related(s)).set_index(pd.RangeIndex(N, name="image_id")), s).to_parquet(p), "its index 'image_id'"),
    "text index": ("parquet", lambda s, p: shuffled(frame(related(s)).set_index(pd.Index(NAMES)), s).to_parquet(p), "named by its index"),
    "shuffled index": ("parquet", lambda s, p: shuffled(frame(related(s)), s).to_parquet(p), "named by its index"),
    "whole floats": ("csv", lambda s, p: csv(frame(related(s)).assign(sample_id=np.arange(N) * 1.0), s, p), ""),
    "unsigned": ("csv", lambda s, p: csv(frame(related(s)).assign(sample_id=np.arange(N, dtype=np.uint64) + np.uint64(2**63)), s, p), ""),
    "dates": ("csv", lambda s, p: csv(frame(related(s)).assign(sample_id=pd.date_range("2020-01-01", periods=N).strftime("%Y-%m-%d")), s, p), ""),
    "timestamps": ("parquet", lambda s, p: parquet(frame(related(s)).assign(sample_id=pd.date_range("2020-01-01", periods=N)), s, p), ""),
    "integers and their text": ("parquet", lambda s, p: parquet(frame(related(s)).assign(sample_id=np.arange(N) if s else [str(i) for i in range(N)]), s, p), ""),
    "bytes": ("npz", lambda s, p: np.savez(p, z=related(s), sample_id=NAMES.astype("S")), ""),
    "float labels": ("parquet", lambda s, p: parquet(frame(related(s)).assign(sample_id=range(N), label=np.arange(N) % 3 * 1.0), s, p), ""),
    "absent labels": ("parquet", lambda s, p: parquet(frame(related(s)).assign(sample_id=range(N), label=[None if i % 7 == 0 else "a" for i in range(N)]), s, p), "label is absent in 58 rows"),
    "labels that are bits": ("parquet", lambda s, p: parquet(frame(related(s)).assign(sample_id=range(N), label=np.arange(N) % 2 == 0), s, p), ""),
    "a number beside": ("npz", lambda s, p: np.savez(p, **outside(related(s)), seed=s), ""),
    "an object beside": ("npz", lambda s, p: np.savez(p, **outside(related(s)), config=np.array({"lr": 1}, dtype=object)), ""),
    "latents under a usual key": ("npz", lambda s, p: np.savez(p, latents=related(s), sample_id=NAMES, labels=np.arange(N) % 3), "its array 'latents' is taken"),
    "far from zero": ("npz", lambda s, p: np.savez(p, **outside(related(s) + 1e8)), ""),
    "large integers": ("npz", lambda s, p: np.savez(p, **outside((2**40 + np.round(50 * related(s))).astype(np.int64))), ""),
    "unequal units": ("npz", lambda s, p: np.savez(p, **outside(related(s) * np.array([1e-12, 1.0, 1e6, 1e12]))), ""),
    "lists": ("parquet", lambda s, p: lists(s, p, pa.list_(pa.float64())), "'embedding' of lists is taken for 4 dimensions"),
    "lists of one length": ("parquet", lambda s, p: lists(s, p, pa.list_(pa.float32(), D)), "'embedding' of lists is taken for 4 dimensions"),
    "Feather": ("feather", lambda s, p: shuffled(frame(related(s)).assign(sample_id=NAMES), s).reset_index(drop=True).to_feather(p), ""),
    "safetensors": ("safetensors", lambda s, p: save_file({"z": related(s), "sample_id": np.arange(N)}, p), ""),
    "gzipped CSV": ("csv.gz", lambda s, p: csv(shuffled(frame(related(s)).assign(sample_id=NAMES), s), s, p), ""),
    "tabs": ("tsv", lambda s, p: frame(related(s)).assign(sample_id=NAMES).to_csv(p, index=False, sep="\t"), ""),
    "semicolons": ("csv", lambda s, p: frame(related(s)).assign(sample_id=NAMES).to_csv(p, index=False, sep=";", decimal=","), "separated by semicolons"),
    "percentages": ("csv", lambda s, p: csv(frame(related(s)).map("{:.4f}%".format).assign(sample_id=NAMES), s, p), "percentages in 'z0', 'z1', 'z2', 'z3' are read as fractions"),
}  # fmt: skip


@pytest.fixture
def run(capsys):
    def invoke(*arguments, status=0):
        with warnings.catch_warnings(), pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert stop.value.code == status, err
        assert "np." not in err
        return out, err

    return invoke


def strong(run, *arguments):
    out, err = run("compare", *arguments, "--floor-draws", "1", "--rotations", "1", "--format", "json")
    scores = json.loads(out)["scores"]
    return next(s["mean"] for s in scores if s["metric"] == "strong_mcc" and s["sample"] == "out"), err


@pytest.mark.parametrize("name", JOINED)
def test_rows_are_joined_and_what_was_recognised_is_said(run, tmp_path, name):
    suffix, write, said = JOINED[name]
    folder = tmp_path / "restarts"
    folder.mkdir()
    for seed in range(2):
        write(seed, folder / f"r{seed}.{suffix}")
    value, err = strong(run, *sorted(folder.iterdir()))
    assert value == pytest.approx(0.79, abs=0.02)
    assert said in err
    of_folder, _ = strong(run, folder)  # as restarts of one model
    assert of_folder == pytest.approx(value, abs=1e-9)
    run("import", folder, "--out", tmp_path / "run")
    assert strong(run, tmp_path / "run")[0] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("name", [name for name, (_, _, said) in JOINED.items() if said and "absent" not in said])
def test_strict_guesses_nothing_and_says_what_to_write(run, tmp_path, name):
    suffix, write, _ = JOINED[name]
    for seed in range(2):
        write(seed, tmp_path / f"r{seed}.{suffix}")
    _, err = run("compare", *sorted(tmp_path.iterdir()), "--strict", status=2)
    assert "which --strict does not guess; write " in err or "which --strict does not guess; separate " in err
    assert err.count("\n") == 1


UNRELATED = {  # written without names of rows, which --ids-by-position makes up for
    "numbered header": (lambda s, p: csv(frame(0.05 * unrelated(s), list("1234")), s, p), "its first line, 1 to 4, counts the columns"),
    "index column": (lambda s, p: csv(frame(unrelated(s), LETTERS).reset_index(), s, p), "'index', counts the rows and is left out"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNRELATED)
def test_counters_are_no_latents(run, tmp_path, name):
    write, said = UNRELATED[name]
    for seed in range(2):
        write(seed, tmp_path / f"r{seed}.csv")
    value, err = strong(run, *sorted(tmp_path.iterdir()), "--ids-by-position")
    assert value < 0.15
    assert said in err


def test_a_row_that_outweighs_all_others_is_named_with_the_score_by_ranks(run, tmp_path):
    for seed in range(2):
        z = related(seed)
        z[7, 0] = 1e9
        np.savez(tmp_path / f"r{seed}.npz", **outside(z))
    files = sorted(tmp_path.iterdir())
    by_ranks, nothing = strong(run, *files, "--correlation", "spearman")
    value, err = strong(run, *files)
    assert value > 0.83
    said = f"strong MCC is {by_ranks:.3f} over all pairs"
    assert "r0: row cell7 carries 100% of the variance of z0; 1 more dimension is like that; by ranks" in err
    assert said in err
    assert "carries" not in nothing


def test_arrays_with_dimensions_first(run, tmp_path):
    for seed in range(2):
        np.savez(tmp_path / f"r{seed}.npz", z=related(seed).T, sample_id=NAMES)
        np.save(tmp_path / f"r{seed}.npy", related(seed)[:9].T)
    named, bare = (sorted(tmp_path.glob(f"*.{suffix}")) for suffix in ("npz", "npy"))
    assert strong(run, *named, "--dimensions-first")[0] == pytest.approx(0.79, abs=0.02)
    run("import", *named, "--dimensions-first", "--out", tmp_path / "run")
    assert strong(run, tmp_path / "run")[0] == pytest.approx(0.79, abs=0.02)
    assert "the latents look transposed: --dimensions-first" in run("compare", *named, status=2)[1]
    err = run("compare", *bare, "--ids-by-position", status=2)[1]
    assert "looks transposed: --dimensions-first" in err


def test_files_whose_names_differ_in_numbers_are_restarts_of_one_model(run, tmp_path):
    for seed in (0, 2, 10):
        np.savez(tmp_path / f"vae-seed{seed}.npz", **outside(related(seed)))
    files = sorted(tmp_path.iterdir())
    quick = ("--floor-draws", "1", "--rotations", "1", "--format", "json")
    out, err = run("compare", *files, *quick)
    found = json.loads(out)
    assert [(one["name"], one["restarts"]) for one in found["runs"]] == [("vae-seed", 3)]
    assert {one["relation"] for one in found["scores"]} == {"within"}
    assert "vae-seed0.npz to vae-seed10.npz are taken for 3 restarts of one model" in err
    assert "'stabaudit import' makes them a run" in err
    out, err = run("compare", *files, "--strict", *quick)
    assert len(json.loads(out)["runs"]) == 3
    assert "taken for" not in err
    np.savez(tmp_path / "vae-seed11.npz", **outside(related(11)[:, :3]))  # another size, so another model
    out, _ = run("compare", *sorted(tmp_path.iterdir()), "--allow-unequal", *quick)
    assert len(json.loads(out)["runs"]) == 4


def test_ids_by_position_leaves_ids_out_of_the_latents(run, tmp_path):
    for seed in range(2):
        frame(np.random.default_rng(seed).standard_normal((N, D)), LETTERS).assign(id=np.arange(N)).to_parquet(
            tmp_path / f"{seed}.parquet"
        )
    value, _ = strong(run, *sorted(tmp_path.iterdir()), "--ids-by-position")
    assert value < 0.15


def test_texts_that_are_no_integers_are_not_joined_with_integers(run, tmp_path):
    frame(related(0)).assign(sample_id=[f"0{i}" for i in range(N)]).to_parquet(tmp_path / "a.parquet")
    frame(related(1)).assign(sample_id=range(N)).to_parquet(tmp_path / "b.parquet")
    _, err = run("compare", tmp_path / "a.parquet", tmp_path / "b.parquet", status=2)
    assert "'00' is text, '0' an integer" in err


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"first": BASE, "second": BASE}, (), "expected the latents under the key 'z', or say --key NAME"),
        ({"z": BASE, "other": BASE}, ("--key", "nothing"), "unknown array of"),
        ({"z": BASE, "sample_id": np.arange(N) + 0.5}, (), "expected integers or text"),
        ({"z": BASE, "sample_id": np.array([b"\xff"] * N)}, (), "bytes that are not UTF-8"),
    ],
)
def test_arrays_that_cannot_be_taken_are_refused_in_one_line(run, tmp_path, arrays, options, message):
    np.savez(tmp_path / "a.npz", **arrays)
    np.savez(tmp_path / "b.npz", **arrays)
    _, err = run("compare", tmp_path / "a.npz", tmp_path / "b.npz", *options, status=2)
    assert message in err
    assert err.count("\n") == 1


def test_a_key_chooses_among_arrays(run, tmp_path):
    for seed in range(2):
        np.savez(
            tmp_path / f"{seed}.npz",
            first=related(seed),
            second=np.random.default_rng(seed).standard_normal((N, D)),
            sample_id=NAMES,
        )
    files = sorted(tmp_path.iterdir())
    assert strong(run, *files, "--key", "first")[0] > 0.7
    assert strong(run, *files, "--key", "second")[0] < 0.2


def test_lists_of_different_lengths_are_refused(run, tmp_path):
    for name in "ab":
        pq.write_table(pa.table({"id": ["x", "y"], "embedding": [[1.0], [1.0, 2.0]]}), tmp_path / f"{name}.parquet")
    _, err = run("compare", *sorted(tmp_path.iterdir()), status=2)
    assert "lists of different lengths" in err


CONFIGURATIONS = pd.DataFrame({"architecture": "mlp", "dataset": [f"d{i}" for i in range(8)], "latent_dim": 5})
GAIN = np.random.default_rng(1).normal(0.05, 0.01, 8)
LONG = pd.concat([CONFIGURATIONS.assign(family=f, mcc=0.6 + (f == "b") * GAIN) for f in "ab"])
WIDE = CONFIGURATIONS.assign(a=0.6, b=0.6 + GAIN)
SEEDS = pd.concat([LONG.assign(seed=s, mcc=LONG.mcc + 0.01 * (s - 1)) for s in range(3)])
TABLES = {  # name: file, how it is written, what is said of it
    "as it should be": ("t.csv", lambda p: LONG.to_csv(p, index=False), ""),
    "semicolons and decimal commas": ("t.csv", lambda p: LONG.to_csv(p, index=False, sep=";", decimal=","), "separated by semicolons"),
    "tabs": ("t.tsv", lambda p: LONG.to_csv(p, index=False, sep="\t"), ""),
    "gzipped": ("t.csv.gz", lambda p: LONG.to_csv(p, index=False), ""),
    "seeds": ("t.csv", lambda p: SEEDS.to_csv(p, index=False), "each value is the mean over 3 rows of column 'seed'"),
    "decimals": ("t.parquet", lambda p: LONG.assign(mcc=[Decimal(f"{v:.9f}") for v in LONG.mcc]).to_parquet(p), ""),
    "Feather": ("t.feather", lambda p: LONG.reset_index(drop=True).to_feather(p), ""),
    "percentages": ("t.csv", lambda p: LONG.assign(mcc=LONG.mcc.map("{:.6%}".format)).to_csv(p, index=False), "are read as fractions"),
    "a column a family": ("t.csv", lambda p: WIDE.to_csv(p, index=False), "its columns 'a', 'b' are taken for families"),
    "tiny values": ("t.csv", lambda p: LONG.assign(mcc=1e-10 * LONG.mcc).to_csv(p, index=False), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_scores_are_read_alike(run, tmp_path, name):
    file, write, said = TABLES[name]
    write(tmp_path / file)
    out, err = run("report", "--wilcoxon", tmp_path / file, "--format", "json")
    (found,) = json.loads(out)["families"]
    assert (found["family_a"], found["family_b"], found["n"], found["p"]) == ("a", "b", 8, pytest.approx(2 / 2**8))
    assert found["hodges_lehmann"] == pytest.approx(-np.mean(GAIN) * (1e-10 if "tiny" in name else 1), rel=0.1)
    assert said in err
    assert bool(err) == bool(said)
    guessed = bool(said) and "mean over" not in said
    _, err = run("report", "--wilcoxon", tmp_path / file, "--strict", status=2 if guessed else 0)
    assert ("which --strict does not guess" in err) == guessed


def test_families_that_differ_in_case_alone_are_named(run, tmp_path):
    LONG.assign(family=["A", *LONG.family[1:]]).to_csv(tmp_path / "t.csv", index=False)
    _, err = run("report", "--wilcoxon", tmp_path / "t.csv")
    assert "'A' and 'a' are taken for different families" in err

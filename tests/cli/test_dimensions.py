"""`stabaudit dimensions`: a verdict for every dimension, in every form; and gates on how many are axes."""

import csv
import io
import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator

import stabaudit
from stabaudit.cli.main import main
from stabaudit.json_schema.schema import json_schema
from stabaudit.store.run.latents import Latents, LatentsMetadata, write_latents

ROWS = 600
VERDICTS = ["axis", "axis", "not_shared", "subspace", "subspace"]


@pytest.fixture
def run(capsys):
    def invoke(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        return stop.value.code, *capsys.readouterr()

    return invoke


@pytest.fixture(scope="module")
def folder(make_lasting_run):
    """Two axes, a plane that every restart turns, and a dimension of noise."""
    return make_lasting_run("vae", d=5, latents=world(8))


def world(restarts):
    rng = np.random.default_rng(0)
    base = rng.normal(size=(ROWS, 4))
    found = []
    for _ in range(restarts):
        turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
        z = np.column_stack([base[:, :2], base[:, 2:] @ turn, rng.normal(size=ROWS)]) + 0.1 * rng.normal(size=(ROWS, 5))
        found.append(z[:, rng.permutation(5)] * rng.choice([-1, 1], 5))
    return found


@pytest.mark.slow
def test_json_has_what_the_library_gives_and_keeps_the_schema(run, folder):
    code, out, err = run("dimensions", folder, "--format", "json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    Draft202012Validator(json_schema()).validate(document)
    found = stabaudit.dimensions(folder)
    assert sorted(one.verdict for one in found.anatomy) == VERDICTS
    assert [(one["dimension"], one["verdict"], one["purity"]) for one in document["anatomy"]] == [
        (one.dimension, one.verdict, one.purity) for one in found.anatomy
    ]
    (solution,) = document["solutions"]
    assert solution["restarts"] == [f"vae#{i}" for i in range(8)]
    compared = json.loads(run("compare", folder, "--format", "json", "--floor-draws", "1", "--rotations", "1")[1])
    assert (compared["anatomy"], compared["solutions"]) == (document["anatomy"], document["solutions"])


def test_the_table_has_a_row_for_each_dimension_and_says_what_they_are(run, folder):
    code, out, err = run("dimensions", folder)
    assert (code, err) == (0, "")
    title, header, _, *rows = out.splitlines()
    assert title.startswith("dimensions of vae: 8 restarts, followed from restart ")
    assert header.split()[:2] == ["dimension", "verdict"]
    assert [" ".join(row.split()[1:3]) for row in rows[:5]] == [
        *[f"axis {row.split()[2]}" for row in rows[:2]],
        *[f"subspace {row.split()[2]}" for row in rows[2:4]],
        "not shared",
    ]
    assert all(row.split()[-1] == "8/8" for row in rows[:5])
    words = " ".join(" ".join(rows[5:]).split())
    assert "2 of 5 dimensions are the same axes in every restart; 2 span a plane that turns; 1 " in words
    assert "purity:" in words


def test_csv_is_the_list_of_dimensions(run, folder):
    code, out, err = run("dimensions", folder, "--format", "csv")
    assert (code, err.count("\n")) == (0, 1)
    assert "solutions" in err  # which only a file can hold too
    rows = list(csv.DictReader(io.StringIO(out)))
    assert sorted(row["verdict"] for row in rows) == VERDICTS
    assert {row["run"] for row in rows} == {"vae"}
    assert sorted(int(row["dimension"]) for row in rows) == list(range(5))
    assert all(0 <= float(row["axis_agreement_low"]) <= float(row["axis_agreement"]) <= 1 for row in rows)


def test_markdown_is_a_table_in_a_file(run, folder, tmp_path):
    path = tmp_path / "dimensions.md"
    assert run("dimensions", folder, "--format", "markdown", "--output", path) == (0, "", "")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("| z") for line in lines) == 5
    assert any(line.startswith("| dimension | verdict |") for line in lines)


def test_several_runs_have_a_section_each(run, make_run):
    first, second = make_run("a", restarts=3), make_run("b", "rotated", 3)
    found = json.loads(run("dimensions", first, second, "--format", "json")[1])
    assert [one["run"] for one in found["anatomy"]] == ["a"] * 4 + ["b"] * 4
    assert {one["run"] for one in found["anatomy"] if one["verdict"] == "axis"} == {"a"}
    out = run("dimensions", first, second)[1]
    assert [line.split(":")[0] for line in out.splitlines() if line.startswith("dimensions of")] == [
        "dimensions of a",
        "dimensions of b",
    ]


def test_ranks_see_axes_under_any_increasing_map(run, make_run):
    rng = np.random.default_rng(0)
    base = rng.normal(size=(ROWS, 2))
    maps = (np.asarray, np.exp, np.tanh, lambda z: z**5, lambda z: z**3)
    folder = make_run("vae", d=2, latents=[one(2 * base + 0.1 * rng.normal(size=base.shape)) for one in maps])
    found = json.loads(run("dimensions", folder, "--correlation", "spearman", "--format", "json")[1])["anatomy"]
    assert [one["verdict"] for one in found] == ["axis", "axis"]
    by_value = json.loads(run("dimensions", folder, "--format", "json")[1])["anatomy"]
    assert all(one["axis_agreement"] > 0.98 for one in found)
    assert all(one["axis_agreement"] < 0.8 for one in by_value)


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ("one", "one restart, nothing to compare"),
        ("vae#1", "one restart, nothing to compare"),
        ("grid", "latents on a grid, which have no anatomy yet"),
        ("missing", "no such file or folder"),
    ],
)
def test_what_has_no_dimensions_to_follow_is_one_line(run, make_run, tmp_path, selector, said):
    make_run("vae", restarts=3)
    make_run("one", restarts=1)
    selectors = [tmp_path / selector]
    if selector == "grid":
        selectors = [tmp_path / f"{i}.parquet" for i in range(2)]
        for i, path in enumerate(selectors):
            z = np.random.default_rng(i).normal(size=(50, 8)).astype(np.float32)
            write_latents(path, Latents(np.arange(50), z, metadata=LatentsMetadata(grid=(2, 2, 2))))
    code, out, err = run("dimensions", *selectors)
    assert (code, out) == (2, "")
    assert err.startswith("stabaudit: error: ")
    assert err.count("\n") == 1
    assert said in err


def test_runs_of_one_restart_each_have_no_anatomy(run, make_run):
    folder = make_run("vae", restarts=3)
    code, out, err = run("dimensions", f"{folder}#0", f"{folder}#1")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "one restart, nothing to hold its dimensions against; give runs of two restarts or more" in err


@pytest.mark.slow
def test_embeddings_of_length_one_are_not_called_inactive(run, make_run):
    """On a sphere in 300 dimensions every coordinate has variance 1/300, less than the 0.01 of an active unit."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(1200, 300))
    latents = [base + 0.1 * rng.normal(size=base.shape) for _ in range(3)]
    latents = [(z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32) for z in latents]
    assert max(z.var(axis=0).max() for z in latents) < 0.01
    folder = make_run("embeddings", d=300, ids=np.arange(1200), latents=latents)
    code, out, err = run("compare", folder, "--format", "json", "--floor-draws", "1", "--rotations", "1")
    assert code == 0
    assert "inactive" not in err
    document = json.loads(out)
    assert document["collapse"] == []
    assert {one["active"] for one in document["dimensions"]} == {None}
    assert "inactive" not in {one["verdict"] for one in document["anatomy"]}
    assert {one["active_restarts"] for one in document["anatomy"]} == {3}
    assert "active_strong_mcc" not in {score["metric"] for score in document["scores"]}
    assert "inactive" not in run("dimensions", folder)[1]


@pytest.mark.parametrize(
    ("bound", "code", "verdict"),
    [
        ("reproducible_axes>=2", 0, "pass"),
        ("reproducible_axes > 1.5", 0, "pass"),
        ("reproducible_axes>=3", 1, "fail"),
        ("reproducible_axes<=2", 0, "pass"),
        ("reproducible_axes.fraction>=0.4", 0, "pass"),
        ("reproducible_axes.fraction>=0.5", 1, "fail"),
    ],
)
def test_a_gate_on_the_number_of_axes(run, folder, bound, code, verdict):
    status, out, _ = run("check", folder, "--require", bound, "--format", "json", "--floor-draws", "1", "--rotations", "1")
    (gate,) = json.loads(out)["gates"]
    assert (status, gate["verdict"]) == (code, verdict)
    assert gate["score"] == ("reproducible_axes.fraction" if "fraction" in bound else "reproducible_axes")
    assert gate["value"] == (0.4 if "fraction" in bound else 2)


def test_axes_that_more_restarts_could_show_are_inconclusive(run, make_run):
    """Three restarts within 8° of each other may share axes, or a plane that happens to lie straight."""
    angles = np.deg2rad([0, 8, -8])
    turns = [np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]]) for t in angles]
    folder = make_run("vae", d=2, latents=[z @ turn for z, turn in zip(axes(3, 2), turns, strict=True)])
    few = ("--format", "json", "--floor-draws", "1", "--rotations", "1")
    for bound in ("reproducible_axes>=2", "reproducible_axes.fraction>=0.9"):
        code, out, _ = run("check", folder, "--require", bound, *few)
        (gate,) = json.loads(out)["gates"]
        assert (code, gate["verdict"], gate["value"]) == (3, "inconclusive", 0)
        assert (gate["ci_low"], gate["ci_high"]) == (0, 1 if "fraction" in bound else 2)
    assert run("check", folder, "--require", "reproducible_axes>=3", *few)[0] == 1  # of two
    assert "0–2 of 2" in run("report", folder)[1]
    many = make_run("many", d=2, latents=axes(8, 2))
    assert run("check", many, "--require", "reproducible_axes>=2", *few)[0] == 0


def axes(restarts, d):
    rng = np.random.default_rng(1)
    base = rng.normal(size=(ROWS, d))
    return [base + 0.1 * rng.normal(size=base.shape) for _ in range(restarts)]


@pytest.mark.parametrize(
    "bound",
    [
        "reproducible_axis>=2",
        "reproducible_axes.in>=2",
        "reproducible_axes@3>=2",
        "reproducible_axes.adjusted>=2",
        "reproducible_axes.fractions>=0.5",
        "reproducible_axes.fraction",
        "strong_mcc.fraction>=0.5",
    ],
)
def test_a_bound_that_is_written_wrongly_is_one_line(run, folder, bound):
    code, out, err = run("check", folder, "--require", bound, "--floor-draws", "1", "--rotations", "1")
    assert (code, out) == (2, "")
    assert err.startswith("stabaudit: error: ")
    assert err.count("\n") == 1


def test_a_misspelt_bound_offers_the_name(run, folder):
    err = run("check", folder, "--require", "reproducible_axis>=2", "--floor-draws", "1", "--rotations", "1")[2]
    assert "did you mean 'reproducible_axes'" in err

"""Scores against known factors from the command line: in every place where scores are, and what is said where they cannot be."""

import csv
import io
import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

import stabaudit
from stabaudit.cli.main import _run
from stabaudit.comparison.reading.selectors import read_groups
from stabaudit.comparison.scoring.against_factors import factor_warnings
from stabaudit.comparison.settings import Settings
from stabaudit.metrics.information_gap import mig
from stabaudit.metrics.scores import of_factors
from stabaudit.metrics.split import split_halves
from stabaudit.metrics.unsupervised_ranking import udr
from stabaudit.store.run.run_folder import Run

FEW = ("--floor-draws", "2", "--rotations", "9")
CHEAP = "mig,sap,modularity,factor_r2"


@pytest.fixture
def run(make_run):
    """A run of three restarts whose factors, two numbers and three classes, are its sources."""
    rng = np.random.default_rng(0)
    n = 600
    factors = np.column_stack([rng.uniform(size=(n, 2)), rng.integers(0, 3, n)])
    latents = [factors[:, [1, 2, 0]] * 3 + 0.3 * rng.normal(size=(n, 3)) for _ in range(3)]
    return make_run("vae", d=3, ids=np.arange(n), latents=latents, sources=factors)


@pytest.fixture
def invoke(capsys):
    def invoke(*arguments, status=0):
        found = _run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert found == status, err
        return out, err

    return invoke


@pytest.mark.slow
def test_every_score_in_table_and_json_with_its_floor_and_interval(run, invoke):
    out, err = invoke("compare", run, "--scores", "all", *FEW, "--format", "json")
    assert "vae: factors: classes s2 (3); numbers s0, s1" in err
    assert "dci_disentanglement" not in err  # two draws were asked for, and it has them
    assert "mean_cosine" not in err
    document = json.loads(out)
    jsonschema.validate(document, json.loads(invoke("schema")[0]))
    for one in of_factors():
        for sample in ("in", "out"):
            (score,) = (s for s in document["scores"] if (s["metric"], s["sample"]) == (one.name, sample))
            assert score["ci_low"] < score["mean"] < score["ci_high"]
            assert score["independence_floor"] < score["mean"] - 0.1
            assert score["rotation_floor"] is None
            assert (score["relation"], score["restarts"]) == ("within", 3)
        assert {pair["run_b"] for pair in document["pairs"] if pair["metric"] == one.name} == {"sources"}
    rows = list(csv.DictReader(io.StringIO(invoke("compare", run, "--scores", CHEAP, *FEW, "--format", "csv")[0])))
    assert {row["metric"] for row in rows} == set(CHEAP.split(","))


def test_values_are_those_of_the_functions(run):
    found = stabaudit.compare(run, scores=("mig", "udr"), floor_draws=1, rotations=1)
    restarts = [Run.open(run).latents(at).mean for at in range(3)]
    factors = Run.open(run).evaluation().sources
    score = ~split_halves(np.arange(600))
    expected = [mig(z[score], factors[score]) for z in restarts]
    (table,) = (one for one in found.pairs if one.metric == "mig")
    assert table.values[:, 0].tolist() == pytest.approx(expected)
    (pairs,) = (one for one in found.pairs if one.metric == "udr")
    assert pairs.values[0, 1] == pytest.approx(udr(restarts[0][score], restarts[1][score]))


def test_only_scores_against_factors(run, invoke):
    out, err = invoke("compare", run, "--scores", "mig", *FEW)
    assert "within vae: 3 restarts, 600 rows, d = 3" in out
    assert "\nMIG " in out
    assert "strong MCC" not in out
    assert "pairs, evenly" not in err


def test_sources_of_a_file(tmp_path, invoke):
    rng = np.random.default_rng(0)
    factors = rng.uniform(size=(400, 2))
    for restart in range(3):
        np.savez(tmp_path / f"z{restart}.npz", z=factors + 0.1 * rng.normal(size=factors.shape), sample_id=np.arange(400))
    np.savez(tmp_path / "truth.npz", z=factors[::-1], sample_id=np.arange(400)[::-1])
    files = [tmp_path / f"z{restart}.npz" for restart in range(3)]
    out, _ = invoke("compare", *files, "--sources", tmp_path / "truth.npz", "--scores", "factor_r2", *FEW)
    assert "factor R²  0.8" in out


def test_without_factors_it_is_said(make_run, invoke):
    plain = make_run("plain")
    assert (
        "plain: mig, sap: left out, since no true factors of its rows are known; give them by --sources FILE"
        in invoke("compare", plain, "--scores", "strong_mcc,sap,mig", *FEW)[1]
    )
    out, err = invoke("compare", plain, "--scores", "mig", *FEW, status=2)
    assert (out, err) == (
        "",
        "stabaudit: error: plain: mig: left out, since no true factors of its rows are known; give them by --sources FILE\n",
    )
    one_factor = make_run("one", sources=np.random.default_rng(0).uniform(size=(600, 1)))
    _, err = invoke("compare", one_factor, "--scores", "mig,modularity", *FEW)
    assert "one: modularity: left out, since 1 of its factors varies, and these scores need more" in err


def test_streamed_latents_are_left_out_with_a_line(make_run, invoke):
    rng = np.random.default_rng(0)
    base = rng.normal(size=(20_000, 4))
    run = make_run(
        "big", d=4, ids=np.arange(len(base)), latents=[base + 0.1 * rng.normal(size=base.shape) for _ in range(3)], sources=base
    )
    _, err = invoke("compare", run, "--scores", "weak_mcc,mig", "--memory", "1500kB", *FEW)
    assert "big: mig: left out, since its latents are streamed and these scores need all rows; raise --memory" in err


def test_grids_are_left_out_with_a_line(run):
    (group,) = read_groups([str(run)])
    grid = replace(group, sources=None, summary=replace(group.summary, grid=(1, 1, 3)))
    assert factor_warnings([grid], Settings(scores=("strong_mcc", "mig"))) == [
        "vae: mig: left out, since latents on a grid are not scored against factors"
    ]


@pytest.mark.slow
def test_gates_reports_tests_of_families_and_figures(run, invoke, tmp_path):
    assert "mig.out >= 0.1" in invoke("check", run, "--require", "mig>=0.1", *FEW)[0]
    assert "mig.out >= 0.1" in invoke("check", run, "--require", "MIG >= 0.1", *FEW)[0]
    assert "mig.out.adjusted >= 0.1" in invoke("check", run, "--require", "mig.adjusted>=0.1", *FEW)[0]
    assert "lies between 0 and 1" in invoke("check", run, "--require", "mig>=1.5", *FEW, status=2)[1]
    baseline = tmp_path / "baseline.json"
    invoke("check", run, "--baseline", baseline, "--update-baseline", "--scores", "strong_mcc,weak_mcc,mig", *FEW)
    assert "mig" in {score["metric"] for score in json.loads(baseline.read_text())["scores"]}
    assert "MIG [95%]" in invoke("report", run, "--scores", "strong_mcc,mig", *FEW)[0]
    assert "MIG [95%]" in invoke("report", run, "--scores", "strong_mcc,mig", *FEW, "--format", "html")[0]
    figure = tmp_path / "figure.svg"
    invoke("plot", "box", run, "--metric", "mig", "--output", figure, *FEW)
    assert "MIG with the true sources" in figure.read_text()
    assert "one value for each restart" in invoke("plot", "heatmap", run, "--metric", "mig", "--output", figure, status=2)[1]
    assert "mig.out: expected an out-of-sample score of pairs" in invoke("restarts", run, "--score", "mig", status=2)[1]
    assert "| mig |" in invoke("list", "scores", "--format", "markdown")[0].replace("`", "")


def test_a_restart_has_its_own_udr(run, invoke):
    out, _ = invoke("compare", run, "--scores", "udr", *FEW)
    assert "UDR by restart, the median over its pairs: " in out
    two = ("compare", f"{run}#0", f"{run}#1", "--scores", "udr", *FEW)
    assert "UDR by restart" not in invoke(*two)[0]


@pytest.mark.slow
def test_a_vae_trained_on_shapes_is_scored_against_its_factors_by_name(tmp_path, invoke):
    folder = tmp_path / "run"
    small = ("--set", "samples=800", "--set", "size=16", "--latent-dim", "4", "--restarts", "3", "--steps", "60")
    invoke("train", "vae", "--data", "shapes", *small, "--out", folder)
    out, err = invoke("compare", folder, "--scores", "all", *FEW)
    assert "factors: classes shape (3); numbers scale, orientation, x, y" in err
    for one in of_factors():
        assert f"\n{one.label} " in out
    assert "shape, scale, orientation, x, y" in invoke("show", folder)[0]

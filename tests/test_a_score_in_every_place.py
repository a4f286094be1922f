"""A score from outside, by entry point or as `module:function`, is found wherever scores are."""

import csv
import io
import json
import os
import sys
import xml.etree.ElementTree as ET

import jsonschema
import numpy as np
import pytest

import stabaudit
from stabaudit.audit.run import check_score
from stabaudit.cli.main import main
from stabaudit.json_schema import schema
from stabaudit.metrics import scores as table

CODE = '''
import numpy as np
from stabaudit.metrics.scores import Measure

def overlap(a, b):
    """Share of rows whose nearest neighbour is the same."""
    nearest = []
    for z in (a, b):
        distance = ((z[:, None] - z[None]) ** 2).sum(axis=-1)
        np.fill_diagonal(distance, np.inf)
        nearest.append(distance.argmin(axis=1))
    return float((nearest[0] == nearest[1]).mean())

OVERLAP = Measure(
    name="overlap", label="neighbour overlap", meaning="do rows keep their nearest neighbour?", low=0.0, high=1.0,
    reference="doi:10.0000/none", function=overlap, floors=("independence", "rotation"), cost="n² d",
)
'''
ROWS = 120
FEW = ("--floor-draws", "2")


@pytest.fixture(params=["overlap", "outside_scores:overlap"])
def name(request, tmp_path, monkeypatch):
    """An installed package with one score, or a module that can be imported."""
    place = tmp_path / "place"
    place.mkdir()
    (place / "outside_scores.py").write_text(CODE)
    if ":" not in request.param:
        info = place / "outside_scores-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-scores\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[stabaudit.scores]\noverlap = outside_scores:OVERLAP\n")
    monkeypatch.syspath_prepend(place)
    forget()
    yield request.param
    forget()
    sys.modules.pop("outside_scores", None)


def forget():
    for function in (table.measure, table.registered, table._built_in, schema._names_of_scores):
        function.cache_clear()


@pytest.fixture(scope="module")
def runs(make_lasting_run):
    rng = np.random.default_rng(0)
    base = rng.normal(size=(ROWS, 3))

    def restarts(noise):
        return [base + noise * rng.normal(size=base.shape) for _ in range(3)]

    ids = np.arange(ROWS)
    vae = make_lasting_run("vae", d=3, ids=ids, latents=restarts(0.1), sources=base)
    vade = make_lasting_run("vade", d=3, ids=ids, latents=restarts(0.3), sources=base, family="vade")
    return vae, vade


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))

    def invoke(*arguments, status=0):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert stop.value.code == status, err
        return out

    return invoke


@pytest.mark.slow
def test_tables_records_differences_sources_and_pages(name, runs, run):
    label = table.measure(name).label
    compare = ("compare", *runs, "--scores", f"strong_mcc,decorrelated_strong_mcc,{name}", *FEW)
    assert run(*compare).count(f"\n{label} ") == 4  # within both, between, difference
    assert label in run(*compare, "--format", "markdown")
    document = json.loads(run(*compare, "--format", "json"))
    for records in ("scores", "pairs", "differences"):
        assert name in {record["metric"] for record in document[records]}, records
    assert f"source_{name}" in {record["metric"] for record in document["scores"]}
    score = next(s for s in document["scores"] if s["metric"] == name and s["relation"] == "within" and s["sample"] == "out")
    assert score["mean"] > score["rotation_floor"] > score["independence_floor"]
    jsonschema.validate(document, json.loads(run("schema")))
    rows = list(csv.DictReader(io.StringIO(run(*compare, "--format", "csv"))))
    assert name in {row["metric"] for row in rows}
    page = run(*compare, "--format", "html")
    assert page.count(label) > 4
    title = f"{label[0].upper()}{label[1:]}"
    assert f"{title} over pairs of restarts" in page
    assert f"{title} of every pair of restarts" in page


@pytest.mark.slow
def test_reports_and_tests_of_families(name, runs, run):
    folder = runs[0].parent
    label = table.measure(name).label
    out = run("report", folder, "--wilcoxon", "--score", name, *FEW)
    assert f"{label} [95%]" in out
    assert f"{name}.out of families" in out
    assert f"{label} [95%]" in run("report", folder, "--scores", f"weak_mcc,{name}", *FEW, "--format", "html")
    check_score(name)
    check_score(f"{name}.adjusted")


@pytest.mark.slow
def test_gates_and_baselines(name, runs, run, tmp_path):
    require = ("check", runs[0], "--require", f"{name}>=0.1", *FEW)
    assert f"{name}.out >= 0.1" in run(*require)
    suite = ET.fromstring(run(*require, "--format", "junit"))
    assert f"{name}.out >= 0.1" in {case.get("name") for case in suite.iter("testcase")}
    of_a_function = ":" in name  # which says no best value, so that nothing lies between a floor and it
    assert (f"{name}.out.adjusted > 0.1" in run(*require, "--require", f"{name}.adjusted>0.1", status=2 * of_a_function)) == (
        not of_a_function
    )
    assert f"{name}.out" in run(*require, "--format", "github")
    baseline = tmp_path / "baseline.json"
    run("check", runs[0], "--baseline", baseline, "--update-baseline", "--scores", f"strong_mcc,weak_mcc,{name}", *FEW)
    assert name in {score["metric"] for score in json.loads(baseline.read_text())["scores"]}
    families = ("check", runs[0].parent, "--require", f"wilcoxon(vae,vade,{name}).p<0.05", *FEW)
    assert f"wilcoxon(vae,vade,{name}.out)" in run(*families, status=3)


@pytest.mark.parametrize("what", ["box", "heatmap"])
def test_figures(name, runs, run, tmp_path, what):
    figure = tmp_path / "figure.svg"
    run("plot", what, runs[0], "--metric", name, "--output", figure, *FEW)
    assert figure.stat().st_size > 1000
    run("plot", "curves", runs[0], "--metric", name, "--output", figure, *FEW, status=2)


@pytest.mark.slow
def test_the_library_the_fixture_the_list_and_the_schema(name, runs, run, stability):
    found = stabaudit.compare(runs[0], scores=("strong_mcc", name), floor_draws=2)
    assert name in set(stabaudit.frame(found.scores)["metric"])
    assert stability.compare(runs[0], scores=(name,), floor_draws=2)[name].out.mean > 0.1
    if ":" in name:
        return  # a function that is not installed is in no list
    assert "do rows keep their nearest neighbour?" in run("list", "scores")
    assert "overlap: do rows keep their nearest neighbour?" in run("schema")
    from stabaudit.metrics import overlap

    assert overlap.__name__ == "overlap"


def test_streamed_latents_leave_a_score_of_rows_out_and_say_so(name, make_run, capsys):
    rng = np.random.default_rng(0)
    base = rng.normal(size=(20_000, 4))
    latents = [base + 0.1 * rng.normal(size=base.shape) for _ in range(3)]
    folder = make_run("vae", d=4, ids=np.arange(len(base)), latents=latents)
    with pytest.raises(SystemExit) as stop:
        main(["compare", str(folder), "--scores", f"weak_mcc,{name}", "--memory", "1500kB", *FEW])
    out, err = capsys.readouterr()
    assert stop.value.code == 0, err
    assert f"{name}: left out, since the latents are streamed" in err
    assert "weak MCC" in out

"""`stabaudit plot`, and `--format html` of report and compare: files that are whole, or one line that says why not."""

import os
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from stabaudit.cli.main import main

pytestmark = pytest.mark.slow

PANEL = "{http://www.w3.org/2000/svg}svg"


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))

    def invoke(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return invoke


@pytest.fixture
def folder(make_run):
    return make_run("vae", restarts=3, losses=[1.0, 2.0, 3.0], sources=True, labels=np.arange(600) % 3)


@pytest.mark.parametrize(
    ("arguments", "panels"),
    [
        (["curves"], 1),
        (["curves", "--metric", "weak_mcc", "--band", "sd"], 1),
        (["heatmap"], 1),
        (["box", "--metric", "weak_mcc"], 1),
        (["elbo"], 1),
        (["match"], 1),
        (["latents"], 4),  # true sources first
        (["latents", "--align", "permutation", "--dims", "3,1"], 4),
        (["latents", "--align", "orthogonal"], 4),
        (["consensus"], 2),
        (["consensus", "--align", "affine", "--dims", "3,1"], 2),
        (["sources"], 4),
    ],
)
def test_every_figure_as_svg(run, folder, tmp_path, arguments, panels):
    path = tmp_path / "figure.svg"
    code, out, _ = run("plot", *arguments, folder, "--output", path)
    assert (code, out) == (0, "")
    assert len(ET.parse(path).getroot().findall(PANEL)) == panels


@pytest.mark.slow
@pytest.mark.parametrize(("name", "start"), [("f.png", b"\x89PNG"), ("f.PDF", b"%PDF-")])
def test_png_and_pdf(run, folder, tmp_path, name, start):
    assert run("plot", "latents", folder, "-o", tmp_path / name)[0] == 0
    assert (tmp_path / name).read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["curves", "--output", "f.jpg"], "expected a name that ends in .svg, .png or .pdf"),
        (["curves", "--output", "no-folder/f.svg"], "no folder no-folder"),
        (["latents", "--output", "f.svg", "--dims", "0"], "expected two numbers of dimensions"),
        (["latents", "--output", "f.svg", "--dims", "0,9"], "has dimensions 0 to 3"),
        (["consensus", "--output", "f.svg", "--dims", "0,9"], "has dimensions 0 to 3"),
        (["consensus", "--output", "f.svg", "--align", "none"], "--align permutation, orthogonal or affine"),
        (
            ["elbo", "--output", "f.svg", "--metric", "weak_mcc"],
            "plot elbo: --metric says nothing of it; it is for curves, heatmap, box",
        ),
        (["match", "--output", "f.svg", "--metric", "weak_mcc"], "plot match: --metric says nothing of it"),
        (["heatmap", "--output", "f.svg", "--band", "sd"], "plot heatmap: --band says nothing of it; it is for curves"),
        (
            ["sources", "--output", "f.svg", "--align", "affine"],
            "plot sources: --align says nothing of it; it is for latents, consensus",
        ),
        (["strip", "--output", "f.svg", "--dims", "0,1"], "plot strip: --dims says nothing of it"),
        (
            ["latents", "--output", "f.svg", "--allow-unequal"],
            "plot latents: --allow-unequal says nothing of it; it is for curves,",
        ),
        (["fit", "--output", "f.svg"], "it needs 3 runs or more that differ in one number, such as latent_dim"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(run, folder, monkeypatch, arguments, said):
    tmp_path = folder.parent
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    code, out, err = run("plot", arguments[0], folder, *arguments[1:])
    assert (code, out) == (2, "")
    assert err.startswith("stabaudit: error: ")
    assert err.count("\n") == 1
    assert said in err
    assert sorted(tmp_path.iterdir()) == before


def test_a_figure_of_nothing_is_refused(run, make_run, tmp_path):
    folder = make_run("plain", restarts=3)
    code, _, err = run("plot", "elbo", folder, "-o", tmp_path / "f.svg")
    assert code == 2
    assert "restarts whose objective is recorded" in err
    code, _, err = run("plot", "sources", folder, "-o", tmp_path / "f.svg")
    assert code == 2
    assert "no true sources" in err
    assert not (tmp_path / "f.svg").exists()


@pytest.mark.parametrize("what", ["latents", "sources"])
def test_number_and_seed_of_draws_decide_the_chance_that_is_shown(run, make_run, tmp_path, what):
    latents = list(np.random.default_rng(0).normal(size=(3, 40, 4)))
    small = make_run("small", latents=latents, ids=np.arange(40), sources=np.random.default_rng(1).normal(size=(40, 4)))

    def chance(*options):
        path = tmp_path / "f.svg"
        assert run("plot", what, small, "-o", path, *options)[0] == 0
        return re.findall(r"(?:chance|rotation) -?[\d.]+", path.read_text(encoding="utf-8"))

    given = chance("--floor-draws", "1", "--seed", "1")
    assert given
    assert chance("--floor-draws", "1", "--seed", "1") == given
    assert chance("--floor-draws", "1", "--seed", "2") != given
    assert chance("--floor-draws", "3", "--seed", "1") != given


def test_fit_against_stability_of_runs_of_three_sizes(run, make_run, tmp_path):
    folders = [make_run(f"d{d}", d=d, losses=[d, d, d, d]) for d in (2, 3, 4)]
    for given in (folders, [tmp_path]):
        assert run("plot", "fit", *given, "-o", tmp_path / "f.svg", "--floor-draws", "2")[0] == 0
        (panel,) = ET.parse(tmp_path / "f.svg").getroot().findall(PANEL)
        assert panel.get("aria-label") == "vae by latent_dim"


def test_report_and_compare_as_html(run, folder, make_run, tmp_path):
    other = make_run("ivae", "rotated", 3, family="ivae")
    path = tmp_path / "report.html"
    assert run("compare", folder, other, "--format", "html", "-o", path, "--floor-draws", "1")[:2] == (0, "")
    figures = re.findall(r'<figure id="([^"]+)"', path.read_text(encoding="utf-8"))
    assert len(figures) == len(set(figures))
    assert {"dimensions", "strong-curves", "weak-curves", "box", "source-box", "heatmap", "elbo", "match"} <= set(figures)
    code, out, _ = run("report", tmp_path, "--wilcoxon", "--format", "html", "--floor-draws", "1")
    assert code == 0
    assert out.startswith("<!doctype html>")
    assert "exact Wilcoxon signed-rank" in out


def test_a_table_of_scores_has_no_page(run, tmp_path):
    (tmp_path / "t.csv").write_text("architecture,dataset,latent_dim,family,mcc\nmlp,mnist,1,vae,0.4\n")
    code, _, err = run("report", tmp_path / "t.csv", "--format", "html")
    assert code == 2
    assert "a page needs runs" in err

"""Gates as build servers and shells see them: files, exit status, and what goes where."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from junitparser import Error, Failure, JUnitXml, Skipped

from stabaudit.cli.main import main
from stabaudit.json_schema.schema import json_schema
from stabaudit.reports.formats.github import SUMMARY_BYTES

FEW = ("--floor-draws", "1")


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)

    def invoke(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        return stop.value.code, *capsys.readouterr()

    return invoke


def test_a_junit_file_agrees_with_the_exit_status(run, make_run, tmp_path):
    folder = make_run("vae", restarts=2)  # one pair, no interval
    for options, code, kind in (([], 3, Error), (["--inconclusive=pass"], 0, Skipped), (["--inconclusive=fail"], 1, Failure)):
        file = tmp_path / "stability.xml"
        gate = ["check", folder, "--require", "strong_mcc>=0.5", "--format", "junit", "--output", file, *FEW]
        assert run(*gate, *options)[:2] == (code, "")
        ((case,),) = JUnitXml.fromfile(str(file))
        assert [type(result) for result in case.result] == [kind]
        assert ET.parse(file).getroot().tag == "testsuites"
    assert "two restarts make one pair" in file.read_text()  # warnings are the suite's output


@pytest.mark.slow
def test_several_runs_and_their_families(run, make_run):
    for d in range(2, 5):
        make_run(f"vae-d{d}", "unrelated", 3, d=d, family="vae")
        folder = make_run(f"vade-d{d}", "aligned", 3, d=d, family="vade")
    code, out, _ = run("check", folder.parent, "--require", "strong_mcc>=0.6", "--require", "wilcoxon(vade,vae).p<0.05", *FEW)
    assert code == 1
    assert out.startswith("gates on 6 runs: 18 of 18 restarts\nrun       gate ")
    assert "  6 runs: fail.\n" in out
    assert "  vae-d3: strong_mcc.out is " in out
    assert (
        "wilcoxon(vade,vae,strong_mcc.out).p is 0.250 over 3 configurations: inconclusive, the smallest p that this many "
        "configurations allow is 0.25; add configurations." in out
    )
    assert "  3 of 7 gates pass." in out


@pytest.mark.slow
def test_github_gets_annotations_and_a_summary(run, make_run, tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    summary.write_text("# before\n")
    folder = make_run("vae", log_var=-1.0)
    gate = ["check", folder, "--require", "strong_mcc>=0.99", "--format", "github", *FEW]
    code, out, err = run(*gate)
    assert (code, err) == (1, "")
    assert out.startswith("::error title=fail%3A vae%2C strong_mcc.out >= 0.99::strong_mcc.out is 0.")
    assert summary.read_text() == "# before\n"  # nobody asked for one
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert run(*gate)[:2] == (1, out)
    assert summary.read_text().startswith("# before\n## gates on vae: 4 of 4 restarts\n\n- vae: fail.\n")
    assert run("compare", folder, "--format", "github", *FEW)[1].startswith("::notice title=within vae%3A 4 restarts%2C")
    assert run("report", folder, "--format", "github", *FEW)[0] == 0
    assert summary.read_text().count("\n## ") == 5


def test_a_gate_that_was_let_pass_says_so_and_what_it_could_have_seen(run, make_run, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    good, folder = make_run("good"), make_run("vae", restarts=3)
    baseline = tmp_path / "baseline.json"
    assert run("check", good, "--baseline", baseline, "--update-baseline", *FEW)[0] == 0
    judged = ["check", folder, "--baseline", baseline, "--margin", "0", "--format", "github", "--inconclusive=pass", *FEW]
    code, out, _ = run(*judged)
    assert code == 0
    doubtful = [line for line in out.splitlines() if "inconclusive" in line]
    assert doubtful
    for line in doubtful:
        assert line.startswith("::warning title=inconclusive%3A vae")
        assert "would fail in 80%25 of cases" in line
        assert "It is let pass by --inconclusive=pass, not by what was measured." in line
    assert "- vae: inconclusive, and let pass.\n" in (tmp_path / "summary.md").read_text()


def test_a_summary_that_is_full_or_cannot_be_written(run, make_run, tmp_path, monkeypatch):
    gate = ["check", make_run("vae"), "--require", "strong_mcc>=0.5", "--format", "github", *FEW]
    summary = tmp_path / "summary.md"
    summary.write_bytes(b"x" * (SUMMARY_BYTES - 10))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert run(*gate)[0] == 0
    assert summary.stat().st_size == SUMMARY_BYTES - 10
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    code, out, err = run(*gate)
    assert (code, out) == (2, "")
    assert "cannot write the job summary" in err


def test_messages_are_one_plain_line_each(run, make_run):
    folder = make_run("vae", lost=("first\n::error::second\x1b[31m ##[error]x",))
    err = run("compare", folder, *FEW)[2]
    assert err == "stabaudit: vae: 4 of 5 restarts; restart 4 diverged (first ::error::second\ufffd[31m #\\#[error]x)\n"


def test_help_shows_what_can_be_required(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    out = " ".join(run("check", "--help")[1].split())
    for example in ("strong_mcc>=0.6", "active_units>=0.8", "wilcoxon(vade,vae).p_holm<0.05"):
        assert example in out


@pytest.mark.slow
def test_an_audit_in_every_form(run, tmp_path):
    (tmp_path / "plan.toml").write_text(
        'summary = "s"\ndeviations = ["fewer steps"]\n[defaults]\ndata = "digits"\nrestarts = 2\nsteps = 3\nlatent_dim = 2\n'
        'settings.widths = [4]\n[grid]\nfamily = ["vae"]\n'
    )
    audit = ["audit", tmp_path / "plan.toml", "--out", tmp_path / "out", "--quiet", *FEW]
    code, out, _ = run(*audit, "--format", "json")
    assert code == 0
    Draft202012Validator(json_schema()).validate(json.loads(out))
    assert json.loads(out)["deviations"] == [{"deviation": "fewer steps"}]
    page = tmp_path / "page.html"  # of the same runs, which are not trained again
    assert run(*audit, "--format", "html", "--output", page)[:2] == (0, "")
    assert page.read_text().lower().startswith("<!doctype html>")
    assert "deviation: fewer steps" in page.read_text()
    assert "::deviation: fewer steps\n" in run(*audit, "--format", "github")[1]


def test_a_gate_on_the_users_own_factors(make_run, run, tmp_path):
    """Latents that are the factors, up to order, keep the bound; the same rows in another order do not."""
    folder = make_run("known", "aligned", 4)
    factors = np.random.default_rng(9).laplace(size=(600, 4))  # what the run's latents are made of
    np.savez(tmp_path / "truth.npz", mean=np.float32(factors), sample_id=np.arange(600))
    np.savez(tmp_path / "other.npz", mean=np.float32(factors[::-1].copy()), sample_id=np.arange(600))
    np.savez(tmp_path / "short.npz", mean=np.float32(factors[:-1]), sample_id=np.arange(1, 600))
    bound = ["--require", "source_strong_mcc>=0.8", "--floor-draws", "2", "--rotations", "2"]
    assert run("check", folder, *bound, "--sources", tmp_path / "truth.npz")[0] == 0
    assert run("check", folder, *bound, "--sources", tmp_path / "other.npz")[0] == 1
    code, out, err = run("check", folder, *bound)
    assert (code, out) == (2, "")
    assert "source_strong_mcc" in err
    code, out, err = run("check", folder, *bound, "--sources", tmp_path / "short.npz")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    kept = tmp_path / "baseline.json"
    words = ["check", folder, "--baseline", kept, "--sources", tmp_path / "truth.npz", "--floor-draws", "2", "--rotations", "2"]
    assert run(*words, "--update-baseline")[0] == 0
    assert "source_strong_mcc" in kept.read_text()
    assert run(*words, "--margin", "0.2")[0] == 0
    noise = make_run("noise", "unrelated", 4)
    assert run("check", noise, *bound, "--sources", tmp_path / "truth.npz")[0] == 1
    assert run("check", noise, *words[2:], "--margin", "0.2")[0] == 1
    assert (
        run("check", folder, "--drift-from", folder, "--require", "knn_overlap>=0.1", "--sources", tmp_path / "truth.npz")[0] == 2
    )

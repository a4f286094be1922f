"""The library gives what the commands print."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import stabaudit
from stabaudit.comparison.records import Comparison
from stabaudit.errors import UsageError

FIXTURES = Path(__file__).parents[1] / "fixtures"


def printed(capsys, *arguments):
    """The JSON that a command prints."""
    from stabaudit.cli.main import main

    with pytest.raises(SystemExit) as stop:
        main([*map(str, arguments), "--format", "json"])
    assert stop.value.code in {0, 1, 3}
    return json.loads(capsys.readouterr().out)


def test_everything_promised_is_there_and_nothing_else():
    for name in stabaudit.__all__:
        assert callable(getattr(stabaudit, name))
    assert set(stabaudit.__all__) < set(dir(stabaudit))
    with pytest.raises(AttributeError, match="module 'stabaudit' has no attribute 'trian'"):
        _ = stabaudit.trian


def test_compare_gives_what_the_command_prints(make_run, capsys):
    folder = make_run("vae")
    found = stabaudit.compare(folder, floor_draws=3)
    assert isinstance(found, Comparison)
    table = stabaudit.frame(found.scores)
    expected = pd.DataFrame(printed(capsys, "compare", folder, "--floor-draws", "3")["scores"])
    assert list(table.columns) == list(expected.columns)
    np.testing.assert_array_equal(table["mean"], expected["mean"])
    np.testing.assert_array_equal(table["ci_low"], expected["ci_low"])


def test_one_restart_can_be_compared_and_settings_changed(make_run):
    folder = make_run("vae")
    found = stabaudit.compare(f"{folder}#0", f"{folder}#1", floor_draws=1, correlation="spearman")
    assert [run.restarts for run in found.runs] == [1, 1]
    with pytest.raises(stabaudit.StabauditError, match="settings: flor_draws: expected fields of Settings"):
        stabaudit.compare(folder, flor_draws=3)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"correlation": "kendall"}, "unknown correlation 'kendall'; known: pearson, spearman"),
        ({"correlation": "Pearson"}, "unknown correlation 'Pearson'; did you mean 'pearson'"),
        ({"floor_draws": 0}, "floor_draws=0: expected at least 1"),
        ({"k": 0}, "k=0: expected at least 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(changed, message):
    with pytest.raises(stabaudit.StabauditError, match=message):
        stabaudit.Settings(**changed)


@pytest.mark.parametrize("margin", [-0.1, float("inf"), float("nan")])
def test_a_margin_that_would_pass_or_fail_everything_is_refused(make_run, tmp_path, margin):
    folder = make_run("vae")
    stabaudit.check(folder, baseline=tmp_path / "b.json", update_baseline=True, floor_draws=1)
    with pytest.raises(stabaudit.StabauditError, match=r"--margin .*: expected a loss of score, a finite number from 0 on"):
        stabaudit.check(folder, baseline=tmp_path / "b.json", margin=margin, floor_draws=1)


@pytest.mark.slow
def test_what_should_be_known_before_training_is_a_warning(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 4))
    np.savez(tmp_path / "x.npz", x=x, u=(np.arange(60) % 3).astype(str))
    with pytest.warns(UserWarning, match=r"u takes 3 values; identifiability of 3 dimensions needs 4"):
        stabaudit.train(
            "ivae",
            tmp_path / "x.npz",
            latent_dim=3,
            restarts=1,
            steps=1,
            batch_size=8,
            out=tmp_path / "run",
            workers=1,
            settings={"scale": "none"},
        )


@pytest.mark.slow
def test_report_tests_families(make_run, capsys):
    make_run("vae", family="vae")
    folder = make_run("vade", family="vade").parent
    found = stabaudit.report(folder, floor_draws=2)
    assert found.tests is None
    assert [run.name for run in found.comparison.runs] == [run["name"] for run in printed(capsys, "report", folder)["runs"]]


def test_an_unknown_way_with_zeros_is_refused():
    with pytest.raises(stabaudit.StabauditError, match="unknown way with zeros 'bogus'; known: drop, pratt, split"):
        stabaudit.compare_families(FIXTURES / "willetts2021-mcc.csv", zeros="bogus")


def test_families_of_a_table_of_scores():
    tests = stabaudit.compare_families(FIXTURES / "willetts2021-mcc.csv")
    assert {(t.family_a, t.family_b): (t.statistic, round(t.p, 3)) for t in tests.comparisons} == {
        ("ivae", "vade"): (121.0, 0.422),
        ("ivae", "vae"): (74.0, 0.029),
        ("vae", "vade"): (78.0, 0.039),
    }
    assert list(stabaudit.frame(tests.comparisons)["p_holm"].round(3)) == [0.087, 0.422, 0.087]


def test_check_gives_what_the_command_prints(make_run, capsys):
    folder = make_run("vae")
    found = stabaudit.check(folder, require=["strong_mcc>=0.5", "strong_mcc<=0.1"])
    assert found.verdict == "fail"
    command = printed(capsys, "check", folder, "--require", "strong_mcc>=0.5", "--require", "strong_mcc<=0.1")
    assert [(g.score, g.verdict, g.value) for g in found.gates] == [
        (g["score"], g["verdict"], g["value"]) for g in command["gates"]
    ]
    with pytest.raises(stabaudit.StabauditError, match="nothing to check"):
        stabaudit.check(folder)


def test_load_run(make_run, tmp_path):
    run = stabaudit.load_run(make_run("vae"))
    assert run.latents(0).mean.shape == run.latents(1).mean.shape
    with pytest.raises(stabaudit.StabauditError, match="nowhere"):
        stabaudit.load_run(tmp_path / "nowhere")


SCRIPT = """
import stabaudit
run = stabaudit.train("vae", latent_dim=2, restarts=2, steps=3, out="run", settings={"widths": [4]}, workers=1)
print(run.done, run.manifest.config.latent_dim)
"""


@pytest.mark.slow
def test_train_from_a_script_without_a_main_guard(tmp_path):
    """Workers import nothing of the script that started them, so it does not start itself again."""
    (tmp_path / "mine.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[0, 1] 2\n", "")


def test_a_class_is_taken_where_workers_can_import_it():
    from stabaudit.families.vae import VAE

    class Inner(VAE):
        pass

    with pytest.raises(stabaudit.StabauditError, match="Inner: workers cannot import it from here"):
        stabaudit.train(Inner)
    with pytest.raises(stabaudit.StabauditError, match=r"unknown .*'latent_dimm'; did you mean 'latent_dim'"):
        stabaudit.train(VAE, latent_dimm=3)


def test_sources_of_arrays_in_memory_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "truth.npy", rng.normal(size=(200, 2)))
    latents = [rng.normal(size=(200, 2)) for _ in range(2)]
    with pytest.raises(UsageError, match="sources are a file beside latents in files; arrays have none"):
        stabaudit.compare({"a": latents}, sources=tmp_path / "truth.npy")


def test_what_is_no_path_is_refused_in_one_line():
    latents = [np.zeros((10, 2))] * 2
    for call in (lambda: stabaudit.check({"a": latents}, require=["strong_mcc>=0.5"]), lambda: stabaudit.report({"a": latents})):
        with pytest.raises(UsageError, match="give paths of runs, or of folders of runs; arrays in memory have compare"):
            call()
    with pytest.raises(UsageError, match="align: give a path, or a mapping"):
        stabaudit.align(latents)
    naming = stabaudit.compare.__globals__["Naming"](dimensions_first=True)
    for call in (stabaudit.compare, stabaudit.align):
        with pytest.raises(UsageError, match="naming says what rows and arrays are called in files"):
            call({"a": latents}, naming=naming)


def test_one_requirement_may_be_a_text_and_must_be_possible(make_run):
    run = make_run("vae", "aligned", 4)
    assert stabaudit.check(run, require="strong_mcc>=0.5", floor_draws=1).verdict == "pass"
    for impossible in ("strong_mcc>=1.5", "strong MCC >= -0.1"):
        with pytest.raises(UsageError, match="strong MCC lies between 0 and 1"):
            stabaudit.check(run, require=impossible)


def test_two_restarts_pass_no_gate_on_axes(make_run):
    checked = stabaudit.check(make_run("vae", "aligned", 2), require="reproducible_axes>=1", floor_draws=1)
    assert checked.verdict == "inconclusive"
    more = stabaudit.check(make_run("more", "aligned", 4), require="reproducible_axes>=1", floor_draws=1)
    assert more.verdict == "pass"

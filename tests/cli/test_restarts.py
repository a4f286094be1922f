"""`stabaudit restarts`, the sentence in `compare`, and `train --until`."""

import json
import re
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from stabaudit.audit.until import parse_until
from stabaudit.cli.main import _run
from stabaudit.errors import UsageError
from stabaudit.store.run.run_folder import Run

N, D = 200, 3


@pytest.fixture(autouse=True)
def _there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(make_run):
    rng = np.random.default_rng(0)
    base = rng.laplace(size=(N, D))
    noisy = [base + noise * rng.normal(size=base.shape) for noise in (0.1, 0.3, 0.5, 0.7, 0.9)]
    return make_run("run", d=D, ids=np.arange(N), latents=noisy)


def test_the_table_says_what_a_half_width_needs(run, capsys):
    assert _run(["restarts", str(run), "--half-width", "0.02"]) == 0
    out = capsys.readouterr().out
    (needed,) = re.findall(r"±0\.02 on strong MCC needs about ([\d,]+) restarts\.", out)
    assert _run(["restarts", str(run), "--half-width", "0.02", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["restarts"]
    assert [row["restarts"] for row in rows if row["present"]] == [5]
    (row,) = [row for row in rows if row["needed"]]
    assert row["restarts"] == int(needed.replace(",", ""))
    assert row["half_width"] < row["half_width_kept"] <= 0.02
    assert all(a["half_width"] > b["half_width"] for a, b in pairwise(rows))


def test_compare_says_what_the_present_spread_asks_for(run, capsys):
    assert _run(["compare", str(run), "--floor-draws", "2", "--rotations", "19"]) == 0
    assert re.search(r"The interval reaches ±0\.\d+; ±0\.\d+ on strong MCC needs about \d+ restarts\.", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--score", "kl"], "'kl'"),
        (["--score", "strong_mcc.in"], "expected an out-of-sample score of pairs"),
        (["--half-width", "0"], "half-width 0: expected a number above 0"),
        (["--half-width", "inf"], "half-width inf: expected a number above 0"),
    ],
)
def test_what_cannot_be_answered(run, capsys, more, message):
    assert _run(["restarts", str(run), *more]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err


@pytest.mark.parametrize("text", ["strong_mcc±0.03", "strong_mcc +- 0.03", "strong_mcc+/-.03", "strong_mcc ± 3e-2"])
def test_until_is_read(text):
    found = parse_until(text, 40)
    assert (found.key.metric, found.half_width) == ("strong_mcc", 0.03)


@pytest.mark.parametrize("text", ["strong_mcc", "±0.1", "strong_mcc±0", "strong_mcc.in±0.1", "nosuch±0.1", "active_units±0.1"])
def test_until_that_cannot_be_read(text):
    with pytest.raises(UsageError):
        parse_until(text, 40)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--max-restarts", "20"], "--max-restarts goes with --until"),
        (["--until", "strong_mcc±0.1", "-n", "50"], "--restarts 50 are more than --max-restarts 40; raise that"),
        (["--until", "strong_mcc±0.1", "--vary", "none"], "--vary none trains one seed again and again: leave out one of them"),
        (["--until", "strong_mcc.in±0.1"], "expected an out-of-sample score of pairs"),
    ],
)
def test_how_many_restarts_there_are_to_be_is_said_in_one_way(more, said, capsys):
    assert _run(["train", "vae", "--dry-run", *more]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("more", "first"), [([], 8), (["-n", "3"], 8), (["-n", "12"], 12)])
def test_a_dry_run_says_what_is_trained_first_and_until_when(more, first, capsys):
    words = ["train", "--command", "fit {seed} {latents}", "--out", "made", "--shell", "--ids-by-position"]
    assert _run([*words, "--dry-run", "--until", "strong_mcc±0.1", *more]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == first
    assert "more are trained until strong_mcc.out±0.1 is reached, 40 at most" in err


FIT = """
import sys
import numpy as np
rng = np.random.default_rng(int(sys.argv[1]))
base = np.random.default_rng(99).laplace(size=(200, 2))
np.save(sys.argv[2], base + rng.uniform(0.1, 0.9) * rng.normal(size=base.shape))
"""


@pytest.mark.slow
def test_restarts_are_added_until_the_half_width_is_reached(capfd):
    Path("fit.py").write_text(FIT)
    words = [
        "train",
        "--command",
        f"{sys.executable} fit.py {{seed}} {{latents}}",
        "--ids-by-position",
        "--out",
        "made",
        "--quiet",
    ]
    assert _run([*words, "-n", "3", "--until", "strong_mcc±0.1", "--max-restarts", "30"]) == 0
    err = capfd.readouterr().err
    count = len(Run.open(Path("made")).done)
    assert 8 <= count <= 30
    assert f"strong_mcc.out: ±0.1 is reached with {count} restarts" in err
    assert _run([*words, "-n", "3", "--until", "strong_mcc±0.1", "--max-restarts", "30"]) == 0  # once more: nothing to do
    assert f"is reached with {count} restarts" in capfd.readouterr().err
    assert _run([*words, "--until", "strong_mcc±0.0001", "--max-restarts", str(count)]) == 0
    assert f"±0.0001 is not reached with {count} restarts" in capfd.readouterr().err


@pytest.mark.slow
def test_a_program_that_always_fails_is_not_called_for_ever(capfd):
    Path("fit.py").write_text("raise SystemExit(1)\n")
    fit = f"{sys.executable} fit.py {{seed}} {{latents}}"
    words = ["train", "--command", fit, "--ids-by-position", "--out", "made", "--quiet", "-n", "3"]
    assert _run([*words, "--until", "strong_mcc±0.1", "--max-restarts", "24"]) == 2
    assert "restarts fail or diverge" in capfd.readouterr().err
    assert len(Run.open(Path("made")).manifest.restarts) == 8

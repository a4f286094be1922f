"""`train --vary none` and `stabaudit determinism`."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from stabaudit.cli.main import _run
from stabaudit.store.run.run_folder import Run

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def small(vary, out):
    np.savez("small.npz", x=np.random.default_rng(0).normal(size=(160, 5)))
    words = [
        "train",
        "vae",
        "--data",
        "small.npz",
        "-d",
        "2",
        "-n",
        "3",
        "--steps",
        "8",
        "--batch-size",
        "32",
        "--set",
        "widths=8",
    ]
    return _run([*words, "--vary", vary, "--out", out, "--quiet"])


def test_restarts_of_one_seed_are_the_same_bit_for_bit(capfd):
    assert small("none", "run") == 0
    assert "next: stabaudit determinism run" in capfd.readouterr().err
    files = {(Path("run/weights") / f"restart-{i:03d}.safetensors").read_bytes() for i in range(3)}
    assert len(files) == 1
    assert _run(["determinism", "run", "--format", "json"]) == 0
    (found,) = json.loads(capfd.readouterr().out)["determinism"]
    assert (found["same"], found["restarts"], found["parted_epoch"], found["largest_difference"]) == (3, 3, None, 0.0)
    assert found["causes"] == []
    assert _run(["compare", "run", "--floor-draws", "1", "--rotations", "1"]) == 0
    assert "run: its 3 restarts were trained from one seed (--vary none)" in capfd.readouterr().err


def test_a_run_that_was_meant_to_differ_is_refused(capfd):
    assert small("order", "run") == 0
    assert Run.open(Path("run")).manifest.config.vary == "order"
    capfd.readouterr()
    assert _run(["determinism", "run"]) == 2
    assert "its restarts were trained from different seeds; train with --vary none" in capfd.readouterr().err
    assert small("init", "run") == 2
    assert "vary is 'order' there, 'init' here" in capfd.readouterr().err


FIT = """
import os, sys
import numpy as np
rng = np.random.default_rng({seed})
z = np.random.default_rng(0).normal(size=(60, 2))
np.save(sys.argv[2], z + 0.01 * rng.normal(size=z.shape))
"""


@pytest.mark.parametrize(("seed", "same"), [("int(sys.argv[1])", 3), ("os.getpid()", 1)])
def test_a_program_is_audited_too(capfd, seed, same):
    Path("fit.py").write_text(FIT.format(seed=seed))
    words = ["--command", f"{sys.executable} fit.py {{seed}} {{latents}}", "--ids-by-position", "--out", "run", "--quiet"]
    assert _run(["train", *words, "-n", "3", "--vary", "none"]) == 0
    assert {restart.seed for restart in Run.open(Path("run")).manifest.restarts} == {0}
    capfd.readouterr()
    assert _run(["determinism", "run"]) == 0
    out = capfd.readouterr().out
    assert f"{same} of 3" in out
    assert ("Possible cause: the program's own generators" in out) == (same == 1)
    assert _run(["train", *words, "--vary", "init"]) == 2

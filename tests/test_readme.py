"""Examples in README.md, run as they stand there."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stabaudit.cli.main import _run
from stabaudit.store.run.run_folder import Run

pytestmark = pytest.mark.slow

README = Path(__file__).parents[1] / "README.md"
LONGEST = 40  # lines that adding a family may take


@pytest.fixture(scope="module")
def example():
    """The module and the command line of the section on adding a family."""
    section = re.search(r"^## Adding a family\n(.*?)^## ", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    (module,) = re.findall(r"^```python\n(.*?)^```", section[1], re.DOTALL | re.MULTILINE)
    (command,) = re.findall(r"^stabaudit (.*)$", section[1], re.MULTILINE)
    return module, shlex.split(command)


def test_a_family_is_added_in_at_most_forty_lines(example):
    assert len(example[0].splitlines()) <= LONGEST


def test_the_example_trains_in_worker_processes_and_is_compared(example, tmp_path):
    module, command = example
    (tmp_path / "mine.py").write_text(module, "utf-8")

    def stabaudit(*arguments):
        program = [sys.executable, "-P", "-W", "error", "-m", "stabaudit", *arguments]
        done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    stabaudit(*command, "--steps", "40", "--set", "widths=16", "--workers", "2", "--quiet", "--out", "run")
    run = Run.open(tmp_path / "run")
    assert run.done == [0, 1, 2]
    assert len(run.manifest.shards) == 2  # one for each worker
    assert run.manifest.config.family.model_dump() == {"name": "mine:WarmUp", "options": {"warm_up": 0.3}}
    weight_at_the_end = [r.scores["train_loss"] - r.scores["train_reconstruction"] for r in run.manifest.restarts]
    assert weight_at_the_end == pytest.approx([r.scores["train_kl"] for r in run.manifest.restarts], rel=1e-4)
    found = json.loads(stabaudit("compare", "run", "--format", "json"))
    assert {score["restarts"] for score in found["scores"]} == {3}


def test_python_examples_run(tmp_path):
    examples = re.findall(r"^<!-- runnable -->\n```python\n(.*?)^```", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert examples
    said = []
    for example in examples:
        program = [sys.executable, "-P", "-W", "error", "-c", example]
        done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert any("strong_mcc" in out for out in said)
    assert any("purity" in out and "axis" in out for out in said)  # a verdict for every dimension


def test_the_job_for_build_servers_passes_a_run_like_the_baseline_and_fails_a_worse_one(tmp_path, monkeypatch, capfd):
    """Its steps as they stand, on the module of the section on a model of one's own, with little training."""
    text = README.read_text("utf-8")
    (job,) = re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    train, check = (shlex.split(command) for command in re.findall(r"run: stabaudit (.*)$", job, re.MULTILINE))
    assert "--margin" not in check  # the baseline brings it, from the branch that the pull request goes to
    (module,) = re.findall(r"^```python\n(# own\.py\n.*?)^```", text, re.DOTALL | re.MULTILINE)
    (tmp_path / "my_model.py").write_text(module, "utf-8")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "my_data.npz", x=rng.laplace(size=(400, 3)) @ np.linalg.qr(rng.normal(size=(6, 3)))[0].T)
    summary = tmp_path / "summary.md"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    small = ["--latent-dim", "3", "--steps", "150", "--quiet"]
    assert _run([*train, *small]) == 0
    update = [*check[:4], "--margin", "0.1", "--update-baseline"]  # check runs/mine --baseline stability.json
    assert _run(update) == 0
    capfd.readouterr()
    status, out = _run(check), capfd.readouterr().out
    assert (status, "::error" in out) == (0, False), out
    shutil.rmtree(tmp_path / "runs")
    assert _run([*train, *small, "--steps", "1", "--seed", "100"]) == 0
    status, out = _run(check), capfd.readouterr().out
    assert status == 1, out
    assert "::error" in out
    assert "mine: fail." in summary.read_text("utf-8")
    sys.modules.pop("my_model")


def commands():
    """Every command line of stabaudit in a block of README.md."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    lines = [
        line.strip().removeprefix("- run: ") for kind, block in blocks if kind in {"", "yaml"} for line in block.splitlines()
    ]
    return sorted({line for line in lines if line.startswith("stabaudit ")})


@pytest.mark.parametrize("line", commands())
def test_every_command_is_one_that_there_is(line):
    """Its options are known and take such values; nothing is run."""
    from typer.main import get_command

    from stabaudit.cli.main import app

    name, *words = shlex.split(line, comments=True)[1:]
    group = get_command(app)
    command = group.get_command(group.make_context("stabaudit", [name], resilient_parsing=True), name)
    assert command is not None, name
    command.make_context(name, words)

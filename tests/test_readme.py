"""Examples in README.md, run as they stand there."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from stabaudit.store.run import Run

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
    for example in examples:
        program = [sys.executable, "-P", "-W", "error", "-c", example]
        done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "strong_mcc" in done.stdout

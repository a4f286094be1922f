"""Benchmarks measure the code as it is now: a short round of each ends, with figures."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent / "benchmarks"
SHORT = {
    "train_speed.py": ["--only", "W2", "--rounds", "1", "--seconds", "0.2"],
    "compare_pairs.py": ["--rounds", "1", "--restarts", "4", "--rows", "2000", "--dims", "22"],
}


@pytest.mark.slow
@pytest.mark.parametrize("script", SHORT)
def test_a_short_round_ends_with_its_figures(script, tmp_path):
    figures = tmp_path / "figures.json"
    command = [sys.executable, BENCHMARKS / script, *SHORT[script], "--figures", figures]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(figures.read_text())
    assert found
    assert all(math.isfinite(value) and value > 0 for value in found.values())

"""A sample of generated inputs; `python tests/faults/generated_inputs.py 1000` tries as many as one likes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="each case runs in a forked child")
@pytest.mark.parametrize("first", [231, 1000])  # 231: a value of 1e200 in the half that is scored
def test_damaged_files_give_a_short_answer_in_bounded_time_and_memory(first):
    program = [sys.executable, str(Path(__file__).with_name("generated_inputs.py")), "40", "--first", str(first)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("40 cases, 0 wrong")

"""A program of the user's on a machine of an engine: what it writes and says comes back as bytes."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from stabaudit.engines.base import perform
from stabaudit.external.programs import Call, run_program
from stabaudit.store.run.external_labels import External, Program
from stabaudit.store.run.verify import verify

pytestmark = pytest.mark.slow

FIT = """
import sys
from pathlib import Path
import numpy as np
from beside import SCALE
seed, out = int(sys.argv[1]), sys.argv[2]
print("seed", seed)
if seed == 8:
    sys.exit("no convergence")
np.save(out, SCALE * np.random.default_rng(seed).normal(size=(40, 3)))
"""


class Elsewhere:
    """An engine whose tasks run in this process, but in another folder; `lost` is what is taken away from the first one."""

    slots = 1

    def __init__(self, place, lost=None):
        self._place, self._lost = place, lost

    def run(self, tasks, arrays, on_event, _):
        before = Path.cwd()
        if self._lost is not None:
            shutil.move(self._lost, f"{self._lost}.away")
        os.chdir(self._place)
        try:
            outcomes = [perform(task, arrays[task.arrays], self) for task in tasks]
        finally:
            if self._lost is not None:
                shutil.move(f"{self._lost}.away", self._lost)
            os.chdir(before)
        for outcome in outcomes:
            on_event(outcome)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a script of the user's, and one far away."""
    for name in ("mine", "far"):
        (tmp_path / name).mkdir()
    (tmp_path / "mine" / "fit.py").write_text(FIT)
    (tmp_path / "mine" / "beside.py").write_text("SCALE = 2.0\n")
    monkeypatch.chdir(tmp_path / "mine")
    return tmp_path


def external(command):
    return External(ids_by_position=True, program=Program(command=f"{sys.executable} {command}", seed=5))


def test_scripts_travel_where_the_folder_is_not_there_and_latents_come_back(here):
    asked = external("fit.py {seed} {latents}")
    run = run_program(here / "far-run", asked, 3, Call(1, engine=Elsewhere(here / "far", lost=here / "mine")), command="")
    local = run_program(here / "local", asked, 3, Call(1), command="")
    assert run.done == local.done == [0, 1, 2]
    assert verify(run) == []
    for index in run.done:
        assert np.array_equal(run.latents(index).mean, local.latents(index).mean)
    assert (run.folder / "logs" / "restart-001.txt").read_text().endswith("seed 6\n")
    assert not (run.folder / ".programs").exists()
    assert list((here / "far").iterdir()) == []


def test_failures_say_what_they_say_here(here):
    asked = external("fit.py {seed} {latents}")
    run = run_program(here / "run", asked, 4, Call(1, engine=Elsewhere(here / "far")), command="")
    assert run.done == [0, 1, 2]
    assert "its program ended with exit status 1 (no convergence); see" in run.restart(3).detail
    slow = external("-c 'import time; time.sleep(60)' {seed} {latents}")
    run = run_program(here / "slow", slow, 1, Call(1, timeout=0.3, engine=Elsewhere(here / "far")), command="")
    assert "its program was stopped after 0.3 s, the --timeout" in run.restart(0).detail
    absent = External(ids_by_position=True, program=Program(command="no-such-program {latents}"))
    run = run_program(here / "absent", absent, 1, Call(1, engine=Elsewhere(here / "far")), command="")
    assert "no-such-program cannot be called" in run.restart(0).detail


def test_a_script_that_is_another_there_is_not_run_in_its_place(here):
    """The folder is there, but its script was changed since the run began: the one that was asked for is taken along."""
    asked = external("fit.py {seed} {latents}")

    class Changed(Elsewhere):
        def run(self, tasks, *others):
            (here / "mine" / "fit.py").write_text("raise SystemExit('another')")
            super().run(tasks, *others)

    run = run_program(here / "run", asked, 1, Call(1, engine=Changed(here / "far")), command="")
    assert run.done == [0]

"""`stabaudit verify` and `stabaudit show`, as users see them; and what the store costs to import."""

import json
import subprocess
import sys

import numpy as np
import pytest

from stabaudit.cli.main import _run
from stabaudit.store.run.manifest import Restart
from stabaudit.store.run.run_folder import Run


def test_verify_passes_a_whole_run(folder, capsys):
    assert _run(["verify", str(folder.parent)]) == 0
    out, err = capsys.readouterr()
    assert f"{folder}  3 of 3" in out
    assert "whole" in out
    assert err == ""


def test_verify_fails_a_damaged_run_with_a_line_for_each_problem(folder, capsys):
    (folder / "latents" / "restart-001.parquet").write_bytes(b"PAR1")
    (folder / "weights" / "restart-002.safetensors").unlink()
    assert _run(["verify", str(folder)]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert "2 problems" in "\n".join(lines)
    for file, what in (("latents/restart-001.parquet", "has changed"), ("weights/restart-002.safetensors", "is missing")):
        assert sum(f"{folder / file} {what}" in line and "delete it" in line for line in lines) == 1
    assert _run(["verify", str(folder), "--format", "json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["runs"] == [{"run": str(folder), "restarts": 3, "done": 3, "problems": 2, "leftovers": []}]
    assert [problem["file"] for problem in document["problems"]] == [
        "latents/restart-001.parquet",
        "weights/restart-002.safetensors",
    ]


@pytest.mark.parametrize("command", ["verify", "show"])
def test_a_path_that_is_not_there_is_one_line(folder, capsys, command):
    assert _run([command, f"{folder}s"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"stabaudit: error: {folder}s: no such file or folder; did you mean '{folder}'?\n"


def test_show_tells_configuration_environment_and_restarts(folder, manifest, capsys):
    with Run.prepare(folder, manifest()) as run:
        run.record(Restart(index=1, seed=1, state="diverged", detail="NaN at step 12", steps=12, scores={"kl": np.nan}))
    assert _run(["show", str(folder)]) == 0
    out = capsys.readouterr().out
    for words in ("vade, k=10", "epochs=2, batch_size=64", "feedbeef", "8×8", "0+1+2", "restart 1: NaN at step 12"):
        assert words in out
    rows = [line.split() for line in out.splitlines()]
    assert ["0", "done", "0", "4", "0.0", "–", "1"] in rows
    assert ["1", "diverged", "1", "12", "0.0", "nan", "–"] in rows
    assert _run(["show", str(folder), "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert document["run"][0]["latent_dim"] == "3"
    assert document["restarts"][1] == {
        "restart": 1,
        "state": "diverged",
        "seed": 1,
        "steps": 12,
        "seconds": 0.0,
        "kl": None,
        "loss": None,
        "detail": "NaN at step 12",
    }


def test_show_tells_of_imported_latents(tmp_path, manifest, capsys):
    Run.prepare(tmp_path / "a", manifest().model_copy(update={"config": None, "shards": []})).close()
    assert _run(["show", str(tmp_path / "a"), "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("restart,state,seed,steps,seconds,detail\n0,pending,0,")
    assert _run(["show", str(tmp_path / "a")]) == 0
    assert "these latents were imported" in capsys.readouterr().out


USE = """
import sys
from pathlib import Path
from stabaudit.store.run import checkpoint
from stabaudit.store.run.find import find_runs
from stabaudit.store.run.latents import read_latents
from stabaudit.store.run.latents_stream import iter_latents
from stabaudit.store.run.verify import verify
for run in find_runs([Path(sys.argv[1])]):
    verify(run)
    list(iter_latents(run.latents_path(0)))
read_latents(Path(sys.argv[2]))
read_latents(Path(sys.argv[3]))
sys.exit(', '.join({'torch', 'pandas', 'sklearn', 'rich', 'typer'} & sys.modules.keys()))
"""


@pytest.mark.slow
def test_reading_loads_neither_torch_nor_pandas_nor_scikit_learn(folder, tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, 2)))
    (tmp_path / "a.csv").write_text("x,y\n1,2\n3,4\n")
    command = [sys.executable, "-c", USE, folder, tmp_path / "a.npy", tmp_path / "a.csv"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""

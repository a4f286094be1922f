"""What a manifest promises is held by `verify` even where every digest is right: each broken in turn, and the way back."""

import shlex

import numpy as np
import pytest

from stabaudit.cli.main import _run
from stabaudit.store.run.evaluation import Evaluation
from stabaudit.store.run.latents import Latents
from stabaudit.store.run.manifest import write_manifest
from stabaudit.store.run.run_folder import Run
from stabaudit.store.run.verify import verify

ROWS = 40
Z = np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)


@pytest.fixture
def promising(tmp_path, manifest):
    """Write a run of which one thing may be otherwise: `promising(divergence={…})`."""

    def write(**other):
        with Run.prepare(tmp_path / "run", manifest) as run:
            run.save_evaluation(
                Evaluation(**{"sample_id": np.arange(ROWS), "label": np.arange(ROWS) % 3} | other.get("rows", {}))
            )
            for index in range(3):
                of = other if index == 1 else {}
                z = {"sample_id": np.arange(ROWS), "mean": Z, "label": np.arange(ROWS) % 3} | of.get("latents", {})
                run.save_latents(index, Latents(**z))
                run.save_history(index, of.get("history", {"step": np.arange(1, 5)}))
                run.save_weights(index, of.get("weights", {"w": np.ones((2, 2), np.float32)}))
                run.save_divergence(index, of.get("divergence", {"dimension": np.arange(3), "kl": np.ones(3)}))
                run.save_prior(index, of.get("prior", {"weight": np.full(2, 0.5), "mean0": np.ones(2), "log_var0": np.ones(2)}))
                run.record(run.restart(index).model_copy(update={"state": "done", "steps": 4}))
        return Run.open(tmp_path / "run")

    return write


def test_a_run_that_keeps_its_promises(promising):
    assert verify(promising()) == []


@pytest.mark.parametrize(
    ("other", "file", "said"),
    [
        ({"latents": {"label": np.zeros(ROWS, int)}}, "latents/restart-001.parquet", "gives its rows other labels"),
        ({"latents": {"sample_id": np.arange(ROWS)[::-1]}}, "latents/restart-001.parquet", "names other samples"),
        ({"latents": {"mean": Z[:, :2]}}, "latents/restart-001.parquet", "has shape (40, 2), expected (40, 3)"),
        ({"history": {"step": np.arange(1, 4)}}, "history/restart-001.parquet", "ends at step 3, expected 4"),
        ({"weights": {"w": np.array([1.0, np.nan])}}, "weights/restart-001.safetensors", "NaN or infinite values in 'w'"),
        ({"divergence": {"kl": np.ones(2)}}, "divergence/restart-001.parquet", "holds 2 dimensions, expected 3"),
        ({"divergence": {"kl": np.array([1, 2, np.inf])}}, "divergence/restart-001.parquet", "NaN or infinite values in kl"),
        ({"divergence": {"lk": np.ones(3)}}, "divergence/restart-001.parquet", "has no column kl"),
        ({"prior": {"weight": np.full(2, 0.6), "mean0": np.ones(2)}}, "prior/restart-001.parquet", "sum to 1.2, expected 1"),
        ({"prior": {"weight": np.ones(1), "mean0": np.ones(1)}}, "prior/restart-001.parquet", "1 column of means and 0 of"),
        (
            {"prior": {"weight": np.ones(1), "mean0": np.array([np.nan]), "log_var0": np.ones(1)}},
            "prior/restart-001.parquet",
            "NaN or infinite values in mean0",
        ),
    ],
)
def test_a_broken_promise_is_named_with_its_file(promising, other, file, said):
    [problem] = verify(promising(**other))
    assert problem.file == file
    assert said in problem.what


def test_evaluation_rows_of_another_number_are_named(promising):
    problems = verify(promising(rows={"sample_id": np.arange(39), "label": None}))
    assert [problem.file for problem in problems] == ["evaluation.parquet"]
    assert "holds 39 rows, expected 40" in problems[0].what


def test_evaluation_rows_of_other_ids_are_held_against_all_latents(promising):
    problems = verify(promising(rows={"sample_id": np.arange(1, ROWS + 1)}))
    assert [problem.file for problem in problems] == [f"latents/restart-00{index}.parquet" for index in range(3)]


def test_a_restart_that_is_done_without_latents_or_from_another_seed_is_named(promising):
    run = promising()
    first, *others = run.manifest.restarts
    hollow = first.model_copy(update={"files": {}})
    stray = others[0].model_copy(update={"seed": 8})
    write_manifest(run.folder, run.manifest.model_copy(update={"restarts": [hollow, stray, others[1]]}))
    said = [str(problem) for problem in verify(Run.open(run.folder))]
    assert any("latents/restart-000.parquet is not recorded, though restart 0 is done" in line for line in said)
    assert any("run.json gives restart 1 the seed 8, expected 1" in line for line in said)


@pytest.mark.slow
def test_what_verify_says_to_do_mends_the_run(tmp_path, capfd):
    """Its own words, taken as they stand: delete the file, run the command."""
    folder = tmp_path / "two words"
    np.save(tmp_path / "small.npy", np.random.default_rng(0).normal(size=(100, 3)))
    data = f"--data={tmp_path / 'small.npy'} --scale none"
    asked = f"train vae {data} -d 2 -n 2 --steps 3 --batch-size=32 --set widths=6 --quiet --workers 1"
    assert _run([*asked.split(), "--out", str(folder)]) == 0
    manifest = Run.open(folder).manifest
    command = f"stabaudit {asked} --out elsewhere"
    write_manifest(folder, manifest.model_copy(update={"command": command}))  # as if the run had been moved here
    whole = {path.name: path.read_bytes() for path in (folder / "latents").iterdir()}
    (folder / "latents" / "restart-001.parquet").write_bytes(b"PAR1")
    capfd.readouterr()
    assert _run(["verify", str(folder), "--format", "csv"]) == 2
    before, _, again = capfd.readouterr().out.strip().partition("and run: stabaudit ")
    assert before.endswith("restore it from a copy, or delete it ")
    again = shlex.split(again.rstrip('"'))
    (folder / "latents" / "restart-001.parquet").unlink()
    assert _run(again) == 0
    assert {path.name: path.read_bytes() for path in (folder / "latents").iterdir()} == whole
    assert _run(["verify", str(folder)]) == 0

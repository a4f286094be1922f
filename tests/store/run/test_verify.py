"""Every kind of damage to a run is found, named and answered."""

import numpy as np
import pytest

from stabaudit.store.run.evaluation import Evaluation
from stabaudit.store.run.run_folder import Run
from stabaudit.store.run.verify import leftovers, verify


def flip(path, place=-20):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.fixture
def complete(folder, manifest):
    with Run.prepare(folder, manifest()) as run:
        run.save_evaluation(Evaluation(np.arange(100, 130)))
    return folder


def test_a_whole_run_has_no_problems(complete):
    (complete / "scores").mkdir()
    (complete / "scores" / "anything").touch()
    (complete / ".DS_Store").touch()
    assert verify(Run.open(complete)) == []


def test_what_a_killed_call_left_is_named_but_no_problem(complete, manifest):
    run = Run.open(complete)
    assert leftovers(run) == []
    parts = [complete / ".stabaudit-00.tmp", complete / "latents" / ".stabaudit-ff.tmp"]
    for part in parts:
        part.touch()
    (complete / ".programs" / "restart-000-12").mkdir(parents=True)
    told = leftovers(run)
    assert [line.split()[0] for line in told] == [*map(str, parts), str(complete / ".programs" / "restart-000-12")]
    assert verify(run) == []
    before = (complete / ".lock").read_bytes()
    with Run.prepare(complete, manifest()):  # deletes the parts
        parts[0].touch()
        assert leftovers(run) == []  # they are the writer's
    assert (complete / ".lock").read_bytes() == before


def test_a_run_in_the_making_has_no_problems(tmp_path, manifest, latents):
    with Run.prepare(tmp_path / "a", manifest()) as run:
        run.save_latents(1, latents())
        assert verify(Run.open(tmp_path / "a")) == []


@pytest.mark.parametrize(
    "file",
    ["evaluation.parquet", "latents/restart-001.parquet", "history/restart-001.parquet", "weights/restart-001.safetensors"],
)
def test_changed_and_missing_files_are_named(complete, file):
    path = complete / file
    flip(path)
    [problem] = verify(Run.open(complete))
    assert problem.file == file
    assert str(problem) == (
        f"{path} has changed since it was recorded (its SHA-256 differs); "
        f"restore it from a copy, or delete it and run: stabaudit train vade --out {complete}"
    )
    path.unlink()
    [problem] = verify(Run.open(complete))
    assert str(problem).startswith(f"{path} is missing; ")
    path.mkdir()
    [problem] = verify(Run.open(complete))
    assert "cannot be read (is a directory)" in str(problem)


@pytest.mark.slow
def test_every_flipped_bit_of_a_file_is_found(complete):
    path = complete / "latents" / "restart-001.parquet"
    content = path.read_bytes()
    for place in np.random.default_rng(0).choice(len(content), size=40, replace=False):
        path.write_bytes(content)
        flip(path, place)
        assert [problem.file for problem in verify(Run.open(complete))] == ["latents/restart-001.parquet"]


def test_unlisted_files_are_named(complete):
    (complete / "latents" / "restart-007.parquet").touch()
    (complete / "notes.txt").touch()
    problems = verify(Run.open(complete))
    assert [problem.file for problem in problems] == ["latents/restart-007.parquet", "notes.txt"]
    assert all("is not in the manifest; move it out" in str(problem) for problem in problems)


def recorded_again(folder, manifest, index):
    with Run.prepare(folder, manifest()) as run:
        run.record(run.restart(index))
    return Run.open(folder)


def test_files_that_were_recorded_but_cannot_be_read_are_named(complete, manifest):
    for file in ("latents/restart-001.parquet", "history/restart-001.parquet", "weights/restart-001.safetensors"):
        (complete / file).write_bytes(b"nonsense")
    problems = verify(recorded_again(complete, manifest, 1))
    assert sorted(problem.file for problem in problems) == [
        "history/restart-001.parquet",
        "latents/restart-001.parquet",
        "weights/restart-001.safetensors",
    ]
    assert all("cannot be used" in str(problem) and "\n" not in str(problem) for problem in problems)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 29}, r"has shape \(29, 3\), expected \(30, 3\)"),
        ({"dimensions": 2}, r"has shape \(30, 2\), expected \(30, 3\)"),
        ({"sample_id": np.arange(30)}, "names other samples than the files before it"),
        ({"sample_id": np.arange(129, 99, -1)}, "names other samples than the files before it"),
    ],
)
def test_restarts_that_do_not_fit_together_are_named(complete, manifest, latents, changes, message):
    with Run.prepare(complete, manifest()) as run:
        run.save_latents(1, latents(**changes))
    run = recorded_again(complete, manifest, 1)
    [problem] = verify(run)
    assert problem.file == "latents/restart-001.parquet"
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(problem)


def test_the_advice_works(complete, manifest, finish_restart):
    flip(complete / "latents" / "restart-001.parquet")
    assert f"delete it and run: stabaudit train vade --out {complete}" in str(verify(Run.open(complete))[0])
    (complete / "latents" / "restart-001.parquet").unlink()
    with Run.prepare(complete, manifest()) as run:
        assert run.unfinished == [1]
        finish_restart(run, 1)
    assert verify(Run.open(complete)) == []


@pytest.mark.parametrize(
    "command", ["rm -rf .", "stabaudit verify; rm -rf .", "stabaudit train 'x", "python -m stabaudit train vae"]
)
def test_a_command_that_is_not_ours_is_no_advice(complete, manifest, command):
    run = Run.open(complete)
    run.manifest = run.manifest.model_copy(update={"command": command})
    (complete / "evaluation.parquet").unlink()
    [problem] = verify(run)
    assert problem.remedy == "restore it from a copy, or delete it and train again as 'stabaudit show' says that it was made"

"""Runs by what a user types."""

import shutil
from pathlib import Path

import pytest

from stabaudit.errors import BadRun, UsageError
from stabaudit.store.run.find import find_runs, parse_selector


def test_selectors(folder, tmp_path):
    latents = folder / "latents" / "restart-000.parquet"
    assert parse_selector(str(folder)) == (folder, None)
    assert parse_selector(f"{folder}/") == (folder, None)
    assert parse_selector(f"{folder}#2") == (folder, 2)
    assert parse_selector(f"{folder}#02") == (folder, 2)
    assert parse_selector(str(latents)) == (latents, None)
    sharp = shutil.copytree(folder, tmp_path / "small#1")
    assert parse_selector(str(sharp)) == (sharp, None)
    assert parse_selector(f"{sharp}#1") == (sharp, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}#3", "has no restart 3; it has 0 to 2"),
        ("{}#", "expected the number of a restart after '#'"),
        ("{}#-1", "expected the number of a restart after '#'"),
        ("{}#²", "expected the number of a restart after '#'"),
        ("{}x", r"no such file or folder; did you mean '.*small'\?"),
        ("{}x#1", r"small"),
        ("{}/latents/restart-000.parquet#1", "is a file of one restart; leave out '#1'"),
        ("{}" + "x" * 300, "file name too long"),
    ],
)
def test_selectors_that_select_nothing(folder, text, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_selector(text.format(folder))
    assert "\n" not in str(caught.value)


def test_a_restart_of_what_is_no_run(tmp_path):
    with pytest.raises(BadRun, match="is not a run folder"):
        parse_selector(f"{tmp_path}#0")


def test_runs_below_paths_each_once_and_in_order(folder, tmp_path):
    for name in ("runs/b", "runs/a/deep", "runs/c"):
        shutil.copytree(folder, tmp_path / name)
    (tmp_path / "runs" / "loop").symlink_to(tmp_path / "runs")
    (tmp_path / "runs" / "c" / "scores").mkdir()
    (tmp_path / "runs" / "c" / "scores" / "run.json").touch()  # a run holds no other runs
    runs = tmp_path / "runs"
    assert [run.folder for run in find_runs([runs])] == [runs / "a" / "deep", runs / "b", runs / "c"]
    assert [run.folder for run in find_runs([folder, runs / "c", runs / "." / "c", runs])] == [
        folder,
        runs / "c",
        runs / "a" / "deep",
        runs / "b",
    ]


def test_paths_without_runs(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadRun, match="no run folders here or below"):
        find_runs([folder, tmp_path / "empty"])
    with pytest.raises(UsageError, match="did you mean"):
        find_runs([tmp_path / "smal"])
    with pytest.raises(UsageError, match="file name too long"):
        find_runs([Path("x" * 300)])
    with pytest.raises(BadRun, match="not a directory"):
        find_runs([folder / "run.json"])


def test_runs_are_found_in_the_order_in_which_people_count(folder, tmp_path):
    for name in ("run-d10", "run-d2", "run-d4"):
        shutil.copytree(folder, tmp_path / "runs" / name)
    found = find_runs([tmp_path / "runs"])
    assert [run.name for run in found] == ["run-d2", "run-d4", "run-d10"]

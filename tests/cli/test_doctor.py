"""`stabaudit doctor`: what is found is true of this machine, what fails gives exit status 2, and nothing is left behind."""

import json
import os
import platform
import sys

import pytest

from stabaudit.cli.main import _run
from stabaudit.errors import BadRun
from stabaudit.training import machine_check as machine
from stabaudit.training.machine_check import examine


@pytest.fixture
def untrained(monkeypatch):
    """Leave the training out, which takes longer than all the rest."""
    monkeypatch.setattr(machine, "_training", lambda _: machine.Finding("training", "left out"))


def found(folder):
    return {finding.topic: finding for finding in examine(folder)}


@pytest.mark.slow
def test_a_training_is_tried_and_nothing_is_left_behind(tmp_path, capfd):
    assert _run(["doctor", str(tmp_path), "--format", "json"]) == 0
    document = json.loads(capfd.readouterr().out, parse_constant=pytest.fail)
    facts = {finding["topic"]: finding["fact"] for finding in document["findings"]}
    assert {finding["state"] for finding in document["findings"]} <= {"ok", "note"}
    assert facts["training"].startswith("works: two restarts of twenty steps in ")
    assert f"Python {platform.python_version()}" in facts["versions"]
    assert facts["cores"].startswith(f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}")
    assert list(tmp_path.iterdir()) == []


def refuse(*_):
    raise BadRun("no more processes")


def test_a_training_that_does_not_work_is_said_with_its_reason(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(machine, "train", refuse)
    assert _run(["doctor", str(tmp_path)]) == 2
    out = capfd.readouterr().out
    assert "does not work: no more processes" in out
    assert "training: fix what is listed above, or train elsewhere" in out


@pytest.mark.slow
def test_a_restart_that_fails_is_a_training_that_does_not_work(tmp_path, monkeypatch):
    trial = machine.TRIAL.model_copy(update={"learning_rate": 1e30, "steps": 200})
    monkeypatch.setattr(machine, "TRIAL", trial)
    assert "left the finite numbers" in found(tmp_path)["training"].fact


def test_a_folder_that_cannot_be_written_is_no_place_to_train(tmp_path, capfd):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "missing", tmp_path / "file"):
        assert _run(["doctor", str(folder)]) == 2
        out = capfd.readouterr().out
        assert f"cannot write in {folder}" in out
        assert "works:" not in out


def test_locks_that_do_not_hold_are_told_of(tmp_path, monkeypatch, untrained):
    class Lock:
        def __init__(self, _):
            pass

        def release(self):
            pass

    monkeypatch.setattr(machine, "WriteLock", Lock)
    finding = found(tmp_path)["files and locks"]
    assert (finding.state, finding.advice) == ("fails", "use a folder on a local disk")


def test_what_is_worth_knowing_is_noted(tmp_path, monkeypatch, untrained):
    usage = type("Usage", (), {"free": 2e8})
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(machine, "require_compiler", lambda _: (_ for _ in ()).throw(machine.UsageError("install one")))
    monkeypatch.setattr(sys, "stdout", type("Out", (), {"encoding": "ascii"}))
    notes = {topic: finding.advice for topic, finding in found(tmp_path).items() if finding.state == "note"}
    assert notes == {
        "compiler": "install one",
        "encoding": "tables are drawn with hyphens; set PYTHONUTF8=1 for lines",
        "disk": "large trainings will not fit",
        "temporary files": "large trainings will not fit",
    }

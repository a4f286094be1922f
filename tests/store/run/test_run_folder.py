"""Run folders: what makes one, what goes on with it, and what is refused before anything is written."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stabaudit.config import Choice, Training
from stabaudit.errors import BadData, BadRun, UsageError
from stabaudit.store.run.checkpoint import Checkpoint, as_bytes
from stabaudit.store.run.evaluation import Evaluation
from stabaudit.store.run.latents import write_latents
from stabaudit.store.run.lock import WriteLock
from stabaudit.store.run.manifest import Manifest, Restart, read_manifest, write_manifest
from stabaudit.store.run.run_folder import Run


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock"}


def test_a_run_comes_back_as_it_was_written(folder, latents):
    run = Run.open(folder)
    assert run.done == [0, 1, 2]
    assert run.unfinished == []
    for index in range(3):
        read = run.latents(index)
        np.testing.assert_array_equal(read.mean, latents(index).mean)
        assert (read.metadata.fingerprint, read.metadata.restart, read.metadata.seed) == ("feedbeef", index, index)
        assert run.history(index)["loss"].tolist() == [2.0, 1.0]
        assert (run.weights(index)["encoder.weight"] == index).all()
    assert run.restart(2).scores == {"loss": 1.0}
    assert sorted(run.restart(0).files) == [
        "history/restart-000.parquet",
        "latents/restart-000.parquet",
        "weights/restart-000.safetensors",
    ]
    assert run.evaluation() is None


def test_evaluation_rows_are_written_once(folder, manifest):
    rows = Evaluation(np.arange(100, 130), sources=np.ones((30, 2), np.float32))
    with Run.prepare(folder, manifest()) as run:
        run.save_evaluation(rows)
        written = (folder / "evaluation.parquet").stat().st_mtime_ns
        run.save_evaluation(rows)
        assert (folder / "evaluation.parquet").stat().st_mtime_ns == written
    read = Run.open(folder).evaluation()
    assert read is not None
    np.testing.assert_array_equal(read.sources, rows.sources)


def test_a_restart_is_done_only_when_the_manifest_says_so(tmp_path, manifest, latents):
    with Run.prepare(tmp_path / "a", manifest()) as run:
        run.save_latents(1, latents())
        assert Run.open(tmp_path / "a").done == []
        with pytest.raises(BadRun, match=r"restart 1 of .* is pending"):
            Run.open(tmp_path / "a").latents(1)
        with pytest.raises(BadRun, match=r"restart 0 is not done: .*restart-000\.parquet is missing"):
            run.record(run.restart(0).model_copy(update={"state": "done"}))
        run.record(run.restart(1).model_copy(update={"state": "done"}))
        assert Run.open(tmp_path / "a").done == [1]


def test_a_manifest_that_cannot_be_written_leaves_the_restart_as_it_was(folder, manifest, monkeypatch):
    with Run.prepare(folder, manifest()) as run:
        before = read_manifest(folder)

        def full(_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(BadRun, match=r"run\.json: no space left on device"):
            run.record(run.restart(1).model_copy(update={"state": "failed"}))
        assert run.manifest == before == read_manifest(folder)


def test_a_diverged_restart_is_recorded_with_scores_that_are_not_numbers(folder, manifest):
    with Run.prepare(folder, manifest()) as run:
        scores = {"loss": float("nan"), "kl": float("inf"), "x": -float("inf")}
        run.record(Restart(index=1, seed=1, state="diverged", detail="NaN at step 12", scores=scores))
    json.loads((folder / "run.json").read_text(), parse_constant=pytest.fail)  # strict JSON
    run = Run.open(folder)
    np.testing.assert_equal(run.restart(1).scores, scores)
    assert run.done == [0, 2]
    assert run.unfinished == []  # it would only diverge again
    with pytest.raises(BadRun, match=r"is diverged \(NaN at step 12\)"):
        run.latents(1)


def test_the_same_command_goes_on_with_what_is_missing(tmp_path, manifest, finish_restart):
    path = tmp_path / "a"
    with Run.prepare(path, manifest()) as run:
        finish_restart(run, 0)
        run.record(Restart(index=1, seed=1, state="failed", detail="killed"))
    with Run.prepare(path, manifest()) as run:
        assert run.done == [0]
        assert run.unfinished == [1, 2]


def test_a_restart_that_lost_a_file_is_trained_again(folder, manifest):
    (folder / "latents" / "restart-001.parquet").unlink()
    with Run.prepare(folder, manifest()) as run:
        assert run.done == [0, 2]
        assert run.unfinished == [1]
        assert run.restart(1) == Restart(index=1, seed=1)
    assert Run.open(folder).done == [0, 2]


def test_more_restarts_extend_a_run_and_leave_its_shards_alone(tmp_path, manifest, finish_restart):
    path = tmp_path / "a"
    with Run.prepare(path, manifest(shards=[[0, 1], [2]])) as run:
        finish_restart(run, 2)
    with Run.prepare(path, manifest(restarts=6, shards=[[0, 1, 2, 3], [4, 5]])) as run:
        assert run.manifest.shards == [[0, 1], [2], [3], [4, 5]]
        assert [restart.seed for restart in run.manifest.restarts] == list(range(6))
        assert run.done == [2]
    assert Run.open(path).manifest.config == manifest(restarts=6).config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latent_dim": 4}, "latent_dim is 3 there, 4 here"),
        ({"restarts": 2}, "restarts is 3 there, 2 here"),
        ({"seed": 5, "restarts": 9}, "seed is 0 there, 5 here. Name"),
        ({"family": Choice(name="vade", options={"k": 20})}, "family.options.k is 10 there, 20 here"),
        (
            {"family": Choice(name="vae"), "training": Training(steps=2)},
            "family.name is .*; training.epochs is 2 there, not set here; training.steps is not set there, 2",
        ),
        ({"fingerprint": "other"}, "dataset fingerprint is 'feedbeef' there, 'other' here"),
    ],
)
def test_another_configuration_is_refused_and_nothing_is_written(folder, manifest, changes, message):
    before = content(folder)
    with pytest.raises(BadRun, match=message) as caught:
        Run.prepare(folder, manifest(**changes))
    assert "\n" not in str(caught.value)
    assert content(folder) == before


def test_imported_latents_are_not_taken_for_a_training(tmp_path, manifest):
    imported = manifest().model_copy(update={"config": None, "shards": []})
    Run.prepare(tmp_path / "a", imported).close()
    Run.prepare(tmp_path / "a", imported).close()
    with pytest.raises(BadRun, match="origin is 'imported' there, 'trained' here"):
        Run.prepare(tmp_path / "a", manifest())


def test_a_run_begins_in_a_folder_of_its_own(tmp_path, manifest):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(BadRun, match=r"is not a run folder and not empty: it holds thesis\.tex"):
        Run.prepare(tmp_path / "full", manifest())
    with pytest.raises(BadRun, match="not a directory"):
        Run.prepare(tmp_path / "full" / "thesis.tex", manifest())
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]
    (tmp_path / "empty").mkdir()
    Run.prepare(tmp_path / "empty", manifest()).close()


def test_a_manifest_that_cannot_be_followed_is_not_overwritten(tmp_path, manifest):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "run.json").symlink_to(tmp_path / "unmounted" / "run.json")
    with pytest.raises(BadRun, match="is a link, which nothing is written through"):
        Run.prepare(tmp_path / "a", manifest())
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["run.json"]


@pytest.mark.parametrize("name", ["vade d=50", "größe-ß-日本語-🦜", "-x", "a#3", "'quoted\"", "a\u00a0b", "%s{}"])
def test_unusual_names_are_names(tmp_path, manifest, finish_restart, name):
    with Run.prepare(tmp_path / name, manifest()) as run:
        finish_restart(run, 0)
    assert Run.open(tmp_path / name).latents(0).mean.shape == (30, 3)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("two\nlines", "control characters"),
        ("tab\there", "control characters"),
        ("nul\0", "control characters"),
        ("lone\udcff", "control characters"),
        ("x" * 300, "file name too long"),
        ("é" * 128, "file name too long"),  # 256 bytes
    ],
)
def test_impossible_names_are_refused_in_one_line(tmp_path, manifest, name, message):
    with pytest.raises(BadRun, match=message) as caught:
        Run.prepare(tmp_path / name, manifest())
    assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == []


def test_one_writer_at_a_time(folder, manifest):
    with Run.prepare(folder, manifest()):
        with pytest.raises(BadRun, match=f"is being written by process {os.getpid()} on"):
            Run.prepare(folder, manifest())
        assert Run.open(folder).latents(0).mean.shape == (30, 3)  # readers are welcome
    Run.prepare(folder, manifest()).close()


def test_a_reader_cannot_write(folder, latents):
    reader = Run.open(folder)
    for write in (
        lambda: reader.save_latents(0, latents()),
        lambda: reader.save_history(0, {"loss": np.zeros(1)}),
        lambda: reader.save_weights(0, {}),
        lambda: reader.take({}),
        lambda: reader.save_checkpoint(0, b""),
        lambda: reader.record(reader.restart(0)),
        lambda: reader.save_evaluation(Evaluation(np.arange(3))),
    ):
        with pytest.raises(RuntimeError, match="opened for reading"):
            write()


@pytest.mark.parametrize("file", ["run.json", "../latents/restart-000.parquet", "latents/restart-003.parquet", "/etc/passwd"])
def test_only_files_of_restarts_are_taken_from_elsewhere(tmp_path, manifest, file):
    with Run.prepare(tmp_path / "a", manifest()) as run:  # of three restarts
        before = (run.folder / "run.json").read_bytes()
        with pytest.raises(BadRun, match="is no file of a restart"):
            run.take({"history/restart-000.parquet": b"1", file: b"2"})
        assert (run.folder / "run.json").read_bytes() == before
        assert not (run.folder / "history").exists()
        run.take({"history/restart-000.parquet": b"1"})
        assert (run.folder / "history" / "restart-000.parquet").read_bytes() == b"1"


def test_a_run_that_appears_between_check_and_lock_is_seen(tmp_path, manifest, monkeypatch):
    def overtaken(folder):
        write_manifest(folder, manifest(latent_dim=9))
        return WriteLock(folder)

    monkeypatch.setattr("stabaudit.store.run.run_folder.WriteLock", overtaken)
    with pytest.raises(BadRun, match="latent_dim is 9 there, 3 here"):
        Run.prepare(tmp_path / "a", manifest())
    config = read_manifest(tmp_path / "a").config
    assert config is not None
    assert config.latent_dim == 9


def test_a_refused_run_gives_the_lock_back(folder, manifest, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    before = content(folder)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadRun, match="no space left"):
        Run.prepare(folder, manifest())
    monkeypatch.undo()
    assert content(folder) == before
    Run.prepare(folder, manifest()).close()


def test_latents_of_another_restart_run_or_shape_are_refused(folder, latents):
    run, path = Run.open(folder), Run.open(folder).latents_path(1)
    own = run.latents(1).metadata
    path.write_bytes(run.latents_path(0).read_bytes())
    with pytest.raises(BadData, match="is not of restart 1"):
        run.latents(1)
    write_latents(path, latents(metadata=own.model_copy(update={"fingerprint": "other"})))
    with pytest.raises(BadData, match="is not of restart 1"):
        run.latents(1)
    write_latents(path, latents(dimensions=4, metadata=own))
    with pytest.raises(BadData, match=r"has shape \(30, 4\), expected \(30, 3\)"):
        run.latents(1)
    write_latents(path, latents(rows=29, metadata=own))
    with pytest.raises(BadData, match=r"has shape \(29, 3\), expected \(30, 3\)"):
        run.latents(1)


def test_weights_that_changed_are_refused(folder):
    run = Run.open(folder)
    run.weights_path(1).write_bytes(run.weights_path(0).read_bytes())
    with pytest.raises(BadData, match="is not the file that was recorded"):
        run.weights(1)


def test_restarts_that_are_not_there(folder):
    run = Run.open(folder)
    for ask in (run.restart, run.latents, run.history, run.weights):
        for index in (-1, 3):
            with pytest.raises(UsageError, match=f"has no restart {index}; it has 0 to 2"):
                ask(index)


def test_checkpoints_go_when_their_shard_is_done(tmp_path, manifest, finish_restart):
    with Run.prepare(tmp_path / "a", manifest(shards=[[0, 1], [2]])) as run:
        for shard in (0, 1):
            run.save_checkpoint(shard, as_bytes(Checkpoint({}, {})))
        finish_restart(run, 0)
        assert run.checkpoint_path(0).exists()
        run.record(Restart(index=1, seed=1, state="diverged"))
        assert not run.checkpoint_path(0).exists()
        assert run.checkpoint_path(1).exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from stabaudit.store.files import atomic as files
from stabaudit.store.run.manifest import Manifest
from stabaudit.store.run.run_folder import Run
run = Run.prepare(Path(sys.argv[1]), Manifest.model_validate_json(sys.stdin.read()))
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
files.Path.replace = die
run.save_weights(0, {})
"""


@pytest.mark.slow
def test_what_a_killed_process_left_is_swept_away(tmp_path, manifest, finish_restart):
    path = tmp_path / "a"
    killed = subprocess.run([sys.executable, "-c", KILLED, path], input=manifest().model_dump_json(), text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list((path / "weights").glob(".stabaudit-*.tmp"))) == 1
    with Run.prepare(path, manifest()) as run:
        finish_restart(run, 0)
    assert [file.name for file in (path / "weights").iterdir()] == ["restart-000.safetensors"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: "", "is damaged"),
        (lambda text: text[: len(text) // 2], "is damaged"),
        (lambda _: "[]", "is damaged"),
        (lambda _: "\0\0", "is damaged"),
        (lambda _: "[" * 100_000, "is damaged"),
        (lambda text: text.replace('"schema_version": 2', '"schema_version": 3', 1), "schema version 3, .* reads up to 2"),
        (lambda _: '{"schema_version": 7, "unknown": 1}', "schema version 7, .* reads up to 2"),
        (lambda text: text.replace('"schema_version": 2', '"schema_version": 0', 1), "is damaged"),
        (lambda text: text.replace('"schema_version"', '"version"', 1), "schema_version Field required"),
        (lambda text: text.replace('"latent_dim": 3', '"latent_dim": -3'), "latent_dim Input should be greater than 0"),
        (lambda text: text.replace('"latent_dim": 3', '"latent_dim": 3, "new": 1'), "config.new Extra inputs are not permitted"),
        (lambda text: text.replace('"index": 2', '"index": 1'), "restarts are not numbered"),
        (lambda text: text.replace('"restarts": 3', '"restarts": 4'), "asks for 4 restarts, 3 are listed"),
        (lambda text: text.replace("      2\n", "      3\n", 1), "shards name a restart twice, or one that is not listed"),
        (lambda text: text.replace("latents/restart-000", "../../restart-000"), "is not inside the run folder"),
        (lambda text: text.replace("latents/restart-000", "/etc/restart-000"), "is not inside the run folder"),
    ],
)
def test_a_damaged_or_newer_manifest_is_refused_in_one_line(folder, manifest, change, message):
    path = folder / "run.json"
    path.write_text(change(path.read_text()))
    before = content(folder)
    for use in (Run.open, lambda folder: Run.prepare(folder, manifest())):
        with pytest.raises(BadRun, match=message) as caught:
            use(folder)
        assert str(caught.value).isprintable()
        assert str(path) in str(caught.value)
    assert content(folder) == before


def test_folders_that_are_no_runs(tmp_path, folder):
    with pytest.raises(BadRun, match=r"no such file or folder; did you mean '.*small'\?"):
        Run.open(folder.with_name("smal"))
    with pytest.raises(BadRun, match=r"is not a run folder: it has no run\.json"):
        Run.open(tmp_path)
    with pytest.raises(BadRun, match="cannot read"):
        Run.open(folder / "run.json")
    with pytest.raises(BadRun, match="file name too long"):
        Run.open(tmp_path / ("x" * 300))


def test_the_manifest_is_text_for_people(folder):
    text = (folder / "run.json").read_text(encoding="utf-8")
    content = json.loads(text)
    assert re.fullmatch("[0-9a-f]{64}", content.pop("sha256"))
    assert Manifest.model_validate(content) == Run.open(folder).manifest
    assert text.count("\n") > 50


@pytest.mark.parametrize("name", [".lock", ".writer.json", "run.json", "latents", "weights/restart-000.safetensors", ".programs"])
def test_nothing_is_written_through_a_link(tmp_path, manifest, name):
    folder, outside = tmp_path / "run", tmp_path / "outside"
    Run.prepare(folder, manifest()).close()
    outside.write_text("precious") if "." in name[1:] or name == ".lock" else outside.mkdir()
    link = folder / name
    link.parent.mkdir(exist_ok=True)
    if link.is_dir():
        link.rmdir()
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    with pytest.raises(BadRun, match="is a link, which nothing is written through"):
        Run.prepare(folder, manifest())
    assert list(outside.iterdir()) == [] if outside.is_dir() else outside.read_text() == "precious"


def test_the_folder_itself_may_be_a_link(tmp_path, manifest):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    Run.prepare(tmp_path / "run", manifest()).close()
    assert (tmp_path / "disk" / "run.json").exists()


def test_a_run_of_own_data_from_before_they_were_scaled_is_extended_as_they_are(tmp_path, manifest):
    """Its manifest lacks the option; data that are scaled now are other data."""

    def with_options(options, restarts):
        data = Choice(name="mine.npz", options={"holdout": 0.2} | options)
        return manifest(dataset=data, restarts=restarts, shards=[[i] for i in range(restarts)])

    Run.prepare(tmp_path / "run", with_options({}, 2)).close()
    with pytest.raises(BadRun, match=r"dataset\.options\.scale is 'none' there, 'standardise' here"):
        Run.prepare(tmp_path / "run", with_options({"scale": "standardise", "channels_last": False}, 3))
    with Run.prepare(tmp_path / "run", with_options({"scale": "none", "channels_last": False}, 3)) as run:
        assert len(run.manifest.restarts) == 3

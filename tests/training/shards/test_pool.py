"""Runs trained by real worker processes: what is written, what is the same again, and what becomes of a run that is struck."""

import json
import multiprocessing
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from functools import cache
from multiprocessing import forkserver
from pathlib import Path

import numpy as np
import pytest

from stabaudit.cli import main as cli
from stabaudit.config import checked
from stabaudit.engines import local as workers
from stabaudit.engines.local import LocalEngine
from stabaudit.errors import BadRun
from stabaudit.store.files.atomic import sha256
from stabaudit.store.run.checkpoint import parse_checkpoint
from stabaudit.store.run.run_folder import Run
from stabaudit.store.run.verify import verify
from stabaudit.training.prepare import prepare
from stabaudit.training.prepared_run import Job
from stabaudit.training.recipe import Recipe
from stabaudit.training.shards.messages import Failed, Finished, Progress
from stabaudit.training.train import train

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
STEPS, STEPS_PER_EPOCH = 80, 4
INSIDE = {"latents": "parquet", "history": "parquet", "weights": "safetensors", "divergence": "parquet"}


@pytest.fixture(autouse=True)
def _moody_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(HERE)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """160 rows of 5 numbers: 128 to train on, 4 batches of 32, and 32 to evaluate on."""
    path = tmp_path_factory.mktemp("data") / "small.npz"
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 4, 160)
    np.savez(path, x=rng.normal(size=(160, 5)) * (1 + classes[:, None]), labels=classes)
    return path


def make_job(data, folder, **wanted):
    """A small run; what is no key of a recipe is a setting."""
    recipe = {"family": "moody:Moody", "data": str(data), "latent_dim": 2, "restarts": 3, "steps": STEPS, "batch_size": 32}
    settings = {"widths": [8], "scale": "none", **{key: wanted.pop(key) for key in set(wanted) - set(Recipe.model_fields)}}
    return Job(prepare(checked(Recipe, recipe | wanted | {"settings": settings}, "test")), folder)


@pytest.fixture
def job(data, tmp_path):
    """A small run in a folder of the test: `job("a", restarts=2, exact=True)`."""
    return lambda name="run", **wanted: make_job(data, wanted.pop("folder", tmp_path / name), **wanted)


@pytest.fixture(scope="module")
def calm(data, tmp_path_factory):
    """Latents of a run that nothing happens to, trained once: `calm(exact=False, count=2)`."""

    @cache
    def latents_of(exact, count):
        return latents(trained(make_job(data, tmp_path_factory.mktemp("calm") / "run", exact=exact), count=count)[0])

    return latents_of


def trained(*jobs, count=2):
    """The runs, and all events."""
    events = []
    runs = train(jobs, LocalEngine(count), events.append)
    return (*runs, events)


def latents(run):
    return [run.latents(index).mean for index in run.done]


def same(a, b):
    return len(a) == len(b) > 0 and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def states(run):
    return [restart.state for restart in run.manifest.restarts]


def test_what_a_run_writes_is_whole_and_listed(job):
    run, events = trained(job(seed=5))
    assert run.done == [0, 1, 2]
    assert [restart.seed for restart in run.manifest.restarts] == [5, 6, 7]
    expected = {f"{kind}/restart-{i:03d}.{suffix}" for kind, suffix in INSIDE.items() for i in range(3)} | {"evaluation.parquet"}
    found = {str(path.relative_to(run.folder)) for path in run.folder.rglob("*") if path.is_file()} - {"run.json", ".lock"}
    assert found == expected
    recorded = json.loads((run.folder / "run.json").read_text())
    digests = {
        **recorded["files"],
        **{file: digest for restart in recorded["restarts"] for file, digest in restart["files"].items()},
    }
    assert digests == {file: sha256(run.folder / file) for file in expected}
    assert verify(run) == []
    rows = job().prepared.dataset.evaluation
    for index in range(3):
        z = run.latents(index)
        assert z.mean.shape == z.log_var.shape == (32, 2)
        assert np.array_equal(z.sample_id, rows.sample_id)
        assert np.array_equal(z.label, rows.labels)
        history = run.history(index)
        assert history["step"].tolist() == list(range(STEPS_PER_EPOCH, STEPS + 1, STEPS_PER_EPOCH))
        assert history["loss"][-1] < history["loss"][0]
        assert run.restart(index).steps == STEPS
        assert run.restart(index).scores["train_loss"] == history["loss"][-1]
    ended = [event for event in events if not isinstance(event, Progress)]
    assert sorted(index for event in ended for index in event.shard.restarts) == [0, 1, 2]
    assert all(event.total_steps == STEPS for event in events if isinstance(event, Progress))


def test_the_same_command_gives_the_same_latents(job):
    first, second, other, _ = trained(job("a"), job("b"), job("c", seed=1))
    assert same(latents(first), latents(second))
    assert not any(np.array_equal(x, y) for x, y in zip(latents(first), latents(other), strict=True))


def test_exact_restarts_depend_on_their_seed_alone(job):
    few, more, _ = trained(job("a", exact=True, seed=3, restarts=1), job("b", exact=True, seed=2, restarts=3))
    assert same(latents(few), latents(more)[1:2])


def test_a_finished_run_is_left_alone(job):
    run, _ = trained(job())
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*.[ps]a*")}
    assert len(before) == 13  # four files of each restart, and one of the rows
    again, events = trained(job())
    assert events == []
    assert again.done == [0, 1, 2]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_more_restarts_train_only_the_new_ones(job):
    old = latents(trained(job(restarts=2))[0])
    run, events = trained(job(restarts=4))
    assert {index for event in events for index in event.shard.restarts} == {2, 3}
    assert run.done == [0, 1, 2, 3]
    assert same(latents(run)[:2], old)
    with pytest.raises(BadRun, match="restarts is 4 there, 2 here"):
        train([job(restarts=2)], LocalEngine(2))


def test_a_lost_file_costs_its_own_restart_only(job):
    run, _ = trained(job(restarts=2), count=1)  # one shard of two
    kept = {path: path.stat().st_mtime_ns for path in run.folder.rglob("restart-001.*")}
    old = latents(run)
    run.latents_path(0).unlink()
    run, events = trained(job(restarts=2), count=1)
    assert [r.index for event in events if isinstance(event, Finished) for r in event.restarts] == [0]
    assert same(latents(run), old)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert verify(run) == []


def test_a_failure_leaves_what_was_done_beside_it(job, tmp_path):
    passed = tmp_path / "passed"
    passed.touch()
    asked = {"restarts": 2, "mood": "raise", "victim": 0, "passed": str(passed)}
    run, _ = trained(job(**asked), count=1)
    run.latents_path(0).unlink()
    passed.unlink()
    run, _ = trained(job(**asked), count=1)
    assert states(run) == ["failed", "done"]
    assert verify(run) == []


def test_another_configuration_is_refused_before_anything_is_written(job, tmp_path):
    trained(job("old", restarts=1, steps=4))
    before = (tmp_path / "old" / "run.json").read_bytes()
    with pytest.raises(BadRun, match=r"old holds another run: latent_dim is 2 there, 3 here; seed is 0 there, 9 here\. Name"):
        train([job("new", restarts=1, steps=4), job("old", restarts=1, steps=4, latent_dim=3, seed=9)], LocalEngine(2))
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "old" / "run.json").read_bytes() == before


def test_other_data_under_the_same_name_are_refused(job, data):
    trained(job(restarts=1, steps=4))
    content = data.read_bytes()
    arrays = dict(np.load(data))
    try:
        np.savez(data, **arrays | {"x": arrays["x"] + 1})
        with pytest.raises(BadRun, match=r"holds another run: dataset fingerprint is '[0-9a-f]{16}' there"):
            train([job(restarts=1, steps=4)], LocalEngine(2))
    finally:
        data.write_bytes(content)


def test_a_file_in_place_of_the_folder_is_refused(job, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadRun, match="file"):
        train([job("file")], LocalEngine(2))
    with pytest.raises(BadRun, match="not a directory"):
        train([job(folder=tmp_path / "file" / "run")], LocalEngine(2))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("mood", "message"),
    [("raise", "ArithmeticError: not today"), ("die", "its worker process ended with exit status -9")],
)
def test_a_failed_shard_is_recorded_and_tried_again(job, calm, tmp_path, mood, message):
    asked = {"mood": mood, "passed": str(tmp_path / "passed"), "exact": True}
    run, events = trained(job(**asked), count=1)  # the victim is between two others in one worker's queue
    assert states(run) == ["done", "failed", "done"]
    assert run.restart(1).detail == message
    assert [event.message for event in events if isinstance(event, Failed)] == [message]
    assert not run.latents_path(1).exists()
    (tmp_path / "passed").touch()
    run, events = trained(job(**asked))
    assert {index for event in events for index in event.shard.restarts} == {1}
    assert run.done == [0, 1, 2]
    assert run.restart(1).detail == ""
    assert same(latents(run), calm(exact=True, count=1))


@pytest.mark.parametrize("exact", [False, True])
def test_a_diverged_restart_is_recorded_and_the_others_do_not_notice(job, calm, exact):
    # One worker: all three in one shard unless exact.
    run, _ = trained(job("struck", mood="diverge", exact=exact), count=1)
    assert states(run) == ["done", "diverged", "done"]
    assert same(latents(run), [calm(exact=exact, count=1)[i] for i in (0, 2)])
    assert not run.latents_path(1).exists()
    loss = run.history(1)["loss"]
    assert np.isfinite(loss[:13]).all()
    assert np.isnan(loss[13:]).all()
    assert run.restart(1).steps == (14 * STEPS_PER_EPOCH if exact else STEPS)  # by itself it has nothing left to wait for
    assert f"by step {14 * STEPS_PER_EPOCH}" in run.restart(1).detail
    again, events = trained(job("struck", mood="diverge", exact=exact), count=1)
    assert (states(again), events) == (states(run), [])


def test_workers_that_die_at_once_are_failures_not_a_closed_pipe(job, monkeypatch):
    """A worker can be gone before it is told what to do (killed for memory, say)."""
    started = workers._Worker.__init__

    def dead(self, *arguments):
        started(self, *arguments)
        self._process.kill()
        self._process.join()

    monkeypatch.setattr(workers._Worker, "__init__", dead)
    run, _ = trained(job(exact=True))
    assert states(run) == ["failed"] * 3
    assert run.restart(0).detail == "its worker process ended with exit status -9"


def test_no_worker_outlives_an_error(job, monkeypatch):
    made = []
    started = workers._Worker.__init__
    monkeypatch.setattr(workers._Worker, "__init__", lambda self, *given: (started(self, *given), made.append(self))[0])

    def stop(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train([job()], LocalEngine(2), stop)
    assert len(made) == 2
    assert [worker._process.is_alive() for worker in made] == [False, False]


# ----------------------------------------------------------------------------------------------------- processes that are struck


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_ctrl_c_does_not_reach_the_fork_server_even_while_it_imports_torch():
    workers.warm_up()
    status = Path(f"/proc/{forkserver._forkserver._forkserver_pid}/status").read_text()
    assert int(status.partition("SigBlk:")[2].split()[0], 16) & (1 << (signal.SIGINT - 1))
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def command_line(folder, data, mood, passed):
    sizes = f"--data {data} -d 2 -n 3 --steps {STEPS} --batch-size 32 --workers 2 --quiet --out {folder}"
    return f"train moody:Moody {sizes} --set widths=8 --set mood={mood} --set passed={passed} --scale none".split()


class Command:
    """`stabaudit train` in a session of its own; as the console script, it finds the user's module in the working directory."""

    def __init__(self, folder, data, mood):
        self.folder, self.mood, self.passed = folder, mood, folder.with_suffix(".passed")
        program = [sys.executable, "-P", "-m", "stabaudit"]
        self.words = command_line(folder, data, mood, self.passed)
        self.process = subprocess.Popen(
            [*program, *self.words],
            cwd=HERE,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def alive(self):
        """Processes of the session that still run."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(session) == self.process.pid and state != "Z":
                found.append(stat.parent.name)
        return found


@pytest.fixture
def command(data, tmp_path, name):
    command = Command(tmp_path / name, data, {"SIGKILL": "orphan", "SIGINT": "wait"}[name])
    yield command
    command.process.kill()
    command.process.communicate()


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition()


def holds_checkpoint(folder):
    return any(folder.glob("checkpoints/shard-*"))


def goes_on(job, folder, **asked):
    """Train the rest of a run and hold that epochs which were trained before the stop are not trained again."""
    left = Run.open(folder)
    assert states(left) == ["pending"] * 3
    shards = [number for number in range(len(left.manifest.shards)) if left.checkpoint_path(number).exists()]
    seconds = {number: parse_checkpoint(left.load_checkpoint(number), "it").arrays["seconds"] for number in shards}
    assert shards
    run, _ = trained(job(folder=folder, **asked))
    assert run.done == [0, 1, 2]
    for number in shards:
        for index in run.manifest.shards[number]:
            assert np.array_equal(run.history(index)["seconds"][: len(seconds[number])], seconds[number])
    assert not holds_checkpoint(folder)
    return run


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize(("name", "status"), [("SIGKILL", -signal.SIGKILL), ("SIGINT", 130)])
def test_a_struck_command_leaves_no_process_and_goes_on_where_it_was(command, job, calm, name, status):
    if name == "SIGINT":
        until(lambda: holds_checkpoint(command.folder) or command.process.poll() is not None)
        os.killpg(command.process.pid, signal.SIGINT)  # as a terminal does: to every process
    told = f"stabaudit: interrupted; to go on: {shlex.join(['stabaudit', *command.words])}\n" if name == "SIGINT" else ""
    assert (*command.process.communicate(timeout=30), command.process.returncode) == ("", told, status)
    until(lambda: not command.alive(), seconds=10)
    command.passed.touch()
    run = goes_on(job, command.folder, mood=command.mood, passed=str(command.passed))
    assert same(latents(run), calm(exact=False, count=2))


def test_a_terminated_command_goes_on_where_it_was(job, calm, data, tmp_path, capfd, monkeypatch):  # noqa: PLR0917 -- fixtures
    folder, passed = tmp_path / "run", tmp_path / "passed"
    words = command_line(folder, data, "wait", passed)
    monkeypatch.setattr(sys, "argv", ["stabaudit", *words])
    before = signal.getsignal(signal.SIGTERM)

    def terminate():
        until(lambda: holds_checkpoint(folder))
        os.kill(os.getpid(), signal.SIGTERM)

    killer = threading.Thread(target=terminate)
    killer.start()
    try:
        with pytest.raises(SystemExit) as stop:
            cli.main(words)
    finally:
        killer.join()
        signal.signal(signal.SIGTERM, before)
    assert stop.value.code == 143
    assert capfd.readouterr() == ("", f"stabaudit: interrupted; to go on: {shlex.join(sys.argv)}\n")
    assert multiprocessing.active_children() == []
    passed.touch()
    run = goes_on(job, folder, mood="wait", passed=str(passed))
    assert same(latents(run), calm(exact=False, count=2))

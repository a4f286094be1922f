"""Runs trained on a Ray cluster of two nodes: the bits of a local run, whatever is killed on the way."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stabaudit.config import checked
from stabaudit.engines.local import LocalEngine
from stabaudit.errors import BadRun
from stabaudit.store.run.run_folder import Run
from stabaudit.store.run.verify import verify
from stabaudit.training.prepare import job_of
from stabaudit.training.recipe import Recipe
from stabaudit.training.shards.messages import Finished, Progress
from stabaudit.training.train import train

ray = pytest.importorskip("ray")
psutil = pytest.importorskip("psutil")
from ray.cluster_utils import Cluster  # noqa: E402 -- only where there is Ray

from stabaudit.engines.ray_cluster import RayEngine  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own warnings

HERE = Path(__file__).parent
ASKED = {"family": "eager_keeper:Keeper", "data": "digits", "latent_dim": 2, "restarts": 4, "shard_size": 1, "steps": 1500}
WORDS = "--data digits -d 2 -n 4 --shard-size 1 --steps 1500 --set widths=8 --quiet".split()  # noqa: SIM905


def test_where_nobody_listens_is_said_at_once(monkeypatch):
    began = time.monotonic()
    for address in ("127.0.0.1:9", "ray://127.0.0.1:9", "127.0.0.1:99999"):
        with pytest.raises(BadRun, match=f"no Ray cluster at {address}: "):
            RayEngine(address=address)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(BadRun, match=r"no Ray cluster at 127\.0\.0\.1:9: Connection refused"):
        RayEngine()
    assert time.monotonic() - began < 10


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one CPU each, and a head that does no work."""
    quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": quick}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def job(tmp_path, monkeypatch):
    """A run whose family lies in a folder of the test, where no worker looks."""
    (tmp_path / "mine").mkdir()
    shutil.copy(HERE / "eager_keeper.py", tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "mine")
    recipe = checked(Recipe, ASKED | {"settings": {"widths": [8]}}, "test")
    return lambda name: job_of(recipe, tmp_path / name)


@pytest.fixture
def same_as_local(job):
    def hold(run):
        (local,) = train([job("local")], LocalEngine(2))
        assert verify(run) == []
        assert run.done == local.done == [0, 1, 2, 3]
        for index in run.done:
            assert run.latents_path(index).read_bytes() == local.latents_path(index).read_bytes()
            assert run.weights_path(index).read_bytes() == local.weights_path(index).read_bytes()
            assert run.restart(index).scores == local.restart(index).scores

    return hold


def workers():
    """Processes that are at a task."""
    found = [process for process in psutil.process_iter(["cmdline"]) if "ray::_perform" in (process.info["cmdline"] or [""])[0]]
    return sorted(found, key=lambda process: process.pid)


def test_a_worker_and_a_node_are_lost_and_every_bit_is_the_same(cluster, job, same_as_local):
    events, lost = [], []

    def on_event(event):
        events.append(event)
        if isinstance(event, Progress) and 200 < event.step < 1300 and "worker" not in lost:
            lost.append("worker")
            workers()[0].kill()
        elif isinstance(event, Finished) and "node" not in lost:
            lost.append("node")
            cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)

    os.environ["RAY_ADDRESS"] = cluster.address
    (run,) = train([job("ray")], RayEngine(2), on_event)
    assert lost == ["worker", "node"]
    assert all(restart.state == "done" for restart in run.manifest.restarts)
    same_as_local(run)
    # What was lost went on from a checkpoint: it is never told to be at a step before.
    for number in range(4):
        steps = [event.step for event in events if isinstance(event, Progress) and event.shard.number == number]
        assert steps == sorted(steps)
    ray.shutdown()
    cluster.add_node(num_cpus=1)


def test_a_driver_is_killed_and_the_same_command_goes_on(cluster, job, same_as_local, tmp_path):
    command = [
        sys.executable,
        "-m",
        "stabaudit",
        "train",
        ASKED["family"],
        *WORDS,
        "--engine",
        "ray",
        "--out",
        str(tmp_path / "ray"),
    ]
    command += ["--engine-set", f"address={cluster.address}"]
    surroundings = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])}
    job("ray")  # the working directory
    first = subprocess.Popen(command, env=surroundings, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while not list((tmp_path / "ray").glob("checkpoints/*")) and time.monotonic() < end:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    left = Run.open(tmp_path / "ray")
    assert len(left.done) < 4
    assert list((tmp_path / "ray").glob("checkpoints/*"))
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    same_as_local(Run.open(tmp_path / "ray"))

"""Runs trained by jobs of submitit's local executor: preempted, lost, refused."""

import re
import shutil
import signal
from pathlib import Path

import pytest

from stabaudit.config import checked
from stabaudit.engines.local import LocalEngine
from stabaudit.errors import BadRun, UsageError
from stabaudit.store.run.verify import verify
from stabaudit.training.prepare import job_of
from stabaudit.training.recipe import Recipe
from stabaudit.training.shards.messages import Progress
from stabaudit.training.train import train

pytest.importorskip("submitit")
psutil = pytest.importorskip("psutil")
from stabaudit.engines import slurm  # noqa: E402 -- only where there is submitit
from stabaudit.engines.slurm import SlurmEngine  # noqa: E402

HERE = Path(__file__).parent
ASKED = {"family": "eager_keeper:Keeper", "data": "digits", "latent_dim": 2, "restarts": 2, "shard_size": 1, "steps": 3000}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # submitit does not wait for its processes
def test_a_job_is_preempted_another_killed_and_every_bit_is_the_same(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    shutil.copy(HERE / "eager_keeper.py", tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "mine")
    monkeypatch.setenv("PYTHONPATH", str(HERE.parents[1]))
    monkeypatch.setattr(slurm, "GRACE", 0.5)
    recipe = checked(Recipe, ASKED | {"settings": {"widths": [8]}}, "test")
    made, struck, said, steps = [], [], [], {0: [], 1: []}
    submit = SlurmEngine._submit

    def watched(self, *arguments):
        made.append(submit(self, *arguments))
        return made[-1]

    def on_event(event):
        if isinstance(event, Progress):
            steps[event.shard.number].append(event.step)
            if event.step == ASKED["steps"] and event.shard.number == 0:
                said.extend(re.findall("Requeued", "".join(log.read_text() for log in made[0].place.rglob("*_log.*"))))
            if event.step > 300 and event.shard.number not in struck:
                struck.append(event.shard.number)
                job = next(one for one in made if one.task.key == event.shard.number).job
                for process in psutil.Process(job._process.pid).children(recursive=True):
                    process.send_signal(signal.SIGUSR2 if event.shard.number == 0 else signal.SIGKILL)

    monkeypatch.setattr(SlurmEngine, "_submit", watched)
    engine = SlurmEngine(2, str(tmp_path / "jobs"), cluster="local")
    (run,) = train([job_of(recipe, tmp_path / "slurm")], engine, on_event)
    (local,) = train([job_of(recipe, tmp_path / "local")], LocalEngine(2))
    assert sorted(struck) == [0, 1]
    assert verify(run) == []
    assert run.done == local.done == [0, 1]
    for index in run.done:
        assert run.latents_path(index).read_bytes() == local.latents_path(index).read_bytes()
        assert run.weights_path(index).read_bytes() == local.weights_path(index).read_bytes()
    assert steps[0] == sorted(steps[0])  # preempted: it went on from its checkpoint
    assert len([one for one in made if one.task.key == 0]) == 1
    assert len([one for one in made if one.task.key == 1]) == 2  # killed: submitted again
    assert said == ["Requeued"]
    assert list((tmp_path / "jobs").iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "needs a folder for its jobs that every node sees: --engine-set folder=PATH"),
        ({"folder": "jobs", "cluster": "pbs"}, "--engine-set cluster=pbs: expected slurm or local"),
        ({"folder": "jobs", "cluster": "local", "cpus": "0"}, "--engine-set cpus=0: expected a whole number of at least 1"),
        ({"folder": "jobs", "cluster": "local", "timeout_min": "soon"}, "--engine-set timeout_min=soon: expected a whole number"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path, monkeypatch, settings, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        SlurmEngine(**settings)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_without_slurm_it_is_refused(tmp_path):
    with pytest.raises(BadRun, match=r"--engine slurm: .*cluster=local tries jobs on this machine"):
        SlurmEngine(folder=str(tmp_path / "jobs"))

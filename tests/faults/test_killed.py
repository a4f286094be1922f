"""kill -9 at 100 random moments and at every call that changes the disk: what was done stays done, and the rest is resumed."""

import os
from pathlib import Path

import numpy as np
import pytest

from stabaudit.engines.local import warm_up
from stabaudit.store.run.run_folder import Run
from stabaudit.store.run.verify import verify
from stabaudit.training.prepare import prepare
from stabaudit.training.recipe import Recipe

KILLED_WRITES, KILLED_TRAININGS = 70, 10

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups here")]


@pytest.fixture(autouse=True)
def _fork_server():
    warm_up()


def test_a_writer_killed_at_random_moments(victims, manifest, tmp_path):
    calm = tmp_path / "calm"
    seconds, status = victims.Victim(victims.write, calm, manifest).ended()
    assert status == 0
    folders = victims.kill_often(victims.write, manifest, calm, seconds, KILLED_WRITES)
    assert len(folders) > 2
    for folder in folders:
        assert victims.content(folder) == victims.content(calm)


def test_a_writer_killed_before_any_call_that_changes_the_disk(victims, manifest, tmp_path):
    calm, deaths = tmp_path / "calm", []
    victims.write(calm, manifest)
    for calls in range(1000):
        folder = tmp_path / f"after {calls}"
        _, status = victims.Victim(victims.write, folder, manifest, calls).ended()
        if status == 0:
            break
        deaths.append(status)
        victims.require_whole(folder, calm)
        victims.write(folder, manifest)
        assert victims.content(folder) == victims.content(calm)
    assert set(deaths) == {-9}
    assert len(deaths) > 60


def without_clock(folder, content):
    """What a run holds but times: of the manifest's keys, and of its histories' columns."""
    run = Run.open(folder)
    assert verify(run) == []
    held = {file: bits for file, bits in content(folder).items() if file.partition("/")[0] not in {"history", "run.json"}}
    for index in run.done:
        held[f"history {index}"] = {name: column.tobytes() for name, column in run.history(index).items() if name != "seconds"}
    restarts = [
        restart.model_dump(exclude={"seconds", "files"}) | {"files": sorted(restart.files)} for restart in run.manifest.restarts
    ]
    return held | {"manifest": run.manifest.model_dump(exclude={"created", "name", "restarts"}), "restarts": restarts}


def test_a_training_killed_at_random_moments(victims, tmp_path):
    """Two shards of five epochs. Latents, weights, divergence, prior and evaluation rows are the same, byte by byte."""
    data, calm = tmp_path / "small.npy", tmp_path / "calm"
    np.save(data, np.random.default_rng(0).normal(size=(160, 4)))
    settings = {"widths": [6], "dropout": 0.0, "components": 3, "scale": "none"}
    prepared = prepare(
        Recipe(family="vade", data=str(data), latent_dim=2, restarts=2, steps=20, batch_size=32, settings=settings)
    )
    _, status = victims.Victim(victims.trainings_killed, prepared, calm, KILLED_TRAININGS).ended(patience=300)
    assert status == 0
    folders = [Path(folder) for folder in (tmp_path / "killed").read_text().splitlines()]
    assert len(folders) > 3
    expected = without_clock(calm, victims.content)
    for folder in folders:
        assert without_clock(folder, victims.content) == expected

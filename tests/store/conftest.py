"""A small run, and latents for it."""

import numpy as np
import pytest

from stabaudit.config import Choice, RunConfig, Training
from stabaudit.store.run.latents import Latents
from stabaudit.store.run.manifest import DatasetRecord, Environment, Manifest, Restart
from stabaudit.store.run.run_folder import Run

ROWS, DIMENSIONS = 30, 3


def make_config(**changes):
    base = {
        "family": Choice(name="vade", options={"k": 10}),
        "dataset": Choice(name="digits"),
        "architecture": Choice(name="mlp"),
        "likelihood": Choice(name="bernoulli"),
        "latent_dim": DIMENSIONS,
        "restarts": 3,
        "training": Training(epochs=2),
    }
    return RunConfig(**(base | changes))


def make_manifest(fingerprint="feedbeef", shards=None, **changes):
    config = make_config(**changes)
    count = config.restarts
    return Manifest(
        name="small",
        created="2026-01-01T00:00:00Z",
        command="stabaudit train vade",
        config=config,
        dataset=DatasetRecord(name="digits", fingerprint=fingerprint, train_rows=90, evaluation_rows=ROWS, shape=[8, 8]),
        environment=Environment(stabaudit="0", python="3", torch=None, numpy="2", platform="x", processor="y", cores=2),
        shards=[list(range(count))] if shards is None else shards,
        restarts=[Restart(index=i, seed=config.seed + i) for i in range(count)],
    )


def make_latents(seed=0, rows=ROWS, dimensions=DIMENSIONS, **changes):
    rng = np.random.default_rng(seed)
    arrays = {
        "sample_id": np.arange(100, 100 + rows),
        "mean": rng.normal(size=(rows, dimensions)).astype(np.float32),
        "log_var": rng.normal(size=(rows, dimensions)).astype(np.float32),
        "label": np.arange(rows) % 10,
    }
    return Latents(**(arrays | changes))


def finish(run, index):
    """Write a restart's files and record it as done."""
    run.save_latents(index, make_latents(index))
    run.save_history(index, {"epoch": np.arange(2), "loss": np.array([2.0, 1.0])})
    run.save_weights(index, {"encoder.weight": np.full((2, 3), index, np.float32)})
    run.record(run.restart(index).model_copy(update={"state": "done", "steps": 4, "scores": {"loss": 1.0}}))


@pytest.fixture(scope="session")
def manifest():
    return make_manifest


@pytest.fixture(scope="session")
def latents():
    return make_latents


@pytest.fixture
def folder(tmp_path):
    """A finished run."""
    path = tmp_path / "small"
    with Run.prepare(path, make_manifest()) as run:
        for index in range(3):
            finish(run, index)
    return path


@pytest.fixture(scope="session")
def finish_restart():
    return finish

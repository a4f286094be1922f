"""Runs to be struck."""

from pathlib import Path

import pytest

from stabaudit.config import Choice, RunConfig, Training
from stabaudit.store.run.manifest import DatasetRecord, Environment, Manifest, Restart


@pytest.fixture(scope="session")
def manifest():
    """The manifest of a run of three restarts that has not begun."""
    names = {part: Choice(name="x") for part in ("family", "dataset", "architecture", "likelihood")}
    return Manifest(
        name="run",
        created="2026-01-01T00:00:00Z",
        command="stabaudit train x --out run",
        config=RunConfig(**names, latent_dim=3, restarts=3, training=Training(steps=1)),
        dataset=DatasetRecord(name="x", fingerprint="feedbeef", train_rows=9, evaluation_rows=40, shape=[2]),
        environment=Environment(stabaudit="0", python="3", torch=None, numpy="2", platform="x", processor="x", cores=1),
        shards=[[0, 1], [2]],
        restarts=[Restart(index=i, seed=i) for i in range(3)],
    )


@pytest.fixture
def victims(monkeypatch):
    """The module of processes that are killed, which they find by its name."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import victims

    return victims

"""Run folders with latents whose relation is known."""

import gc
import os
import signal

# Where tests run in the background these are ignored, and so they would be in every command that a test starts.
for _number, _handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    if getattr(signal, _number, None) is not None and signal.getsignal(getattr(signal, _number)) is signal.SIG_IGN:
        signal.signal(getattr(signal, _number), _handler)

# Before numpy or torch is loaded: tests run side by side, and small products on two threads each would be many times slower.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

from pathlib import Path

import numpy as np
import pytest

from stabaudit.config import Choice, RunConfig, Training
from stabaudit.store.run.evaluation import Evaluation
from stabaudit.store.run.latents import Latents
from stabaudit.store.run.manifest import DatasetRecord, Environment, Manifest, Restart
from stabaudit.store.run.run_folder import Run

ROWS, DIMENSIONS = 600, 4


def aligned(rng, base, noise=0.5):
    """The same axes in another order, with other signs and noise: strong MCC 1/√((1+σ²)(1+σ²)) between two of them."""
    d = base.shape[1]
    return base[:, rng.permutation(d)] * rng.choice([-1, 1], d) + noise * rng.normal(size=base.shape)


def rotated(rng, base, noise=0.1):
    """The same span under other axes."""
    turn, _ = np.linalg.qr(rng.normal(size=(base.shape[1],) * 2))
    return base @ turn + noise * rng.normal(size=base.shape)


def unrelated(rng, base):
    """Nothing in common."""
    return rng.normal(size=base.shape)


KINDS = {"aligned": aligned, "rotated": rotated, "unrelated": unrelated}


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Modules and tests last: to look through them for garbage, again and again, takes a quarter of the time they are read in."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk():
    """These files need not survive a power cut; `tests/store/files/test_atomic.py` holds that they would be flushed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture
def make_run(tmp_path):
    """Write a run folder: `make_run("vae", "aligned", 4)`."""
    return writer_of_runs(tmp_path)


@pytest.fixture(scope="module")
def make_lasting_run(tmp_path_factory):
    """The same, for what the tests of a module share and only read."""
    return writer_of_runs(tmp_path_factory.mktemp("runs"))


def writer_of_runs(parent):
    def make(
        name,
        kind="aligned",
        restarts=4,
        *,
        d=DIMENSIONS,
        lost=(),
        sources=False,
        ids=None,
        latents=None,
        log_var=None,
        labels=None,
        losses=None,
        fingerprint="f" * 16,
        **config,
    ) -> Path:
        rng = np.random.default_rng(restarts + d)
        base = np.random.default_rng(9).laplace(size=(ROWS, d))
        if latents is None:
            latents = [KINDS[kind](rng, base) for _ in range(restarts)]
        ids = np.arange(ROWS) if ids is None else ids
        total = len(latents) + len(lost)
        folder = parent / name
        choices = {
            "family": Choice(name=config.get("family", "vae"), options=config.get("options", {})),
            "dataset": Choice(name=config.get("dataset", "synthetic")),
            "architecture": Choice(name=config.get("architecture", "mlp")),
            "likelihood": Choice(name="gaussian"),
        }
        manifest = Manifest(
            name=folder.name,
            created="2026-01-01T00:00:00Z",
            command="stabaudit train",
            config=RunConfig(
                **choices,
                latent_dim=d,
                restarts=total,
                training=Training(steps=config.get("steps", 10)),
                vary=config.get("vary"),
            ),
            dataset=DatasetRecord(
                name=config.get("dataset", "synthetic"),
                fingerprint=fingerprint,
                train_rows=ROWS,
                evaluation_rows=len(ids),
                shape=[d],
            ),
            environment=Environment(stabaudit="0", python="3", torch=None, numpy="2", platform="x", processor="x", cores=1),
            shards=[list(range(total))],
            restarts=[Restart(index=i, seed=i) for i in range(total)],
        )
        with Run.prepare(folder, manifest) as run:
            if sources is not False:
                run.save_evaluation(Evaluation(sample_id=ids, sources=np.float32(base if sources is True else sources)))
            for i, z in enumerate(latents):
                variance = None if log_var is None else np.full(np.shape(z), log_var, dtype=np.float32)
                mean = np.asarray(z, dtype=np.float32)
                run.save_latents(i, Latents(sample_id=ids, mean=mean, log_var=variance, label=labels))
                scores = {} if losses is None else {"evaluation_loss": losses[i]}
                run.record(Restart(index=i, seed=i, state="done", scores=scores))
            for i, detail in enumerate(lost, start=len(latents)):
                run.record(Restart(index=i, seed=i, state="diverged", detail=detail))
        return folder

    return make

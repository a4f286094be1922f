"""`--compile`: the same training but for rounding, the same bits each time, and a word where nothing can compile."""

import shutil

import pytest
import torch
from torch import nn

from stabaudit.config import Training
from stabaudit.errors import UsageError
from stabaudit.families.base import Family
from stabaudit.training.prepare import prepare
from stabaudit.training.recipe import Recipe
from stabaudit.training.step.restarts import Restarts, Rows

RECIPE = {"family": "vae", "data": "digits", "latent_dim": 2, "device": "cpu", "compile": True}


class Normed(Family):
    """The smallest family with everything that a step can have: products, noise, and buffers that move."""

    def __init__(self):
        super().__init__()
        self.norm, self.layer = nn.BatchNorm1d(5), nn.Linear(5, 5)

    def loss(self, batch):
        error = self.layer(self.norm(batch.x) + 0.1 * batch.noise.normal(batch.x.shape)) - batch.x
        return {"loss": error.square().mean(), "mean": error.mean()}

    def encode(self, x, u):
        raise NotImplementedError


def trained(seeds, *, compiled):
    rows = Rows(torch.randn(64, 5, generator=torch.Generator().manual_seed(0)), torch.zeros(64, 0))
    restarts = Restarts(Normed, seeds, rows, Training(epochs=2, batch_size=16), compiled=compiled)
    return [restarts.train_epoch() for _ in range(2)], restarts.state()[0]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here, which torch.compile needs")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # of what the compiler itself is made of
@pytest.mark.parametrize("seeds", [[1], [1, 2]])
def test_a_compiled_step_trains_as_any_other(seeds, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    epochs, state = trained(seeds, compiled=True)
    expected_epochs, expected = trained(seeds, compiled=False)
    for epoch, other in zip(epochs, expected_epochs, strict=True):
        for name in other.terms:
            assert epoch.terms[name] == pytest.approx(other.terms[name], rel=1e-4, abs=1e-6)
    for name, value in expected.items():
        torch.testing.assert_close(state[name], value, rtol=1e-3, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}")
    assert (state["buffers.norm.num_batches_tracked"] == 8).all()
    _, again = trained(seeds, compiled=True)
    assert all(torch.equal(state[name], again[name]) for name in state)


def test_a_missing_compiler_is_a_usage_error_before_anything_is_written(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    message = r"^--compile: no C\+\+ compiler 'no-such-compiler' is found; install one, name one in CXX, or leave --compile out$"
    with pytest.raises(UsageError, match=message):
        prepare(Recipe(**RECIPE))
    assert prepare(Recipe(**RECIPE | {"compile": False})).config.compile is False  # never required


def test_a_missing_triton_is_a_usage_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"^--compile: torch compiles for CUDA by triton, which is not installed"):
        prepare(Recipe(**RECIPE | {"device": "cuda"}))


def test_it_is_recorded_and_told(monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.which", lambda name: name)
    prepared = prepare(Recipe(**RECIPE))
    assert prepared.manifest("run").config.compile is True
    assert "float32, compiled" in prepared.describe(tmp_path, 1)

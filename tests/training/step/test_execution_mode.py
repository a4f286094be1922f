"""Families that others wrote: stacked where they can be, and trained all the same where they cannot."""

from pathlib import Path

import numpy as np
import pytest
import torch

from stabaudit.cli.main import _run
from stabaudit.config import Training
from stabaudit.errors import UsageError
from stabaudit.families.base import Problem
from stabaudit.families.vade import VaDE
from stabaudit.nets.likelihoods import Gaussian
from stabaudit.nets.mlp import build as mlp
from stabaudit.store.run.run_folder import Run
from stabaudit.training.prepare import prepare
from stabaudit.training.recipe import Recipe
from stabaudit.training.step.restarts import Restarts, Rows

HERE = Path(__file__).parent
X = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32) @ np.diag([3, 2, 1, 1, 0.5, 0.5]).astype(np.float32)


@pytest.fixture(autouse=True)
def _workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(HERE)
    np.savez("x.npz", x=X)


def prepared(name, **changed):
    asked = {"family": f"wilful:{name}", "data": "x.npz", "latent_dim": 2, "restarts": 3, "steps": 6, "batch_size": 32}
    asked["settings"] = {"scale": "none"}
    return prepare(Recipe(**(asked | changed)))


@pytest.mark.slow
def test_a_loss_that_can_be_traced_is_stacked_and_nothing_is_said():
    found = prepared("Plain")
    assert (found.stacked, found.config.eager, found.notes) == (True, False, [])
    assert not prepared("Plain", exact=True).config.eager


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Looks", "its loss looks at values, as .item() does"),
        ("Branches", "its loss looks at values, as .item() does"),
        ("Counts", "its loss changes from call to call; what should change with time can look at batch.progress"),
        ("Swaps", "its loss changes from call to call; what should change with time can look at batch.progress"),
        ("Draws", "the loss of family 'Draws' draws random numbers of its own by aten.randn"),
        ("Differentiates", "autograd.Function"),
    ],
)
def test_a_loss_that_cannot_is_trained_by_itself_and_it_is_said_why(name, reason):
    found = prepared(name)
    (note,) = found.notes
    assert (found.stacked, found.config.eager, found.shards()) == (False, True, [[0], [1], [2]])
    assert note.startswith(f"wilful:{name} trains one restart at a time and operation by operation, which is slower: ")
    assert reason in note
    assert "\n" not in note
    for option in ({"precision": "bf16"},):
        with pytest.raises(UsageError, match=r"^--precision bf16 needs a loss that can be traced"):
            prepared(name, **option)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Whole", "the loss of family 'Whole': expected scalars by name, 'loss' among them"),
        ("Rowwise", "the loss of family 'Rowwise': expected scalars by name, 'loss' among them"),
        ("Breaks", "family 'wilful:Breaks' fails on a batch of training rows: AttributeError: 'Tensor' object has no"),
    ],
)
def test_a_loss_that_is_none_is_refused_before_anything_is_written(name, told, capfd):
    assert _run(["train", f"wilful:{name}", "--data", "x.npz", "--scale", "none", "-d", "2", "--out", "run"]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert told in err
    assert not Path("run").exists()


def problem():
    def networks(context_dim, latent_dim=None):
        return mlp((6,), latent_dim or 2, context_dim, widths=(8,), dropout=0.0)

    return Problem((6,), 0, 2, len(X), networks, Gaussian(variance=1.0))


ROWS = Rows(torch.from_numpy(X), torch.zeros(len(X), 0))


def restarts(kind, seeds=(3,), epochs=1, *, eager):
    import wilful

    training = Training(epochs=epochs, batch_size=32, learning_rate=0.01)
    return Restarts(lambda: getattr(wilful, kind)(problem()), list(seeds), ROWS, training, eager=eager)


def state(of, row=0):
    return {name: value.clone() for name, value in of.module(row).state_dict().items()}


def test_steps_are_those_of_the_traced_graph():
    """Weights, running statistics and loss after an epoch, to rounding."""
    eager, traced = restarts("Plain", eager=True), restarts("Plain", eager=False)
    before = state(traced)
    losses = [one.train_epoch().terms["loss"] for one in (eager, traced)]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    after = state(eager)
    assert set(after) == set(before)
    for name, value in state(traced).items():
        torch.testing.assert_close(after[name], value, rtol=1e-4, atol=1e-6)
        assert not torch.equal(value, before[name])


@pytest.mark.parametrize("kind", ["Draws", "Looks", "Differentiates"])
def test_a_restart_depends_on_its_seed_alone_and_goes_on_from_its_state(kind):
    def trained(epochs, saved=None):
        one = restarts(kind, epochs=4, eager=True)
        torch.manual_seed(torch.seed())  # what the global generator holds does not matter
        if saved:
            one.load_state(*saved)
        for _ in range(epochs):
            one.train_epoch()
        return one

    whole, half = trained(4), trained(2)
    tensors, numbers = half.state()
    resumed = trained(2, ({name: value.clone() for name, value in tensors.items()}, numbers))
    for name, value in state(whole).items():
        assert torch.equal(value, state(resumed)[name])


def test_training_starts_from_what_the_family_makes_of_the_rows():
    family = VaDE(problem(), components=3, start="kmeans")
    of_seed = Restarts(lambda: VaDE(problem(), components=3, start="kmeans"), [5, 6], ROWS, Training(steps=1, batch_size=32))
    torch.manual_seed(6)
    family = VaDE(problem(), components=3, start="kmeans")
    family.initialise(ROWS.x, ROWS.u)
    assert torch.equal(of_seed.module(1).mixture.mean, family.mixture.mean)
    plain = Restarts(lambda: VaDE(problem(), components=3), [5, 6], ROWS, Training(steps=1, batch_size=32))
    assert not torch.equal(of_seed.module(1).mixture.mean, plain.module(1).mixture.mean)


@pytest.mark.slow
def test_a_users_own_module_goes_from_nothing_to_a_report(capfd):
    words = "train own_model:Mine --data x.npz --scale none -d 2 -n 3 --steps 200 --set hidden=16 --quiet --workers 2 --out run"
    assert _run(words.split()) == 0
    assert "own_model:Mine trains one restart at a time and operation by operation" in capfd.readouterr().err
    run = Run.open(Path("run"))
    assert (run.done, run.manifest.config.eager) == ([0, 1, 2], True)
    assert run.manifest.config.family.options == {"hidden": 16}
    for index in run.done:
        loss = run.history(index)["loss"]
        assert loss[-1] < 0.9 * loss[0]
    assert _run(["report", "run"]) == 0
    assert "run" in capfd.readouterr().out

"""Pixels drawn anew and dropout left on, as published code has it: what is drawn, how often, and by whom."""

import numpy as np
import pytest
import torch

from stabaudit.config import Training
from stabaudit.data.dataset import Dataset, Split
from stabaudit.engines.choose import engine_of
from stabaudit.errors import UsageError
from stabaudit.families.base import Family
from stabaudit.nets.base import MLP, Posterior
from stabaudit.training.encoding_noise import binarised, dropping, encode_with_dropout
from stabaudit.training.prepare import prepare
from stabaudit.training.recipe import Recipe
from stabaudit.training.step.restarts import Restarts, Rows, encode
from stabaudit.training.train import Job, train


def grey(rows=64, seed=0):
    x = np.random.default_rng(seed).uniform(size=(rows, 1, 4, 4)).astype(np.float32)
    split = Split(x, np.arange(rows))
    return Dataset("grey", split, split, "bernoulli")


def rows_of(dataset):
    return Rows(torch.from_numpy(dataset.train.x), torch.zeros(len(dataset.train), 0))


def recipe(**more):
    settings = {"widths": [16, 16], "dropout": 0.3} | more.pop("settings", {})
    return Recipe(family="vae", data="digits", latent_dim=2, restarts=2, steps=20, batch_size=16, settings=settings, **more)


def test_rows_are_drawn_once_with_their_probabilities():
    rows = Rows(torch.full((4000, 3), 0.2), torch.zeros(4000, 0))
    drawn = binarised(rows, 3).x
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert drawn.mean().item() == pytest.approx(0.2, abs=4 * (0.16 / 12_000) ** 0.5)
    assert torch.equal(drawn, binarised(rows, 3).x)
    assert not torch.equal(drawn, binarised(rows, 4).x)
    certain = Rows(torch.tensor([[0.0, 1.0]]), torch.zeros(1, 0))
    assert torch.equal(binarised(certain, 0).x, certain.x)


class Seen(Family):
    """Reports the x of a step: how much of it lies strictly between 0 and 1, and a number that tells draws apart."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(16))

    def loss(self, batch):
        x = batch.x.flatten(1)
        between = ((x > 0) & (x < 1)).float().mean()
        code = (x * torch.arange(1.0, 17.0)).sum()
        return {"loss": (self.weight * 0).sum() + code, "between": between, "mean": x.mean()}

    def encode(self, x, u):  # noqa: ARG002
        return Posterior(x.flatten(1)[:, :2], torch.zeros(len(x), 2))


def losses(seeds, binarise, epochs=4):
    training = Training(steps=4 * epochs, batch_size=16, learning_rate=1e-3, schedule="constant")
    restarts = Restarts(Seen, seeds, rows_of(grey()), training, binarise=binarise)
    return [restarts.train_epoch().terms for _ in range(epochs)]


def test_every_step_of_every_restart_draws_anew_and_alone_as_together():
    plain, together = losses([1, 2], binarise=False), losses([1, 2], binarise=True)
    alone = losses([2], binarise=True)
    assert all((epoch["between"] > 0.9).all() for epoch in plain)
    assert all((epoch["between"] == 0).all() for epoch in together)
    codes = np.stack([epoch["loss"] for epoch in together])
    assert len(np.unique(codes)) == codes.size
    np.testing.assert_allclose(codes[:, 1], [epoch["loss"][0] for epoch in alone], rtol=1e-6)
    means = np.concatenate([epoch["mean"] for epoch in together])
    truth = grey().train.x.mean()
    assert means.mean() == pytest.approx(truth, abs=4 * 0.5 / (64 * 16 * len(means)) ** 0.5)


def test_dropout_stays_on_while_encoding_only_where_it_is_asked_for():
    prepared = prepare(recipe(), dataset=grey())
    from stabaudit.training.build import builder

    family = builder(prepared.config, (1, 4, 4), 0, 64)().eval()
    rows = rows_of(grey())
    plain = encode(family, rows).mean
    first, again, other = (encode_with_dropout(family, rows, seed).mean for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert not torch.allclose(first, plain)
    assert torch.equal(encode(family, rows).mean, plain)  # as before
    assert not any(part.training for part in family.modules())
    same = Rows(rows.x[:1].expand(400, *rows.x.shape[1:]), rows.u[:1].expand(400, 0))
    codes = encode_with_dropout(family, same, 0).mean
    assert len(codes.unique(dim=0)) > 100  # a mask for every row
    draws = [encode_with_dropout(family, same, seed).mean.mean(0) for seed in range(20)]
    assert torch.stack(draws).std(0).max() < codes.std(0).max() / 5  # 400 masks average out


def test_dropping_names_the_encoders_layers_alone():
    with_dropout, without = prepare(recipe(), dataset=grey()), prepare(recipe(settings={"dropout": 0.0}), dataset=grey())
    from stabaudit.training.build import builder

    family = builder(with_dropout.config, (1, 4, 4), 0, 64)()
    assert [type(part) for part in dropping(family)] == [MLP]
    assert dropping(builder(without.config, (1, 4, 4), 0, 64)()) == []


@pytest.mark.slow
@pytest.mark.parametrize("named", ["binarise", "encode_binarised", "encode_dropout"])
def test_each_changes_the_latents_it_should(named, tmp_path):
    dataset = grey()
    runs = {}
    for name, more in (("plain", {}), ("with", {named: True})):
        prepared = prepare(recipe(**more), dataset=dataset)
        runs[name] = train([Job(prepared, tmp_path / name)], engine_of())[0]
    latents = {name: [run.latents(index).mean for index in (0, 1)] for name, run in runs.items()}
    weights = {name: run.weights(0) for name, run in runs.items()}
    assert not np.allclose(latents["plain"][0], latents["with"][0])
    same_weights = all(np.array_equal(weights["plain"][key], weights["with"][key]) for key in weights["plain"])
    assert same_weights == (named != "binarise")
    assert getattr(runs["with"].manifest.config, named)


def test_what_cannot_be_drawn_is_refused():
    x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    numbers = Dataset("numbers", Split(x, np.arange(64)), Split(x, np.arange(64)), "gaussian")
    for flag, option in (("binarise", "--binarise"), ("encode_binarised", "--encode-binarised")):
        with pytest.raises(
            UsageError, match=rf"^{option} reads x as probabilities, which lie in \[0, 1\], and numbers has others"
        ):
            prepare(recipe(**{flag: True}), dataset=numbers)
    with pytest.raises(UsageError, match=r"has no dropout here; --set dropout=0\.1 gives it some"):
        prepare(recipe(encode_dropout=True, settings={"dropout": 0.0}), dataset=grey())

"""Sources of chance, varied one by one: what they change and what they leave alone."""

import numpy as np
import pytest
import torch

from stabaudit.config import Choice, RunConfig, Training, canonical_vary
from stabaudit.training.build import builder
from stabaudit.training.step.restarts import Restarts, Rows
from stabaudit.training.step.streams import DATA_STREAM, EVALUATION_STREAM, Streams, streams_of

RNG = np.random.default_rng(0)
ROWS = Rows(torch.from_numpy(RNG.normal(size=(96, 5)).astype(np.float32)), torch.zeros(96, 0))


def restarts(vary, seeds=(3, 4), steps=6):
    choice = {name: Choice(name=name) for name in ("dataset",)}
    config = RunConfig(
        family=Choice(name="vae"),
        architecture=Choice(name="mlp", options={"widths": [8], "dropout": 0.1}),
        likelihood=Choice(name="gaussian", options={"variance": 1.0}),
        latent_dim=2,
        restarts=2,
        training=Training(steps=steps, batch_size=32),
        **choice,
    )
    streams = [streams_of(seed, seeds[0], vary) for seed in seeds]
    return Restarts(builder(config, (5,), 0, len(ROWS)), streams, ROWS, config.training)


def weights(of, row):
    return torch.cat([value[row].flatten() for value in of._parameters.values()])


def trained(vary, **more):
    of = restarts(vary, **more)
    while of.step < of.total_steps:
        of.train_epoch()
    return of


def test_without_a_choice_everything_follows_from_the_seed_as_before():
    by_seed = restarts(None)
    assert by_seed._orders is by_seed._generators
    assert streams_of(7, 5, None) == Streams(7, 7, 7)


def test_only_the_initial_weights_differ_by_init():
    for vary, same in (("init", False), ("order", True), ("noise", True), ("data", True), ("none", True), ("all", False)):
        of = restarts(vary)
        assert torch.equal(weights(of, 0), weights(of, 1)) == same, vary


@pytest.mark.slow
def test_each_source_makes_restarts_differ_and_nothing_does_not():
    for vary in ("init", "order", "noise", "data", "data=0.7", "all"):
        of = trained(vary)
        assert not torch.equal(weights(of, 0), weights(of, 1)), vary
    of = trained("none")
    assert torch.equal(weights(of, 0), weights(of, 1))


@pytest.mark.slow
def test_the_first_restart_is_the_same_whatever_is_varied_but_the_data():
    first = weights(trained("none"), 0)
    for vary in ("init", "order", "noise", "init,order,noise"):
        torch.testing.assert_close(weights(trained(vary), 0), first, rtol=0, atol=0)
    assert not torch.equal(weights(trained("data"), 0), first)


def test_a_bootstrap_draws_with_replacement_and_a_share_without():
    drawn = streams_of(4, 3, "data").rows(1000)
    assert len(drawn) == 1000
    assert len(drawn.unique()) == pytest.approx(1000 * (1 - np.exp(-1)), abs=40)
    share = streams_of(4, 3, "data=0.8").rows(1000)
    assert len(share) == len(share.unique()) == 800
    assert not torch.equal(drawn, streams_of(5, 3, "data").rows(1000))
    assert streams_of(4, 3, "init").rows(1000) is None


@pytest.mark.slow
def test_a_training_goes_on_from_its_state_with_every_source():
    for vary in ("order", "all"):
        straight = trained(vary)
        begun = restarts(vary)
        begun.train_epoch()
        tensors, numbers = begun.state()
        resumed = restarts(vary)
        resumed.load_state({name: value.clone() for name, value in tensors.items()}, numbers)
        while resumed.step < resumed.total_steps:
            resumed.train_epoch()
        assert torch.equal(weights(resumed, 1), weights(straight, 1))


@pytest.mark.parametrize("text", ["", "seed", "init,init", "data=1", "data=0", "data=x", "init=0.5", "none,init"])
def test_what_cannot_be_varied(text):
    with pytest.raises(ValueError, match=r"expected|twice"):
        canonical_vary(text)


def test_streams_share_no_numbers():
    one = streams_of(4, 3, "all")
    drawn = [
        torch.Generator().manual_seed(one.init).initial_seed(),
        one.generator("cpu").initial_seed(),
        one.order_generator("cpu").initial_seed(),
        DATA_STREAM + one.data,
        EVALUATION_STREAM + one.evaluation,
    ]
    assert len(set(drawn)) == len(drawn)
    assert streams_of(4, 3, "order").evaluation == 3  # the noise is held at the first seed
    assert streams_of(4, 3, "noise").evaluation == 4

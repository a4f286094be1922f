"""The aggressive phase: what a step leaves alone, when it ends, and that an interruption changes nothing."""

import numpy as np
import pytest
import torch

from stabaudit.config import Training
from stabaudit.families.base import Aggressive, Problem
from stabaudit.families.lagging import LaggingVAE
from stabaudit.families.vae import VAE
from stabaudit.metrics import collapse
from stabaudit.nets.base import Posterior
from stabaudit.nets.likelihoods import Gaussian
from stabaudit.nets.mlp import build as mlp
from stabaudit.training.step import aggressive
from stabaudit.training.step.aggressive import Phase, Standing, mutual_information, probed
from stabaudit.training.step.restarts import Restarts, Rows, encode

EVERY = 4
ROWS = Rows(torch.randn(200, 4, generator=torch.Generator().manual_seed(0)), torch.empty(200, 0))
STEPS = 10  # of an epoch


def restarts_of(kind=LaggingVAE, seeds=(0, 1), epochs=10, **options):
    def networks(context_dim, latent_dim=None):
        return mlp((4,), latent_dim or 2, context_dim, widths=(8,))

    problem = Problem((4,), 0, 2, len(ROWS), networks, Gaussian(variance=0.5, learned=True))
    training = Training(epochs=epochs, batch_size=20, learning_rate=1e-2)
    return Restarts(lambda: kind(problem, **options), list(seeds), ROWS, training)


def parameters_of(restarts):
    return {name: value.clone() for name, value in restarts.module(0).named_parameters()}


def test_every_step_updates_the_encoder_and_every_fourth_the_rest(monkeypatch):
    restarts, seen = restarts_of(seeds=[0], updates=EVERY), []
    before = parameters_of(restarts)

    def on_step(_):
        nonlocal before
        flat = dict(zip(before, [value[0] for value in restarts._parameters.values()], strict=True))
        seen.append({name for name, value in flat.items() if not torch.equal(value, before[name])})
        before = {name: value.clone() for name, value in flat.items()}

    restarts.train_epoch(on_step)
    encoder = {name for name in before if name.startswith("encoder.")}
    assert 0 < len(encoder) < len(before)
    assert "likelihood.log_var" in before
    assert seen == [set(before) if step % EVERY == 0 else encoder for step in range(1, STEPS + 1)]


def test_what_is_updated_seldom_moves_as_by_an_adam_of_its_own():
    """Against torch's Adam on a copy of the decoder that is told of every fourth gradient only."""
    restarts = restarts_of(seeds=[0], updates=EVERY)
    kept = {}
    adam = restarts._adam
    real = adam.update

    def update(numbers, gradients):
        kept.update({number: gradient.clone() for number, gradient in zip(numbers, gradients, strict=True)})
        real(numbers, gradients)

    adam.update = update
    names = list(restarts._parameters)
    copies = {name: value[0].clone().requires_grad_() for name, value in restarts._parameters.items() if "decoder" in name}
    theirs = torch.optim.Adam(copies.values(), lr=1e-2)

    def on_step(step):
        if step % EVERY == 0:
            for name, copy in copies.items():
                copy.grad = kept[names.index(name)].clone()
            with torch.inference_mode(mode=False):
                theirs.step()

    restarts.train_epoch(on_step)
    for name, copy in copies.items():
        torch.testing.assert_close(restarts._parameters[name][0], copy.detach())


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]])
def test_with_one_update_it_is_the_vae_bit_by_bit(seeds):
    mine, parent = restarts_of(seeds=seeds, updates=1), restarts_of(VAE, seeds=seeds)
    for _ in range(3):
        first, second = mine.train_epoch(), parent.train_epoch()
        assert all((first.terms[name] == second.terms[name]).all() for name in second.terms)
    of = [restarts.state() for restarts in (mine, parent)]
    assert of[0][1] == of[1][1]
    assert of[0][0].keys() == of[1][0].keys()
    assert all(torch.equal(of[0][0][name], of[1][0][name]) for name in of[0][0])


def forced(monkeypatch, values):
    """Mutual information at the looks, restart by restart."""
    rest = iter(values)
    monkeypatch.setattr(aggressive, "CHECK_STEPS", STEPS)
    monkeypatch.setattr(aggressive, "mutual_information", lambda _: next(rest))


def test_each_restart_leaves_the_phase_when_its_own_information_stops_rising(monkeypatch):
    forced(monkeypatch, [0.1, 0.1, 0.2, 0.1, 0.3, 0.2, 0.2])  # two restarts, until the second leaves at the third look
    restarts, decoder = restarts_of(updates=EVERY, patience=1), "decoder.body.out.bias"
    over = []
    for _ in range(4):
        over.append([standing.over for standing in restarts.phase.standings])
        restarts.train_epoch()
    assert over == [[False, False], [False, False], [False, True], [False, True]]
    assert restarts.phase.standings[0].over
    counts = restarts.state()[0]["adam.seldom"].tolist()
    assert counts == [4 * STEPS // EVERY, 2 * STEPS // EVERY + 2 * STEPS]
    assert not torch.equal(restarts._parameters[decoder][0], restarts._parameters[decoder][1])


@pytest.mark.slow
def test_an_interrupted_training_goes_on_bit_by_bit(monkeypatch):
    values = [0.1, 0.1, 0.2, 0.05, 0.3, 0.1, 0.1, 0.0]
    states = []
    for stopped in (False, True):
        forced(monkeypatch, values)
        restarts = restarts_of(updates=EVERY, patience=2)
        for epoch in range(6):
            if stopped and epoch == 3:
                tensors, numbers = restarts.state()
                saved = {name: value.clone() for name, value in tensors.items()}
                restarts = restarts_of(updates=EVERY, patience=2)
                restarts.load_state(saved, numbers)
            restarts.train_epoch()
        states.append(restarts.state())
    assert states[0][1] == states[1][1]
    assert [one["over"] for one in states[0][1]["phase"][1]] == [True, True]
    assert all(torch.equal(states[0][0][name], states[1][0][name]) for name in states[0][0])


@pytest.mark.slow
def test_restarts_that_leave_at_different_times_are_those_that_train_alone(monkeypatch):
    monkeypatch.setattr(aggressive, "CHECK_STEPS", STEPS)
    together = restarts_of(seeds=[3, 4, 5], updates=EVERY, patience=1, epochs=12)
    for _ in range(12):
        together.train_epoch()
    for number, seed in enumerate((3, 4, 5)):
        alone = restarts_of(seeds=[seed], updates=EVERY, patience=1, epochs=12)
        for _ in range(12):
            alone.train_epoch()
        assert alone.state()[0]["adam.seldom"][0] == together.state()[0]["adam.seldom"][number]
        torch.testing.assert_close(
            encode(alone.module(0), ROWS).mean, encode(together.module(number), ROWS).mean, rtol=1e-3, atol=1e-4
        )


def test_information_is_that_of_the_scores():
    """Against the estimate of `stabaudit.metrics`, which draws twice for each row; both within their error."""
    rng = np.random.default_rng(0)
    mean, log_var = rng.standard_normal((400, 3)), rng.uniform(-2, 0.5, (400, 3))
    mine = mutual_information(Posterior(torch.from_numpy(mean), torch.from_numpy(log_var)))
    theirs = [collapse.mutual_information(mean, log_var, rng=np.random.default_rng(seed)) for seed in range(20)]
    assert abs(mine - np.mean(theirs)) < 5 * np.std(theirs)
    nothing = Posterior(torch.zeros(400, 3), torch.zeros(400, 3))
    assert mutual_information(nothing) == pytest.approx(0, abs=1e-9)
    apart = Posterior(1000 * torch.arange(400.0)[:, None], torch.zeros(400, 1))
    assert mutual_information(apart) == pytest.approx(np.log(400), abs=1e-9)


def test_looks_are_500_steps_apart_and_only_at_those_in_the_phase():
    phase = Phase(Aggressive(("encoder.",), 2, 1), 2)
    looked = []

    def posterior(number):
        looked.append(number)
        return Posterior(torch.zeros(3, 1), torch.zeros(3, 1))

    for _ in range(5):
        phase.epoch(250, posterior)
    assert looked == [0, 1, 0, 1]
    assert [standing.over for standing in phase.standings] == [True, True]  # the second look found no rise
    phase.epoch(500, posterior)
    assert looked == [0, 1, 0, 1]
    assert phase.held(0) == [False, False]


def test_patience_counts_looks_in_a_row():
    standing = Standing()
    for value, over in ((0.1, False), (0.05, False), (0.2, False), (0.2, False), (0.1, True)):
        standing.look(value, 2)
        assert standing.over == over


def test_probed_rows_are_spread_over_all():
    assert probed(torch.arange(300)).tolist() == list(range(300))
    some = probed(torch.arange(1250))
    assert some.tolist() == list(range(0, 1250, 3))
    assert len(some) <= aggressive.PROBED

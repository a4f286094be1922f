"""The restart axis: what grouping may change (rounding) and what it may not (everything else)."""

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad_and_value

from stabaudit.config import Choice, RunConfig, Training
from stabaudit.families.base import Batch
from stabaudit.training.build import builder
from stabaudit.training.step.noise import Ahead, Fresh, Request
from stabaudit.training.step.optimiser import Plateau
from stabaudit.training.step.restarts import Restarts, Rows, encode, evaluate
from stabaudit.training.step.streams import TRAINING_STREAM

pytestmark = pytest.mark.slow

FAMILIES = ["vae", "ivae", "vade"]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def rows_of(n=256, seed=0):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 6, (n,), generator=generator)
    u = torch.nn.functional.one_hot(codes, 6).float()
    return Rows(torch.randn(n, 4, generator=generator) * (1 + codes[:, None] / 3), u)


def build_of(family, *, dropout=0.0, **options):
    config = RunConfig(
        family=Choice(name=family, options=options),
        dataset=Choice(name="made"),
        architecture=Choice(name="mlp", options={"widths": [16, 12], "dropout": dropout}),
        likelihood=Choice(name="gaussian", options={"variance": 0.5}),
        latent_dim=3,
        restarts=1,
        training=Training(epochs=1),
    )
    return builder(config, (4,), 6, 256)


def group(family, seeds, *, epochs=3, dropout=0.1, schedule="constant"):
    training = Training(epochs=epochs, batch_size=32, learning_rate=1e-2, schedule=schedule)
    return Restarts(build_of(family, dropout=dropout), seeds, rows_of(), training)


@pytest.mark.parametrize("family", FAMILIES)
def test_grouped_training_equals_lone_training(family):
    together = group(family, [5, 6, 7])
    losses = [together.train_epoch().terms["loss"] for _ in range(3)]
    for row, seed in enumerate([5, 6, 7]):
        alone = group(family, [seed])
        lone_losses = [alone.train_epoch().terms["loss"][0] for _ in range(3)]
        np.testing.assert_allclose([loss[row] for loss in losses], lone_losses, rtol=1e-4)
        a, b = encode(together.module(row), rows_of()).mean, encode(alone.module(0), rows_of()).mean
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("seeds", [[3], [3, 4]])
def test_same_seeds_same_bits(seeds):
    runs = [group("vade", seeds) for _ in range(2)]
    for run in runs:
        run.train_epoch()
    assert all(torch.equal(a, b) for a, b in zip(*(run.state()[0].values() for run in runs), strict=True))


def test_neighbours_do_not_touch_each_other():
    """The random streams and weights of a restart do not depend on who is beside it: a diverging neighbour changes nothing."""
    a, b = group("vae", [1, 2]), group("vae", [1, 2])
    for weights in b._parameters.values():
        weights[1] = float("nan")
    first, second = a.train_epoch(), b.train_epoch()
    assert first.terms["loss"][0] == second.terms["loss"][0]
    assert np.isnan(second.terms["loss"][1])
    assert all(torch.equal(value[0], b._parameters[name][0]) for name, value in a._parameters.items())


def test_a_training_step_is_adam_on_the_gradient_of_the_loss():
    """Second opinion: torch's own autograd and torch.optim.Adam, on the same batches and noise."""
    restarts = group("ivae", [9], dropout=0.2)
    build = build_of("ivae", dropout=0.2)
    torch.manual_seed(9)
    family = build().train()
    optimiser = torch.optim.Adam(family.parameters(), lr=1e-2)
    generator = torch.Generator().manual_seed(TRAINING_STREAM + 9)
    rows = rows_of()
    order = torch.randperm(256, generator=generator)
    noise = Ahead(restarts._noise.requests, [generator])
    noise.draw(8)
    from stabaudit.training.step.noise import Replay

    losses = []
    for step in range(8):
        batch = order[step * 32 : (step + 1) * 32]
        loss = family.loss(Batch(rows.x[batch], rows.u[batch], Replay(noise.step(step)), torch.zeros(())))["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    epoch = restarts.train_epoch()
    assert epoch.terms["loss"][0] == pytest.approx(np.mean(losses), rel=1e-5)
    trained = dict(restarts.module(0).named_parameters())
    for name, value in family.named_parameters():
        torch.testing.assert_close(trained[name], value, rtol=1e-4, atol=1e-5)


def test_state_resumes_bit_by_bit():
    through = group("vade", [1, 2], epochs=4)
    for _ in range(4):
        through.train_epoch()
    first = group("vade", [1, 2], epochs=4)
    for _ in range(2):
        first.train_epoch()
    tensors, numbers = first.state()
    tensors = {name: value.clone() for name, value in tensors.items()}
    second = group("vade", [1, 2], epochs=4)
    second.load_state(tensors, numbers)
    for _ in range(2):
        second.train_epoch()
    assert torch.equal(second.state()[0]["parameters"], through.state()[0]["parameters"])
    assert second.state()[1] == through.state()[1]


def test_a_budget_in_steps_ends_within_an_epoch():
    training = Training(steps=11, batch_size=32)
    restarts = Restarts(build_of("vae"), [0, 1], rows_of(), training)
    seen = []
    restarts.train_epoch(seen.append)
    assert restarts.train_epoch(seen.append).step == 11
    assert seen == list(range(1, 12))


def test_noise_is_gaussian_and_masks_keep_the_mean():
    ahead = Ahead([Request((64, 50)), Request((64, 50), 0.1)], [torch.Generator().manual_seed(s) for s in (0, 1)])
    ahead.draw(ahead.steps)
    gaussian, mask = (torch.stack([ahead.step(i)[k] for i in range(ahead.steps)]) for k in (0, 1))
    n = gaussian[:, 0].numel()
    for restart in range(2):
        assert abs(gaussian[:, restart].mean()) < 5 / n**0.5
        assert abs(gaussian[:, restart].var() - 1) < 8 / n**0.5
        assert abs(mask[:, restart].mean() - 1) < 3 / n**0.5
        assert mask[:, restart].unique().tolist() == pytest.approx([0.0, 1 / 0.9])
    assert abs(torch.corrcoef(gaussian.transpose(0, 1).reshape(2, -1))[0, 1]) < 5 / n**0.5


@pytest.mark.parametrize("family", FAMILIES)
def test_evaluation_has_no_dropout_and_is_repeatable(family):
    restarts = group(family, [0], dropout=0.5)
    restarts.train_epoch()
    module = restarts.module(0)
    assert evaluate(module, rows_of(), 0) == evaluate(module, rows_of(), 0)
    assert evaluate(module, rows_of(), 0) != evaluate(module, rows_of(), 1)
    assert torch.equal(encode(module, rows_of()).mean, encode(module, rows_of()).mean)


def test_the_cosine_schedule_equals_torchs(monkeypatch):
    restarts = group("vae", [0, 1], schedule="cosine")
    seen = []
    begin = restarts._adam.begin
    monkeypatch.setattr(restarts._adam, "begin", lambda rates, held: (seen.append(rates), begin(rates, held)))
    epochs = [restarts.train_epoch() for _ in range(3)]
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1e-2)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=restarts.total_steps)
    for rates in seen:
        assert rates == pytest.approx([reference.get_last_lr()[0]] * 2)
        optimiser.step()
        reference.step()
    assert [epoch.learning_rates[0] for epoch in epochs] == [seen[i * restarts.steps_per_epoch][0] for i in range(3)]


def test_the_plateau_schedule_equals_torchs():
    parameter = torch.nn.Parameter(torch.zeros(()))
    optimiser = torch.optim.SGD([parameter], lr=0.1)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser)
    mine = Plateau(0.1)
    rng = np.random.default_rng(0)
    for epoch in range(300):
        loss = 5 + 3 * np.exp(-epoch / 20) + 0.05 * rng.standard_normal()
        reference.step(loss)
        mine.epoch(loss, steps=500)
        assert mine.learning_rate == pytest.approx(optimiser.param_groups[0]["lr"])
    assert mine.learning_rate < 0.01


def test_traced_gradient_equals_finite_differences():
    """Closed check of the whole chain in float64."""
    family = build_of("ivae")().double().train()
    rows = rows_of(8)
    x, u = rows.x.double(), rows.u.double()

    class Fixed(Fresh):
        def normal(self, shape):
            self.generator.manual_seed(0)
            return super().normal(shape).double()

    parameters = {name: value.detach().clone() for name, value in family.named_parameters()}

    def loss(parameters):
        return functional_call(family, parameters, (Batch(x, u, Fixed(torch.Generator()), torch.zeros(())),))["loss"]

    gradient, value = grad_and_value(loss)(parameters)
    name = "prior.out.weight"
    moved = dict(parameters)
    direction = torch.randn_like(parameters[name])
    moved[name] = parameters[name] + 1e-6 * direction
    assert ((loss(moved) - value) / 1e-6).item() == pytest.approx((gradient[name] * direction).sum().item(), rel=1e-4)

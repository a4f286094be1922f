"""What holds for every family, on every architecture and likelihood."""

import numpy as np
import pytest
import safetensors.numpy
import torch

from stabaudit.config import Choice, RunConfig, Training
from stabaudit.families.base import Batch
from stabaudit.nets.likelihoods import LIKELIHOODS
from stabaudit.registry import known
from stabaudit.training.build import builder, choose
from stabaudit.training.noise import Fresh
from stabaudit.training.restarts import Restarts, Rows, encode

U_DIM, ROWS = 3, 96
OPTIONS = {
    "vae": [{}, {"prior": "laplace"}],
    "ivae": [{}, {"prior_mean": "learned", "prior_network": "mlp", "encoder_u": "false"}],
}
CASES = [(family, options) for family in known("family") for options in OPTIONS.get(family, [{}])]
SHAPES = {"mlp": [(6,), (1, 4, 4)], "conv": [(2, 4, 8)]}
SMALL = {"mlp": {"widths": "12,10"}, "conv": {"channels": "3,4,5,6"}}


def config_of(family, options, likelihood, architecture="mlp"):
    from stabaudit.registry import resolve

    chosen = choose(
        options | SMALL[architecture],
        family=(family, resolve("family", family)),
        architecture=(architecture, resolve("architecture", architecture)),
        likelihood=(likelihood, LIKELIHOODS[likelihood]),
    )
    return RunConfig(**chosen, dataset=Choice(name="made"), latent_dim=4, restarts=1, training=Training(epochs=1))


def rows_of(shape, likelihood):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(ROWS, *shape, generator=generator)
    codes = torch.arange(ROWS) % U_DIM
    return Rows(x if likelihood == "bernoulli" else 4 * x - 2, torch.nn.functional.one_hot(codes, U_DIM).float())


def noise(seed=0):
    return Fresh(torch.Generator().manual_seed(seed))


@pytest.fixture(params=[(f, o, a, s, k) for f, o in CASES for a in SHAPES for s in SHAPES[a] for k in LIKELIHOODS], ids=str)
def case(request):
    family, options, architecture, shape, likelihood = request.param
    config = config_of(family, options, likelihood, architecture)
    return builder(config, shape, U_DIM, ROWS), rows_of(shape, likelihood)


def test_loss_is_finite_and_every_parameter_gets_a_gradient(case):
    build, rows = case
    torch.manual_seed(0)
    family = build().train()
    terms = family.loss(Batch(rows.x, rows.u, noise(), torch.tensor(0.5)))
    assert {name: value.shape for name, value in terms.items()} == dict.fromkeys(terms, torch.Size([]))
    assert all(value.isfinite() for value in terms.values())
    terms["loss"].backward()
    silent = [n for n, p in family.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


def test_encode_is_deterministic_and_loaded_weights_agree(case):
    build, rows = case
    torch.manual_seed(0)
    family = build().eval()
    first, second = encode(family, rows), encode(family, rows)
    assert first.mean.shape == first.log_var.shape == (ROWS, 4)
    assert torch.equal(first.mean, second.mean)
    saved = safetensors.numpy.save({name: value.numpy() for name, value in family.state_dict().items()})
    torch.manual_seed(1)
    other = build().eval()
    assert not torch.equal(encode(other, rows).mean, first.mean)
    other.load_state_dict({name: torch.from_numpy(value) for name, value in safetensors.numpy.load(saved).items()})
    assert torch.equal(encode(other, rows).mean, first.mean)
    assert torch.equal(encode(other, rows).log_var, first.log_var)


def test_grouped_training_equals_lone_training_and_learns(case):
    build, rows = case
    training = Training(steps=30, batch_size=32, learning_rate=1e-3)

    def trained(seeds):
        restarts = Restarts(build, seeds, rows, training)
        losses = [restarts.train_epoch().terms["loss"] for _ in range(10)]
        return np.array(losses), [encode(restarts.module(i), rows).mean for i in range(len(seeds))]

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        together, grouped = trained([1, 2])
        for row, seed in enumerate([1, 2]):
            alone, (lone,) = trained([seed])
            np.testing.assert_allclose(together[:, row], alone[:, 0], rtol=1e-3)
            torch.testing.assert_close(grouped[row], lone, rtol=1e-2, atol=2e-3)
    finally:
        torch.set_num_threads(threads)
    assert (together[-1] < together[0]).all()

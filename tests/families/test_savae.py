"""Semi-amortised posteriors against the closed forms of a linear decoder, and against the VAE that they begin as."""

import numpy as np
import pytest
import torch
from torch import nn

from stabaudit.config import Training
from stabaudit.families.base import Batch, Problem
from stabaudit.families.savae import LARGEST_GRADIENT, SAVAE, sign_points
from stabaudit.families.vae import VAE
from stabaudit.nets import conv, lstm
from stabaudit.nets.likelihoods import Bernoulli, Categorical, Gaussian
from stabaudit.nets.mlp import Encoder
from stabaudit.training.model_scores import collapse
from stabaudit.training.step.noise import Fresh
from stabaudit.training.step.restarts import Restarts, Rows, encode

D, WIDTH, VARIANCE = 3, 6, 0.5


class Linear(nn.Linear):
    """A decoder x = W z + b."""

    def forward(self, z, noise):  # noqa: ARG002
        return super().forward(z)


def linear(kind=SAVAE, **options):
    torch.manual_seed(0)

    def networks(context_dim, latent_dim=None):
        return Encoder([WIDTH, 8], latent_dim or D, "leaky-tanh", 0.0), Linear(D, WIDTH)

    return kind(Problem((WIDTH,), 0, D, 100, networks, Gaussian(variance=VARIANCE)), **options).double().eval()


def rows(n=20):
    return torch.randn(n, WIDTH, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def by_hand(family, x, steps, rate):
    """Gradient steps on the ELBO of a linear decoder, whose expectations are in closed form."""
    with torch.no_grad():
        mean, log_var = (value.numpy() for value in family.encoder(x, None, None))
    weight, bias = family.decoder.weight.detach().numpy(), family.decoder.bias.detach().numpy()
    for _ in range(steps):
        slope = (x.numpy() - mean @ weight.T - bias) @ weight / VARIANCE - mean
        spread = 0.5 * (1 - np.exp(log_var) * (1 + (weight**2).sum(axis=0) / VARIANCE))
        norm = np.sqrt((slope**2).sum(axis=1) + (spread**2).sum(axis=1))[:, None]
        clipped = rate * np.minimum(1, LARGEST_GRADIENT / norm)
        mean, log_var = mean + clipped * slope, log_var + clipped * spread
    return mean, log_var


@pytest.mark.parametrize(("scale", "clipped"), [(0.5, False), (30.0, True)])
def test_steps_are_those_of_the_closed_form(scale, clipped):
    family, x = linear(refine=3, step_size=0.05), scale * rows()
    norm = np.linalg.norm(by_hand(family, x, 1, 1.0)[0] - by_hand(family, x, 0, 1.0)[0], axis=1)
    assert (norm.max() > 0.9 * LARGEST_GRADIENT) == clipped
    mean, log_var = by_hand(family, x, 3, 0.05)
    posterior = family.encode(x, None)
    np.testing.assert_allclose(posterior.mean.detach(), mean, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(posterior.log_var.detach(), log_var, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_many_steps_reach_the_best_gaussian():
    """Mean that of the true posterior; variances the reciprocals of its precisions."""
    family, x = linear(refine=400, step_size=0.1), rows()
    weight = family.decoder.weight.detach()
    precision = weight.T @ weight / VARIANCE + torch.eye(D, dtype=torch.float64)
    expected = torch.linalg.solve(precision, weight.T @ (x - family.decoder.bias).T / VARIANCE).T
    posterior = family.encode(x, None)
    torch.testing.assert_close(posterior.mean, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(posterior.log_var, -precision.diagonal().log().expand_as(expected), rtol=1e-5, atol=1e-6)


def test_training_differentiates_through_the_steps():
    """Gradients of encoder and decoder against differences of the whole loss."""
    family, x = linear(refine=2, step_size=0.3), rows(5)

    def loss():
        return family.loss(Batch(x, None, Doubles(0), torch.tensor(1.0)))["loss"]

    loss().backward()
    for parameter in (family.encoder.body.out.bias, family.decoder.bias, family.decoder.weight):
        flat, slope = parameter.data.view(-1), parameter.grad.view(-1)
        for place in (0, len(flat) - 1):
            ends = []
            for step in (1e-5, -1e-5):
                flat[place] += step
                ends.append(loss().item())
                flat[place] -= step
            assert slope[place].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-8)


class Doubles(Fresh):
    def __init__(self, seed):
        super().__init__(torch.Generator().manual_seed(seed))

    def normal(self, shape):
        return super().normal(shape).double()


def test_each_step_of_training_draws_its_own_sample():
    family, x = linear(refine=2), rows(4)
    asked = []

    class Counted(Doubles):
        def normal(self, shape):
            asked.append(tuple(shape))
            return super().normal(shape)

    family.loss(Batch(x, None, Counted(0), torch.tensor(1.0)))
    assert asked == [(4, D)] * 3


def images():
    return Rows(torch.rand(64, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.empty(64, 0))


def documents():
    codes = torch.randint(1, 8, (64, 4), generator=torch.Generator().manual_seed(0)).float()
    return Rows(codes, torch.empty(64, 0))


NETWORKS = {
    "conv": (lambda c, d=None: conv.build((1, 4, 4), d or D, c, channels=(3, 4, 5, 6)), Bernoulli(), images),
    "lstm": (lambda c, d=None: lstm.build((4, 7), d or D, c, embedding=3, hidden=4), Categorical(outcomes=7), documents),
}


def trained(kind, name, seeds, **options):
    networks, likelihood, data = NETWORKS[name]
    of = Problem(tuple(data().x.shape[1:]), 0, D, 64, networks, likelihood)
    restarts = Restarts(lambda: kind(of, **options), seeds, data(), Training(steps=12, batch_size=16))
    for _ in range(3):
        restarts.train_epoch()
    return restarts


@pytest.mark.slow
@pytest.mark.parametrize(("name", "seeds"), [("lstm", [0, 1]), ("conv", [0])])
def test_without_steps_it_is_the_vae_bit_by_bit(name, seeds):
    mine, parent = trained(SAVAE, name, seeds, refine=0), trained(VAE, name, seeds)
    of = [restarts.state()[0] for restarts in (mine, parent)]
    assert of[0].keys() == of[1].keys()
    assert all(torch.equal(of[0][key], of[1][key]) for key in of[0])
    rows_ = NETWORKS[name][2]()
    assert torch.equal(encode(mine.module(0), rows_).mean, encode(parent.module(0), rows_).mean)
    scores = [collapse(restarts.module(0), rows_, None, 0).scores for restarts in (mine, parent)]
    assert scores[0] == scores[1]


@pytest.mark.slow
def test_latents_and_scores_are_those_of_the_refined_posterior_whatever_the_mode():
    family = trained(SAVAE, "lstm", [0], refine=3, step_size=0.3).module(0)
    x = documents().x
    refined = family.encode(x, None)
    assert not torch.allclose(refined.mean, family.encoder(x, None, None).mean, atol=1e-3)
    found = encode(family, documents()).mean  # under inference mode
    assert not found.requires_grad
    torch.testing.assert_close(found, refined.mean.detach())
    assert torch.equal(family.encode(x[5:9], None).mean, refined.mean[5:9]) or torch.allclose(
        family.encode(x[5:9], None).mean, refined.mean[5:9], atol=1e-6
    )
    noise = [Fresh(torch.Generator().manual_seed(0)) for _ in range(2)]
    weights = family.log_weights(x, None, noise[0], 3)
    one_by_one = torch.stack([family.log_weight(x, None, noise[1]) for _ in range(3)])
    torch.testing.assert_close(weights, one_by_one)


@pytest.mark.parametrize("dim", [1, 5, 15, 40])
def test_sign_points_have_mean_zero_and_unit_variances(dim):
    points = sign_points(dim)
    assert points.shape == (16, dim)
    assert points.abs().eq(1).all()
    assert points.sum(0).eq(0).all()

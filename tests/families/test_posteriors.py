"""Posteriors: densities against the Jacobian's determinant and torch's Gaussians, moments against sampling, what a flow buys."""

import math

import pytest
import torch

from stabaudit.config import Training
from stabaudit.errors import UsageError
from stabaudit.families.base import gaussian_log_density
from stabaudit.families.ivae import IVAE
from stabaudit.families.posteriors import Correlation, closed_kl, flow_of, moments, sample
from stabaudit.families.vae import VAE
from stabaudit.nets.base import Posterior
from stabaudit.training.step.restarts import Restarts, Rows, encode


def wild_flow(d, seed=0):
    torch.manual_seed(seed)
    flow = flow_of("realnvp", d).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.mul_(3)
    return flow


def posterior(rows, d, spread=0.0):
    generator = torch.Generator().manual_seed(2)
    mean, log_var = (torch.randn(rows, d, generator=generator, dtype=torch.float64) for _ in range(2))
    return Posterior(mean, log_var + spread)


@pytest.mark.parametrize("d", [2, 5])
def test_log_density_is_that_of_a_change_of_variables(d, small):
    flow, base = wild_flow(d), posterior(4, d)
    z, log_q = sample(base, small.noise(), flow)
    z0 = base.mean + (base.log_var / 2).exp() * small.noise().normal((4, d)).double()
    for row in range(4):
        context = torch.cat(base, 1)[row : row + 1]
        jacobian = torch.autograd.functional.jacobian(lambda v, context=context: flow(v[None], context)[0][0], z0[row])
        expected = gaussian_log_density(z0[row], base.mean[row], base.log_var[row]) - jacobian.det().abs().log()
        torch.testing.assert_close(flow(z0[row : row + 1], context)[0][0], z[row], rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(log_q[row], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_moments_are_those_of_many_samples(small):
    flow, base = wild_flow(3), posterior(6, 3, spread=-2.0)  # narrow enough for a rule of third degree
    found = moments(base, flow)
    many = Posterior(*(value.repeat_interleave(20_000, 0) for value in base))
    z = sample(many, small.noise(), flow)[0].unflatten(0, (6, 20_000))
    scale = z.std(1)
    assert ((found.mean - z.mean(1)).abs() / scale).max() < 0.05
    torch.testing.assert_close((found.log_var / 2).exp() / scale, torch.ones_like(scale), rtol=0, atol=0.1)


def test_a_gaussian_posterior_passes_through(small):
    base = posterior(3, 2)
    assert moments(base, None) is base
    z, log_q = sample(base, small.noise(), None)
    torch.testing.assert_close(log_q, gaussian_log_density(z, *base))


@pytest.mark.slow
def test_a_flow_fits_a_correlated_posterior_that_a_diagonal_gaussian_cannot(small):
    """One observation of a sum, x = z₁ + z₂ + ε: a correlated posterior; the bound of the best diagonal Gaussian is known."""
    variance = 0.1
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2000, 1, generator=generator) * math.sqrt(2 + variance)
    rows = Rows(x, torch.empty(2000, 0))
    evidence = torch.distributions.Normal(0.0, math.sqrt(2 + variance)).log_prob(x).mean().item()
    precision = torch.eye(2) + torch.ones(2, 2) / variance
    gap = 0.5 * (precision.diagonal().log().sum() - precision.logdet()).item()  # KL of the best diagonal Gaussian: 0.82 nats

    class Sum(torch.nn.Module):
        def forward(self, z, _noise):
            return z.sum(1, keepdim=True)

    def build(kind):
        vae = VAE(small.problem(d=2, x_dim=1, variance=variance), posterior=kind)
        vae.decoder = Sum()
        return vae

    training = Training(epochs=12, batch_size=100, learning_rate=1e-2)
    bounds = {}
    for kind in ("gaussian", "full", "realnvp"):
        restarts = Restarts(lambda kind=kind: build(kind), [0], rows, training)
        for _ in range(12):
            restarts.train_epoch()
        with torch.no_grad():
            bounds[kind] = -sum(small.terms(restarts.module(0), rows, seed)["loss"].item() for seed in range(10)) / 10
    assert bounds["gaussian"] == pytest.approx(evidence - gap, abs=0.1)
    assert evidence - 0.2 < bounds["realnvp"] < evidence + 0.05
    assert evidence - 0.1 < bounds["full"] < evidence + 0.05  # the true posterior is one of these


def joint(base, flow):
    """The Gaussian that a full posterior is, row by row."""
    matrix = torch.eye(flow.dim) + flow.matrix(torch.cat(base, 1))
    return torch.distributions.MultivariateNormal(base.mean, scale_tril=matrix * (base.log_var / 2).exp().unsqueeze(1))


def wild_correlation(d):
    torch.manual_seed(1)
    flow = Correlation(d).double()
    torch.nn.init.normal_(flow.below.out.weight)
    torch.nn.init.normal_(flow.below.out.bias)
    return flow


def test_a_full_posterior_is_a_gaussian(small):
    """Density, divergence and moments are those that torch gives the same Gaussian."""
    flow, base = wild_correlation(4), posterior(5, 4)
    q = joint(base, flow)
    z, log_q = sample(base, small.noise(), flow)
    torch.testing.assert_close(log_q, q.log_prob(z))
    prior = posterior(5, 4, spread=0.5)
    p = torch.distributions.MultivariateNormal(prior.mean, torch.diag_embed(prior.log_var.exp()))
    torch.testing.assert_close(closed_kl(base, flow, *prior), torch.distributions.kl_divergence(q, p))
    found = moments(base, flow)
    torch.testing.assert_close(found.mean, q.mean)
    torch.testing.assert_close(found.log_var.exp(), q.variance)


def test_a_full_posterior_starts_almost_diagonal():
    torch.manual_seed(0)
    base, flow = posterior(3, 4), Correlation(4).double()
    torch.testing.assert_close(moments(base, flow), base, rtol=0, atol=0.1)


def test_the_published_objective_needs_the_diagonal_posterior(small):
    with pytest.raises(UsageError, match="weights=published needs the diagonal posterior, not 'full'"):
        small.family(IVAE, of=small.problem(d=2), weights="published", posterior="full")


def test_one_dimension_has_no_second_half(small):
    with pytest.raises(UsageError, match="at least 2 latent dimensions"):
        small.family(VAE, of=small.problem(d=1), posterior="realnvp")


def test_encoding_with_a_flow_is_deterministic_and_close_to_the_base_at_the_start(small):
    family = small.family(VAE, posterior="realnvp")
    rows = small.rows()
    first, second = encode(family, rows), encode(family, rows)
    assert torch.equal(first.mean, second.mean)
    base = family.encoder(rows.x, None, None)
    assert (first.mean - base.mean).abs().max() < 0.5

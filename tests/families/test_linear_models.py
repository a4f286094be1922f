"""`ppca` and `gmm` against multivariate Gaussians, the closed form of the optimum, and Hamiltonian Monte Carlo."""

import math

import numpy as np
import pytest
import torch
from torch import distributions, nn

from stabaudit.config import Training
from stabaudit.errors import UsageError
from stabaudit.families.base import Batch, Problem
from stabaudit.families.gmm import GMM
from stabaudit.families.ppca import PPCA
from stabaudit.nets.likelihoods import Bernoulli, Gaussian
from stabaudit.training.step.restarts import Restarts, Rows


def problem_of(d=2, width=5, variance=0.3):
    return Problem((width,), 0, d, 100, None, Gaussian(variance=variance))


def gmm_of(components=3, **options):
    torch.manual_seed(1)
    family = GMM(problem_of(), components=components, **options)
    for parameter in (family.offset, family.mixture_logits):
        nn.init.normal_(parameter)
    return family


def batch_of(x):
    return Batch(x, torch.empty(len(x), 0), None, None)


def mixture_of_x(family):
    """Distribution of x as torch has it."""
    covariance = family.loadings @ family.loadings.T + family.likelihood.log_var.exp() * torch.eye(5)
    means = family.mixture_mean @ family.loadings.T + family.offset
    components = distributions.MultivariateNormal(means, covariance.expand(len(means), 5, 5))
    return distributions.MixtureSameFamily(distributions.Categorical(logits=family.mixture_logits), components)


def test_gmm_is_a_mixture_of_gaussians_of_x():
    family, x = gmm_of(), 2 * torch.randn(50, 5)
    torch.testing.assert_close(family.loss(batch_of(x))["loss"], -mixture_of_x(family).log_prob(x).mean())


def test_the_posterior_of_gmm_is_that_of_a_grid():
    family, x = gmm_of(), torch.randn(6, 5)
    line = torch.linspace(-8, 8, 401)
    z = torch.cartesian_prod(line, line)
    with torch.no_grad():
        posterior = family.encode(x, None)
        weight = torch.stack([family.log_joint(row.expand(len(z), 5), z).softmax(0) for row in x])
    mean = weight @ z
    torch.testing.assert_close(posterior.mean, mean, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(posterior.log_var.exp(), weight @ z.square() - mean.square(), atol=1e-3, rtol=1e-3)


def test_gmm_with_one_standard_component_equals_ppca():
    ppca, gmm = PPCA(problem_of()), gmm_of(1)
    nn.init.zeros_(gmm.mixture_mean)
    gmm.load_state_dict(ppca.state_dict(), strict=False)
    x = torch.randn(20, 5)
    torch.testing.assert_close(gmm.loss(batch_of(x))["loss"], ppca.loss(batch_of(x))["loss"])
    torch.testing.assert_close(gmm.encode(x, None), ppca.encode(x, None))


def test_the_divergence_of_ppca_is_that_of_the_whole_posterior():
    ppca, x = PPCA(problem_of()), torch.randn(20, 5)
    inferred = ppca.infer(x)
    d = inferred.mean.shape[-1]
    posterior = torch.distributions.MultivariateNormal(inferred.mean[:, 0], inferred.covariance[0])
    prior = torch.distributions.MultivariateNormal(torch.zeros(d), torch.eye(d))
    expected = torch.distributions.kl_divergence(posterior, prior).mean()
    torch.testing.assert_close(ppca.loss(batch_of(x))["kl"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_ppca_reaches_the_closed_form_of_its_maximum():
    """Maximum of the likelihood with a known noise variance (Tipping & Bishop 1999)."""
    rng, variance = np.random.default_rng(0), 0.3
    x = rng.standard_normal((2000, 2)) @ rng.standard_normal((2, 5)) + math.sqrt(variance) * rng.standard_normal((2000, 5)) + 1
    values = np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1]
    signal = np.maximum(values[:2], variance)
    trace = (values[:2] / signal).sum() + values[2:].sum() / variance
    best = -0.5 * (5 * math.log(2 * math.pi) + np.log(signal).sum() + 3 * math.log(variance) + trace)
    rows = Rows(torch.from_numpy(x).float(), torch.empty(2000, 0))
    training = Training(epochs=60, batch_size=100, learning_rate=1e-2)
    restarts = Restarts(lambda: PPCA(problem_of(variance=variance)), [0, 1], rows, training)
    while restarts.step < restarts.total_steps:
        restarts.train_epoch()
    for restart in range(2):
        likelihood = -restarts.module(restart).loss(batch_of(rows.x))["loss"].item()
        assert best - 1e-2 < likelihood < best + 1e-4


def test_the_posterior_of_ppca_approaches_the_prior_as_the_noise_grows():
    x, distances = torch.randn(30, 5), []
    for sd in (0.1, 0.5, 1.5, 10.0, 100.0):
        torch.manual_seed(0)
        posterior = PPCA(problem_of(variance=sd**2)).encode(x, None)
        kl = 0.5 * (posterior.log_var.exp() + posterior.mean.square() - 1 - posterior.log_var).sum(1).mean()
        distances.append(kl.item())
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 3
    assert distances[-1] < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("kind", [PPCA, GMM])
def test_hamiltonian_monte_carlo_agrees_with_the_closed_form(kind):
    draws = 600
    torch.manual_seed(2)
    exact = kind(problem_of())
    if kind is GMM:
        exact.mixture_mean.data /= 3  # modes that a chain crosses between
    sampled = kind(problem_of(), inference="hmc", hmc_samples=draws)
    sampled.load_state_dict(exact.state_dict())
    x = torch.randn(40, 5)
    with torch.inference_mode():
        a, b, again = exact.encode(x, None), sampled.encode(x, None), sampled.encode(x, None)
    assert torch.equal(b.mean, again.mean)
    sd = (0.5 * a.log_var).exp()
    error = (b.mean - a.mean) / (sd / math.sqrt(draws / 4))  # four draws are worth at least one that is independent
    assert error.abs().max() < 4.5
    assert error.square().mean() < 1.5
    assert (b.log_var - a.log_var).abs().max() < 4.5 * math.sqrt(2 / (draws / 4))
    assert (b.log_var - a.log_var).mean().abs() < 0.05


def test_what_has_no_closed_form_is_refused():
    with pytest.raises(UsageError, match="'ppca' has Gaussian noise and no other: --likelihood gaussian"):
        PPCA(Problem((5,), 0, 2, 100, None, Bernoulli()))
    with pytest.raises(UsageError, match="at most as many latent dimensions as x: --latent-dim 5"):
        GMM(problem_of(d=6))


def test_a_missing_pyro_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"pip install 'stabaudit\[hmc\]'"):
        PPCA(problem_of(), inference="hmc")

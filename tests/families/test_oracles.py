"""Each family against the closed form that defines it."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from stabaudit.config import Training
from stabaudit.families.base import Batch, Problem, gaussian_kl, gaussian_log_density
from stabaudit.families.ivae import IVAE
from stabaudit.families.vade import VaDE
from stabaudit.families.vae import VAE
from stabaudit.nets.base import Posterior
from stabaudit.nets.likelihoods import Bernoulli, Gaussian
from stabaudit.nets.mlp import build as mlp
from stabaudit.training.step.noise import Fresh
from stabaudit.training.step.restarts import Restarts, Rows, encode


class LinearEncoder(nn.Module):
    def __init__(self, x_dim, d):
        super().__init__()
        self.mean = nn.Linear(x_dim, d)
        self.log_var = nn.Parameter(torch.zeros(d))

    def forward(self, x, _context, _noise):
        mean = self.mean(x)
        return Posterior(mean, self.log_var.expand_as(mean))


class LinearDecoder(nn.Module):
    def __init__(self, d, x_dim):
        super().__init__()
        self.out = nn.Linear(d, x_dim)

    def forward(self, z, _noise):
        return self.out(z)


def linear_problem(d, x_dim, u_dim=0, variance=0.3):
    return Problem(
        (x_dim,), u_dim, d, 4000, lambda _: (LinearEncoder(x_dim, d), LinearDecoder(d, x_dim)), Gaussian(variance=variance)
    )


def noise(seed=0):
    return Fresh(torch.Generator().manual_seed(seed))


def ppca_log_likelihood(x, d, variance):
    """Maximum of the likelihood of probabilistic PCA with a known noise variance (Tipping & Bishop 1999), per sample in nats."""
    covariance = np.cov(x.T, bias=True)
    values = np.linalg.eigvalsh(covariance)[::-1]
    signal = np.maximum(values[:d], variance)
    determinant = np.log(signal).sum() + (len(values) - d) * math.log(variance)
    trace = (values[:d] / signal).sum() + values[d:].sum() / variance
    return -0.5 * (len(values) * math.log(2 * math.pi) + determinant + trace)


@pytest.mark.slow
def test_a_linear_vae_reaches_the_closed_form_of_ppca():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4000, 3)) @ rng.standard_normal((3, 6)) * 1.3 + math.sqrt(0.3) * rng.standard_normal((4000, 6))
    x -= x.mean(0)
    best = ppca_log_likelihood(x, 3, 0.3)
    rows = Rows(torch.from_numpy(x).float(), torch.empty(4000, 0))
    restarts = Restarts(lambda: VAE(linear_problem(3, 6)), [0], rows, Training(epochs=160, batch_size=200, learning_rate=1e-2))
    for _ in range(160):
        restarts.train_epoch()
    family = restarts.module(0)
    with torch.no_grad():
        bound = np.mean([-family.loss(Batch(rows.x, rows.u, noise(s), torch.ones(())))["loss"].item() for s in range(20)])
    assert bound < best + 0.02  # the bound lies below the likelihood, up to the noise of 80,000 samples
    assert bound > best - 0.05  # and the exact posterior of PPCA is within reach of the encoder when W'W is diagonal


def test_the_posterior_divergence_is_that_of_two_gaussians():
    generator = torch.Generator().manual_seed(0)
    mean, log_var, prior_mean, prior_log_var = (torch.randn(5, 3, generator=generator, dtype=torch.float64) for _ in range(4))
    mine = gaussian_kl(Posterior(mean, log_var), prior_mean, prior_log_var)
    normal = torch.distributions.Normal
    theirs = torch.distributions.kl_divergence(normal(mean, (log_var / 2).exp()), normal(prior_mean, (prior_log_var / 2).exp()))
    torch.testing.assert_close(mine, theirs.sum(1))
    standard = torch.distributions.kl_divergence(normal(mean, (log_var / 2).exp()), normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(gaussian_kl(Posterior(mean, log_var)), standard)
    z = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(gaussian_log_density(z, mean, log_var), normal(mean, (log_var / 2).exp()).log_prob(z).sum(1))


def families_of(kind, **options):
    torch.manual_seed(0)
    problem = Problem((4,), 2, 3, 500, lambda context: mlp((4,), 3, context, widths=(16,)), Gaussian(variance=0.5))
    return kind(problem, **options).eval()


def mean_loss(family, rows, repeats=400):
    with torch.no_grad():
        losses = [family.loss(Batch(rows.x, rows.u, noise(s), torch.ones(())))["loss"].item() for s in range(repeats)]
    return np.mean(losses), np.std(losses) / math.sqrt(repeats)


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(1)
    return Rows(torch.randn(200, 4, generator=generator), torch.nn.functional.one_hot(torch.arange(200) % 2, 2).float())


def test_vade_with_one_standard_component_equals_vae(rows):
    vae, vade = families_of(VAE), families_of(VaDE, components=1)
    vade.load_state_dict(vae.state_dict(), strict=False)
    nn.init.zeros_(vade.mixture.mean)
    nn.init.zeros_(vade.mixture.log_var)
    (a, ea), (b, eb) = mean_loss(vae, rows), mean_loss(vade, rows)
    assert abs(a - b) < 4 * math.hypot(ea, eb)


def test_the_mixture_density_of_vade_equals_torchs():
    vade = families_of(VaDE, components=5)
    with torch.no_grad():
        vade.mixture.logits.normal_()
        vade.mixture.mean.normal_(std=2)
    distributions = torch.distributions
    mixture = distributions.MixtureSameFamily(
        distributions.Categorical(logits=vade.mixture.logits),
        distributions.Independent(distributions.Normal(vade.mixture.mean, (vade.mixture.log_var / 2).exp()), 1),
    )
    z = 3 * torch.randn(50, 3)
    torch.testing.assert_close(vade.mixture(z), mixture.log_prob(z), rtol=1e-3, atol=1e-3)  # log-variances are bounded smoothly


def test_ivae_with_a_constant_standard_prior_equals_vae(rows):
    vae, ivae = families_of(VAE), families_of(IVAE, encoder_u=False)
    ivae.load_state_dict(vae.state_dict(), strict=False)
    nn.init.zeros_(ivae.prior.out.weight)
    assert mean_loss(ivae, rows, 3) == pytest.approx(mean_loss(vae, rows, 3), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"prior_mean": "learned", "encoder_u": False}, {"prior_network": "mlp"}], ids=str)
def test_the_elbo_of_ivae_is_that_of_torchs_distributions(options, rows):
    """E_q(z|x,u) [log p(x|z) + log p(z|u) − log q(z|x,u)] by sampling (Khemakhem et al. 2019, eq. 8)."""
    family, normal = families_of(IVAE, **options), torch.distributions.Normal
    with torch.no_grad():
        for parameter in family.prior.parameters():
            parameter.normal_(std=0.5)
        mean, log_var = family.encode(rows.x, rows.u)
        prior_mean, prior_log_var = family.conditional_prior(rows.u)
        assert (torch.is_tensor(prior_mean) and prior_mean.abs().sum() > 0) == ("prior_mean" in options)
        assert not torch.equal(prior_log_var[0], prior_log_var[1])  # rows of different u
        assert torch.equal(mean, family.encode(rows.x, 1 - rows.u).mean) == (not family.sees_u)
        q, p = normal(mean, (log_var / 2).exp()), normal(prior_mean, (prior_log_var / 2).exp())
        elbo = []
        for _ in range(400):
            z = q.sample()
            likelihood = normal(family.decoder(z, None), math.sqrt(0.5)).log_prob(rows.x).sum(1)
            elbo.append((likelihood + (p.log_prob(z) - q.log_prob(z)).sum(1)).mean().item())
    loss, error = mean_loss(family, rows)
    assert abs(loss + np.mean(elbo)) < 4 * math.hypot(error, np.std(elbo) / 20)


def test_ivae_says_when_u_has_too_few_values_for_its_theorem():
    """k·d + 1 of them; k is 1 with a zero and 2 with a learned prior mean."""
    for kind, enough in (("zero", 4), ("learned", 7)):
        family = families_of(IVAE, prior_mean=kind)  # of three dimensions
        assert family.warnings(enough) == []
        assert family.warnings(enough - 1) == [
            f"u takes {enough - 1} values; identifiability of 3 dimensions needs {enough} (k·d + 1)"
        ]


@pytest.mark.slow
def test_ivae_learns_the_variance_of_every_segment():
    """A linear model with segment variances: sources are recovered, and the learned prior is theirs up to scale and order."""
    rng = np.random.default_rng(3)
    sds = np.array([[0.5, 2.0], [2.0, 0.5], [1.5, 1.5], [0.6, 0.6]])
    segment = np.repeat(np.arange(4), 1000)
    sources = rng.standard_normal((4000, 2)) * sds[segment]
    orthogonal = np.linalg.qr(rng.standard_normal((4, 2)))[0].T  # so that the posterior is diagonal, as the encoder's is
    x = sources @ orthogonal + 0.2 * rng.standard_normal((4000, 4))
    rows = Rows(torch.from_numpy(x).float(), torch.nn.functional.one_hot(torch.from_numpy(segment), 4).float())
    problem = linear_problem(2, 4, u_dim=4, variance=0.04)
    training = Training(epochs=160, batch_size=200, learning_rate=1e-2)
    restarts = Restarts(lambda: IVAE(problem, encoder_u=False), [0, 1, 2], rows, training)
    for _ in range(160):
        restarts.train_epoch()
    for restart in range(3):
        family = restarts.module(restart)
        z = encode(family, rows).mean.numpy()
        correlation = np.abs(np.corrcoef(z.T, sources.T)[:2, 2:])
        assert max(np.trace(correlation), np.trace(correlation[::-1])) / 2 > 0.98
        with torch.no_grad():
            learned = family.conditional_prior(torch.eye(4)).log_var.numpy() / 2
        wanted = np.log(sds)[:, correlation.argmax(1)]
        np.testing.assert_allclose(learned - learned.mean(0), wanted - wanted.mean(0), atol=0.2)


def test_likelihoods_equal_torchs():
    x, output = torch.rand(6, 2, 3), torch.randn(6, 2, 3)
    bernoulli = torch.distributions.Bernoulli(logits=output, validate_args=False).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(Bernoulli().log_prob(x, output), bernoulli)
    gaussian = torch.distributions.Normal(output, math.sqrt(0.2)).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(Gaussian(variance=0.2).log_prob(x, output), gaussian)


def test_the_laplace_prior_costs_what_it_should(rows):
    """E_q[log q − log p] for a Laplace prior, by quadrature over one dimension at a time."""
    family = families_of(VAE, prior="laplace")
    with torch.no_grad():
        posterior = encode(family, rows)
        terms = [family.loss(Batch(rows.x, rows.u, noise(s), torch.ones(())))["kl"].item() for s in range(400)]
    t = torch.linspace(-9, 9, 4001)
    q = torch.exp(-0.5 * t**2) / math.sqrt(2 * math.pi)
    z = posterior.mean[..., None] + (posterior.log_var[..., None] / 2).exp() * t
    log_q = -0.5 * t**2 - 0.5 * math.log(2 * math.pi) - posterior.log_var[..., None] / 2
    exact = torch.trapezoid(q * (log_q + z.abs() + math.log(2)), t).sum(1).mean().item()
    assert abs(np.mean(terms) - exact) < 4 * np.std(terms) / 20

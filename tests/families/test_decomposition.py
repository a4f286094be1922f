"""The three parts of the divergence, and the families that weight them."""

import itertools
import math

import numpy as np
import pytest
import torch

from stabaudit.families.base import gaussian_log_density, reparameterise
from stabaudit.families.beta_tcvae import BetaTCVAE
from stabaudit.families.beta_vae import BetaVAE
from stabaudit.families.decomposition import aggregate, decompose, stratified, weighted
from stabaudit.families.ivae import IVAE, PUBLISHED
from stabaudit.families.vae import VAE
from stabaudit.nets.base import Posterior


def posteriors(n, d=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Posterior(*(torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(2)))


def exact(z, posterior):
    """Log q(z) and Σ_k log q(z_k) with q the mixture of all given posteriors, by torch's own distributions."""
    distributions = torch.distributions
    each = distributions.Normal(posterior.mean, (posterior.log_var / 2).exp())
    weights = distributions.Categorical(torch.ones(len(posterior.mean), dtype=torch.float64))
    joint = distributions.MixtureSameFamily(weights, distributions.Independent(each, 1)).log_prob(z)
    product = torch.zeros_like(joint)
    for k in range(z.shape[1]):
        one = distributions.Normal(posterior.mean[:, k], (posterior.log_var[:, k] / 2).exp())
        product += distributions.MixtureSameFamily(weights, one).log_prob(z[:, k])
    return joint, product


def test_the_whole_data_as_one_batch_gives_the_aggregate_posterior_itself():
    posterior = posteriors(150)
    z = posterior.mean + 1.0
    for log_weights in (stratified(z, 150), weighted(z, 150) + math.log(150)):
        for mine, theirs in zip(aggregate(z, posterior, log_weights), exact(z, posterior), strict=True):
            torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_stratified_sampling_is_unbiased_over_all_batches(size, small):
    """The mean of exp log q̂(z) over every batch that holds the row of z is q(z), by enumeration; so is Chen et al.'s own form."""
    rows = 6
    everything = posteriors(rows)
    z = reparameterise(everything, small.noise())[:1]
    estimates, published = [], []
    for others in itertools.permutations(range(1, rows), size - 1):
        batch = Posterior(*(value[[0, *others]] for value in everything))
        log_weights = stratified(batch.mean, rows)
        assert torch.logsumexp(log_weights, 1).allclose(torch.zeros(1, dtype=torch.float64))
        estimates.append(aggregate(z, batch, log_weights[:1])[0].exp().item())
        density = gaussian_log_density(z, *batch).exp()
        m = size - 1  # Chen et al. 2018, App. C.2: the first is the row of z, the last closes the stratum
        published.append((density[0] / rows + density[1:-1].sum() / m + (rows - m) / (rows * m) * density[-1]).item())
    truth = exact(z, everything)[0].exp().item()
    assert np.mean(estimates) == pytest.approx(truth, rel=1e-10)
    assert np.mean(published) == pytest.approx(truth, rel=1e-10)
    assert np.var(estimates) <= np.var(published) * (1 + 1e-9)


@pytest.mark.slow
def test_total_correlation_of_a_correlated_gaussian(small):
    """q(z) of narrow posteriors whose means are correlated has TC −½ log(1 − ρ²), up to the smoothing and the sample."""
    rng = np.random.default_rng(0)
    rho, width = 0.8, 0.04
    mean = torch.from_numpy(rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], 4000))
    posterior = Posterior(mean, torch.full_like(mean, math.log(width)))
    z = reparameterise(posterior, small.noise())
    zeros = torch.zeros(4000, dtype=torch.float64)
    _, correlation, _ = decompose(z[:500], posterior, zeros[:500], zeros[:500], weighted(z, 1)[:500])
    assert correlation.mean().item() == pytest.approx(-0.5 * math.log(1 - (rho / (1 + width)) ** 2), abs=0.08)


@pytest.mark.slow
def test_unit_weights_give_the_elbo_of_the_same_samples(small):
    rows = small.rows()
    mine, vae = small.family(BetaTCVAE, beta=1.0), small.family(VAE)
    for seed in range(3):
        terms = small.terms(mine, rows, seed)
        posterior = vae.encoder(rows.x, None, None)
        z = reparameterise(posterior, small.noise(seed))
        sampled = (gaussian_log_density(z, *posterior) - vae.log_prior(z)).mean() + small.terms(vae, rows, seed)["reconstruction"]
        torch.testing.assert_close(terms["loss"], sampled)
    closed = np.mean([small.terms(vae, rows, seed)["loss"].item() for seed in range(200)])
    sampled = [small.terms(mine, rows, seed)["loss"].item() for seed in range(200)]
    assert abs(np.mean(sampled) - closed) < 4 * np.std(sampled) / math.sqrt(200)


def test_weights_multiply_their_parts(small):
    rows = small.rows()
    terms = small.terms(small.family(BetaTCVAE, alpha=2.0, beta=5.0, gamma=0.5), rows)
    parts = (2.0 * terms["mutual_information"], 5.0 * terms["total_correlation"], 0.5 * terms["dimension_kl"])
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + sum(parts))


def test_beta_one_is_the_vae_and_other_values_weight_the_divergence(small):
    rows = small.rows()
    vae, one, fifth = (
        small.terms(family, rows)
        for family in (small.family(VAE), small.family(BetaVAE, beta=1.0), small.family(BetaVAE, beta=0.2))
    )
    assert torch.equal(one["loss"], vae["loss"])
    torch.testing.assert_close(fifth["loss"], vae["reconstruction"] + 0.2 * vae["kl"])


def test_a_single_row_has_no_others(small):
    terms = small.terms(small.family(BetaTCVAE), small.rows(1))
    assert all(value.isfinite() for value in terms.values())


def test_the_published_weighting_of_ivae_is_the_published_formula(small):
    """Written out with loops and torch's distributions, as the code that came with the paper computes it."""
    rows = small.rows(20)
    family = small.family(IVAE, of=small.problem(rows=1000), weights="published")
    with torch.no_grad():
        loss = small.terms(family, rows)["loss"].item()
        posterior, prior = family.encode(rows.x, rows.u), family.conditional_prior(rows.u)
        z = reparameterise(posterior, small.noise())
        reconstruction = family.likelihood.log_prob(rows.x, family.decoder(z, None))
    normal = torch.distributions.Normal
    sd = (posterior.log_var / 2).exp()
    total = 0.0
    for i in range(20):
        density = normal(posterior.mean, sd).log_prob(z[i])  # shape (20, d)
        own = density[i].sum()
        joint = torch.logsumexp(density.sum(1), 0) - math.log(20 * 1000)
        product = (torch.logsumexp(density, 0) - math.log(20 * 1000)).sum()
        log_prior = normal(0.0, (prior.log_var[i] / 2).exp()).log_prob(z[i]).sum()
        a, b, c, d = PUBLISHED
        total += (a * reconstruction[i] - b * (own - joint) - c * (joint - product) - d * (product - log_prior)).item()
    assert loss == pytest.approx(-total / 20, rel=1e-4)
    assert PUBLISHED == (100, 1, 0, 10)


def test_the_weight_of_reconstruction_and_the_published_estimate(small):
    rows = small.rows(6)
    settings = {"alpha": 5.0, "beta": 5.0, "gamma": 5.0}
    plain = small.terms(small.family(BetaTCVAE, **settings), rows)
    heavy = small.terms(small.family(BetaTCVAE, **settings, reconstruction=500.0), rows)
    assert heavy["loss"].item() == pytest.approx((plain["loss"] + 499 * plain["reconstruction"]).item(), rel=1e-5)
    biased = small.terms(small.family(BetaTCVAE, **settings, estimate="weighted"), rows)
    # Both estimates of log q(z) cancel in the sum of the three parts; the biased one puts more into the mutual information.
    assert biased["kl"].item() == pytest.approx(plain["kl"].item(), rel=1e-5)
    assert biased["mutual_information"].item() != pytest.approx(plain["mutual_information"].item(), rel=1e-3)
    assert small.terms(small.family(BetaTCVAE, reconstruction=0.0, alpha=0.0, beta=0.0, gamma=0.0), rows)["loss"].item() == 0.0

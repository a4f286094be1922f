"""Mixture priors: their start from data, the ladder of MFCVAE, and the clusters of GMVAE."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from stabaudit.errors import UsageError
from stabaudit.families.base import gaussian_kl, gaussian_log_density
from stabaudit.families.gmvae import GMVAE
from stabaudit.families.mfcvae import MFCVAE
from stabaudit.families.mixture import GaussianMixture, start_mixtures
from stabaudit.families.rademacher_vae import RademacherVAE
from stabaudit.families.vade import VaDE
from stabaudit.families.vae import VAE
from stabaudit.nets.base import Posterior, bounded
from stabaudit.nets.conv import build as conv


def clustered(n=600):
    """Posterior means in three clusters with weights 0.5, 0.3, 0.2, and posteriors of variance 0.04."""
    rng = np.random.default_rng(0)
    centers = np.array([[-4.0, 0.0], [4.0, 1.0], [0.0, 5.0]])
    label = np.repeat([0, 1, 2], [n // 2, 3 * n // 10, n // 5])
    mean = torch.from_numpy(centers[label] + 0.3 * rng.standard_normal((n, 2))).float()
    return Posterior(mean, torch.full_like(mean, math.log(0.04))), centers


@pytest.mark.parametrize("by", ["kmeans", "gmm"])
def test_a_fitted_mixture_has_the_weights_and_moments_of_the_aggregate_posterior(by):
    posterior, centers = clustered()
    torch.manual_seed(0)
    mixture = GaussianMixture(3, 2)
    mixture.fit(posterior, by)
    order = mixture.logits.argsort(descending=True)
    torch.testing.assert_close(mixture.logits.softmax(0)[order], torch.tensor([0.5, 0.3, 0.2]), rtol=0, atol=0.01)
    torch.testing.assert_close(mixture.mean[order], torch.from_numpy(centers).float(), rtol=0, atol=0.1)
    torch.testing.assert_close(bounded(mixture.log_var).exp(), torch.full((3, 2), 0.3**2 + 0.04), rtol=0.2, atol=0)


def test_one_fitted_component_has_the_moments_of_everything():
    posterior, _ = clustered()
    mixture = GaussianMixture(1, 2)
    mixture.fit(posterior, "kmeans")
    torch.testing.assert_close(mixture.mean[0], posterior.mean.mean(0))
    torch.testing.assert_close(bounded(mixture.log_var)[0].exp(), posterior.mean.var(0, correction=0) + 0.04)


@pytest.mark.parametrize("start", ["kmeans", "gmm"])
def test_a_fitted_start_makes_the_aggregate_posterior_likelier_and_depends_on_the_seed_alone(start, small):
    rows = small.rows()
    plain, fitted, again = small.family(VaDE, components=5), *(small.family(VaDE, components=5, start=start) for _ in range(2))
    for family in (plain, fitted, again):
        torch.manual_seed(7)
        family.initialise(rows.x, rows.u)
    assert fitted.training
    assert torch.equal(fitted.mixture.mean, again.mixture.mean)
    assert torch.equal(plain.mixture.logits, torch.zeros(5))  # Xavier: as it was
    posterior = plain.encode(rows.x, rows.u)
    z = posterior.mean + (posterior.log_var / 2).exp() * small.noise().normal(posterior.mean.shape)
    assert fitted.mixture(z).mean() > plain.mixture(z).mean()


def test_a_mixture_is_fitted_to_what_is_encoded_as_in_evaluation():
    """Dropout would make of 300 equal rows 300 different ones."""
    network, posterior, _ = nn.Dropout(0.5), *clustered()
    mixture, seen = GaussianMixture(3, 2), []

    def encode(rows):
        seen.append(network(torch.ones(len(rows))))
        return [Posterior(posterior.mean[rows], posterior.log_var[rows])]

    start_mixtures(network, [mixture], "kmeans", 600, encode)
    assert torch.equal(seen[0], torch.ones(600))
    assert network.training


def test_more_components_than_rows_are_refused(small):
    for kind in (VaDE, MFCVAE, GMVAE):
        with pytest.raises(UsageError, match="201 mixture components are more than the 200 training rows"):
            small.family(kind, components=201)
    with pytest.raises(UsageError, match="8 bits make 256 orthants, more than the 200 training rows"):
        small.family(RademacherVAE, bits=8)


# --- MFCVAE ---


def test_one_facet_is_vade(small):
    rows, of = small.rows(), small.problem(widths=(16, 12))
    vade, one = small.family(VaDE, of=of, components=4), small.family(MFCVAE, of=of, components=4, facets=1)
    mine, theirs = small.terms(one, rows), small.terms(vade, rows)
    for name in ("loss", "reconstruction", "kl"):
        assert torch.equal(mine[name], theirs[name])
    assert torch.equal(one.encode(rows.x, rows.u).mean, vade.encode(rows.x, rows.u).mean)


@pytest.mark.parametrize("start", ["kmeans", "gmm"])
def test_one_facet_starts_as_vade_and_every_facet_from_its_own_latents(small, start):
    rows, of = small.rows(), small.problem(widths=(16, 12))
    vade = small.family(VaDE, of=of, components=4, start=start)
    one = small.family(MFCVAE, of=of, components=4, facets=1, start=start)
    for family in (vade, one):
        torch.manual_seed(3)
        family.initialise(rows.x, rows.u)
    for mine, theirs in zip(one.mixtures[0].parameters(), vade.mixture.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    two = small.family(MFCVAE, of=of, components=4, facets=2, start=start)
    untrained = [mixture.mean.clone() for mixture in two.mixtures]
    two.initialise(rows.x, rows.u)
    means = two.ladder.encode(rows.x, None)
    for before, mixture, (mean, _) in zip(untrained, two.mixtures, means, strict=True):
        assert not torch.equal(before, mixture.mean)
        inside = (mixture.mean >= mean.amin(0)) & (mixture.mean <= mean.amax(0))
        assert inside.all()  # centres are means of this facet's latents


def test_facets_share_the_dimensions_and_read_growing_depths(small):
    family = small.family(MFCVAE, of=small.problem(d=7, widths=(9, 8, 7)), facets=3)
    assert family.sizes == [3, 2, 2]
    assert family.ladder.depths == [1, 2]
    rows = small.rows()
    before = family.encode(rows.x, rows.u).mean
    with torch.no_grad():
        family.ladder.encoder.body.hidden[1].bias.add_(1.0)  # the second layer: z_1 is read before it
    moved = (family.encode(rows.x, rows.u).mean - before).abs().amax(0) > 1e-4
    assert moved.tolist() == [False] * 3 + [True] * 4


def test_the_divergence_of_a_ladder_is_the_sum_over_its_facets(small):
    family, rows = small.family(MFCVAE, of=small.problem(widths=(16, 12))), small.rows()
    terms = small.terms(family, rows)
    torch.testing.assert_close(terms["kl"], terms["kl_1"] + terms["kl_2"])


def test_progressive_facets_come_in_one_after_another(small):
    family = small.family(MFCVAE, of=small.problem(widths=(16, 12, 10)), facets=3, progressive=True)
    shares = [family.presence(torch.tensor(progress)).tolist() for progress in (0.0, 0.25, 0.4, 0.6, 1.0)]
    expected = [[0, 0, 1], [0, 0.5, 1], [0, 1, 1], [0.6, 1, 1], [1, 1, 1]]
    np.testing.assert_allclose(shares, expected, atol=1e-6)
    rows = small.rows()
    first = small.terms(family, rows, progress=0.0)
    torch.testing.assert_close(first["kl"], first["kl_3"])
    assert not torch.allclose(first["loss"], small.terms(family, rows, progress=1.0)["loss"])
    always = small.family(MFCVAE, of=small.problem(widths=(16, 12, 10)), facets=3)
    assert torch.equal(small.terms(always, rows, progress=0.0)["loss"], small.terms(family, rows, progress=1.0)["loss"])


def test_ladders_that_cannot_stand_are_refused(small):
    with pytest.raises(UsageError, match="4 facets need 3 hidden layers and the encoder has 2"):
        small.family(MFCVAE, of=small.problem(d=4, widths=(8, 8)), facets=4)
    with pytest.raises(UsageError, match="4 facets need at least 4 latent dimensions, not 3"):
        small.family(MFCVAE, facets=4)
    images = small.problem()
    images = type(images)((1, 8, 8), 0, 4, 200, lambda _, d=4: conv((1, 8, 8), d, 0), images.likelihood)
    with pytest.raises(UsageError, match="architecture 'mlp'"):
        small.family(MFCVAE, of=images)


# --- GMVAE ---


def test_gmvae_is_the_expectation_over_clusters_taken_one_by_one(small):
    """Against a loop over clusters with torch's distributions, on the same noise."""
    components, rows = 3, small.rows(20)
    family = small.family(GMVAE, components=components)
    distributions = torch.distributions
    with torch.no_grad():
        family.mixture_mean.normal_()
        terms = small.terms(family, rows)
        draws = small.noise().normal((20 * components, 3)).unflatten(0, (20, components))
        q = family.classes(torch.cat(family.classifier(rows.x, None, None), 1)).softmax(1)
        bound = torch.zeros(20)
        for y in range(components):
            code = torch.eye(components)[y].expand(20, -1)
            mean, log_var = family.encoder(rows.x, code, None)
            w = mean + (log_var / 2).exp() * draws[:, y]
            log_x = distributions.Normal(family.decoder(w, None), math.sqrt(0.5)).log_prob(rows.x).sum(1)
            prior = distributions.Normal(family.mixture_mean[y], (bounded(family.mixture_log_var[y]) / 2).exp())
            kl = distributions.kl_divergence(distributions.Normal(mean, (log_var / 2).exp()), prior).sum(1)
            bound += q[:, y] * (log_x - kl)
        uniform = distributions.Categorical(torch.ones(components))
        bound -= distributions.kl_divergence(distributions.Categorical(q), uniform)
    torch.testing.assert_close(terms["loss"], -bound.mean(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + terms["kl"])


def test_one_standard_cluster_equals_vae(small):
    rows = small.rows()
    vae, one = small.family(VAE), small.family(GMVAE, components=1)
    one.decoder.load_state_dict(vae.decoder.state_dict())
    state = vae.encoder.state_dict()
    first = next(name for name in state if name.endswith("weight"))
    state[first] = torch.cat([state[first], torch.zeros(len(state[first]), 1)], 1)  # the only cluster's code says nothing
    one.encoder.load_state_dict(state)
    nn.init.zeros_(one.mixture_mean)
    nn.init.zeros_(one.mixture_log_var)
    torch.testing.assert_close(small.terms(one, rows)["loss"], small.terms(vae, rows)["loss"])
    torch.testing.assert_close(one.encode(rows.x, rows.u).mean, vae.encode(rows.x, rows.u).mean)


def test_latents_of_gmvae_are_the_moments_of_its_posterior(small):
    family, rows = small.family(GMVAE, components=3), small.rows(4)
    found = family.encode(rows.x, rows.u)
    clusters = family.log_clusters(rows.x, None).exp()
    mean, log_var = (value.unflatten(0, (4, 3)) for value in family.within(rows.x, None))
    torch.manual_seed(0)
    y = torch.distributions.Categorical(clusters).sample((100_000,))  # shape (draws, rows)
    each = torch.arange(4).expand_as(y)
    w = mean[each, y] + (log_var[each, y] / 2).exp() * torch.randn(*y.shape, 3)
    torch.testing.assert_close(found.mean, w.mean(0), rtol=0, atol=0.02)
    torch.testing.assert_close(found.log_var.exp(), w.var(0), rtol=0.03, atol=0)


@pytest.mark.slow
def test_a_flow_within_clusters_costs_the_same_at_the_start_on_average(small):
    """Sampled and closed-form divergence agree in expectation when the flow is the identity."""
    rows = small.rows(50)
    closed, flow = small.family(GMVAE, components=2), small.family(GMVAE, components=2, posterior="realnvp")
    flow.load_state_dict(closed.state_dict(), strict=False)
    for coupling in flow.flow.couplings:
        nn.init.zeros_(coupling.out.weight)
        nn.init.zeros_(coupling.out.bias)
    (a, ea), (b, eb) = small.mean_loss(closed, rows, 200), small.mean_loss(flow, rows, 200)
    assert abs(a - b) < 4 * math.hypot(ea, eb)


# --- Rademacher VAE ---


def test_orthants_are_those_of_the_signs_counted_by_hand(small):
    family, rows = small.family(RademacherVAE, bits=3), small.rows()
    assert set(family.projection.unique().tolist()) == {-1.0, 1.0}
    code = family.orthant(rows.x)
    assert torch.equal(code.sum(1), torch.ones(200))
    for x, number in zip(rows.x, code.argmax(1), strict=True):
        bits = [int(float(row @ x) > 0) for row in family.projection]
        assert number == sum(bit * 2**position for position, bit in enumerate(bits))


def test_the_divergence_is_to_the_gaussian_of_the_own_orthant(small):
    family, rows = small.family(RademacherVAE, bits=3), small.rows()
    with torch.no_grad():
        table = family.conditional_prior(torch.eye(8))
        number = family.orthant(rows.x).argmax(1)
        posterior = family.encode(rows.x, rows.u)
        expected = gaussian_kl(posterior, table.mean[number], table.log_var[number]).mean()
        torch.testing.assert_close(small.terms(family, rows)["kl"], expected)
    assert gaussian_log_density(posterior.mean, *posterior).isfinite().all()


def test_every_restart_draws_signs_of_its_own_and_never_trains_them(small):
    first, same = small.family(RademacherVAE, bits=3), small.family(RademacherVAE, bits=3)
    torch.manual_seed(1)
    other = RademacherVAE(small.problem(), bits=3)
    assert torch.equal(first.projection, same.projection)
    assert not torch.equal(first.projection, other.projection)
    assert "projection" in first.state_dict()
    assert "projection" not in dict(first.named_parameters())
    assert not first.needs_u
    assert not first.sees_u


def test_the_papers_seven_bits_are_the_default(small):
    assert small.family(RademacherVAE).projection.shape == (7, 4)


def test_the_theorem_counts_orthants_not_the_values_of_u(small):
    assert small.family(RademacherVAE, bits=3).warnings(1) == []  # 8 orthants, 2·3 + 1 needed
    assert "u takes 4 values" in small.family(RademacherVAE, bits=2).warnings(1000)[0]

"""Collapse of a trained restart against linear-Gaussian closed forms, brute force and the prior's own samples."""

import itertools
import math

import numpy as np
import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score
from torch import distributions

from stabaudit.families.base import Family, Mixture, divergence_by_dimension, gaussian_log_density, reparameterise
from stabaudit.families.gmvae import GMVAE
from stabaudit.families.ivae import IVAE
from stabaudit.families.mfcvae import MFCVAE
from stabaudit.families.vade import VaDE
from stabaudit.families.vae import VAE
from stabaudit.nets.base import Posterior
from stabaudit.training import model_scores as module
from stabaudit.training.model_scores import agreement, collapse, prior_rank
from stabaudit.training.step.noise import Fresh
from stabaudit.training.step.restarts import Rows
from stabaudit.training.step.streams import EVALUATION_STREAM

W, SD = torch.tensor([1.5, -0.7]), 0.6


class Linear(Family):
    """x = w·z + ε with z ~ N(0, I): the posterior of each of two latents, and p(x), are known; q is wider than it should be."""

    def __init__(self, widen=1.0):
        super().__init__()
        self.widen = widen
        self.anything = torch.nn.Parameter(torch.zeros(1))

    def posterior(self, x):
        # Each latent has an x of its own, so that the posterior has independent dimensions.
        precision = 1 + W.square() / SD**2
        return Posterior(x * W / SD**2 / precision, (self.widen / precision).log().expand_as(x))

    def loss(self, batch):
        raise NotImplementedError

    def encode(self, x, _u):
        return self.posterior(x)

    def log_weight(self, x, _u, noise):
        z = reparameterise(self.posterior(x), noise)
        log_joint = gaussian_log_density(x, z * W, torch.tensor(2 * math.log(SD))) + gaussian_log_density(
            z, torch.zeros(()), torch.zeros(())
        )
        return log_joint - gaussian_log_density(z, *self.posterior(x))

    def divergence(self, x, _u):
        return divergence_by_dimension(self.posterior(x))


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 2, generator=generator) * W + SD * torch.randn(400, 2, generator=generator)
    return Rows(x, torch.empty(400, 0))


def exact(x):
    return gaussian_log_density(x, torch.zeros(()), (W.square() + SD**2).log()).mean().item()


def test_with_the_true_posterior_the_log_likelihood_is_exact_from_one_sample(rows, monkeypatch):
    monkeypatch.setattr(module, "SAMPLES", 1)
    scores = collapse(Linear(), rows, None, 0).scores
    assert scores["log_likelihood"] == pytest.approx(exact(rows.x), abs=1e-5)
    assert (scores["log_likelihood_samples"], scores["log_likelihood_rows"]) == (1, 400)


def test_rows_averaged_first_are_what_the_code_of_wang_computes(rows):
    scores = collapse(Linear(widen=3.0), rows, None, 5).scores
    noise = Fresh(torch.Generator().manual_seed(EVALUATION_STREAM + 5))
    weights = Linear(widen=3.0).log_weights(rows.x, rows.u, noise, module.SAMPLES).double().numpy()  # (K, n)
    by_rows, by_samples = np.log(np.mean(np.exp(weights.mean(axis=1)))), np.log(np.mean(np.exp(weights), axis=0)).mean()
    assert scores["rows_first_log_likelihood"] == pytest.approx(by_rows, abs=1e-5)
    assert scores["log_likelihood"] == pytest.approx(by_samples, abs=1e-5)
    assert by_rows < by_samples - 0.05


def test_with_another_posterior_it_grows_towards_the_truth(rows, monkeypatch):
    found = []
    for samples in (1, 10, 300):
        monkeypatch.setattr(module, "SAMPLES", samples)
        found.append(collapse(Linear(widen=3.0), rows, None, 0).scores["log_likelihood"])
    assert found[0] < found[1] < found[2]
    assert found[2] == pytest.approx(exact(rows.x), abs=0.02)


def test_divergence_of_each_dimension_is_that_of_torch(rows):
    found = collapse(Linear(widen=2.0), rows, None, 0).divergence
    mean, log_var = Linear(widen=2.0).posterior(rows.x)
    expected = distributions.kl_divergence(
        distributions.Normal(mean, (log_var / 2).exp()), distributions.Normal(torch.zeros(2), torch.ones(2))
    ).mean(0)
    np.testing.assert_allclose(found["kl"], expected, rtol=1e-5)
    assert found["dimension"].tolist() == [0, 1]


def from_prior(family, u, count, generator):
    """Samples of z from the prior of a family, shape (count, d)."""
    mixture = family.mixture_prior()
    if mixture is None:
        prior = family.conditional_prior(u) if isinstance(family, IVAE) else Posterior(torch.zeros(1, 2), torch.zeros(1, 2))
        mixture = Mixture(torch.zeros(1), Posterior(prior.mean.expand(1, 2), prior.log_var.expand(1, 2)))
    chosen = torch.multinomial(mixture.log_weights.exp(), count, replacement=True, generator=generator)
    mean, log_var = (value[chosen] for value in mixture.components)
    return mean + (log_var / 2).exp() * torch.randn(mean.shape, generator=generator)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (VAE, {}),
        (VAE, {"posterior": "realnvp"}),
        (IVAE, {}),
        (IVAE, {"posterior": "full"}),
        (VaDE, {"components": 3}),
        (GMVAE, {"components": 3}),
    ],
)
@torch.no_grad()
def test_weights_estimate_the_density_that_samples_of_the_prior_do(small, kind, options):
    family = small.family(kind, small.problem(d=2), **options)
    rows = small.rows(n=3)
    generator, noise = torch.Generator().manual_seed(1), small.noise(2)
    weights = torch.stack([family.log_weight(rows.x, rows.u, noise) for _ in range(4000)])
    estimate = weights.logsumexp(0) - math.log(len(weights))
    for number in range(3):
        x, u = rows.x[number : number + 1], rows.u[number : number + 1]
        z = from_prior(family, u, 40_000, generator)
        naive = family.likelihood.log_prob(x.expand(len(z), -1), family.decoder(z, None)).logsumexp(0) - math.log(len(z))
        # An untrained q is too narrow for three clusters, so few samples carry much weight; log 3 would be another matter.
        assert estimate[number].item() == pytest.approx(naive.item(), abs=0.15 if kind is GMVAE else 0.06)


@pytest.mark.slow
@torch.no_grad()
def test_weights_of_several_facets_are_their_product(small):
    """J = 1 is VaDE; of two facets each has its own prior and posterior."""
    family = small.family(MFCVAE, small.problem(d=2, widths=(16, 12)), facets=2, components=2)
    rows = small.rows(n=3)
    generator, noise = torch.Generator().manual_seed(1), small.noise(2)
    weights = torch.stack([family.log_weight(rows.x, rows.u, noise) for _ in range(4000)])
    estimate = weights.logsumexp(0) - math.log(len(weights))
    parts = []
    for mixture in family.mixtures:
        log_weights, (mean, log_var) = mixture.parameters_of()
        chosen = torch.multinomial(log_weights.exp(), 40_000, replacement=True, generator=generator)
        parts.append(mean[chosen] + (log_var[chosen] / 2).exp() * torch.randn(40_000, 1, generator=generator))
    decoded = family.ladder.decode(parts, None)
    for number in range(3):
        naive = family.likelihood.log_prob(rows.x[number : number + 1].expand(len(decoded), -1), decoded).logsumexp(0)
        assert estimate[number].item() == pytest.approx(naive.item() - math.log(40_000), abs=0.06)


def test_accuracy_is_that_of_the_best_of_all_matches():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    assigned = np.where(rng.random(60) < 0.6, (labels + 1) % 3, rng.integers(0, 4, 60))
    best = max(
        np.mean(
            [
                dict(zip(order, range(3), strict=False)).get(cluster) == label
                for cluster, label in zip(assigned, labels, strict=True)
            ]
        )
        for order in itertools.permutations(range(4), 3)
    )
    found = agreement(assigned, labels)
    assert found["cluster_accuracy"] == pytest.approx(best)
    assert found["cluster_nmi"] == pytest.approx(normalized_mutual_info_score(labels, assigned))


def posterior_of(mean, log_var):
    return Posterior(torch.tensor(mean), torch.tensor(log_var))


def test_the_rank_of_l():
    same = prior_rank(posterior_of([[1.0, 2.0]] * 4, [[0.0, 0.5]] * 4))
    assert (same["prior_rank"], same["prior_full_rank"], same["prior_condition"]) == (0, 4, math.inf)
    line = prior_rank(posterior_of([[0.0, 0.0]] * 3, [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]))  # mean of zero: k = 1
    assert (line["prior_rank"], line["prior_full_rank"]) == (1, 2)
    generator = torch.Generator().manual_seed(0)
    mean, log_var = torch.randn(2, 9, 2, generator=generator)
    natural = torch.cat([mean / log_var.exp(), -0.5 / log_var.exp()], 1).double()
    values = np.linalg.svd((natural[1:] - natural[0]).T.numpy(), compute_uv=False)
    full = prior_rank(Posterior(mean, log_var))
    assert full["prior_rank"] == 4
    assert full["prior_condition"] == pytest.approx(values[0] / values[-1], rel=1e-4)
    few = prior_rank(Posterior(mean[:3], log_var[:3]))
    assert (few["prior_rank"], few["prior_condition"]) == (2, math.inf)
    assert prior_rank(None) == {}


def test_clusters_without_a_row_are_counted(rows):
    class Clustered(Linear):
        def clusters(self, x, _u):
            return torch.nn.functional.one_hot((x[:, 0] > 0).long(), 5).float()

        def mixture_prior(self):
            return Mixture(torch.full((5,), 0.2).log(), Posterior(torch.zeros(5, 2), torch.zeros(5, 2)))

    found = collapse(Clustered(), rows, (rows.x[:, 0] > 0).numpy(), 0)
    assert (found.scores["clusters"], found.scores["dead_clusters"]) == (5, 3)
    assert found.scores["cluster_accuracy"] == 1
    assert found.scores["prior_rank"] == 0
    np.testing.assert_allclose(found.prior["weight"], 0.2)
    assert list(found.prior) == ["weight", "mean0", "mean1", "log_var0", "log_var1"]


def test_families_without_densities_have_no_likelihood(rows):
    class Point(Linear):
        def log_weight(self, *_):
            return None

        def divergence(self, *_):
            return None

    assert collapse(Point(), rows, None, 0) == module.Collapse({}, {}, {})

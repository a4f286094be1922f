"""GMVAE: clusters y and a Gaussian w within each, p(y) = 1/K, p(w|y) = N(μ_y, Σ_y), p(x|w) (Dilokthanakul et al. 2016, Shu 2016).

Maximises, as Wang et al. 2021 §2.2 do,

    E_q(y|x) q(w|x,y) [log p(x|w) + log p(w|y) − log q(w|x,y)] − KL(q(y|x) ‖ 1/K),

with the expectation over y as a sum over all K clusters: a step costs K decoder passes. q(y|x) is a softmax layer on what a
second encoder gives. The latents are the moments of Σ_y q(y|x) q(w|x,y).
"""

import math

import torch
from torch import Tensor, nn

from stabaudit.config import Positive
from stabaudit.families.base import (
    Batch,
    Family,
    Mixture,
    Problem,
    decoded_mean,
    elbo_terms,
    gaussian_log_density,
    log_prob_given_z,
    xavier_uniform,
)
from stabaudit.families.mixture import check_components
from stabaudit.families.posteriors import PosteriorKind, closed_kl, flow_of, moments, sample
from stabaudit.nets.base import Noise, Posterior, bounded


class GMVAE(Family):
    """Gaussian-mixture variational autoencoder.

    Args:
        problem: what it is built for.
        components: number K of clusters.
        posterior: of w, "gaussian" (diagonal), "full" (covariance) or "realnvp".
    """

    mixture_mean: Tensor

    def __init__(self, problem: Problem, *, components: Positive = 10, posterior: PosteriorKind = "gaussian") -> None:
        super().__init__()
        check_components(components, problem.rows)
        self.components = components
        self.encoder, self.decoder = problem.networks(components)
        self.classifier, _ = problem.networks(0)
        self.classes = nn.Linear(2 * problem.latent_dim, components)
        self.flow = flow_of(posterior, problem.latent_dim)
        self.likelihood = problem.likelihood
        self.mixture_mean = xavier_uniform(components, problem.latent_dim)
        self.mixture_log_var = xavier_uniform(components, problem.latent_dim)

    def cluster_prior(self) -> Posterior:
        """p(w|y) for every y: mean and log-variance, shape (K, d) both."""
        return Posterior(self.mixture_mean, bounded(self.mixture_log_var).expand_as(self.mixture_mean))

    def log_clusters(self, x: Tensor, noise: Noise | None) -> Tensor:
        """Log q(y|x) for x of shape (batch, *x_shape); result shape (batch, K)."""
        scores: Tensor = self.classes(torch.cat(self.classifier(x, None, noise), 1))
        return scores.log_softmax(1)

    def within(self, x: Tensor, noise: Noise | None) -> Posterior:
        """The encoder's Gaussian of w for every x and y, all y of one x after another, shape (batch·K, d)."""
        clusters = torch.eye(self.components, dtype=x.dtype, device=x.device).repeat(len(x), 1)
        posterior: Posterior = self.encoder(self._for_all_clusters(x), clusters, noise)
        return posterior

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative ELBO with its two parts, and the share of the clusters in the second."""
        log_clusters = self.log_clusters(batch.x, batch.noise)
        posterior = self.within(batch.x, batch.noise)
        w, log_density = sample(posterior, batch.noise, self.flow)
        log_likelihood = log_prob_given_z(self.likelihood, self.decoder, self._for_all_clusters(batch.x), w, batch.noise)
        prior = Posterior(*(parameter.repeat(len(batch.x), 1) for parameter in self.cluster_prior()))
        kl = closed_kl(posterior, self.flow, *prior)
        kl = log_density - gaussian_log_density(w, *prior) if kl is None else kl
        clusters = log_clusters.exp()
        kl_clusters = (clusters * (log_clusters + math.log(self.components))).sum(1)
        expected = [(clusters * value.unflatten(0, clusters.shape)).sum(1) for value in (log_likelihood, kl)]
        return elbo_terms(expected[0], expected[1] + kl_clusters) | {"kl_clusters": kl_clusters.mean()}

    def decode(self, z: Tensor) -> Tensor | None:
        """Mean of p(x|z)."""
        return decoded_mean(self.likelihood, self.decoder, z)

    def log_weight(self, x: Tensor, u: Tensor, noise: Noise) -> Tensor:  # noqa: ARG002 -- p(x) does not depend on u
        """One importance weight per row: a sample of w for every cluster, and the sum over clusters taken exactly."""
        w, log_density = sample(self.within(x, None), noise, self.flow)
        log_likelihood = log_prob_given_z(self.likelihood, self.decoder, self._for_all_clusters(x), w, None)
        prior = Posterior(*(parameter.repeat(len(x), 1) for parameter in self.cluster_prior()))
        log_weight = log_likelihood + gaussian_log_density(w, *prior) - log_density
        summed: Tensor = log_weight.unflatten(0, (len(x), self.components)).logsumexp(1)
        return summed - math.log(self.components)

    def clusters(self, x: Tensor, u: Tensor) -> Tensor:  # noqa: ARG002 -- this encoder has no use for u
        """The classifier's q(y|x)."""
        return self.log_clusters(x, None).exp()

    def mixture_prior(self) -> Mixture:
        """Equal weights, and p(w|y)."""
        prior = self.cluster_prior()
        return Mixture(prior.mean.new_full((self.components,), -math.log(self.components)), prior)

    def encode(self, x: Tensor, u: Tensor) -> Posterior:  # noqa: ARG002 -- this encoder has no use for u
        """Moments of w under q(y|x) q(w|x,y)."""
        clusters = self.log_clusters(x, None).exp().unsqueeze(2)
        mean, log_var = (value.unflatten(0, clusters.shape[:2]) for value in moments(self.within(x, None), self.flow))
        total = (clusters * mean).sum(1)
        variance = (clusters * (log_var.exp() + (mean - total.unsqueeze(1)).square())).sum(1)
        return Posterior(total, variance.log())

    def _for_all_clusters(self, x: Tensor) -> Tensor:
        """Every row of x for every cluster, shape (batch·K, *x_shape)."""
        return x.unsqueeze(1).expand(-1, self.components, *x.shape[1:]).flatten(0, 1)

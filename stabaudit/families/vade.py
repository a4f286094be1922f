"""VaDE: a VAE with a learned Gaussian-mixture prior (Jiang et al. 2017; objective as in Willetts et al. 2021, eq. 6).

Maximises E_q [log p(x|z) − log q(z|x) + log Σ_c π_c N(z; μ_c, Σ_c)] with a single sample of z; the mixture is summed by
log-sum-exp. This is the bound of Jiang et al. with q(c|x) at its optimum p(c|z), where their separate divergence over clusters is
zero (Falck et al. 2021).
"""

import torch
from torch import Tensor, nn

from stabaudit.config import Positive
from stabaudit.families.base import (
    Batch,
    Family,
    Problem,
    elbo_terms,
    gaussian_log_density,
    reparameterise,
    xavier_uniform,
)
from stabaudit.nets.base import Posterior, bounded


class VaDE(Family):
    """Variational deep embedding.

    Args:
        problem: what it is built for.
        components: number K of mixture components; the papers use 40 (MNIST, synthetic) and 100 (CIFAR-10, SVHN).
    """

    def __init__(self, problem: Problem, *, components: Positive = 40) -> None:
        super().__init__()
        self.encoder, self.decoder = problem.networks(0)
        self.likelihood = problem.likelihood
        self.mixture_logits = nn.Parameter(torch.zeros(components))
        self.mixture_mean = xavier_uniform(components, problem.latent_dim)
        self.mixture_log_var = xavier_uniform(components, problem.latent_dim)

    def log_prior(self, z: Tensor) -> Tensor:
        """Log density of the mixture at z, shape (batch, d); result shape (batch,)."""
        component = gaussian_log_density(z.unsqueeze(1), self.mixture_mean, bounded(self.mixture_log_var))
        return torch.logsumexp(component + self.mixture_logits.log_softmax(0), dim=1)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative ELBO with its two parts."""
        posterior: Posterior = self.encoder(batch.x, None, batch.noise)
        z = reparameterise(posterior, batch.noise)
        log_likelihood = self.likelihood.log_prob(batch.x, self.decoder(z, batch.noise))
        return elbo_terms(log_likelihood, gaussian_log_density(z, *posterior) - self.log_prior(z))

    def encode(self, x: Tensor, u: Tensor) -> Posterior:  # noqa: ARG002 -- this encoder has no use for u
        """Posterior q(z|x)."""
        posterior: Posterior = self.encoder(x, None, None)
        return posterior

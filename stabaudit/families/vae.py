"""VAE: E_q log p(x|z) − KL(q(z|x) ‖ p(z)) with a fixed prior (Kingma & Welling 2014).

The prior is N(0, I), or a standard Laplace distribution (Khemakhem et al. 2019, §5); the posterior is a diagonal Gaussian, one
with a full covariance, or a RealNVP applied to one (Wang et al. 2021, §4.1). The divergence between Gaussians is in closed form;
any other is estimated from the one sample that the reconstruction uses.
"""

import math
from typing import Literal

from torch import Tensor

from stabaudit.families.base import (
    Batch,
    Family,
    PriorKind,
    Problem,
    decoded_mean,
    divergence_by_dimension,
    elbo_terms,
    gaussian_log_density,
    log_prob_given_z,
)
from stabaudit.families.posteriors import PosteriorKind, closed_kl, flow_of, moments, sample
from stabaudit.nets.base import Noise, Posterior


class VAE(Family):
    """Variational autoencoder.

    Args:
        problem: what it is built for.
        prior: "gaussian" for N(0, I) or "laplace" for independent Laplace(0, 1).
        posterior: "gaussian" (diagonal), "full" (covariance) or "realnvp".
    """

    def __init__(
        self,
        problem: Problem,
        *,
        prior: Literal["gaussian", "laplace"] = "gaussian",
        posterior: PosteriorKind = "gaussian",
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = problem.networks(0)
        self.flow = flow_of(posterior, problem.latent_dim)
        self.likelihood = problem.likelihood
        self.prior: Literal["gaussian", "laplace"] = prior

    def prior_kind(self) -> PriorKind:
        """As it was chosen."""
        return self.prior

    def log_prior(self, z: Tensor) -> Tensor:
        """Log density of the prior at z, shape (batch, d); result shape (batch,)."""
        if self.prior == "gaussian":
            return gaussian_log_density(z, z.new_zeros(()), z.new_zeros(()))
        return -(z.abs() + math.log(2)).sum(-1)

    def posterior(self, x: Tensor, noise: Noise | None) -> Posterior:
        """The encoder's Gaussian, before any flow, shape (batch, d) both; without noise there is no dropout."""
        found: Posterior = self.encoder(x, None, noise)
        return found

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative ELBO with its two parts."""
        posterior = self.posterior(batch.x, batch.noise)
        z, log_density = sample(posterior, batch.noise, self.flow)
        log_likelihood = log_prob_given_z(self.likelihood, self.decoder, batch.x, z, batch.noise)
        kl = closed_kl(posterior, self.flow) if self.prior == "gaussian" else None
        return elbo_terms(log_likelihood, log_density - self.log_prior(z) if kl is None else kl)

    def decode(self, z: Tensor) -> Tensor | None:
        """Mean of p(x|z)."""
        return decoded_mean(self.likelihood, self.decoder, z)

    def log_weight(self, x: Tensor, u: Tensor, noise: Noise) -> Tensor:  # noqa: ARG002 -- p(x) does not depend on u
        """One importance weight per row."""
        z, log_density = sample(self.posterior(x, None), noise, self.flow)
        return log_prob_given_z(self.likelihood, self.decoder, x, z, None) + self.log_prior(z) - log_density

    def divergence(self, x: Tensor, u: Tensor) -> Tensor | None:  # noqa: ARG002 -- nor does its prior
        """In closed form where both are diagonal Gaussians."""
        closed = self.prior == "gaussian" and self.flow is None
        return divergence_by_dimension(self.posterior(x, None)) if closed else None

    def encode(self, x: Tensor, u: Tensor) -> Posterior:  # noqa: ARG002 -- this encoder has no use for u
        """Posterior q(z|x)."""
        return moments(self.posterior(x, None), self.flow)

"""VAE: E_q log p(x|z) − KL(q(z|x) ‖ p(z)) with a fixed prior (Kingma & Welling 2014).

The prior is N(0, I), with the divergence in closed form, or a standard Laplace distribution (Khemakhem et al. 2019, §5), with the
divergence estimated from the one sample that the reconstruction uses.
"""

import math
from typing import Literal

from torch import Tensor

from stabaudit.families.base import (
    Batch,
    Family,
    Problem,
    elbo_terms,
    gaussian_kl,
    gaussian_log_density,
    reparameterise,
)
from stabaudit.nets.base import Posterior


class VAE(Family):
    """Variational autoencoder.

    Args:
        problem: what it is built for.
        prior: "gaussian" for N(0, I) or "laplace" for independent Laplace(0, 1).
    """

    def __init__(self, problem: Problem, *, prior: Literal["gaussian", "laplace"] = "gaussian") -> None:
        super().__init__()
        self.encoder, self.decoder = problem.networks(0)
        self.likelihood = problem.likelihood
        self.prior = prior

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative ELBO with its two parts."""
        posterior: Posterior = self.encoder(batch.x, None, batch.noise)
        z = reparameterise(posterior, batch.noise)
        log_likelihood = self.likelihood.log_prob(batch.x, self.decoder(z, batch.noise))
        if self.prior == "gaussian":
            return elbo_terms(log_likelihood, gaussian_kl(posterior))
        log_prior = -(z.abs() + math.log(2)).sum(-1)
        return elbo_terms(log_likelihood, gaussian_log_density(z, *posterior) - log_prior)

    def encode(self, x: Tensor, u: Tensor) -> Posterior:  # noqa: ARG002 -- this encoder has no use for u
        """Posterior q(z|x)."""
        posterior: Posterior = self.encoder(x, None, None)
        return posterior

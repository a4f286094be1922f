"""iVAE: a VAE whose prior is conditioned on an auxiliary variable u (Khemakhem et al. 2019, eq. 8).

Maximises E_q(z|x,u) [log p(x|z) + log p(z|u) − log q(z|x,u)], the divergence between Gaussians in closed form. p(z|u) is
a diagonal Gaussian: with zero mean its sufficient statistic is z² (k = 1), with a learned mean z and z² (k = 2).

The code published with the paper maximises something else, with the divergence in the three parts of Chen et al. 2018 and q(z)
estimated by minibatch weighted sampling: 100·log p(x|z) − 1·MI − 0·TC − 10·dimension-wise KL. That is the option `weights`.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from stabaudit.config import Option, Positive
from stabaudit.errors import UsageError
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
from stabaudit.families.decomposition import decompose, weighted
from stabaudit.families.posteriors import PosteriorKind, closed_kl, flow_of, moments, sample
from stabaudit.nets.base import MLP, Noise, Posterior, bounded

PUBLISHED = (100.0, 1.0, 0.0, 10.0)  # of reconstruction, MI, TC and dimension-wise KL in the published configuration


class IVAE(Family):
    """Identifiable variational autoencoder.

    Args:
        problem: what it is built for; the data must have u.
        prior_mean: "zero" (k = 1) or "learned" (k = 2).
        prior_network: "table" is linear in u: a free value per category of a one-hot u. "mlp" is a network of u, which is what a
            u of numbers gets where nothing is set.
        prior_widths: hidden sizes of that network.
        encoder_u: the encoder sees u besides x.
        weights: "elbo" or "published", see above.
        posterior: "gaussian" (diagonal, as in the paper), "full" (covariance) or "realnvp".

    Raises:
        UsageError: the published objective with another posterior than the diagonal one, which its three parts need.
    """

    needs_u: ClassVar[bool] = True

    def __init__(
        self,
        problem: Problem,
        *,
        prior_mean: Literal["zero", "learned"] = "zero",
        prior_network: Literal["table", "mlp"] = "table",
        prior_widths: tuple[Positive, ...] = (50, 50),
        encoder_u: bool = True,
        weights: Literal["elbo", "published"] = "elbo",
        posterior: PosteriorKind = "gaussian",
    ) -> None:
        super().__init__()
        if weights == "published" and posterior != "gaussian":
            raise UsageError(f"weights=published needs the diagonal posterior, not {posterior!r}; use posterior=gaussian")
        self.weights = weights
        self.rows, self.of_categories = problem.rows, problem.categories
        self.sees_u = encoder_u
        self.encoder, self.decoder = problem.networks(problem.u_dim if encoder_u else 0)
        self.flow = flow_of(posterior, problem.latent_dim)
        self.likelihood = problem.likelihood
        self.latent_dim, self.prior_inputs = problem.latent_dim, problem.u_dim
        self.statistics = {"zero": 1, "learned": 2}[prior_mean]
        hidden = prior_widths if prior_network == "mlp" else ()
        self.prior = MLP([problem.u_dim, *hidden, self.statistics * problem.latent_dim], "leaky-relu")
        nn.init.zeros_(self.prior.out.bias)

    def prior_kind(self) -> PriorKind:
        """It depends on u."""
        return "conditional"

    def conditional_prior(self, u: Tensor) -> Posterior:
        """p(z|u) for u of shape (batch, k): mean and log-variance, both of shape (batch, d)."""
        *mean, log_var = self.prior(u).chunk(self.statistics, 1)
        return Posterior(mean[0] if mean else log_var.new_zeros(()), bounded(log_var))

    def conditional_priors(self) -> Posterior | None:
        """P(z|u) at every one-hot u; None where u is a number, which has no such list."""
        if not self.of_categories:
            return None
        mean, log_var = self.conditional_prior(torch.eye(self.prior_inputs, device=self.prior.out.weight.device))
        return Posterior(mean.expand_as(log_var), log_var)

    def decode(self, z: Tensor) -> Tensor | None:
        """Mean of p(x|z)."""
        return decoded_mean(self.likelihood, self.decoder, z)

    def log_weight(self, x: Tensor, u: Tensor, noise: Noise) -> Tensor:
        """One importance weight per row."""
        z, log_density = sample(self.base(x, u, None), noise, self.flow)
        log_prior = gaussian_log_density(z, *self.conditional_prior(u))
        return log_prob_given_z(self.likelihood, self.decoder, x, z, None) + log_prior - log_density

    def divergence(self, x: Tensor, u: Tensor) -> Tensor | None:
        """In closed form where the posterior is diagonal."""
        return None if self.flow is not None else divergence_by_dimension(self.base(x, u, None), *self.conditional_prior(u))

    @classmethod
    def options_for_numbers(cls) -> dict[str, Option]:
        """A network of u: a table would be linear in it."""
        return {"prior_network": "mlp"}

    def warnings(self, u_values: int) -> list[str]:
        """Say when u has too few values for the matrix L of the identifiability theorem (Khemakhem et al. 2019, Theorem 1)."""
        needed = self.statistics * self.latent_dim + 1
        if u_values >= needed:
            return []
        return [f"u takes {u_values} values; identifiability of {self.latent_dim} dimensions needs {needed} (k·d + 1)"]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative ELBO, or the published objective, with the two parts of the ELBO."""
        posterior = self.base(batch.x, batch.u, batch.noise)
        z, log_density = sample(posterior, batch.noise, self.flow)
        log_likelihood = log_prob_given_z(self.likelihood, self.decoder, batch.x, z, batch.noise)
        prior = self.conditional_prior(batch.u)
        log_prior, kl = gaussian_log_density(z, *prior), closed_kl(posterior, self.flow, *prior)
        terms = elbo_terms(log_likelihood, log_density - log_prior if kl is None else kl)
        if self.weights == "elbo":
            return terms
        parts = decompose(z, posterior, log_density, log_prior, weighted(z, self.rows))
        of_reconstruction, *of_parts = PUBLISHED
        divergence = torch.stack([weight * part.mean() for weight, part in zip(of_parts, parts, strict=True)]).sum()
        return terms | {"loss": of_reconstruction * terms["reconstruction"] + divergence}

    def base(self, x: Tensor, u: Tensor, noise: Noise | None) -> Posterior:
        """The encoder's Gaussian, which is the posterior itself where there is no flow."""
        posterior: Posterior = self.encoder(x, u if self.sees_u else None, noise)
        return posterior

    def encode(self, x: Tensor, u: Tensor) -> Posterior:
        """Posterior q(z|x,u), or q(z|x) when the encoder does not see u."""
        return moments(self.base(x, u, None), self.flow)

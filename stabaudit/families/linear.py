"""Linear-Gaussian models: z has a Gaussian or mixture prior, x = W z + b + ε, ε ~ N(0, σ² I); everything in closed form.

For a component of the prior with mean μ and variances λ:

    P = diag λ⁻¹ + WᵀW/σ²,   m = P⁻¹ (μ/λ + Wᵀ(x − b)/σ²),   p(z|x) = N(m, P⁻¹),   p(x) = p(x|m) p(m) / N(m; m, P⁻¹)

The last is Bayes' rule at z = m (Chib 1995): it needs no determinant of the size of x, and errors of m count only squared.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from stabaudit.errors import UsageError
from stabaudit.families import hmc
from stabaudit.families.base import Batch, Family, Problem, gaussian_log_density
from stabaudit.nets.base import Noise, Posterior
from stabaudit.nets.likelihoods import Gaussian

Inference = Literal["exact", "hmc"]
Draws = Annotated[int, Field(ge=2)]


@dataclass(frozen=True)
class Inferred:
    """Posteriors of a batch under K Gaussian priors.

    Args:
        mean: m, shape (batch, K, d).
        covariance: P⁻¹, which does not depend on x, shape (K, d, d).
        log_evidence: log p(x), in nats, shape (batch, K).
    """

    mean: Tensor
    covariance: Tensor
    log_evidence: Tensor


def infer(x: Tensor, loadings: Tensor, offset: Tensor, noise_log_var: Tensor, prior: Posterior) -> Inferred:
    """Posterior and evidence of every row under every prior.

    Args:
        x: rows, shape (batch, D).
        loadings: W, shape (D, d).
        offset: b, shape (D,).
        noise_log_var: log σ², a scalar.
        prior: means and log-variances of K priors, shape (K, d) both.
    """
    signal = (-noise_log_var).exp() * loadings.T
    prior_precision = (-prior.log_var).exp()
    # Without a check for definiteness, for which a step would have to wait: the prior makes P definite.
    factor = torch.linalg.cholesky_ex(torch.diag_embed(prior_precision) + signal @ loadings).L
    covariance = torch.cholesky_inverse(factor)
    information = ((x - offset) @ signal.T).unsqueeze(1) + prior.mean * prior_precision
    mean = (covariance @ information.unsqueeze(-1)).squeeze(-1)
    log_joint = gaussian_log_density(x.unsqueeze(1), mean @ loadings.T + offset, noise_log_var)
    log_joint = log_joint + gaussian_log_density(mean, prior.mean, prior.log_var)
    log_posterior = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1) - 0.5 * mean.shape[-1] * math.log(2 * math.pi)
    return Inferred(mean, covariance, log_joint - log_posterior)


class LinearModel(Family):
    """A linear-Gaussian model with a Gaussian or mixture prior; maximises log p(x).

    Args:
        name: of the family, for messages.
        problem: what it is built for; the likelihood must be Gaussian, its variance is σ².
        inference: the posterior in closed form ("exact") or by Hamiltonian Monte Carlo ("hmc").
        hmc_samples: draws of the latter.

    Raises:
        UsageError: another likelihood, more latent dimensions than x has, or no pyro where it is needed.
    """

    own: ClassVar = frozenset({"architecture"})
    exact_likelihood: ClassVar = True
    likelihoods: ClassVar = ("gaussian",)

    def __init__(self, name: str, problem: Problem, inference: Inference, hmc_samples: int) -> None:
        super().__init__()
        width, d = math.prod(problem.x_shape), problem.latent_dim
        if not isinstance(problem.likelihood, Gaussian):
            raise UsageError(f"family {name!r} has Gaussian noise and no other: --likelihood gaussian")
        if d > width:
            raise UsageError(f"family {name!r} has at most as many latent dimensions as x: --latent-dim {width}")
        if inference == "hmc":
            hmc.require_pyro()
        self.likelihood = problem.likelihood
        self.loadings = nn.Parameter(torch.randn(width, d) / math.sqrt(d))
        self.offset = nn.Parameter(torch.zeros(width))
        self.inference, self.hmc_samples = inference, hmc_samples

    @abstractmethod
    def components(self) -> tuple[Tensor, Posterior]:
        """Log-weights, shape (K,), and means and log-variances, shape (K, d) both, of the prior's components."""

    def infer(self, x: Tensor) -> Inferred:
        """Posterior of x, shape (batch, *x_shape), under every component, and the evidence times the component's weight."""
        log_weights, prior = self.components()
        inferred = infer(x.flatten(1), self.loadings, self.offset, self.likelihood.log_var, prior)
        return Inferred(inferred.mean, inferred.covariance, inferred.log_evidence + log_weights)

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """Log p(x, z), shape (batch,), for z of shape (batch, d)."""
        log_weights, prior = self.components()
        log_prior = torch.logsumexp(gaussian_log_density(z.unsqueeze(1), *prior) + log_weights, 1)
        return log_prior + gaussian_log_density(x.flatten(1), z @ self.loadings.T + self.offset, self.likelihood.log_var)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative log-likelihood."""
        return {"loss": -torch.logsumexp(self.infer(batch.x).log_evidence, 1).mean()}

    def decode(self, z: Tensor) -> Tensor:
        """Mean of p(x|z), W z + b."""
        return z @ self.loadings.T + self.offset

    def log_weight(self, x: Tensor, u: Tensor, noise: Noise) -> Tensor:  # noqa: ARG002 -- exact
        """Log p(x)."""
        return torch.logsumexp(self.infer(x).log_evidence, 1)

    def encode(self, x: Tensor, u: Tensor) -> Posterior:  # noqa: ARG002 -- this model has no use for u
        """Mean and log-variance of p(z|x)."""
        if self.inference == "hmc":
            return hmc.moments(self.log_joint, x, self.loadings.shape[1], self.hmc_samples)
        inferred = self.infer(x)
        weight = inferred.log_evidence.softmax(1).unsqueeze(-1)
        mean = (weight * inferred.mean).sum(1)
        within = inferred.covariance.diagonal(dim1=-2, dim2=-1)
        variance = (weight * (within + (inferred.mean - mean.unsqueeze(1)).square())).sum(1)
        return Posterior(mean, variance.log())

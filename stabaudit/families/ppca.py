"""PPCA: probabilistic principal component analysis (Tipping & Bishop 1999; Wang et al. 2021, §4.2).

    z ~ N(0, I),   x = W z + b + ε,   ε ~ N(0, σ² I);   maximises log p(x) = log N(x; b, W Wᵀ + σ² I)

The latents are moments of the true posterior p(z|x). W is determined only up to a rotation of z, and z with it: the axes of two
trainings agree no better than turned ones. As σ grows the posterior approaches the prior.
"""

import torch
from torch import Tensor

from stabaudit.families.base import Batch, PriorKind, Problem, divergence_by_dimension
from stabaudit.families.linear import Draws, Inference, LinearModel
from stabaudit.nets.base import Posterior


class PPCA(LinearModel):
    """Probabilistic principal component analysis.

    Args:
        problem: what it is built for; the variance of its Gaussian likelihood is σ².
        inference: the posterior in closed form ("exact") or by Hamiltonian Monte Carlo ("hmc").
        hmc_samples: draws of the latter.
    """

    def __init__(self, problem: Problem, *, inference: Inference = "exact", hmc_samples: Draws = 500) -> None:
        super().__init__("ppca", problem, inference, hmc_samples)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative log-likelihood, and the divergence of the whole posterior from the prior."""
        inferred = self.infer(batch.x)
        trace = inferred.covariance.diagonal(dim1=-2, dim2=-1).sum(-1) - torch.linalg.slogdet(inferred.covariance).logabsdet
        kl = 0.5 * (trace + inferred.mean.square().sum(-1) - self.loadings.shape[1])
        return {"loss": -inferred.log_evidence.mean(), "kl": kl.mean().detach()}

    def divergence(self, x: Tensor, u: Tensor) -> Tensor:
        """Of each dimension's own posterior."""
        return divergence_by_dimension(self.encode(x, u))

    def prior_kind(self) -> PriorKind:
        """N(0, I)."""
        return "gaussian"

    def components(self) -> tuple[Tensor, Posterior]:
        """One standard Gaussian."""
        zero = self.loadings.new_zeros(1, self.loadings.shape[1])
        return zero[:, 0], Posterior(zero, zero)

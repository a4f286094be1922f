"""GMM: a Gaussian mixture, as a linear model whose prior is one (Wang et al. 2021, appendix A; Baek, McLachlan & Flack 2010).

    z ~ Σ_c π_c N(μ_c, diag λ_c),   x = W z + b + ε,   ε ~ N(0, σ² I)
    maximises log p(x) = log Σ_c π_c N(x; W μ_c + b, W diag λ_c Wᵀ + σ² I)

So x has a Gaussian mixture whose components differ within the span of W, and z, the latent, a Gaussian mixture as posterior. The
discrete component could not be moved by Hamiltonian Monte Carlo; z can. One standard component makes it `ppca`.
"""

import torch
from torch import Tensor, nn

from stabaudit.config import Positive
from stabaudit.families.base import Mixture, Problem
from stabaudit.families.linear import Draws, Inference, LinearModel
from stabaudit.families.mixture import check_components
from stabaudit.nets.base import Posterior, bounded


class GMM(LinearModel):
    """Gaussian mixture with common loadings.

    Args:
        problem: what it is built for; the variance of its Gaussian likelihood is σ².
        components: number of mixture components.
        inference: the posterior in closed form ("exact") or by Hamiltonian Monte Carlo ("hmc").
        hmc_samples: draws of the latter.

    Raises:
        UsageError: more components than training rows, or what `LinearModel` refuses.
    """

    def __init__(
        self, problem: Problem, *, components: Positive = 10, inference: Inference = "exact", hmc_samples: Draws = 500
    ) -> None:
        super().__init__("gmm", problem, inference, hmc_samples)
        check_components(components, problem.rows)
        self.mixture_logits = nn.Parameter(torch.zeros(components))
        self.mixture_mean = nn.Parameter(torch.randn(components, problem.latent_dim))
        self.mixture_log_var = nn.Parameter(torch.zeros(components, problem.latent_dim))

    def mixture_prior(self) -> Mixture:
        """The mixture."""
        return Mixture(*self.components())

    def clusters(self, x: Tensor, u: Tensor) -> Tensor:  # noqa: ARG002 -- this model has no use for u
        """Exact p(c|x)."""
        return self.infer(x).log_evidence.softmax(1)

    def components(self) -> tuple[Tensor, Posterior]:
        """The learned mixture."""
        return self.mixture_logits.log_softmax(0), Posterior(self.mixture_mean, bounded(self.mixture_log_var))

"""GMM-Flow: an autoregressive flow with a Gaussian mixture as its base (Willetts & Paige 2021, appendix F).

    z = f(x),   maximises log p(x) = log Σ_c π_c N(z; μ_c, Σ_c) + log |det ∂f/∂x|

f is zuko's masked autoregressive flow (Papamakarios et al. 2017), which keeps every dimension of x; the latents are z itself. The
components have diagonal covariances. The paper says neither how wide the networks are nor what covariances it takes.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from zuko.flows import MAF

from stabaudit.config import Positive
from stabaudit.errors import UsageError
from stabaudit.families.base import Batch, Family, Mixture, Problem, gaussian_log_density, point, responsibilities
from stabaudit.families.mixture import check_components
from stabaudit.nets.base import Noise, Posterior, bounded


class GMMFlow(Family):
    """Normalising flow with a mixture base.

    Args:
        problem: what it is built for; the latent dimension is that of x.
        transforms: number of autoregressive layers.
        components: number of mixture components.
        widths: hidden sizes of the network in each layer.

    Raises:
        UsageError: another latent dimension than that of x, or more components than training rows.
    """

    own: ClassVar = frozenset({"architecture", "likelihood"})
    exact_likelihood: ClassVar = True

    def __init__(
        self,
        problem: Problem,
        *,
        transforms: Positive = 10,
        components: Positive = 50,
        widths: tuple[Positive, ...] = (64, 64),
    ) -> None:
        super().__init__()
        check_components(components, problem.rows)
        width = math.prod(problem.x_shape)
        if problem.latent_dim != width:
            raise UsageError(f"family 'gmm-flow' keeps all {width} dimensions of x: --latent-dim {width}")
        self.transform = MAF(width, transforms=transforms, hidden_features=widths).transform
        self.mixture_logits = nn.Parameter(torch.zeros(components))
        self.mixture_mean = nn.Parameter(torch.randn(components, width))
        self.mixture_log_var = nn.Parameter(torch.zeros(components, width))

    @classmethod
    def only_latent_dim(cls, x_shape: tuple[int, ...]) -> int:
        """As many as x has elements."""
        return math.prod(x_shape)

    def log_base(self, z: Tensor) -> Tensor:
        """Log density of the mixture at z, shape (batch, D); result shape (batch,)."""
        component = gaussian_log_density(z.unsqueeze(1), self.mixture_mean, bounded(self.mixture_log_var))
        return torch.logsumexp(component + self.mixture_logits.log_softmax(0), dim=1)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative log-likelihood with its two parts."""
        z, log_determinant = self.transform().call_and_ladj(batch.x.flatten(1))
        base, volume = -self.log_base(z).mean(), -log_determinant.mean()
        return {"loss": base + volume, "base": base, "volume": volume}

    def log_weight(self, x: Tensor, u: Tensor, noise: Noise) -> Tensor:  # noqa: ARG002 -- exact
        """Log p(x)."""
        z, log_determinant = self.transform().call_and_ladj(x.flatten(1))
        density: Tensor = self.log_base(z) + log_determinant
        return density

    def mixture_prior(self) -> Mixture:
        """The base."""
        return Mixture(self.mixture_logits.log_softmax(0), Posterior(self.mixture_mean, bounded(self.mixture_log_var)))

    def clusters(self, x: Tensor, u: Tensor) -> Tensor:
        """Responsibilities in the base."""
        return responsibilities(self.encode(x, u).mean, self.mixture_prior())

    def encode(self, x: Tensor, u: Tensor) -> Posterior:  # noqa: ARG002 -- this flow has no use for u
        """The transformed x, which has no variance."""
        return point(self.transform()(x.flatten(1)))

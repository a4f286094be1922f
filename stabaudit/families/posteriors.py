"""How z is drawn from q(z|x): from the encoder's Gaussian itself, or from a flow applied to it.

With a flow f, z = f(z₀; x) with z₀ from the encoder's Gaussian, and log q(z|x) = log N(z₀) − log |det ∂f/∂z₀| (Rezende & Mohamed
2015). The flow sees x through the encoder's mean and log-variance, so that it works with every architecture. It is a RealNVP, or
what turns a diagonal covariance diag σ² into a full one, z = m + M(x) (z₀ − m) with M unit lower triangular.

A diagonal posterior does not only loosen the bound: however small the decoder's noise, it favours decoders whose Jacobian has
orthogonal columns, whatever the truth is (Reizinger et al. 2022).
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from stabaudit.errors import UsageError
from stabaudit.families.base import gaussian_kl, gaussian_log_density, reparameterise
from stabaudit.nets.base import MLP, Noise, Posterior
from stabaudit.nets.realnvp import START, RealNVP

PosteriorKind = Literal["gaussian", "full", "realnvp"]
SMALLEST_VARIANCE = 1e-10
WIDTH = 64  # of the network that gives M


class Correlation(nn.Module):
    """The map z₀ ↦ m + M (z₀ − m), M unit lower triangular: its determinant is 1. It starts near the identity.

    Args:
        dim: of z.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.below = MLP([2 * dim, WIDTH, dim * dim], "leaky-tanh")  # M − I where it is not zero
        with torch.no_grad():
            self.below.out.weight.mul_(START)
            self.below.out.bias.mul_(START)

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Map z given mean and log-variance, shape (batch, 2d), joined: the result and the log-determinant, zero."""
        deviation = z - context[:, : self.dim]
        return z + (self.matrix(context) * deviation.unsqueeze(1)).sum(2), torch.zeros_like(z[:, 0])

    def matrix(self, context: Tensor) -> Tensor:
        """M − I, shape (batch, d, d)."""
        matrix: Tensor = self.below(context).unflatten(1, (self.dim, self.dim)).tril(-1)
        return matrix

    def marginals(self, posterior: Posterior) -> Posterior:
        """Mean and log-variance of every dimension of z."""
        variance = posterior.log_var.exp()
        added = (self.matrix(torch.cat(posterior, 1)).square() * variance.unsqueeze(1)).sum(2)
        return Posterior(posterior.mean, (variance + added).log())


Flow = Correlation | RealNVP


def flow_of(kind: PosteriorKind, latent_dim: int) -> Flow | None:
    """Make the flow of a posterior, None for a diagonal Gaussian.

    Raises:
        UsageError: a flow in one dimension, where RealNVP has no second half to condition on.
    """
    if kind == "gaussian":
        return None
    if kind == "full":
        return Correlation(latent_dim)
    if latent_dim == 1:
        raise UsageError("posterior 'realnvp' needs at least 2 latent dimensions, not 1; use posterior=gaussian")
    return RealNVP(latent_dim, 2 * latent_dim)


def sample(posterior: Posterior, noise: Noise, flow: Flow | None) -> tuple[Tensor, Tensor]:
    """Draw one z per row from the encoder's Gaussian, sent through the flow where there is one.

    Returns:
        z, shape (batch, d), and log q(z|x), shape (batch,).
    """
    z = reparameterise(posterior, noise)
    log_density = gaussian_log_density(z, *posterior)
    if flow is None:
        return z, log_density
    z, log_determinant = flow(z, torch.cat(posterior, 1))
    return z, log_density - log_determinant


def closed_kl(
    posterior: Posterior, flow: Flow | None, mean: Tensor | float = 0.0, log_var: Tensor | None = None
) -> Tensor | None:
    """KL(q(z|x) ‖ N(mean, diag exp log_var)) per row, shape (batch,), where q is Gaussian; None where it is not.

    With a full covariance it is the divergence of the marginals and the total correlation, ½ Σ (log Var zᵢ − log σᵢ²).
    """
    if flow is None:
        return gaussian_kl(posterior, mean, log_var)
    if isinstance(flow, RealNVP):
        return None
    marginals = flow.marginals(posterior)
    return gaussian_kl(marginals, mean, log_var) + 0.5 * (marginals.log_var - posterior.log_var).sum(1)


def moments(posterior: Posterior, flow: Flow | None) -> Posterior:
    """Mean and log-variance of q(z|x), shape (batch, d) both.

    Those of a RealNVP are approximated without chance by the cubature rule of third degree (Arasaratnam & Haykin 2009): the
    moments of f at the 2d points mean ± √d·σ_k along the axes, exact for an affine f.
    """
    if flow is None:
        return posterior
    if isinstance(flow, Correlation):
        return flow.marginals(posterior)
    context, dimensions = torch.cat(posterior, 1), posterior.mean.shape[1]
    steps = torch.diag_embed(math.sqrt(dimensions) * (0.5 * posterior.log_var).exp()).unbind(1)
    center = flow(posterior.mean, context)[0]
    total, square = torch.zeros_like(center), torch.zeros_like(center)
    for step in steps:
        for point in (posterior.mean + step, posterior.mean - step):
            shift = flow(point, context)[0] - center
            total, square = total + shift, square + shift.square()
    shift = total / (2 * dimensions)
    variance = square / (2 * dimensions) - shift.square()
    return Posterior(center + shift, variance.clamp(min=SMALLEST_VARIANCE).log())

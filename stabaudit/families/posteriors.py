"""How z is drawn from q(z|x): from the encoder's Gaussian itself, or from a RealNVP applied to it.

With a flow f, z = f(z₀; x) with z₀ from the encoder's Gaussian, and log q(z|x) = log N(z₀) − log |det ∂f/∂z₀| (Rezende & Mohamed
2015). The flow sees x through the encoder's mean and log-variance, so that it works with every architecture.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from stabaudit.errors import UsageError
from stabaudit.families.base import gaussian_log_density, reparameterise
from stabaudit.nets.base import Noise, Posterior
from stabaudit.nets.realnvp import RealNVP

PosteriorKind = Literal["gaussian", "realnvp"]
SMALLEST_VARIANCE = 1e-10


def flow_of(kind: PosteriorKind, latent_dim: int) -> RealNVP | None:
    """Make the flow of a posterior, None for a Gaussian.

    Raises:
        UsageError: a flow in one dimension, where RealNVP has no second half to condition on.
    """
    if kind == "gaussian":
        return None
    if latent_dim == 1:
        raise UsageError("posterior 'realnvp' needs at least 2 latent dimensions, not 1; use posterior=gaussian")
    return RealNVP(latent_dim, 2 * latent_dim)


def sample(posterior: Posterior, noise: Noise, flow: RealNVP | None) -> tuple[Tensor, Tensor]:
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


def moments(posterior: Posterior, flow: RealNVP | None) -> Posterior:
    """Mean and log-variance of q(z|x), shape (batch, d) both.

    Those of a flow are approximated without chance by the cubature rule of third degree (Arasaratnam & Haykin 2009): the moments
    of f at the 2d points mean ± √d·σ_k along the axes, exact for an affine f.
    """
    if flow is None:
        return posterior
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

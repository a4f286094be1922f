"""RealNVP: an invertible map of affine coupling layers (Dinh et al. 2016), conditioned on a context.

Each layer leaves one half a of its input as it is and sends the other half b to b·exp(s(a, context)) + t(a, context), so that the
log of the Jacobian's determinant is the sum of s. Halves take turns. s is bounded by tanh, and the map starts near the identity.
"""

import torch
from torch import Tensor, nn

from stabaudit.nets.base import MLP

LAYERS, WIDTH = 4, 64
START = 0.1  # how far from the identity the map starts, relative to a network's usual start


class RealNVP(nn.Module):
    """Maps shape (batch, dim) to the same shape.

    Args:
        dim: at least 2.
        context_dim: size of the context.
    """

    def __init__(self, dim: int, context_dim: int) -> None:
        super().__init__()
        self.first = dim // 2
        sizes = [(self.first, dim - self.first), (dim - self.first, self.first)]
        self.couplings = nn.ModuleList()
        for kept, moved in (sizes[number % 2] for number in range(LAYERS)):
            coupling = MLP([kept + context_dim, WIDTH, 2 * moved], "leaky-relu")
            with torch.no_grad():
                coupling.out.weight.mul_(START)
                coupling.out.bias.mul_(START)
            self.couplings.append(coupling)

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Map z given a context of shape (batch, context_dim): the result and the log-determinant per row, shape (batch,)."""
        kept, moved = z[:, : self.first], z[:, self.first :]
        log_determinant = torch.zeros_like(z[:, 0])
        for coupling in self.couplings:
            scale, shift = coupling(torch.cat([kept, context], 1)).chunk(2, 1)
            scale = torch.tanh(scale)
            log_determinant = log_determinant + scale.sum(1)
            kept, moved = moved * scale.exp() + shift, kept
        return torch.cat([kept, moved], 1), log_determinant

"""Injective maps from gradients of input-convex networks (Wang et al. 2021, §3; Amos et al. 2017).

A network with non-negative weights W_l between its layers and convex, non-decreasing activations h_l,

    y_1 = h_0(A_0 u + b_0),   y_{l+1} = h_l(W_l y_l + A_l u + b_l),   T(u) = wᵀ y_L + cᵀ u + (α/2)‖u‖²,   w ≥ 0,

is convex in u, and its gradient g = ∇T is what `ConvexGradient` computes, by the chain rule written out, so that training takes
derivatives of plain operations. The Jacobian of g is the Hessian of T: symmetric, smallest eigenvalue at least α. So g is
strictly monotone, (g(u) − g(v))·(u − v) ≥ α‖u − v‖², hence injective.

Where we differ from Wang et al.: their h_0 is a squared leaky ReLU and their h_l are leaky ReLUs, whose gradients jump; here
h_0 = ½ softplus² and h_l = softplus, smooth. They name no way to keep weights non-negative; here W = softplus(V)/fan-in, which,
unlike clamping, never stops a gradient. The quadratic term makes strict what convexity alone does not.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from stabaudit.config import Positive
from stabaudit.errors import UsageError

Widths = Annotated[tuple[Positive, ...], Field(min_length=1)]


SPREAD = 3.0  # variance of an entry of A_l at the start, times dim: the mean slope of g then starts near one


class ConvexGradient(nn.Module):
    """The gradient g of an input-convex network T, from R^dim to R^dim.

    Args:
        dim: of u.
        widths: hidden sizes, at least one.
        alpha: α > 0, the smallest slope.
    """

    def __init__(self, dim: int, widths: Sequence[int], alpha: float) -> None:
        super().__init__()
        self.alpha = alpha
        self.skip = nn.ParameterList(math.sqrt(SPREAD / dim) * torch.randn(width, dim) for width in widths)  # A_l
        self.bias = nn.ParameterList(torch.randn(width) for width in widths)  # b_l
        self.between = nn.ParameterList(torch.randn(b, a) for a, b in pairwise(widths))  # W_l before it is made non-negative
        self.last = nn.Parameter(torch.randn(widths[-1]))  # w likewise
        self.scale = dim / widths[-1]  # of w: slopes start alike for all sizes
        self.linear = nn.Parameter(torch.zeros(dim))  # c

    def forward(self, u: Tensor) -> Tensor:
        """Map u of shape (batch, dim) to g(u), same shape."""
        direct = [u @ skip.T + bias for skip, bias in zip(self.skip, self.bias, strict=True)]
        weights = [functional.softplus(weight) / weight.shape[1] for weight in self.between]
        before = direct[0]
        y = 0.5 * functional.softplus(before).square()
        slopes = [functional.softplus(before) * torch.sigmoid(before)]
        for weight, term in zip(weights, direct[1:], strict=True):
            before = y @ weight.T + term
            y = functional.softplus(before)
            slopes.append(torch.sigmoid(before))
        # Backwards: ∂T/∂y_L = w, ∂T/∂y_l = W_lᵀ (∂T/∂y_{l+1} ⊙ h_l′), and each layer adds A_lᵀ (∂T/∂y_{l+1} ⊙ h_l′) to g.
        sensitivity = self.scale * functional.softplus(self.last)
        result = self.linear + self.alpha * u
        for number in reversed(range(len(slopes))):
            through = sensitivity * slopes[number]
            result = result + through @ self.skip[number]
            if number:
                sensitivity = through @ weights[number - 1]
        return result


class InjectiveDecoder(nn.Module):
    """z ↦ g₂(βᵀ g₁(z)): two convex gradients with the embedding βᵀ of R^d into R^D between them, which appends D − d zeros.

    Distances shrink at most by α²: ‖f(z) − f(z′)‖ ≥ α² ‖z − z′‖.

    Args:
        x_shape: shape of one observation, D elements.
        latent_dim: d ≤ D.
        widths: hidden sizes of both networks.
        alpha: smallest slope of both.

    Raises:
        UsageError: d > D.
    """

    def __init__(self, x_shape: tuple[int, ...], latent_dim: int, widths: Sequence[int], alpha: float) -> None:
        super().__init__()
        self.x_shape = x_shape
        self.padding = math.prod(x_shape) - latent_dim
        if self.padding < 0:
            raise UsageError(
                f"an injective decoder needs data with at least as many elements as there are latent dimensions, {latent_dim}; "
                f"these have {math.prod(x_shape)}: lower --latent-dim"
            )
        self.inner = ConvexGradient(latent_dim, widths, alpha)
        self.outer = ConvexGradient(math.prod(x_shape), widths, alpha)

    def forward(self, z: Tensor, noise: object = None) -> Tensor:  # noqa: ARG002 -- no dropout here
        """Decode z of shape (batch, d) to shape (batch, *x_shape)."""
        embedded = functional.pad(self.inner(z), (0, self.padding))
        out: Tensor = self.outer(embedded).unflatten(1, self.x_shape)
        return out

"""`mlp`: fully connected encoder and mirrored decoder (Willetts et al. 2021, Table B.2).

Images get the paper's networks: 512, 384, dropout 0.1, 256, 256, then mean and log-variance. Flat vectors get the three-layer
networks of the papers' synthetic experiments: two hidden layers of 100, no dropout (Khemakhem et al. 2019, §5: 50 to 200).
"""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from stabaudit.config import Positive
from stabaudit.nets.base import MLP, Activation, Noise, Posterior, bounded

IMAGE_WIDTHS, IMAGE_DROPOUT = (512, 384, 256, 256), 0.1
VECTOR_WIDTHS = (100, 100)


class Encoder(nn.Module):
    """q(z|x) or q(z|x, context): flattens x, appends the context, ends in two heads."""

    def __init__(self, sizes: list[int], latent_dim: int, activation_name: Activation, drop: float) -> None:
        super().__init__()
        self.body = MLP([*sizes, 2 * latent_dim], activation_name, drop)

    def forward(self, x: Tensor, context: Tensor | None, noise: Noise | None) -> Posterior:
        """Encode x of shape (batch, *x_shape) and a context of shape (batch, k) or None."""
        h = x.flatten(1)
        mean, log_var = self.body(h if context is None else torch.cat([h, context], 1), noise).chunk(2, 1)
        return Posterior(mean, bounded(log_var))


class Decoder(nn.Module):
    """From z to one number per element of x: a mean or a logit."""

    def __init__(self, sizes: list[int], x_shape: tuple[int, ...], activation_name: Activation, drop: float) -> None:
        super().__init__()
        self.x_shape = x_shape
        self.body = MLP([*sizes, math.prod(x_shape)], activation_name, drop)

    def forward(self, z: Tensor, noise: Noise | None) -> Tensor:
        """Decode z of shape (batch, d) to shape (batch, *x_shape)."""
        out: Tensor = self.body(z, noise).unflatten(1, self.x_shape)
        return out


def build(
    x_shape: tuple[int, ...],
    latent_dim: int,
    context_dim: int,
    *,
    widths: tuple[Positive, ...] | None = None,
    activation: Activation = "leaky-relu",
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None,
) -> tuple[nn.Module, nn.Module]:
    """Build encoder and decoder.

    Args:
        x_shape: shape of one observation.
        latent_dim: d.
        context_dim: size of what the encoder sees besides x; 0 for nothing.
        widths: hidden sizes of the encoder, mirrored in the decoder; default by kind of data, see above.
        activation: between layers.
        dropout: probability after the middle hidden layer; default 0.1 for images, 0 for vectors.
    """
    image = len(x_shape) > 1
    hidden = list(widths or (IMAGE_WIDTHS if image else VECTOR_WIDTHS))
    drop = (IMAGE_DROPOUT if image else 0.0) if dropout is None else dropout
    encoder = Encoder([math.prod(x_shape) + context_dim, *hidden], latent_dim, activation, drop)
    return encoder, Decoder([latent_dim, *reversed(hidden)], x_shape, activation, drop)

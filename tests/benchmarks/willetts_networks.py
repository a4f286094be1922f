"""The networks that Willetts & Paige's code trains on MNIST, where they are not those of their paper; each difference an option.

    STABAUDIT_DATA=DATA PYTHONPATH=tests/benchmarks stabaudit audit tests/benchmarks/willetts-networks.toml

The code (github.com/MatthewWilletts/algostability, read on 2026-11-27) takes one half from every pixel before it is encoded;
makes a variance of the encoder's second head by softplus; counts in the likelihood only pixels whose standard deviation over the
training images is above 0.1 (444 of 784); and starts every layer from a batch of data, after Salimans & Kingma 2016
(arXiv:1602.07868, section 3): weights are drawn anew (He et al. 2015, arXiv:1502.01852), then scaled so that each output has
mean 0 and standard deviation 0.1 over the first 64 images.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from stabaudit.data.idx import load_mnist
from stabaudit.data.published_files import DataFolder
from stabaudit.nets.base import MLP, Noise, Posterior, bounded

WIDTHS, DROPOUT = (512, 384, 256, 256), 0.1
SLOPE = 0.1  # of leaky ReLU
VARIED = 0.1  # standard deviation of a pixel that is counted
BATCH, SCALE, SMALLEST = 64, 0.1, 1e-5


class Encoder(nn.Module):
    """Mean and log-variance of q(z|x)."""

    def __init__(self, pixels: int, latent_dim: int, *, centred: bool, softplus: bool) -> None:
        super().__init__()
        self.body = MLP([pixels, *WIDTHS, 2 * latent_dim], "leaky-relu", DROPOUT)
        self.centred, self.softplus = centred, softplus

    def forward(self, x: Tensor, context: Tensor | None, noise: Noise | None) -> Posterior:  # noqa: ARG002 -- no u is encoded
        """Encode x of shape (batch, *x_shape)."""
        h = x.flatten(1) - 0.5 if self.centred else x.flatten(1)
        mean, second = self.body(h, noise).chunk(2, 1)
        return Posterior(mean, functional.softplus(second).log() if self.softplus else bounded(second))


class Decoder(nn.Module):
    """Logits of the pixels; those that are not counted have a logit that nothing moves."""

    counted: Tensor

    def __init__(self, x_shape: tuple[int, ...], latent_dim: int, counted: Tensor) -> None:
        super().__init__()
        self.x_shape = x_shape
        self.body = MLP([latent_dim, *reversed(WIDTHS), len(counted)], "leaky-relu", DROPOUT)
        self.register_buffer("counted", counted)

    def forward(self, z: Tensor, noise: Noise | None) -> Tensor:
        """Decode z of shape (batch, d)."""
        return (self.body(z, noise) * self.counted).unflatten(1, self.x_shape)


def start(body: MLP, h: Tensor) -> Tensor:
    """Draw weights and scale them by what a batch makes of them; the outputs for the batch."""
    for layer in [*body.hidden, body.out]:
        nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
        out = layer(h)
        scale = SCALE / (out.var(0) + SMALLEST).sqrt()
        layer.bias.copy_(-out.mean(0) * scale)
        layer.weight.mul_(scale[:, None])
        out = layer(h)
        h = functional.leaky_relu(out, SLOPE)
    return out


def build(
    x_shape: tuple[int, ...],
    latent_dim: int,
    context_dim: int,
    *,
    centred: bool = False,
    softplus: bool = False,
    varied_pixels: bool = False,
    start_from_data: bool = False,
) -> tuple[nn.Module, nn.Module]:
    """Build encoder and decoder for MNIST, whose files lie in the folder STABAUDIT_DATA.

    Args:
        x_shape: (1, 28, 28).
        latent_dim: d.
        context_dim: not used, no u is encoded.
        centred: take one half from each pixel before it is encoded.
        softplus: the variance is softplus of the second head, not its exponential.
        varied_pixels: only pixels that vary are in the likelihood.
        start_from_data: scale the first weights by a batch.
    """
    images = load_mnist(DataFolder.locate()).train.x.reshape(-1, int(np.prod(x_shape)))
    varied = images.std(0) > VARIED if varied_pixels else np.ones(images.shape[1])
    encoder = Encoder(images.shape[1], latent_dim, centred=centred, softplus=softplus)
    decoder = Decoder(x_shape, latent_dim, torch.as_tensor(varied, dtype=torch.float32))
    if start_from_data:
        with torch.no_grad():
            batch = torch.as_tensor(images[:BATCH])
            mean, second = start(encoder.body, batch - 0.5 if centred else batch).chunk(2, 1)
            deviation = functional.softplus(second).sqrt() if softplus else (second / 2).exp()
            start(decoder.body, mean + deviation * torch.randn_like(mean))
    return encoder, decoder

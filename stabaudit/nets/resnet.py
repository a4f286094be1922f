"""`resnet`: weight-normalised residual encoder and decoder for images (Willetts et al. 2021, Table B.4).

Encoder: a 1×1 convolution to 16 channels, residual blocks of 32, 64, 128, 256 and 512 that halve height and width each, ReLU,
mean and log-variance. Decoder: a fully connected layer to the shape of the last block, blocks that double to 256, 128, 64, 32 and
16, ReLU, a 1×1 convolution to the channels of x. An image of 32×32 is 1×1 after five halvings. An odd size is halved upwards, so
28 becomes 14, 7, 4, 2, 1; an image that is 1×1 after fewer blocks gets no more of them.

The paper does not show the inside of a block. Here it is y = W₂ ρ(W₁ ρ(x)) + W₀ x with 3×3, 3×3 and 1×1 convolutions and ρ = ReLU
(He et al. 2016); the encoder averages y over 2×2, the decoder doubles x.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from stabaudit.config import Positive
from stabaudit.errors import UsageError
from stabaudit.nets.base import Noise, Posterior, bounded

STEM = 16  # channels of the first convolution
CHANNELS = (32, 64, 128, 256, 512)
Size = tuple[int, int]


class NormalisedConv(nn.Conv2d):
    """A size-keeping convolution with filters of a learned direction and length, w = g·v/‖v‖ (Salimans & Kingma 2016)."""

    def __init__(self, into: int, out: int, kernel: int) -> None:
        super().__init__(into, out, kernel, padding=kernel // 2)
        self.length = nn.Parameter(_lengths(self.weight.detach()))

    def forward(self, x: Tensor) -> Tensor:
        """Map shape (batch, into, h, w) to (batch, out, h, w)."""
        scale = self.length / _lengths(self.weight)
        return functional.conv2d(x, self.weight * scale[:, None, None, None], self.bias, padding=self.padding)


class Block(nn.Module):
    """A residual block that keeps the size."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.first = NormalisedConv(into, out, 3)
        self.second = NormalisedConv(out, out, 3)
        self.skip = NormalisedConv(into, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map shape (batch, into, h, w) to (batch, out, h, w)."""
        out: Tensor = self.skip(x) + self.second(functional.relu(self.first(functional.relu(x))))
        return out


class Down(nn.Module):
    """A 1×1 convolution, then blocks that halve height and width each.

    Args:
        into: channels of x.
        channels: of the first convolution, then of the blocks.
    """

    def __init__(self, into: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        # Of one channel a normalised filter has only a sign, which no gradient holds where it is.
        self.stem = nn.Conv2d(into, channels[0], 1)
        self.blocks = nn.ModuleList(Block(a, b) for a, b in pairwise(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map images, shape (batch, into, h, w), to features that are smaller by all halvings."""
        h = self.stem(x)
        for block in self.blocks:
            h = functional.avg_pool2d(block(h), 2, ceil_mode=True)
        return functional.relu(h)


class Up(nn.Module):
    """The mirror image of `Down`: blocks that double height and width each, then a 1×1 convolution.

    Args:
        channels: of the features, then of the blocks.
        sizes: height and width after each block.
        out: channels of x.
    """

    def __init__(self, channels: tuple[int, ...], sizes: list[Size], out: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(a, b) for a, b in pairwise(channels))
        self.sizes = sizes
        self.head = nn.Conv2d(channels[-1], out, 1)

    def forward(self, h: Tensor) -> Tensor:
        """Map features to shape (batch, out, *sizes[-1])."""
        for block, size in zip(self.blocks, self.sizes, strict=True):
            h = block(functional.interpolate(h, size, mode="nearest"))
        out: Tensor = self.head(functional.relu(h))
        return out


class Encoder(nn.Module):
    """q(z|x) or q(z|x, context): the context joins the image's features before the heads."""

    def __init__(self, x_shape: tuple[int, ...], latent_dim: int, context_dim: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        height, width = halvings(x_shape, len(channels))[-1]
        self.image = Down(x_shape[0], (STEM, *channels))
        self.heads = nn.Linear(channels[-1] * height * width + context_dim, 2 * latent_dim)

    def forward(self, x: Tensor, context: Tensor | None, noise: Noise | None) -> Posterior:  # noqa: ARG002 -- no dropout here
        """Encode x of shape (batch, channels, height, width) and a context of shape (batch, k) or None."""
        h = self.image(x).flatten(1)
        mean, log_var = self.heads(h if context is None else torch.cat([h, context], 1)).chunk(2, 1)
        return Posterior(mean, bounded(log_var))


class Decoder(nn.Module):
    """From z to one number per element of x: a mean or a logit."""

    def __init__(self, x_shape: tuple[int, ...], latent_dim: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        *sizes, last = halvings(x_shape, len(channels))
        self.shape = (channels[-1], *last)
        self.features = nn.Linear(latent_dim, channels[-1] * last[0] * last[1])
        self.image = Up((*reversed(channels), STEM), sizes[::-1], x_shape[0])

    def forward(self, z: Tensor, noise: Noise | None) -> Tensor:  # noqa: ARG002 -- no dropout here
        """Decode z of shape (batch, d) to shape (batch, *x_shape)."""
        out: Tensor = self.image(self.features(z).unflatten(1, self.shape))
        return out


def build(
    x_shape: tuple[int, ...],
    latent_dim: int,
    context_dim: int,
    *,
    channels: tuple[Positive, ...] = CHANNELS,
) -> tuple[nn.Module, nn.Module]:
    """Build encoder and decoder.

    Args:
        x_shape: shape of one observation: channels, height, width.
        latent_dim: d.
        context_dim: size of what the encoder sees besides x; 0 for nothing.
        channels: of the encoder's blocks, mirrored in the decoder; an image that is 1×1 after fewer blocks gets the first ones.

    Raises:
        UsageError: the data are not images of 2×2 pixels or more.
    """
    if len(x_shape) != len(("channels", "height", "width")) or max(x_shape[1:]) < 2:
        raise UsageError(
            f"architecture 'resnet' needs images, these data have the shape {'×'.join(map(str, x_shape))}; use --arch mlp"
        )
    used = channels[: len(halvings(x_shape, len(channels))) - 1]
    return Encoder(x_shape, latent_dim, context_dim, used), Decoder(x_shape, latent_dim, used)


def halvings(x_shape: tuple[int, ...], most: int) -> list[Size]:
    """Height and width of an image, then after each halving: at most so many, and none of a single pixel.

    >>> halvings((1, 28, 28), 5)
    [(28, 28), (14, 14), (7, 7), (4, 4), (2, 2), (1, 1)]
    >>> halvings((3, 8, 4), 5)
    [(8, 4), (4, 2), (2, 1), (1, 1)]
    """
    sizes = [(x_shape[1], x_shape[2])]
    while len(sizes) <= most and sizes[-1] != (1, 1):
        height, width = sizes[-1]
        sizes.append((-(-height // 2), -(-width // 2)))
    return sizes


def _lengths(filters: Tensor) -> Tensor:
    """Norm of every filter, shape (out,)."""
    return filters.square().sum((1, 2, 3)).sqrt()

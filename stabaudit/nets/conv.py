"""`conv`: convolutional encoder and decoder for images (Willetts et al. 2021, Table B.3).

Encoder: 3×3 convolutions 8, 16, max-pool, 32, 64, max-pool, a (h/4)×(w/4) convolution to 1×1×64, a fully connected layer of 64,
then mean and log-variance. Decoder: two fully connected layers of 64, transposed convolutions 64 (kernel h/4 × w/4), 32
(4, stride 2), 16 (3), 8 (4, stride 2), a 3×3 convolution to the channels of x. Batch normalisation (Ioffe & Szegedy 2015) and
ELU follow all convolutions but the last of each; the layers before a normalisation have no bias, which it would cancel. The
convolutions from and to 1×1 see every pixel once: they are written as the linear maps that they are.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from stabaudit.config import Positive
from stabaudit.errors import UsageError
from stabaudit.nets.base import Noise, Posterior, bounded

CHANNELS = (8, 16, 32, 64)
POOLED = 4  # two halvings


class Encoder(nn.Module):
    """q(z|x) or q(z|x, context): the context joins the image's features before the fully connected layer."""

    def __init__(self, x_shape: tuple[int, ...], latent_dim: int, context_dim: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        into, height, width = x_shape
        layers: list[nn.Module] = []
        for number, (a, b) in enumerate(pairwise([into, *channels]), start=1):
            layers += _normalised(nn.Conv2d(a, b, 3, padding=1, bias=False))
            if number % 2 == 0:
                layers.append(nn.MaxPool2d(2))
        last = channels[-1]
        self.image = nn.Sequential(*layers)
        self.pooled = nn.Linear(height // POOLED * (width // POOLED) * last, last)
        self.features = nn.Sequential(nn.Linear(last + context_dim, last), nn.LeakyReLU(0.1))
        self.heads = nn.Linear(last, 2 * latent_dim)

    def forward(self, x: Tensor, context: Tensor | None, noise: Noise | None) -> Posterior:  # noqa: ARG002 -- no dropout here
        """Encode x of shape (batch, channels, height, width) and a context of shape (batch, k) or None."""
        h = self.pooled(self.image(x).movedim(1, -1).flatten(1))
        mean, log_var = self.heads(self.features(h if context is None else torch.cat([h, context], 1))).chunk(2, 1)
        return Posterior(mean, bounded(log_var))


class Decoder(nn.Module):
    """From z to one number per element of x: a mean or a logit."""

    def __init__(self, x_shape: tuple[int, ...], latent_dim: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        out, height, width = x_shape
        first, second, third, last = reversed(channels)
        self.pooled_shape = (height // POOLED, width // POOLED, first)
        self.features = nn.Sequential(
            nn.Linear(latent_dim, first),
            nn.LeakyReLU(0.1),
            nn.Linear(first, first),
            nn.Linear(first, math.prod(self.pooled_shape), bias=False),
        )
        self.image = nn.Sequential(
            nn.BatchNorm2d(first),
            nn.ELU(),
            *_normalised(nn.ConvTranspose2d(first, second, 4, stride=2, padding=1, bias=False)),
            *_normalised(nn.ConvTranspose2d(second, third, 3, padding=1, bias=False)),
            *_normalised(nn.ConvTranspose2d(third, last, 4, stride=2, padding=1, bias=False)),
            nn.Conv2d(last, out, 3, padding=1),
        )

    def forward(self, z: Tensor, noise: Noise | None) -> Tensor:  # noqa: ARG002 -- no dropout here
        """Decode z of shape (batch, d) to shape (batch, *x_shape)."""
        out: Tensor = self.image(self.features(z).unflatten(1, self.pooled_shape).movedim(-1, 1))
        return out


def build(
    x_shape: tuple[int, ...],
    latent_dim: int,
    context_dim: int,
    *,
    channels: tuple[Positive, Positive, Positive, Positive] = CHANNELS,
) -> tuple[nn.Module, nn.Module]:
    """Build encoder and decoder.

    Args:
        x_shape: shape of one observation: channels, height, width.
        latent_dim: d.
        context_dim: size of what the encoder sees besides x; 0 for nothing.
        channels: of the encoder's four convolutions, mirrored in the decoder; the last is the width of the connected layers too.

    Raises:
        UsageError: the data are not images, or their height or width cannot be halved twice.
    """
    if len(x_shape) != len(("channels", "height", "width")) or x_shape[1] % POOLED or x_shape[2] % POOLED:
        raise UsageError(_unfit(x_shape))
    return Encoder(x_shape, latent_dim, context_dim, channels), Decoder(x_shape, latent_dim, channels)


def _unfit(x_shape: tuple[int, ...]) -> str:
    """What is wrong with the shape of an observation."""
    found = "×".join(map(str, x_shape))
    said = f"architecture 'conv' needs images of channels × height × width, height and width multiples of {POOLED}"
    last = len(x_shape) == 3 and x_shape[2] in {1, 3, 4} and not (x_shape[0] % POOLED or x_shape[1] % POOLED)
    hint = "channels seem to come last: move them first, or for a file --channels-last" if last else "use --arch mlp"
    return f"{said}; these data have the shape {found}; {hint}"


def _normalised(layer: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(layer.out_channels), nn.ELU()]

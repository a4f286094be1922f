"""Networks with a grid of latents: image → h×w grid of d-vectors → image (Willetts & Paige 2021, appendix D).

Residual blocks as in `stabaudit.nets.resnet`, as many as there are halvings: two make an 8×8 grid of an image of 32×32, as in the
paper. It used other blocks, of an implementation that it names in a footnote.
"""

from torch import Tensor, nn

from stabaudit.errors import UsageError
from stabaudit.nets.resnet import STEM, Down, Up, halvings

CHANNELS = (64, 128)


class Encoder(nn.Module):
    """From an image to one d-vector at every position of the grid.

    Attributes:
        grid: (h, w, d).
    """

    def __init__(self, x_shape: tuple[int, ...], latent_dim: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.image = Down(x_shape[0], (STEM, *channels))
        self.head = nn.Conv2d(channels[-1], latent_dim, 1)
        self.grid = (*halvings(x_shape, len(channels))[-1], latent_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map x of shape (batch, channels, height, width) to shape (batch, h·w, d), positions row by row."""
        codes: Tensor = self.head(self.image(x)).flatten(2).transpose(1, 2)
        return codes


class Decoder(nn.Module):
    """From d-vectors at every position of the grid to one number per element of x: a mean or a logit."""

    def __init__(self, x_shape: tuple[int, ...], latent_dim: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        *sizes, self.size = halvings(x_shape, len(channels))
        self.stem = nn.Conv2d(latent_dim, channels[-1], 1)
        self.image = Up((*reversed(channels), STEM), sizes[::-1], x_shape[0])

    def forward(self, codes: Tensor) -> Tensor:
        """Map shape (batch, h·w, d) to shape (batch, *x_shape)."""
        out: Tensor = self.image(self.stem(codes.transpose(1, 2).unflatten(2, self.size)))
        return out


def build(x_shape: tuple[int, ...], latent_dim: int, channels: tuple[int, ...]) -> tuple[Encoder, Decoder]:
    """Build encoder and decoder.

    Args:
        x_shape: shape of one observation: channels, height, width.
        latent_dim: d, of the vector at each position.
        channels: of the encoder's blocks, mirrored in the decoder; each halves height and width.

    Raises:
        UsageError: the data are not images, or too small to be halved so often.
    """
    if len(x_shape) != len(("channels", "height", "width")) or min(x_shape[1:]) < 2 ** len(channels):
        raise UsageError(
            f"a grid of latents needs images of {2 ** len(channels)}×{2 ** len(channels)} pixels or more, "
            f"these data have the shape {'×'.join(map(str, x_shape))}"
        )
    return Encoder(x_shape, latent_dim, channels), Decoder(x_shape, latent_dim, channels)

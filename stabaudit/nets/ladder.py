"""A ladder: latents z_1 … z_J read from growing depths of one encoder, and put back at the mirrored depths of its decoder.

A variational ladder autoencoder (Zhao et al. 2017) as in Falck et al. 2021: z_j is read from hidden layer l_j of the encoder, the
last, z_J, from its end; the decoder starts from z_J, and z_j joins what goes into the layer that mirrors l_j. With z_J alone it
is the plain network.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from stabaudit.errors import UsageError
from stabaudit.nets import mlp
from stabaudit.nets.base import Noise, Posterior, bounded


class Ladder(nn.Module):
    """The rungs z_1 … z_{J−1} between an encoder and a decoder.

    Args:
        encoder: of architecture `mlp`, for z_J.
        decoder: its mirror.
        sizes: dimensions of z_1 … z_{J−1}; they are read at evenly spaced depths.

    Raises:
        UsageError: another architecture, or more rungs than hidden layers.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, sizes: Sequence[int]) -> None:
        super().__init__()
        if not (isinstance(encoder, mlp.Encoder) and isinstance(decoder, mlp.Decoder)):
            raise UsageError("a ladder of facets stands on the hidden layers of architecture 'mlp'; use --arch mlp")
        widths = [layer.out_features for layer in encoder.body.hidden if isinstance(layer, nn.Linear)]
        self.layers = len(widths)
        if len(sizes) > self.layers:
            raise UsageError(
                f"{len(sizes) + 1} facets need {len(sizes)} hidden layers and the encoder has {self.layers}: "
                "fewer facets, or more widths"
            )
        self.encoder, self.decoder = encoder, decoder
        self.depths = [-(-number * self.layers // (len(sizes) + 1)) for number in range(1, len(sizes) + 1)]
        rungs = [(widths[depth - 1], size) for depth, size in zip(self.depths, sizes, strict=True)]
        self.read = nn.ModuleList(nn.Linear(width, 2 * size) for width, size in rungs)
        self.write = nn.ModuleList(
            nn.Linear(size, width, bias=False) for width, size in rungs
        )  # the decoder's widths are mirrored

    def encode(self, x: Tensor, noise: Noise | None) -> list[Posterior]:
        """Posteriors of z_1 … z_J for x of shape (batch, *x_shape), shapes (batch, d_j)."""
        hidden = self.encoder.body.activations(x.flatten(1), noise)
        heads = [read(hidden[depth - 1]) for read, depth in zip(self.read, self.depths, strict=True)]
        heads.append(self.encoder.body.out(hidden[-1]))
        return [Posterior(mean, bounded(log_var)) for mean, log_var in (head.chunk(2, 1) for head in heads)]

    def decode(self, latents: Sequence[Tensor], noise: Noise | None) -> Tensor:
        """Decode z_1 … z_J, shapes (batch, d_j), to shape (batch, *x_shape)."""
        *rungs, last = latents
        joining = zip(self.write, self.depths, rungs, strict=True)
        added = {self.layers - depth + 1: write(z) for write, depth, z in joining}
        out: Tensor = self.decoder.body(last, noise, added).unflatten(1, self.decoder.x_shape)
        return out

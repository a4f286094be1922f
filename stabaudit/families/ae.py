"""AE: an autoencoder with a grid of latents, the baseline of `rvqvae` (Willetts & Paige 2021, appendix D).

Maximises log p(x|z) at z = h(x); there is no prior and no posterior variance.
"""

from typing import ClassVar

from torch import Tensor

from stabaudit.config import Positive
from stabaudit.families.base import Batch, Family, Problem, point
from stabaudit.nets import grid
from stabaudit.nets.base import Posterior
from stabaudit.nets.likelihoods import NUMERIC


class AE(Family):
    """Autoencoder whose latents form a grid.

    Args:
        problem: what it is built for; x must be images.
        channels: of the encoder's blocks, each of which halves the image's height and width.
    """

    own: ClassVar = frozenset({"architecture"})
    likelihoods: ClassVar = NUMERIC

    def __init__(self, problem: Problem, *, channels: tuple[Positive, ...] = grid.CHANNELS) -> None:
        super().__init__()
        self.encoder, self.decoder = grid.build(problem.x_shape, problem.latent_dim, channels)
        self.grid = self.encoder.grid
        self.likelihood = problem.likelihood

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative log-likelihood of x given its own code."""
        return {"loss": -self.likelihood.log_prob(batch.x, self.decoder(self.encoder(batch.x))).mean()}

    def encode(self, x: Tensor, u: Tensor) -> Posterior:  # noqa: ARG002 -- this encoder has no use for u
        """The codes of all positions, shape (batch, h·w·d)."""
        return point(self.encoder(x).flatten(1))

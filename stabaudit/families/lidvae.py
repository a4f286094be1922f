"""LIDVAE: a VAE with an injective decoder, so that its latents are identifiable and cannot collapse (Wang et al. 2021, §3).

The objective is that of the VAE. The decoder is g₂(βᵀ g₁(z)) with gradients g of input-convex networks, see `nets.convex`; of the
architecture only the encoder is used.
"""

from typing import ClassVar

from stabaudit.config import PositiveFloat
from stabaudit.families.base import Problem
from stabaudit.families.posteriors import PosteriorKind
from stabaudit.families.vae import VAE
from stabaudit.nets.convex import InjectiveDecoder, Widths
from stabaudit.nets.likelihoods import NUMERIC


class LIDVAE(VAE):
    """Latent-identifiable variational autoencoder.

    Args:
        problem: what it is built for.
        convex_widths: hidden sizes of both input-convex networks.
        alpha: smallest slope of both.
        posterior: "gaussian" (diagonal), "full" (covariance) or "realnvp".
    """

    likelihoods: ClassVar = NUMERIC

    def __init__(
        self,
        problem: Problem,
        *,
        convex_widths: Widths = (256, 256),
        alpha: PositiveFloat = 0.1,
        posterior: PosteriorKind = "gaussian",
    ) -> None:
        super().__init__(problem, posterior=posterior)
        self.decoder = InjectiveDecoder(problem.x_shape, problem.latent_dim, convex_widths, alpha)

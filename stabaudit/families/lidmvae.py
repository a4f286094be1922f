"""LIDMVAE: a GMVAE with an injective decoder, so that its clusters are identifiable too (Wang et al. 2021, Example 1).

The objective is that of the GMVAE, the decoder g₂(β₂ᵀ g₁(w)), see `nets.convex`. Wang et al. give cluster y the natural parameter
β₁ᵀ y: with unit variance, N(e_y, I), where e_y is a unit vector, which takes d ≥ K dimensions. Distinct means keep the clusters
distinct at every value of the weights. Here all clusters share one learned diagonal Σ instead of I, so that they can also lie
apart. With learned means K may exceed d, but nothing then keeps two clusters from becoming the same.
"""

from typing import ClassVar, Literal

import torch
from torch import nn

from stabaudit.config import Positive, PositiveFloat
from stabaudit.errors import UsageError
from stabaudit.families.base import Problem
from stabaudit.families.gmvae import GMVAE
from stabaudit.families.posteriors import PosteriorKind
from stabaudit.nets.convex import InjectiveDecoder, Widths
from stabaudit.nets.likelihoods import NUMERIC


class LIDMVAE(GMVAE):
    """Latent-identifiable mixture variational autoencoder.

    Args:
        problem: what it is built for.
        components: number K of clusters.
        means: of the clusters: "embedded", the unit vectors e_1 … e_K with one Σ for all, or "learned", as in the GMVAE.
        convex_widths: hidden sizes of both input-convex networks.
        alpha: smallest slope of both.
        posterior: of w, "gaussian" (diagonal), "full" (covariance) or "realnvp".

    Raises:
        UsageError: embedded means of more clusters than there are dimensions.
    """

    likelihoods: ClassVar = NUMERIC

    def __init__(
        self,
        problem: Problem,
        *,
        components: Positive = 10,
        means: Literal["embedded", "learned"] = "embedded",
        convex_widths: Widths = (256, 256),
        alpha: PositiveFloat = 0.1,
        posterior: PosteriorKind = "gaussian",
    ) -> None:
        if means == "embedded" and components > problem.latent_dim:
            raise UsageError(
                f"embedded means of {components} components need as many latent dimensions, not {problem.latent_dim}: "
                "--set means=learned, fewer components or a larger --latent-dim"
            )
        super().__init__(problem, components=components, posterior=posterior)
        self.decoder = InjectiveDecoder(problem.x_shape, problem.latent_dim, convex_widths, alpha)
        if means == "embedded":
            del self.mixture_mean
            self.register_buffer("mixture_mean", torch.eye(components, problem.latent_dim))
            self.mixture_log_var = nn.Parameter(torch.zeros(problem.latent_dim))

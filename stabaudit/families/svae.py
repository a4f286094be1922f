"""SVAE: a VAE of documents whose decoder sees z and the words before each place (Bowman et al. 2016; Wang et al. 2021, §4.1).

    Σ_i E_q log p(x_i | x_{<i}, z) − β·KL(q(z|x) ‖ N(0, I))

An autoregressive decoder can model the words without z, and z then collapses. What is used against it: a weight of the divergence
that rises over training, β below 1, and words that the decoder is not told (`word_dropout` of the architecture).
"""

from typing import ClassVar

from torch import Tensor

from stabaudit.config import PositiveFloat
from stabaudit.families.annealing import Share, annealed
from stabaudit.families.base import Batch, Problem
from stabaudit.families.posteriors import PosteriorKind
from stabaudit.families.vae import VAE


class SVAE(VAE):
    """Sequential variational autoencoder.

    Args:
        problem: what it is built for; x must be documents.
        beta: weight of the divergence (Wang et al. 2021: also 0.2).
        annealing: share of the training over which the weight rises to `beta`; 0: none.
        posterior: "gaussian" (diagonal), "full" (covariance) or "realnvp".
    """

    architectures: ClassVar = ("lstm",)
    likelihoods: ClassVar = ("categorical",)

    def __init__(
        self,
        problem: Problem,
        *,
        beta: PositiveFloat = 1.0,
        annealing: Share = 0.0,
        posterior: PosteriorKind = "gaussian",
    ) -> None:
        super().__init__(problem, posterior=posterior)
        self.beta, self.annealing = beta, annealing

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative objective, and the two parts of the ELBO without weights."""
        return annealed(super().loss(batch), batch.progress, self.annealing, self.beta)

"""β-VAE: E_q log p(x|z) − β·KL(q(z|x) ‖ N(0, I)) (Higgins et al. 2017).

β above 1 presses for independent dimensions at the price of reconstruction; β below 1 holds against collapse. Wang et al. 2021
use 0.2, Khemakhem et al. 2019 values from 1 to 45. β = 1 is the VAE.
"""

from torch import Tensor

from stabaudit.config import PositiveFloat
from stabaudit.families.base import Batch, Problem
from stabaudit.families.posteriors import PosteriorKind
from stabaudit.families.vae import VAE


class BetaVAE(VAE):
    """β variational autoencoder.

    Args:
        problem: what it is built for.
        beta: weight of the divergence.
        posterior: "gaussian" (diagonal), "full" (covariance) or "realnvp".
    """

    def __init__(self, problem: Problem, *, beta: PositiveFloat = 4.0, posterior: PosteriorKind = "gaussian") -> None:
        super().__init__(problem, posterior=posterior)
        self.beta = beta

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative objective, and the two parts of the ELBO without weights."""
        terms = super().loss(batch)
        return terms | {"loss": terms["reconstruction"] + self.beta * terms["kl"]}

"""Lagging VAE: a VAE whose encoder is not left behind by its decoder (He et al. 2019, arXiv:1901.05534).

Early in training the encoder lags: the decoder learns to do without z before the encoder tells it anything, and z collapses. So
training begins with an aggressive phase, in which the encoder takes `updates` steps, each on a batch of its own, for one step of
the decoder. It ends when the mutual information of x and z under q stops rising; then both take every step, as in the VAE.

The paper updates the encoder until its objective stops improving, at most 100 times, then the decoder alone; here the number of
updates is fixed, and the last of them is the decoder's step too. A step of the training budget is one of the encoder. Mutual
information is found from 500 training rows every 500 steps, that is at the end of an epoch, where the paper takes validation rows
once an epoch. With one update it is the VAE.
"""

from torch import Tensor

from stabaudit.config import Positive
from stabaudit.families.annealing import Share, annealed
from stabaudit.families.base import Aggressive, Batch, Problem
from stabaudit.families.posteriors import PosteriorKind
from stabaudit.families.vae import VAE


class LaggingVAE(VAE):
    """Variational autoencoder with an aggressive phase.

    Args:
        problem: what it is built for.
        updates: of the encoder for one of the decoder, in the aggressive phase.
        patience: the phase ends when mutual information has not risen at so many checks in a row (He et al.: 1).
        annealing: share of the training over which the weight of the divergence rises to 1; 0: none.
        posterior: "gaussian" (diagonal), "full" (covariance) or "realnvp".
    """

    def __init__(
        self,
        problem: Problem,
        *,
        updates: Positive = 10,
        patience: Positive = 2,
        annealing: Share = 0.0,
        posterior: PosteriorKind = "gaussian",
    ) -> None:
        super().__init__(problem, posterior=posterior)
        self.annealing = annealing
        if updates > 1:
            self.aggressive = Aggressive(("encoder.", "flow."), updates, patience)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative ELBO with its two parts."""
        return annealed(super().loss(batch), batch.progress, self.annealing)

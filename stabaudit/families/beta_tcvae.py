"""β-TCVAE: the KL of a VAE split in three, the total correlation weighted (Chen et al. 2018, eq. 4).

Maximises E_q log p(x|z) − α·MI − β·TC − γ·dimension-wise KL with the prior N(0, I); the aggregate posterior q(z) by minibatch
stratified sampling. α = β = γ = 1 is the ELBO of the VAE, whatever the estimate of q(z).

The code that Khemakhem et al. (2020, arXiv:1907.04809) publish trains its rivals by this objective too, with weights before all
four parts (reconstruction, α, β, γ) and minibatch weighted sampling: 1000/1/1/1 is its VAE, 500/5/5/5 its β-VAE, 1000/1/15/1 its
β-TCVAE.
"""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from stabaudit.families.base import Batch, Problem, gaussian_log_density, log_prob_given_z, reparameterise
from stabaudit.families.decomposition import decompose, stratified, weighted
from stabaudit.families.vae import VAE
from stabaudit.nets.base import Posterior

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class BetaTCVAE(VAE):
    """β total correlation variational autoencoder.

    Args:
        problem: what it is built for.
        alpha: weight of the mutual information.
        beta: weight of the total correlation.
        gamma: weight of the dimension-wise KL.
        reconstruction: weight of the negative log-likelihood.
        estimate: of q(z), "stratified" or "weighted" sampling (Chen et al. 2018, App. C).
    """

    def __init__(
        self,
        problem: Problem,
        *,
        alpha: Weight = 1.0,
        beta: Weight = 4.0,
        gamma: Weight = 1.0,
        reconstruction: Weight = 1.0,
        estimate: Literal["stratified", "weighted"] = "stratified",
    ) -> None:
        super().__init__(problem)
        self.rows = problem.rows
        self.alpha, self.beta, self.gamma, self.reconstruction = alpha, beta, gamma, reconstruction
        self.row_weights = {"stratified": stratified, "weighted": weighted}[estimate]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative objective, its reconstruction and the three parts of the divergence without weights."""
        posterior: Posterior = self.encoder(batch.x, None, batch.noise)
        z = reparameterise(posterior, batch.noise)
        reconstruction = -log_prob_given_z(self.likelihood, self.decoder, batch.x, z, batch.noise).mean()
        weights = self.row_weights(z, max(self.rows, len(z)))
        parts = decompose(z, posterior, gaussian_log_density(z, *posterior), self.log_prior(z), weights)
        information, correlation, dimension = (part.mean() for part in parts)
        return {
            "kl": information + correlation + dimension,
            "loss": self.reconstruction * reconstruction
            + self.alpha * information
            + self.beta * correlation
            + self.gamma * dimension,
            "reconstruction": reconstruction,
            "mutual_information": information,
            "total_correlation": correlation,
            "dimension_kl": dimension,
        }

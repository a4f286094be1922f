"""rVQ-VAE: a relaxed vector-quantised VAE with a grid of latents (Sønderby et al. 2017; Willetts & Paige 2021, appendix D).

At each position of the grid the encoder's vector h meets a codebook e₁ … e_K as a point meets the components of a Gaussian
mixture with identity covariances and equal weights, and the responsibilities are the posterior of the code:

    r_k = q(k|h) ∝ exp(−‖h − e_k‖²/2),   maximise E log p(x|z) − Σ_positions KL(r ‖ 1/K),   z = Σ_k y_k e_k

The decoder sees y, a draw from a Gumbel-softmax distribution with these probabilities (Jang et al. 2017), of which one-hot codes
are the limit at temperature 0. The latents are the codes' means Σ_k r_k e_k, with their variances under r.
"""

import math
from typing import ClassVar

from torch import Tensor

from stabaudit.config import Positive, PositiveFloat
from stabaudit.errors import UsageError
from stabaudit.families.base import Batch, Family, Problem, elbo_terms, xavier_uniform
from stabaudit.families.truncated import log_cdf
from stabaudit.nets import grid
from stabaudit.nets.base import LOG_VAR_BOUND, Posterior
from stabaudit.nets.likelihoods import NUMERIC


class RVQVAE(Family):
    """Relaxed vector-quantised variational autoencoder.

    Args:
        problem: what it is built for; x must be images.
        codes: size K of the codebook.
        temperature: of the Gumbel-softmax draws.
        channels: of the encoder's blocks, each of which halves the image's height and width.

    Raises:
        UsageError: more codes than there are vectors to be coded.
    """

    own: ClassVar = frozenset({"architecture"})
    likelihoods: ClassVar = NUMERIC

    def __init__(
        self,
        problem: Problem,
        *,
        codes: Positive = 512,
        temperature: PositiveFloat = 0.5,
        channels: tuple[Positive, ...] = grid.CHANNELS,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = grid.build(problem.x_shape, problem.latent_dim, channels)
        self.grid = self.encoder.grid
        vectors = problem.rows * self.grid[0] * self.grid[1]
        if codes > vectors:
            raise UsageError(f"{codes} codes are more than the {vectors} vectors of all training rows; lower --set codes=…")
        self.likelihood = problem.likelihood
        self.codebook = xavier_uniform(codes, problem.latent_dim)
        self.temperature = temperature

    def log_responsibilities(self, x: Tensor) -> Tensor:
        """Log q(k|x) at every position, shape (batch, h·w, K)."""
        logits: Tensor = self.encoder(x) @ self.codebook.T - 0.5 * self.codebook.square().sum(1)  # ‖h‖² is the same for all codes
        return logits.log_softmax(-1)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative bound, relaxed, with its two parts."""
        log_responsibilities = self.log_responsibilities(batch.x)
        # −log(−log Φ(n)) of a Gaussian number n is a Gumbel number.
        gumbel = -(-log_cdf(batch.noise.normal(log_responsibilities.shape))).log()
        relaxed = ((log_responsibilities + gumbel) / self.temperature).softmax(-1)
        log_likelihood = self.likelihood.log_prob(batch.x, self.decoder(relaxed @ self.codebook))
        kl = log_responsibilities.exp() * (log_responsibilities + math.log(len(self.codebook)))
        return elbo_terms(log_likelihood, kl.sum((1, 2)))

    def encode(self, x: Tensor, u: Tensor) -> Posterior:  # noqa: ARG002 -- this encoder has no use for u
        """Mean and log-variance of the codes at all positions, shape (batch, h·w·d)."""
        responsibilities = self.log_responsibilities(x).exp()
        mean = responsibilities @ self.codebook
        variance = responsibilities @ self.codebook.square() - mean.square()
        return Posterior(mean.flatten(1), variance.clamp(min=math.exp(-LOG_VAR_BOUND)).log().flatten(1))

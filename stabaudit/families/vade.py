"""VaDE: a VAE with a learned Gaussian-mixture prior (Jiang et al. 2017; objective as in Willetts et al. 2021, eq. 6).

Maximises E_q [log p(x|z) − log q(z|x) + log Σ_c π_c N(z; μ_c, Σ_c)] with a single sample of z; the mixture is summed by
log-sum-exp. This is the bound of Jiang et al. with q(c|x) at its optimum p(c|z), where their separate divergence over clusters is
zero (Falck et al. 2021). Jiang et al. train an autoencoder before they fit the mixture; here a fitted start uses the untrained
encoder, so that everything is learned under one objective.
"""

from torch import Tensor

from stabaudit.config import Positive
from stabaudit.families.base import (
    Batch,
    Family,
    Mixture,
    Problem,
    decoded_mean,
    elbo_terms,
    gaussian_log_density,
    log_prob_given_z,
    reparameterise,
    responsibilities,
)
from stabaudit.families.mixture import GaussianMixture, Start, check_components, start_mixtures
from stabaudit.nets.base import Noise, Posterior


class VaDE(Family):
    """Variational deep embedding.

    Args:
        problem: what it is built for.
        components: number K of mixture components; the papers use 40 (MNIST, synthetic) and 100 (CIFAR-10, SVHN).
        start: of the mixture: "xavier", or fitted to the untrained encoder's output by "kmeans" or "gmm".
    """

    def __init__(self, problem: Problem, *, components: Positive = 40, start: Start = "xavier") -> None:
        super().__init__()
        check_components(components, problem.rows)
        self.encoder, self.decoder = problem.networks(0)
        self.likelihood = problem.likelihood
        self.mixture = GaussianMixture(components, problem.latent_dim)
        self.start = start

    def initialise(self, x: Tensor, u: Tensor) -> None:
        """Fit the mixture to what the encoder makes of the training rows."""
        start_mixtures(self, [self.mixture], self.start, len(x), lambda rows: [self.encode(x[rows], u[rows])])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative ELBO with its two parts."""
        posterior: Posterior = self.encoder(batch.x, None, batch.noise)
        z = reparameterise(posterior, batch.noise)
        log_likelihood = log_prob_given_z(self.likelihood, self.decoder, batch.x, z, batch.noise)
        return elbo_terms(log_likelihood, gaussian_log_density(z, *posterior) - self.mixture(z))

    def decode(self, z: Tensor) -> Tensor | None:
        """Mean of p(x|z)."""
        return decoded_mean(self.likelihood, self.decoder, z)

    def log_weight(self, x: Tensor, u: Tensor, noise: Noise) -> Tensor:
        """One importance weight per row."""
        posterior = self.encode(x, u)
        z = reparameterise(posterior, noise)
        log_prior: Tensor = self.mixture(z)
        return log_prob_given_z(self.likelihood, self.decoder, x, z, None) + log_prior - gaussian_log_density(z, *posterior)

    def mixture_prior(self) -> Mixture:
        """The mixture."""
        return self.mixture.parameters_of()

    def clusters(self, x: Tensor, u: Tensor) -> Tensor:
        """Responsibilities of the components at the posterior mean."""
        return responsibilities(self.encode(x, u).mean, self.mixture_prior())

    def encode(self, x: Tensor, u: Tensor) -> Posterior:  # noqa: ARG002 -- this encoder has no use for u
        """Posterior q(z|x)."""
        posterior: Posterior = self.encoder(x, None, None)
        return posterior

"""MFCVAE: VaDE with several facets, each clustering the data in its own way (Falck et al. 2021; Kivva et al. 2022, §4).

The latents are split into facets z_1 … z_J, each with a Gaussian mixture of its own as prior, on a ladder of encoder depths:

    E_q [log p(x|z_1, …, z_J) + Σ_j (log p(z_j) − log q(z_j|x))],   p(z_j) = Σ_c π_jc N(z_j; μ_jc, Σ_jc).

z_1 comes from the shallowest rung, z_J from the whole encoder. J = 1 is VaDE. With progressive training the facets come in one
after another, from z_J down: facet J − s fades in, in the decoder and in the divergence alike, between (s − ½)/J and s/J of the
training. The authors' code (FabianFalck/mfcvae) trains as many epochs a facet, fades each in over its first 15,000 batches, takes
batches of 512, and starts every mixture from one that is fitted to the untrained encoder's output (`start` "gmm").
"""

from typing import cast

import torch
from torch import Tensor, nn

from stabaudit.config import Positive
from stabaudit.errors import UsageError
from stabaudit.families.base import (
    Batch,
    Family,
    Mixture,
    PriorKind,
    Problem,
    elbo_terms,
    gaussian_log_density,
    reparameterise,
    responsibilities,
)
from stabaudit.families.mixture import GaussianMixture, Start, check_components, start_mixtures
from stabaudit.nets.base import Noise, Posterior
from stabaudit.nets.ladder import Ladder


class MFCVAE(Family):
    """Multi-facet clustering variational autoencoder.

    Args:
        problem: what it is built for; the architecture must be `mlp`.
        facets: J; the latent dimensions are shared out evenly, z_1 first.
        components: number of mixture components of each facet.
        progressive: fade the facets in one after another.
        start: of the mixtures: "xavier", or fitted to the untrained encoder's output by "kmeans" or "gmm", facet by facet.

    Raises:
        UsageError: more facets than latent dimensions or than the encoder has depths.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        facets: Positive = 2,
        components: Positive = 25,
        progressive: bool = False,
        start: Start = "xavier",
    ) -> None:
        super().__init__()
        check_components(components, problem.rows)
        if facets > problem.latent_dim:
            raise UsageError(f"{facets} facets need at least {facets} latent dimensions, not {problem.latent_dim}")
        self.sizes = [(problem.latent_dim + j) // facets for j in reversed(range(facets))]
        self.ladder = Ladder(*problem.networks(0, self.sizes[-1]), self.sizes[:-1])
        self.likelihood = problem.likelihood
        self.mixtures = nn.ModuleList(GaussianMixture(components, size) for size in self.sizes)
        self.progressive = progressive
        self.start = start

    def initialise(self, x: Tensor, u: Tensor) -> None:  # noqa: ARG002 -- this encoder has no use for u
        """Fit every facet's mixture to what the encoder makes of the training rows."""
        mixtures = [cast("GaussianMixture", mixture) for mixture in self.mixtures]
        start_mixtures(self, mixtures, self.start, len(x), lambda rows: self.ladder.encode(x[rows], None))

    def presence(self, progress: Tensor) -> Tensor:
        """How much each facet takes part at this point of the training, in [0, 1], shape (J,)."""
        facets = len(self.sizes)
        late = torch.arange(facets - 1, -1, -1, device=progress.device)  # s of each facet
        if not self.progressive:
            return torch.ones_like(late) + 0 * progress
        return (1 - 2 * (late - facets * progress)).clamp(0, 1)  # from (s − ½)/J to s/J

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative ELBO with its two parts, and the divergence of each facet."""
        posteriors = self.ladder.encode(batch.x, batch.noise)
        latents = [reparameterise(posterior, batch.noise) for posterior in posteriors]
        presence = self.presence(batch.progress).unbind()
        shown = [weight * z for weight, z in zip(presence, latents, strict=True)]
        log_likelihood = self.likelihood.log_prob(batch.x, self.ladder.decode(shown, batch.noise))
        log_priors: list[Tensor] = [mixture(z) for z, mixture in zip(latents, self.mixtures, strict=True)]
        log_densities = [gaussian_log_density(z, *posterior) for z, posterior in zip(latents, posteriors, strict=True)]
        divergences = [density - prior for density, prior in zip(log_densities, log_priors, strict=True)]
        kl = torch.stack([weight * divergence for weight, divergence in zip(presence, divergences, strict=True)]).sum(0)
        facets = {f"kl_{number}": divergence.mean() for number, divergence in enumerate(divergences, start=1)}
        return elbo_terms(log_likelihood, kl) | facets

    def decode(self, z: Tensor) -> Tensor:
        """Mean of p(x|z_1, …, z_J), the facets side by side."""
        return self.likelihood.mean(self.ladder.decode(list(z.split(self.sizes, 1)), None))

    def log_weight(self, x: Tensor, u: Tensor, noise: Noise) -> Tensor:  # noqa: ARG002 -- p(x) does not depend on u
        """One importance weight per row, over all facets."""
        posteriors = self.ladder.encode(x, None)
        latents = [reparameterise(posterior, noise) for posterior in posteriors]
        log_weight = self.likelihood.log_prob(x, self.ladder.decode(latents, None))
        for z, posterior, mixture in zip(latents, posteriors, self.mixtures, strict=True):
            log_weight = log_weight + mixture(z) - gaussian_log_density(z, *posterior)
        return log_weight

    def clusters(self, x: Tensor, u: Tensor) -> Tensor:  # noqa: ARG002 -- this encoder has no use for u
        """Responsibilities in the last facet, which comes from the whole encoder."""
        mixture = cast("GaussianMixture", self.mixtures[-1])
        return responsibilities(self.ladder.encode(x, None)[-1].mean, mixture.parameters_of())

    def prior_kind(self) -> PriorKind:
        """A product of mixtures."""
        return "mixture"

    def facet_priors(self) -> list[Mixture]:
        """One for each facet, z_1 first."""
        return [cast("GaussianMixture", mixture).parameters_of() for mixture in self.mixtures]

    def conditional_priors(self) -> Posterior:
        """The components of the last facet."""
        return cast("GaussianMixture", self.mixtures[-1]).parameters_of().components

    def encode(self, x: Tensor, u: Tensor) -> Posterior:  # noqa: ARG002 -- this encoder has no use for u
        """Posteriors of all facets side by side, z_1 first."""
        return Posterior(*(torch.cat(of, 1) for of in zip(*self.ladder.encode(x, None), strict=True)))

"""The contract of a model family, and the densities that families are made of.

A family is written for one restart: it never knows how many restarts are trained, or that they are trained together.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from stabaudit.config import Option
from stabaudit.nets.base import LOG_VAR_BOUND, Noise, Posterior
from stabaudit.nets.likelihoods import Likelihood

Part = Literal["architecture", "likelihood"]
PriorKind = Literal["gaussian", "laplace", "mixture", "conditional"]


class Networks(Protocol):
    """Builds an encoder and a decoder of the chosen architecture."""

    def __call__(self, context_dim: int, latent_dim: int | None = None) -> tuple[nn.Module, nn.Module]:
        """Build a pair.

        Args:
            context_dim: size of what the encoder sees besides x; 0 for nothing.
            latent_dim: what the encoder gives and the decoder takes; None: as many as the problem has.
        """
        ...


@dataclass(frozen=True)
class Problem:
    """What a family is built for.

    Args:
        x_shape: shape of one observation.
        u_dim: size of the auxiliary variable u; 0 where the data has none.
        latent_dim: d.
        rows: number of training rows.
        networks: builds an encoder and a decoder of the chosen architecture.
        likelihood: log p(x|z) given the decoder's output.
        categories: whether u is one of u_dim categories, one-hot, rather than numbers.
    """

    x_shape: tuple[int, ...]
    u_dim: int
    latent_dim: int
    rows: int
    networks: Networks
    likelihood: Likelihood
    categories: bool = True


class Mixture(NamedTuple):
    """A mixture of diagonal Gaussians: log-weights, shape (K,), means and log-variances, shape (K, d) both."""

    log_weights: Tensor
    components: Posterior


@dataclass(frozen=True)
class Batch:
    """What a training step sees.

    Args:
        x: observations, shape (batch, *x_shape).
        u: auxiliary variable, shape (batch, k); k = 0 where the data has none.
        noise: the random numbers of this step.
        progress: how much of the training is done, a scalar in [0, 1).
    """

    x: Tensor
    u: Tensor
    noise: Noise
    progress: Tensor


@dataclass(frozen=True)
class Aggressive:
    """That training begins with a phase in which some parameters are updated more often than the others (He et al. 2019).

    Args:
        often: names of those that every step updates begin with one of these.
        every: the others are updated in every such step only.
        patience: the phase ends when the mutual information of x and z has not risen at so many checks in a row.
    """

    often: tuple[str, ...]
    every: int
    patience: int


class Family(nn.Module, ABC):
    """A model family: a prior and an objective.

    The constructor takes a `Problem`; its keyword-only parameters are the family's options.
    """

    needs_u: ClassVar[bool] = False
    own: ClassVar[frozenset[Part]] = frozenset()  # what it brings itself: it never looks at that of the problem
    likelihoods: ClassVar[tuple[str, ...]] = ()  # names of those it can use, its default first; empty: any
    architectures: ClassVar[tuple[str, ...]] = ()  # likewise
    sees_u: bool = False  # whether `encode` uses u: the latents are means of q(z|x,u) rather than q(z|x)
    exact_likelihood: ClassVar[bool] = False  # whether `log_weight` is log p(x|u) itself
    aggressive: Aggressive | None = None  # the phase that its training begins with
    grid: tuple[int, int, int] | None = None  # (h, w, d) where `encode` gives h·w·d numbers: d at every position, row by row

    @classmethod
    def only_latent_dim(cls, x_shape: tuple[int, ...]) -> int | None:  # noqa: ARG003 -- most families leave the choice
        """The one latent dimension that it can have for observations of this shape; None: any."""
        return None

    @abstractmethod
    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Terms of the objective as means over the batch, in nats; "loss" is minimised, the others are recorded."""

    @abstractmethod
    def encode(self, x: Tensor, u: Tensor) -> Posterior:
        """Posterior of x, shape (batch, *x_shape), given u, shape (batch, k); deterministic in evaluation mode."""

    def initialise(self, x: Tensor, u: Tensor) -> None:
        """Set what starts from the training rows; called once before training, under the restart's seed.

        Args:
            x: all observations, shape (n, *x_shape).
            u: their auxiliary variables, shape (n, k).
        """

    def decode(self, z: Tensor) -> Tensor | None:  # noqa: ARG002 -- not every family has a decoder of a vector
        """Mean of p(x|z) of z, shape (batch, d), in evaluation mode: shape (batch, *x_shape), flat or not, each row by itself.

        z is what `encode` gives the means of. None where x does not follow from such a vector; it is then so for any z.
        """
        return None

    def log_weight(self, x: Tensor, u: Tensor, noise: Noise) -> Tensor | None:  # noqa: ARG002 -- not every family has densities
        """Logarithm of an unbiased estimate of p(x|u) for every row, from one sample of q (Burda et al. 2016), shape (batch,).

        p(x|z) p(z|u) / q(z|x,u), or p(x|u) itself where `exact_likelihood` is set. None where the family has no such densities.
        """
        return None

    def log_weights(self, x: Tensor, u: Tensor, noise: Noise, samples: int) -> Tensor | None:
        """So many of `log_weight` for every row, shape (samples, batch); None where there are none."""
        found = [self.log_weight(x, u, noise) for _ in range(samples)]
        known = [one for one in found if one is not None]
        return torch.stack(known) if known else None

    def divergence(self, x: Tensor, u: Tensor) -> Tensor | None:  # noqa: ARG002 -- not every prior factorises
        """KL of each dimension in nats, shape (batch, d); None unless posterior and prior are diagonal Gaussians."""
        return None

    def clusters(self, x: Tensor, u: Tensor) -> Tensor | None:  # noqa: ARG002 -- most families have none
        """Probability of each cluster given x, shape (batch, K); None for families without clusters."""
        return None

    def mixture_prior(self) -> Mixture | None:
        """The learned mixture p(z); None for families with another prior."""
        return None

    def prior_kind(self) -> PriorKind | None:
        """What p(z) is: "gaussian" for N(0, I), "laplace", "mixture" or "conditional" on u; None where that is not said."""
        return "mixture" if self.mixture_prior() is not None else None

    def facet_priors(self) -> list[Mixture]:
        """The independent mixtures that p(z) is the product of, in the order of dimensions; empty for other priors."""
        mixture = self.mixture_prior()
        return [] if mixture is None else [mixture]

    def conditional_priors(self) -> Posterior | None:
        """The Gaussians p(z|u) that the prior consists of, one for each value of u or cluster, shape (K, d) both; None if one."""
        mixture = self.mixture_prior()
        return mixture.components if mixture else None

    @classmethod
    def options_for_numbers(cls) -> dict[str, Option]:
        """Options that suit a u of numbers better than the defaults, which are for categories; taken where the user sets none."""
        return {}

    def warnings(self, u_values: int) -> list[str]:  # noqa: ARG002 -- most families have nothing to say
        """What a user should know before training on data whose u takes so many distinct values."""
        return []

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of `loss`."""
        return self.loss(batch)


def point(mean: Tensor) -> Posterior:
    """The posterior of a deterministic encoder, which has no variance: the smallest that `bounded` allows."""
    return Posterior(mean, torch.full_like(mean, -LOG_VAR_BOUND))


def reparameterise(posterior: Posterior, noise: Noise) -> Tensor:
    """Draw one sample of z per row, shape (batch, d) (Kingma & Welling 2014)."""
    return posterior.mean + (0.5 * posterior.log_var).exp() * noise.normal(posterior.mean.shape)


def sees_past(decoder: nn.Module) -> bool:
    """Whether a decoder is autoregressive: it is also given x, and sees of it what comes before each element."""
    return bool(getattr(decoder, "sees_past", False))


def log_prob_given_z(likelihood: Likelihood, decoder: nn.Module, x: Tensor, z: Tensor, noise: Noise | None) -> Tensor:
    """Log p(x|z) of every row, shape (batch,), for x of shape (batch, *x_shape) and z of shape (batch, d)."""
    return likelihood.log_prob(x, decoder(z, noise, x) if sees_past(decoder) else decoder(z, noise))


def decoded_mean(likelihood: Likelihood, decoder: nn.Module, z: Tensor) -> Tensor | None:
    """Mean of p(x|z) of z, shape (batch, d); None where x does not follow from z alone."""
    return None if sees_past(decoder) else likelihood.mean(decoder(z, None))


def gaussian_log_density(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """Log N(z; mean, diag exp log_var), summed over the last dimension; arguments broadcast."""
    return -0.5 * ((z - mean).square() * (-log_var).exp() + log_var + math.log(2 * math.pi)).sum(-1)


def gaussian_kl(posterior: Posterior, mean: Tensor | float = 0.0, log_var: Tensor | None = None) -> Tensor:
    """KL(q ‖ N(mean, diag exp log_var)) per row, shape (batch,); the standard Gaussian by default."""
    if log_var is None:
        return 0.5 * (posterior.log_var.exp() + (posterior.mean - mean).square() - 1 - posterior.log_var).sum(-1)
    ratio = (posterior.log_var - log_var).exp() + (posterior.mean - mean).square() * (-log_var).exp()
    return 0.5 * (ratio - 1 - posterior.log_var + log_var).sum(-1)


def divergence_by_dimension(posterior: Posterior, mean: Tensor | float = 0.0, log_var: Tensor | float = 0.0) -> Tensor:
    """KL(q ‖ N(mean, diag exp log_var)) of every dimension, shape (batch, d); the standard Gaussian by default."""
    spread = torch.as_tensor(log_var).to(posterior.mean)
    ratio = (posterior.log_var - spread).exp() + (posterior.mean - mean).square() * (-spread).exp()
    return 0.5 * (ratio - 1 - posterior.log_var + spread)


def responsibilities(z: Tensor, mixture: Mixture) -> Tensor:
    """Probability of each component given z, shape (batch, d); result shape (batch, K)."""
    return (gaussian_log_density(z.unsqueeze(1), *mixture.components) + mixture.log_weights).softmax(1)


def elbo_terms(log_likelihood: Tensor, kl: Tensor) -> dict[str, Tensor]:
    """The negative evidence lower bound and its two parts as batch means, from values per row, shape (batch,)."""
    reconstruction, divergence = -log_likelihood.mean(), kl.mean()
    return {"loss": reconstruction + divergence, "reconstruction": reconstruction, "kl": divergence}


def xavier_uniform(*shape: int) -> nn.Parameter:
    """A parameter initialised as Glorot & Bengio (2010) do."""
    return nn.Parameter(nn.init.xavier_uniform_(torch.empty(*shape)))

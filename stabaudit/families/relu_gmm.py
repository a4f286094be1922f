"""ReLU-GMM: a one-hidden-layer ReLU decoder of one latent with a mixture prior, by exact likelihood (Kivva et al. 2022, Fig. 1).

    z ~ Σ_j π_j N(μ_j, s_j²),   f(z) = Σ_h v_h ReLU(w_h z + b_h) + c,   x = f(z) + ε,   ε ~ N(0, σ² I)

Between two kinks t_p < t_p+1 of f it is a line α z + β, and so, with τ² = 1/(1/s² + ‖α‖²/σ²) and m = τ² (μ/s² + α·(x − β)/σ²),

    p(x) = Σ_j π_j Σ_p N(x; α μ_j + β, σ² I + s_j² α αᵀ) [Φ((t_p+1 − m)/τ) − Φ((t_p − m)/τ)]

Where f is not injective, different parameters can give the same distribution of x, as do the means −2, −1, 3 and −2, 1, 3 with
f = |z| (Remark 3.12).
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from stabaudit.config import Positive
from stabaudit.errors import UsageError
from stabaudit.families import truncated
from stabaudit.families.base import Batch, Family, Mixture, Problem, gaussian_log_density
from stabaudit.families.mixture import check_components
from stabaudit.nets.base import LOG_VAR_BOUND, Noise, Posterior, bounded
from stabaudit.nets.likelihoods import Gaussian

FAR = 1e6  # where the outer pieces end: thousands of the largest standard deviations that `bounded` allows
FLAT = 1e-6  # the kink of a hidden unit with a smaller slope lies beyond every z


@dataclass(frozen=True)
class Pieces:
    """The posterior of piece, component and z: for each of P pieces and J components a Gaussian that is cut off.

    Args:
        log_weight: log p(x, piece, component), in nats, shape (batch, P, J).
        mean, sd: m and τ, shapes (batch, P, J) and (P, J).
        low, high: ends of the piece in units of τ from m, shape (batch, P, J).
    """

    log_weight: Tensor
    mean: Tensor
    sd: Tensor
    low: Tensor
    high: Tensor


class ReLUGMM(Family):
    """One-hidden-layer ReLU decoder with a mixture prior on one latent.

    Args:
        problem: what it is built for: one latent dimension, and a Gaussian likelihood whose variance is σ².
        hidden: number of hidden units.
        components: number of mixture components.

    Raises:
        UsageError: more than one latent dimension, another likelihood, or more components than training rows.
    """

    own: ClassVar = frozenset({"architecture"})
    exact_likelihood: ClassVar = True
    likelihoods: ClassVar = ("gaussian",)

    def __init__(self, problem: Problem, *, hidden: Positive = 5, components: Positive = 3) -> None:
        super().__init__()
        check_components(components, problem.rows)
        if problem.latent_dim != 1:
            raise UsageError("family 'relu-gmm' has one latent dimension: --latent-dim 1")
        if not isinstance(problem.likelihood, Gaussian):
            raise UsageError("family 'relu-gmm' has Gaussian noise and no other: --likelihood gaussian")
        self.likelihood = problem.likelihood
        self.weight = nn.Parameter(torch.randn(hidden))
        self.bias = nn.Parameter(torch.randn(hidden))
        self.out = nn.Parameter(torch.randn(hidden, math.prod(problem.x_shape)) / math.sqrt(hidden))
        self.offset = nn.Parameter(torch.zeros(math.prod(problem.x_shape)))
        self.mixture_logits = nn.Parameter(torch.zeros(components))
        self.mixture_mean = nn.Parameter(2 * torch.randn(components))
        self.mixture_log_var = nn.Parameter(torch.zeros(components))

    @classmethod
    def only_latent_dim(cls, x_shape: tuple[int, ...]) -> int:  # noqa: ARG003 -- it is the same for all
        """One."""
        return 1

    def lines(self) -> tuple[Tensor, Tensor, Tensor]:
        """Edges of the pieces of f, shape (P + 1,), and on each piece slope α and intercept β, shape (P, D) both."""
        weight = torch.where(self.weight.abs() < FLAT, FLAT, self.weight)
        kinks = (-self.bias / weight).clamp(-FAR, FAR).sort().values
        edges = torch.cat([kinks.new_full((1,), -FAR), kinks, kinks.new_full((1,), FAR)])
        within = (edges[1:] + edges[:-1]) / 2
        active = (within.unsqueeze(1) * weight + self.bias > 0).to(weight)
        return edges, (active * weight) @ self.out, (active * self.bias) @ self.out + self.offset

    def decode(self, z: Tensor) -> Tensor:
        """Mean of p(x|z), f(z), shape (batch, D)."""
        weight = torch.where(self.weight.abs() < FLAT, FLAT, self.weight)
        return (z * weight + self.bias).relu() @ self.out + self.offset

    def pieces(self, x: Tensor) -> Pieces:
        """Density of x, shape (batch, *x_shape), jointly with each piece and component, and what z is there."""
        edges, slope, intercept = self.lines()
        noise, prior = self.likelihood.log_var, Posterior(self.mixture_mean, bounded(self.mixture_log_var))
        precision, signal = (-prior.log_var).exp(), (-noise).exp() * slope
        variance = 1 / (precision + (signal * slope).sum(1, keepdim=True))
        residual = x.flatten(1).unsqueeze(1) - intercept
        mean = variance * (prior.mean * precision + (residual * signal).sum(-1, keepdim=True))
        # N(x; α μ + β, …) by Bayes' rule at z = m, where no large numbers cancel.
        log_density = gaussian_log_density(residual.unsqueeze(2), mean.unsqueeze(-1) * slope.unsqueeze(1), noise)
        log_density = log_density - 0.5 * ((mean - prior.mean).square() * precision + prior.log_var - variance.log())
        sd = variance.sqrt()
        low, high = (edges[:-1, None] - mean) / sd, (edges[1:, None] - mean) / sd
        log_weight = self.mixture_logits.log_softmax(0) + log_density + truncated.log_mass(low, high)
        return Pieces(log_weight, mean, sd, low, high)

    def log_likelihood(self, x: Tensor) -> Tensor:
        """Logarithm of p(x) in nats, shape (batch,), of x, shape (batch, *x_shape)."""
        return torch.logsumexp(self.pieces(x).log_weight.flatten(1), 1)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative log-likelihood."""
        return {"loss": -self.log_likelihood(batch.x).mean()}

    def log_weight(self, x: Tensor, u: Tensor, noise: Noise) -> Tensor:  # noqa: ARG002 -- exact
        """Log p(x)."""
        return self.log_likelihood(x)

    def mixture_prior(self) -> Mixture:
        """The mixture, over one dimension."""
        components = Posterior(self.mixture_mean.unsqueeze(1), bounded(self.mixture_log_var).unsqueeze(1))
        return Mixture(self.mixture_logits.log_softmax(0), components)

    def clusters(self, x: Tensor, u: Tensor) -> Tensor:  # noqa: ARG002 -- this model has no use for u
        """Exact p(c|x)."""
        return self.pieces(x).log_weight.logsumexp(1).softmax(1)

    def encode(self, x: Tensor, u: Tensor) -> Posterior:  # noqa: ARG002 -- this model has no use for u
        """Mean and log-variance of p(z|x), shape (batch, 1)."""
        found = self.pieces(x)
        mean, within = (moment.flatten(1) for moment in truncated.moments(found.mean, found.sd, found.low, found.high))
        weight = found.log_weight.flatten(1).softmax(1)
        center = (weight * mean).sum(1, keepdim=True)
        variance = (weight * (within + (mean - center).square())).sum(1, keepdim=True)
        return Posterior(center, variance.clamp(min=math.exp(-LOG_VAR_BOUND)).log())

    @torch.no_grad()
    def profile(self, x: Tensor, parameter: str, position: int, values: Tensor) -> Tensor:
        """Mean negative log-likelihood of x along one number of one parameter, the others as they are.

        Args:
            x: rows, shape (n, *x_shape).
            parameter: its name.
            position: which of its numbers.
            values: to put there, shape (k,).

        Returns:
            Nats per row, shape (k,).
        """
        numbers = self.get_parameter(parameter).view(-1)
        before = numbers[position].clone()
        losses = []
        for value in values:
            numbers[position] = value
            losses.append(-self.log_likelihood(x).mean())
        numbers[position] = before
        return torch.stack(losses)

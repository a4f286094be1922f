"""SA-VAE: the encoder's posterior is where gradient steps on its parameters begin (Kim et al. 2018, arXiv:1802.02550).

    λ_0 = enc(x),   λ_{k+1} = λ_k + α·clip ∇_λ ELBO(λ_k; x),   λ = (mean, log-variance),   loss −ELBO(λ_K; x)

Training differentiates through the steps, so that decoder and encoder learn what makes the refined posterior good. The gradient
of each row is clipped to norm 5, as published. Here steps have no momentum, and see the decoder as it is after training, without
dropout. While training each takes one sample of z; latents are found without chance, by the mean over sign points around the mean
of q, z = mean ± σ, which is the exact gradient for quadratic log-likelihoods of up to 15 dimensions. Without steps it is the VAE.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import grad

from stabaudit.config import NonNegative, PositiveFloat
from stabaudit.families.annealing import Share, annealed
from stabaudit.families.base import Batch, Problem, gaussian_kl, gaussian_log_density, log_prob_given_z, reparameterise
from stabaudit.families.vae import VAE
from stabaudit.nets.base import Noise, Posterior

LARGEST_GRADIENT = 5.0  # norm of a row's, Kim et al. 2018
POINTS = 16
SEED = 0


class SAVAE(VAE):
    """Semi-amortised variational autoencoder.

    Args:
        problem: what it is built for.
        refine: K, gradient steps on a posterior (Kim et al.: 20).
        step_size: α.
        annealing: share of the training over which the weight of the divergence rises to 1; 0: none.
    """

    def __init__(
        self, problem: Problem, *, refine: NonNegative = 1, step_size: PositiveFloat = 0.5, annealing: Share = 0.0
    ) -> None:
        super().__init__(problem)
        self.refine, self.step_size, self.annealing = refine, step_size, annealing

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative ELBO of the refined posterior, with its two parts."""
        return annealed(super().loss(batch), batch.progress, self.annealing)

    def posterior(self, x: Tensor, noise: Noise | None) -> Posterior:
        """Refined q(z|x), mean and log-variance of shape (batch, d); without noise it is deterministic."""
        start = super().posterior(x, noise)
        if noise is None:
            fixed = sign_points(start.mean.shape[1]).to(start.mean)
            draws: list[Sequence[Tensor]] = [fixed.unbind()] * self.refine
        else:
            draws = [[noise.normal(start.mean.shape)] for _ in range(self.refine)]
        if not torch.is_inference_mode_enabled():
            return self._refined(x, start, draws)
        with torch.inference_mode(mode=False), torch.no_grad():  # `grad` takes copies, but no tensor of inference mode
            copies = [[draw.clone() for draw in step] for step in draws]
            return self._refined(x.clone(), Posterior(start.mean.clone(), start.log_var.clone()), copies)

    def _refined(self, x: Tensor, start: Posterior, draws: Sequence[Sequence[Tensor]]) -> Posterior:
        """A posterior after a step for each sequence of draws, over which the gradient is averaged."""

        def loss(mean: Tensor, log_var: Tensor, step: Sequence[Tensor]) -> Tensor:
            q = Posterior(mean, log_var)
            deviation = (0.5 * log_var).exp()
            values = [log_prob_given_z(self.likelihood, self.decoder, x, mean + deviation * draw, None).sum() for draw in step]
            return gaussian_kl(q).sum() - torch.stack(values).mean()

        mean, log_var = start
        with after_training(self.decoder):
            for step in draws:
                slopes = grad(loss, argnums=(0, 1))(mean, log_var, step)
                square = sum((slope.square().sum(1, keepdim=True) for slope in slopes), torch.full_like(mean[:, :1], 1e-12))
                rate = self.step_size * (LARGEST_GRADIENT * square.rsqrt()).clamp(max=1)
                mean, log_var = mean - rate * slopes[0], log_var - rate * slopes[1]
        return Posterior(mean, log_var)

    def log_weights(self, x: Tensor, u: Tensor, noise: Noise, samples: int) -> Tensor:  # noqa: ARG002 -- p(x) has no u
        """Importance weights from one refined posterior."""
        posterior = self.posterior(x, None)
        return torch.stack([self._log_weight(x, posterior, noise) for _ in range(samples)])

    def _log_weight(self, x: Tensor, posterior: Posterior, noise: Noise) -> Tensor:
        z = reparameterise(posterior, noise)
        log_likelihood = log_prob_given_z(self.likelihood, self.decoder, x, z, None)
        return log_likelihood + self.log_prior(z) - gaussian_log_density(z, *posterior)


def sign_points(dim: int) -> Tensor:
    """Sixteen points of coordinates ±1, shape (16, dim), whose mean is 0 and whose variances are 1.

    The first 15 columns are Walsh functions, which are uncorrelated. Further ones are random signs and their negatives, always
    the same; some of their correlations are not 0.

    Example:
        >>> points = sign_points(15)
        >>> bool((points.T @ points == 16 * torch.eye(15)).all())
        True
    """
    rows, columns = torch.arange(POINTS), torch.arange(1, POINTS)
    shared = rows[:, None] & columns
    parity = ((shared[..., None] >> torch.arange(POINTS.bit_length())) & 1).sum(2) % 2
    half = torch.randint(2, (POINTS // 2, max(0, dim - POINTS + 1)), generator=torch.Generator().manual_seed(SEED))
    signs = torch.cat([parity, torch.cat([half, 1 - half])], 1)
    return (1 - 2 * signs[:, :dim]).float()


@contextmanager
def after_training(module: nn.Module) -> Iterator[None]:
    """A module as it is in evaluation mode, for the block."""
    before = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(before)

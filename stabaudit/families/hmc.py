"""Posterior means and variances by Hamiltonian Monte Carlo (Neal 2011), with pyro (the extra `hmc`).

One chain moves the latents of all rows together: they are independent given x, so that only the step size feels how many there
are. A trajectory is a quarter of the period of a standard Gaussian, which is what the posterior resembles in the coordinates that
the warm-up adapts: successive draws are then nearly independent. Every call begins at z = 0 with a seed of its own, so the same
rows give the same draws. A chain does not cross between far modes of a posterior.
"""

import importlib.util
import math
from collections.abc import Callable

import torch
from torch import Tensor

from stabaudit.errors import UsageError
from stabaudit.nets.base import LOG_VAR_BOUND, Posterior

WARMUP = 300  # draws that adapt step size and masses, then are thrown away
QUARTER = math.pi / 2
SEED = 0


def require_pyro() -> None:
    """Refuse to go on where pyro is missing.

    Raises:
        UsageError: saying how to install it.
    """
    if importlib.util.find_spec("pyro") is None:
        raise UsageError("inference=hmc needs pyro: pip install 'stabaudit[hmc]'")


def moments(log_joint: Callable[[Tensor, Tensor], Tensor], x: Tensor, latent_dim: int, samples: int) -> Posterior:
    """Mean and log-variance of each row's latents over the draws of a chain, shape (n, d) both.

    Args:
        log_joint: log p(x, z) of every row, shape (n,), for x and z of shape (n, d); differentiable.
        x: rows, shape (n, *x_shape).
        latent_dim: d.
        samples: draws kept, at least 2.
    """
    from pyro.infer.mcmc import HMC, MCMC  # noqa: PLC0415 -- an extra, and slow to load

    devices = [x.device] if x.is_cuda else []
    with torch.inference_mode(mode=False), torch.enable_grad(), torch.random.fork_rng(devices):
        torch.manual_seed(SEED)
        seen = x.clone()  # a tensor of inference mode has no gradients
        kernel = HMC(potential_fn=lambda now: -log_joint(seen, now["z"]).sum(), trajectory_length=QUARTER)
        start = {"z": seen.new_zeros(len(x), latent_dim)}
        chain = MCMC(kernel, samples, WARMUP, initial_params=start, disable_progbar=True)
        chain.run()
        draws = chain.get_samples()["z"].detach()
    return Posterior(draws.mean(0), draws.var(0).clamp(min=math.exp(-LOG_VAR_BOUND)).log())

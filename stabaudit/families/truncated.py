"""The standard Gaussian's tails, and Gaussians cut off at both ends, however far in a tail."""

import math

import torch
from torch import Tensor

SMALLEST = 1e-30  # of an empty interval, relative to the tail it lies in
LARGEST_HAZARD = 20.0  # logarithm; hazards beyond it belong to intervals without mass


def log_cdf(x: Tensor) -> Tensor:
    """Logarithm of Φ(x), exact in both tails; torch's own `log_ndtr` has no rule for `vmap`."""
    below, above = x.clamp(max=0), x.clamp(min=0)
    left = (0.5 * torch.special.erfcx(-below / math.sqrt(2))).log() - 0.5 * below.square()
    right = torch.log1p(-0.5 * torch.erfc(above / math.sqrt(2)))
    return torch.where(x < 0, left, right)


def log_mass(low: Tensor, high: Tensor) -> Tensor:
    """Logarithm of Φ(high) − Φ(low) for finite low ≤ high, by the smaller of both tails."""
    flipped = low > 0
    low, high = torch.where(flipped, -high, low), torch.where(flipped, -low, high)
    upper = log_cdf(high)
    gap = (upper - log_cdf(low)).clamp(min=SMALLEST)
    return upper + (-torch.expm1(-gap)).log()


def moments(mean: Tensor, sd: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of a Gaussian that is cut off; an interval with next to no mass gives some point within it.

    Args:
        mean: of the Gaussian before it is cut.
        sd: its standard deviation.
        low: lower end in units of `sd` from `mean`, finite.
        high: upper end, likewise.
    """
    mass = log_mass(low, high)
    at_low, at_high = (
        (-0.5 * (end.square() + math.log(2 * math.pi)) - mass).clamp(max=LARGEST_HAZARD).exp() for end in (low, high)
    )
    shift = torch.minimum(torch.maximum(at_low - at_high, low), high)
    variance = (1 + low * at_low - high * at_high - shift.square()).clamp(0, 1)
    return mean + sd * shift, sd.square() * variance

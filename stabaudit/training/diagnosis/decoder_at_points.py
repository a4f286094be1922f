"""A decoder as a function of standardised latents, and its derivatives by differences, in double precision.

With y = (z − m)/s, m and s the mean and spread of the aggregate posterior, g(y) = f(z) is what every number here is of; so a
unit of y is one standard deviation. Derivatives are central differences with a step of 10⁻⁵: their error is near 10⁻¹⁰ of the
slope, they are exact on a piece of a piecewise affine g, and they need nothing of a user's module but that it can be called.

f is the decoder's mean, for a Bernoulli its logits: the sigmoid is one-to-one and adds nothing but curvature.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stabaudit.families.base import Family
from stabaudit.nets.likelihoods import Bernoulli
from stabaudit.store.run.latents import Latents

Array = NDArray[Any]
STEP = 1e-5  # of a derivative, in units of y
POINTS = 256
_ROWS = 4096  # decoded at a time
_SEED = 2206  # of the points, the same for all runs


class _Logits(nn.Module):
    """A likelihood whose mean is the decoder's output."""

    def mean(self, output: Tensor) -> Tensor:
        """Return it."""
        return output


@dataclass(frozen=True)
class Decoder:
    """A decoder g of standardised latents; dimensions may be held where they are on average.

    Args:
        decode: f, from (batch, d) to (batch, n), double precision.
        center, spread: m and s, shape (d,).
        kept: the dimensions that y has, ascending.
    """

    decode: Callable[[Tensor], Tensor]
    center: Tensor
    spread: Tensor
    kept: tuple[int, ...]

    def __call__(self, y: Tensor) -> Tensor:
        """G(y), shape (batch, n), of y, shape (batch, kept)."""
        z = self.latents(y)
        with torch.no_grad():
            return torch.cat([self.decode(part) for part in z.split(_ROWS)])

    def latents(self, y: Tensor) -> Tensor:
        """The z of y, shape (batch, d)."""
        z = self.center.expand(len(y), -1).clone()
        z[:, self.kept] += y * self.spread[list(self.kept)]
        return z

    def keeping(self, kept: Sequence[int]) -> "Decoder":
        """The same with the other dimensions held where they are on average."""
        return Decoder(self.decode, self.center, self.spread, tuple(kept))

    def jacobian(self, y: Tensor) -> Tensor:
        """Of g at y, shape (batch, n, kept)."""
        shifts = STEP * torch.eye(len(self.kept), dtype=y.dtype)
        columns = [(self(y + shift) - self(y - shift)) / (2 * STEP) for shift in shifts]
        return torch.stack(columns, 2)


def decoder_of(family: Family, latents: Latents) -> tuple[Decoder, Tensor] | None:
    """The decoder of a model, and points of the aggregate posterior as y, shape (points, d); None where it has none.

    Args:
        family: in evaluation mode; it is turned to double precision, and a Bernoulli likelihood taken off it.
        latents: of the evaluation rows.
    """
    family.double()
    if isinstance(getattr(family, "likelihood", None), Bernoulli):
        family.likelihood = _Logits()
    mean = torch.from_numpy(latents.mean).double()
    with torch.no_grad():
        if family.decode(mean[:2]) is None:
            return None

    def decode(z: Tensor) -> Tensor:
        decoded = family.decode(z)
        assert decoded is not None  # noqa: S101 -- it is so for any z
        return decoded.flatten(1)

    order = np.argsort(latents.sample_id, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, POINTS).astype(int))]
    z = mean[chosen]
    if latents.log_var is not None:
        noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(_SEED), dtype=z.dtype)
        z = z + torch.from_numpy(latents.log_var[chosen]).double().div(2).exp() * noise
    center, spread = z.mean(0), z.std(0)
    spread = torch.where(spread > 0, spread, torch.ones_like(spread))
    return Decoder(decode, center, spread, tuple(range(z.shape[1]))), (z - center) / spread

"""Rademacher VAE: an iVAE whose u is hashed from x, instead of given or learned (Willetts & Paige 2021, App. E).

u is the orthant of A·x, one of 2^N, where A is a fixed N × D matrix of signs, each ±1 with probability one half, drawn from the
seed of the training: two trainings cluster the data in ways that have nothing to do with each other. Each orthant has a
Gaussian of its own, mean and variance learned, as prior; the encoder sees x alone.
"""

import math
from dataclasses import replace
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from stabaudit.config import Option
from stabaudit.errors import UsageError
from stabaudit.families.base import Batch, Problem
from stabaudit.families.ivae import IVAE
from stabaudit.nets.base import Noise
from stabaudit.nets.likelihoods import NUMERIC

Bits = Annotated[int, Field(ge=1, le=16)]


class RademacherVAE(IVAE):
    """VAE with a prior for each orthant of a random projection.

    Args:
        problem: what it is built for.
        bits: N, rows of the projection.

    Raises:
        UsageError: more orthants than training rows.
    """

    needs_u: ClassVar[bool] = False
    likelihoods: ClassVar = NUMERIC
    projection: Tensor

    def __init__(self, problem: Problem, *, bits: Bits = 7) -> None:
        orthants = 2**bits
        if orthants > problem.rows:
            raise UsageError(
                f"{bits} bits make {orthants} orthants, more than the {problem.rows} training rows; lower --set bits=…"
            )
        super().__init__(replace(problem, u_dim=orthants, categories=True), prior_mean="learned", encoder_u=False)
        self.orthants = orthants
        signs = 2 * torch.randint(2, (bits, math.prod(problem.x_shape))) - 1
        self.register_buffer("projection", signs.to(torch.get_default_dtype()))

    def orthant(self, x: Tensor) -> Tensor:
        """The orthant of each x as a one-hot code, shape (batch, 2^N)."""
        bits = (x.flatten(1) @ self.projection.T > 0).to(x)
        number = bits @ 2 ** torch.arange(len(self.projection), dtype=x.dtype, device=x.device)
        return (number.unsqueeze(1) == torch.arange(self.orthants, dtype=x.dtype, device=x.device)).to(x)

    @classmethod
    def options_for_numbers(cls) -> dict[str, Option]:
        """None: the u of the data is not used."""
        return {}

    def warnings(self, u_values: int) -> list[str]:  # noqa: ARG002 -- the u of the data is not used
        """Say when there are too few orthants for the identifiability theorem of the iVAE."""
        return super().warnings(self.orthants)

    def log_weight(self, x: Tensor, u: Tensor, noise: Noise) -> Tensor:  # noqa: ARG002 -- the u of the data is not used
        """One importance weight per row."""
        return super().log_weight(x, self.orthant(x), noise)

    def divergence(self, x: Tensor, u: Tensor) -> Tensor | None:  # noqa: ARG002 -- the u of the data is not used
        """In closed form."""
        return super().divergence(x, self.orthant(x))

    def clusters(self, x: Tensor, u: Tensor) -> Tensor:  # noqa: ARG002 -- the u of the data is not used
        """The orthant, for certain."""
        return self.orthant(x)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative ELBO with its two parts."""
        return super().loss(replace(batch, u=self.orthant(batch.x)))

"""Small problems, rows and averages that the families' tests share."""

import math

import numpy as np
import pytest
import torch

from stabaudit.families.base import Batch, Problem
from stabaudit.nets.likelihoods import Gaussian
from stabaudit.nets.mlp import build as mlp
from stabaudit.training.step.noise import Fresh
from stabaudit.training.step.restarts import Rows


class Small:
    """Vectors of four elements with a binary u, and families on the smallest networks."""

    def noise(self, seed=0):
        return Fresh(torch.Generator().manual_seed(seed))

    def problem(self, *, d=3, x_dim=4, u_dim=2, rows=200, widths=(16,), variance=0.5):
        def networks(context_dim, latent_dim=None):
            return mlp((x_dim,), latent_dim or d, context_dim, widths=widths)

        return Problem((x_dim,), u_dim, d, rows, networks, Gaussian(variance=variance))

    def family(self, kind, of=None, **options):
        torch.manual_seed(0)
        return kind(of or self.problem(), **options).eval()

    def rows(self, n=200, x_dim=4, u_dim=2):
        x = torch.randn(n, x_dim, generator=torch.Generator().manual_seed(1))
        return Rows(x, torch.nn.functional.one_hot(torch.arange(n) % u_dim, u_dim).float())

    def terms(self, family, rows, seed=0, progress=1.0):
        return family.loss(Batch(rows.x, rows.u, self.noise(seed), torch.tensor(progress)))

    def mean_loss(self, family, rows, repeats=400):
        """The mean over noise seeds and its standard error."""
        with torch.no_grad():
            losses = [self.terms(family, rows, seed)["loss"].item() for seed in range(repeats)]
        return np.mean(losses), np.std(losses) / math.sqrt(repeats)


@pytest.fixture
def small():
    return Small()

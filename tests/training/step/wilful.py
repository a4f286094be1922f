"""Families whose losses cannot be traced or stacked, each for another reason, and one that can."""

import torch
from torch import nn

from stabaudit.families.base import Family, point


class Plain(Family):
    """A linear autoencoder with batch normalisation, without noise."""

    own = frozenset({"architecture", "likelihood"})

    def __init__(self, problem):
        super().__init__()
        self.into = nn.Linear(problem.x_shape[0], problem.latent_dim)
        self.norm = nn.BatchNorm1d(problem.latent_dim)
        self.back = nn.Linear(problem.latent_dim, problem.x_shape[0])

    def error(self, batch):
        return (self.back(self.norm(self.into(batch.x))) - batch.x).square().mean()

    def loss(self, batch):
        return {"loss": self.error(batch)}

    def encode(self, x, u):  # noqa: ARG002 -- the contract's
        return point(self.norm(self.into(x)))


class Looks(Plain):
    def loss(self, batch):
        error = self.error(batch)
        return {"loss": error if error.item() > 0 else -error, "seen": error.item()}


class Branches(Plain):
    def loss(self, batch):
        error = self.error(batch)
        return {"loss": error if error > 0 else -error}


class Counts(Plain):
    calls = 0

    def loss(self, batch):
        self.calls += 1
        return {"loss": self.error(batch) * min(1.0, self.calls / 1000)}


class Swaps(Plain):
    """The same operations on another tensor each time."""

    calls = 0

    def loss(self, batch):
        self.calls += 1
        return {"loss": self.error(batch) + (self.back.bias * torch.tensor([float(self.calls)])).mean()}


class Draws(Plain):
    def loss(self, batch):
        return {"loss": self.error(batch) + (self.back.bias * torch.randn(self.back.bias.shape)).mean()}


class Half(torch.autograd.Function):
    """As it was written before transforms of functions: with ctx in forward."""

    @staticmethod
    def forward(ctx, x):  # noqa: ARG004 -- torch's
        return x / 2

    @staticmethod
    def backward(ctx, slope):  # noqa: ARG004
        return slope / 2


class Differentiates(Plain):
    def loss(self, batch):
        return {"loss": Half.apply(self.error(batch))}


class Whole(Plain):
    """Not a mapping, as a loss is in most code."""

    def loss(self, batch):
        return self.error(batch)


class Rowwise(Plain):
    def loss(self, batch):
        return {"loss": (self.into(batch.x)).square().mean(1)}


class Breaks(Plain):
    def loss(self, batch):
        return {"loss": self.error(batch.x)}

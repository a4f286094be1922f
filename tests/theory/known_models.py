"""A family whose decoder and prior are chosen by name, so that what theorems say of it is known."""

from typing import Literal

import torch
from torch import nn

from stabaudit.families.base import Family, Mixture
from stabaudit.nets.base import Posterior


class Skip(nn.Module):
    """Half the latents, linearly, beside a ReLU network of all of them."""

    def __init__(self, d, width):
        super().__init__()
        self.straight = nn.Linear(d, width)
        self.bent = nn.Sequential(nn.Linear(d, 16), nn.ReLU(), nn.Linear(16, width))

    def forward(self, z):
        return self.straight(z) + 0.3 * self.bent(z)


def decoder_of(kind, d, width):
    if kind == "linear":
        return nn.Linear(d, width)
    if kind == "skip":
        return Skip(d, width)
    activation = {"relu": nn.ReLU(), "leaky": nn.LeakyReLU(0.1), "tanh": nn.Tanh()}[kind]
    return nn.Sequential(nn.Linear(d, 4 * d), activation, nn.Linear(4 * d, width))


class Known(Family):
    """Takes any of four decoders and three priors; is never trained."""

    own = frozenset({"architecture"})

    def __init__(
        self,
        problem,
        *,
        decoder: Literal["linear", "relu", "leaky", "tanh", "skip"] = "linear",
        prior: Literal["gaussian", "laplace", "mixture"] = "gaussian",
    ):
        super().__init__()
        self.decoder = decoder_of(decoder, problem.latent_dim, problem.x_shape[0])
        self.encoder = nn.Linear(problem.x_shape[0], 2 * problem.latent_dim)
        self.likelihood, self.prior = problem.likelihood, prior
        if prior == "mixture":
            self.mean = nn.Parameter(torch.zeros(3, problem.latent_dim))
            self.log_var = nn.Parameter(torch.zeros(3, problem.latent_dim))

    def loss(self, batch):
        posterior = self.encode(batch.x, batch.u)
        return {
            "loss": -self.likelihood.log_prob(batch.x, self.decoder(posterior.mean)).mean() + posterior.log_var.square().mean()
        }

    def encode(self, x, u):  # noqa: ARG002 -- the contract's
        return Posterior(*self.encoder(x).chunk(2, -1))

    def decode(self, z):
        return self.likelihood.mean(self.decoder(z))

    def prior_kind(self):
        return self.prior

    def mixture_prior(self):
        if self.prior != "mixture":
            return None
        return Mixture(torch.full((3,), 1 / 3).log(), Posterior(self.mean, self.log_var))

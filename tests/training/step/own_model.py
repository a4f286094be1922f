"""A user's own model, as it is: it draws its own noise, drops out, looks at values. Below, what makes a family of it."""

import torch
from torch import nn

from stabaudit.families.base import Family
from stabaudit.nets.base import Posterior


class MyVAE(nn.Module):
    """Written long before anybody asked whether it is stable."""

    def __init__(self, features, d, hidden):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(features, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(0.1), nn.Linear(hidden, 2 * d)
        )
        self.decoder = nn.Sequential(nn.Linear(d, hidden), nn.ReLU(), nn.Linear(hidden, features))

    def forward(self, x):
        mean, log_var = self.encoder(x).chunk(2, -1)
        z = mean + (log_var / 2).exp() * torch.randn_like(mean)
        kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(-1).mean()
        if kl.item() > 1e6:
            kl = kl.clamp(max=1e6)
        return 0.5 * (self.decoder(z) - x).square().sum(-1).mean(), kl


class Mine(Family):
    """The whole adapter: options with their types, what to minimise, and where the latents are."""

    own = frozenset({"architecture", "likelihood"})

    def __init__(self, problem, *, hidden: int = 64):
        super().__init__()
        self.net = MyVAE(problem.x_shape[0], problem.latent_dim, hidden)

    def loss(self, batch):
        reconstruction, kl = self.net(batch.x)
        return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}

    def encode(self, x, u):  # noqa: ARG002 -- the contract's
        return Posterior(*self.net.encoder(x).chunk(2, -1))

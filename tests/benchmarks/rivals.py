"""What people run today: one model, a DataLoader, torch's Adam, one restart after another; written as users write it.

Layers, sizes and losses are those of stabaudit's families, so that a step is the same arithmetic.
"""

import math
import time
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

BATCH = 64


class VAE(nn.Module):
    """Encoder and decoder around a standard Gaussian prior, Bernoulli likelihood."""

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def loss(self, x):
        mean, log_var = self.encoder(x).chunk(2, 1)
        z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        reconstruction = functional.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
        divergence = -0.5 * torch.sum(1 + log_var - mean**2 - log_var.exp())
        return (reconstruction + divergence) / len(x)


class IVAE(nn.Module):
    """A prior given by u, Gaussian likelihood of fixed variance."""

    def __init__(self, d, x_dim, u_dim, width):
        super().__init__()
        self.encoder = mlp([x_dim + u_dim, width, width, 2 * d])
        self.decoder = mlp([d, width, width, x_dim])
        self.prior = nn.Linear(u_dim, d)

    def loss(self, x, u):
        mean, log_var = self.encoder(torch.cat([x, u], 1)).chunk(2, 1)
        z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        prior = self.prior(u)
        divergence = 0.5 * ((log_var - prior).exp() + mean**2 * (-prior).exp() - 1 - log_var + prior).sum(1)
        square = ((x - self.decoder(z)) ** 2).sum(1)
        return (0.5 * (square / 0.01 + x.shape[1] * math.log(2 * math.pi * 0.01)) + divergence).mean()


def mlp(sizes, dropout_after=None):
    layers = []
    for number, (a, b) in enumerate(pairwise(sizes), start=1):
        layers.append(nn.Linear(a, b))
        if number < len(sizes) - 1:
            layers.append(nn.LeakyReLU(0.1))
        if number == dropout_after:
            layers.append(nn.Dropout(0.1))
    return nn.Sequential(*layers)


def mlp_vae(d=50):
    widths = [512, 384, 256, 256]
    encoder = nn.Sequential(nn.Flatten(), mlp([784, *widths, 2 * d], dropout_after=2))
    return VAE(encoder, nn.Sequential(mlp([d, *reversed(widths), 784], dropout_after=2), nn.Unflatten(1, (1, 28, 28))))


class VaDE(VAE):
    """A learned Gaussian mixture as prior."""

    def __init__(self, encoder, decoder, d, components):
        super().__init__(encoder, decoder)
        self.logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(nn.init.xavier_normal_(torch.empty(components, d)))
        self.log_vars = nn.Parameter(torch.zeros(components, d))

    def loss(self, x):
        mean, log_var = self.encoder(x).chunk(2, 1)
        noise = torch.randn_like(mean)
        z = mean + torch.exp(0.5 * log_var) * noise
        reconstruction = functional.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum") / len(x)
        square = (z[:, None] - self.means) ** 2 / self.log_vars.exp() + self.log_vars
        prior = torch.logsumexp(torch.log_softmax(self.logits, 0) - 0.5 * square.sum(2), 1)
        posterior = -0.5 * (log_var + noise**2).sum(1)
        return reconstruction + (posterior - prior).mean()


def conv_vae(d=50):
    return VAE(*convolutions(d, side=28, channels=1))


def conv_vade(d=50, components=40):
    return VaDE(*convolutions(d, side=32, channels=3), d, components)


def convolutions(d, side, channels):
    """Encoder and decoder of square images."""
    quarter = side // 4

    def block(layer):
        return nn.Sequential(layer, nn.BatchNorm2d(layer.out_channels), nn.ELU())

    encoder = nn.Sequential(
        block(nn.Conv2d(channels, 8, 3, padding=1)),
        block(nn.Conv2d(8, 16, 3, padding=1)),
        nn.MaxPool2d(2),
        block(nn.Conv2d(16, 32, 3, padding=1)),
        block(nn.Conv2d(32, 64, 3, padding=1)),
        nn.MaxPool2d(2),
        nn.Conv2d(64, 64, quarter),
        nn.Flatten(),
        nn.Linear(64, 64),
        nn.LeakyReLU(0.1),
        nn.Linear(64, 2 * d),
    )
    decoder = nn.Sequential(
        nn.Linear(d, 64),
        nn.LeakyReLU(0.1),
        nn.Linear(64, 64),
        nn.Unflatten(1, (64, 1, 1)),
        block(nn.ConvTranspose2d(64, 64, quarter)),
        block(nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1)),
        block(nn.ConvTranspose2d(32, 16, 3, padding=1)),
        block(nn.ConvTranspose2d(16, 8, 4, stride=2, padding=1)),
        nn.Conv2d(8, channels, 3, padding=1),
    )
    return encoder, decoder


class Loop:
    """The ordinary training loop, which can be watched for a while and gone on with."""

    def __init__(self, model, *tensors):
        self.model = model.train()
        self.optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
        self.loader = DataLoader(TensorDataset(*tensors), batch_size=BATCH, shuffle=True)

    def steps_per_second(self, seconds):
        steps, start = 0, time.perf_counter()
        for batch in self.loader:
            loss = self.model.loss(*batch)
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            steps += 1
            if time.perf_counter() - start > seconds:
                break
        return steps / (time.perf_counter() - start)

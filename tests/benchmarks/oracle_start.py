"""Networks that start at the truth: where does an iVAE go that has the true sources to begin with?

    PYTHONPATH=tests/benchmarks stabaudit audit tests/benchmarks/oracle-start.toml

The encoder starts with q(z|x,u) fitted to the true sources of `tcl` by maximum likelihood, the decoder with the least-squares map
from them to x. That is the truth, but no optimum of the objective: after one step the loss is hundreds of nats.
"""

import torch
from torch import nn

from stabaudit.data.tcl import load
from stabaudit.nets import mlp

WIDTHS = (100, 100)
STEPS, BATCH, RATE = 6_000, 512, 5e-3


def build(x_shape: tuple[int, ...], latent_dim: int, context_dim: int) -> tuple[nn.Module, nn.Module]:
    """Build the encoder and the decoder of `ivae-sources`, trained on the true sources of `tcl` with its default options.

    Args:
        x_shape: (5,).
        latent_dim: 5.
        context_dim: number of segments, 40.
    """
    encoder, decoder = mlp.build(x_shape, latent_dim, context_dim, widths=WIDTHS, activation="leaky-tanh")
    rows = load().train
    assert rows.sources is not None
    x, u, sources = (torch.as_tensor(part) for part in (rows.x, rows.u, rows.sources))
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=RATE)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, STEPS)
    with torch.enable_grad():
        for _ in range(STEPS):
            some = torch.randint(len(x), (BATCH,))
            mean, log_var = encoder(x[some], u[some], None)
            missed = decoder(sources[some], None) - x[some]
            loss = ((sources[some] - mean).square() / log_var.exp() + log_var).mean() + missed.square().mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            falling.step()
    return encoder, decoder

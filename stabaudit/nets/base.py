"""What networks and families share: randomness as an argument, posteriors, bounded log-variances."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

LOG_VAR_BOUND = 12.0  # standard deviations stay within e^±6, so that no exponential of a log-variance overflows
Activation = Literal["leaky-relu", "relu", "leaky-tanh", "elu"]


class Noise(Protocol):
    """The random numbers of one training step, asked for by shape, in an order that does not change from step to step."""

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Draw standard Gaussian numbers of the given shape."""
        ...

    def keep(self, shape: Sequence[int], drop: float) -> Tensor:
        """Draw a dropout mask of the given shape: 0 with probability `drop`, else 1/(1 − drop)."""
        ...


class Posterior(NamedTuple):
    """A diagonal Gaussian q(z|x): mean and log-variance, both of shape (batch, d)."""

    mean: Tensor
    log_var: Tensor


def bounded(log_var: Tensor) -> Tensor:
    """Log-variances pulled smoothly into ±`LOG_VAR_BOUND`; gradients stay alive, unlike with clamping."""
    return LOG_VAR_BOUND * torch.tanh(log_var / LOG_VAR_BOUND)


class LeakyTanh(nn.Module):
    """tanh(x) + 0.1·x, the leaky hyperbolic tangent of Khemakhem et al. 2019."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply elementwise."""
        return torch.tanh(x) + 0.1 * x


def activation(name: Activation) -> nn.Module:
    """Make the activation of a given name; leaky ReLU has slope 0.1 (Willetts et al. 2021, Table B.2)."""
    match name:
        case "leaky-relu":
            return nn.LeakyReLU(0.1)
        case "relu":
            return nn.ReLU()
        case "leaky-tanh":
            return LeakyTanh()
        case "elu":
            return nn.ELU()


class MLP(nn.Module):
    """Fully connected layers with one activation between them and, optionally, dropout in the middle.

    Args:
        sizes: input, hidden and output sizes, at least two numbers.
        activation_name: what stands between the layers (not after the last).
        drop: dropout probability, in [0, 1), after the middle hidden layer.
    """

    def __init__(self, sizes: Sequence[int], activation_name: Activation, drop: float = 0.0) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes[:-1]))
        self.out = nn.Linear(sizes[-2], sizes[-1])
        self.activation = activation(activation_name)
        self.drop = drop
        self.drop_after = max(1, len(self.hidden) // 2)  # of four hidden layers the second, as in Willetts et al. 2021, Table B.2

    def activations(self, h: Tensor, noise: Noise | None = None, added: Mapping[int, Tensor] | None = None) -> list[Tensor]:
        """What the hidden layers give, shape (batch, sizes[number]) for the layer of that number, counted from 1.

        Args:
            h: shape (batch, sizes[0]).
            noise: used by dropout while training only.
            added: to what goes into the activation of a hidden layer, by its number.
        """
        found = []
        for number, layer in enumerate(self.hidden, start=1):
            h = layer(h)
            h = self.activation(h + added[number] if added and number in added else h)
            if number == self.drop_after and self.drop > 0 and self.training and noise is not None:
                h = h * noise.keep(h.shape, self.drop)
            found.append(h)
        return found

    def forward(self, h: Tensor, noise: Noise | None = None, added: Mapping[int, Tensor] | None = None) -> Tensor:
        """Map shape (batch, sizes[0]) to (batch, sizes[-1]); see `activations`."""
        out: Tensor = self.out([h, *self.activations(h, noise, added)][-1])
        return out

"""Likelihoods log p(x|z), given what the decoder puts out: sums over the elements of x, in nats."""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from stabaudit.config import Positive, PositiveFloat


class Bernoulli(nn.Module):
    """Independent Bernoulli elements; the decoder's output are logits. Values of x between 0 and 1 are taken as probabilities."""

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        """Log-likelihood of x, shape (batch, *x_shape) both, result shape (batch,)."""
        return (x * output - functional.softplus(output)).flatten(1).sum(1)

    def mean(self, output: Tensor) -> Tensor:
        """E[x|z], probabilities of the shape of the decoder's output."""
        return output.sigmoid()


class Gaussian(nn.Module):
    """Independent Gaussian elements with one common variance; the decoder's output is their mean.

    Args:
        variance: the variance, or its value at the start (Khemakhem et al. 2019 fix 0.01).
        learned: learn the variance.
    """

    def __init__(self, *, variance: PositiveFloat = 0.01, learned: bool = False) -> None:
        super().__init__()
        log_var = torch.tensor(math.log(variance))
        if learned:
            self.log_var = nn.Parameter(log_var)
        else:
            self.register_buffer("log_var", log_var)

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        """Log-likelihood of x, shape (batch, *x_shape) both, result shape (batch,)."""
        log_var = self.log_var
        square = (x - output).square().flatten(1).sum(1)
        return -0.5 * (square * (-log_var).exp() + math.prod(x.shape[1:]) * (log_var + math.log(2 * math.pi)))

    def mean(self, output: Tensor) -> Tensor:
        """E[x|z], the decoder's output itself."""
        return output


class DiscretisedLogistic(nn.Module):
    """Independent elements on a grid of levels in [0, 1]; each level has the mass of its cell under a logistic distribution.

    With the cell (a, b) of x in units of the scale, measured from the decoder's output (the location), and w = b − a,

        log P(x) = log [σ(b) − σ(a)] = log σ(b) + log σ(−a) + log(1 − e^−w),

    in which nothing cancels: value and gradient are finite for every x and every location. The cells of 0 and of 1 reach to
    infinity, which leaves log σ(b) and log σ(−a) (Kingma et al. 2016, appendix D; Salimans et al. 2017).

    Args:
        scale: of the logistic distribution, or its value at the start.
        learned: learn the scale, one for all elements.
        levels: values 0, 1/(levels − 1), …, 1; images have 256.
    """

    def __init__(self, *, scale: PositiveFloat = 0.05, learned: bool = True, levels: Annotated[int, Field(ge=2)] = 256) -> None:
        super().__init__()
        self.half_cell = 0.5 / (levels - 1)
        log_scale = torch.tensor(math.log(scale))
        if learned:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        """Log-probability of x, shape (batch, *x_shape) both, result shape (batch,)."""
        distance, precision = x - output, (-self.log_scale).exp()
        below = functional.logsigmoid(-precision * (distance - self.half_cell))  # nothing lies below 0
        above = functional.logsigmoid(precision * (distance + self.half_cell))  # nor above 1
        inside = (-torch.expm1(-2 * self.half_cell * precision)).log()
        has_below, has_above = (x > self.half_cell).to(x), (x < 1 - self.half_cell).to(x)
        return (has_below * below + has_above * above + has_below * has_above * inside).flatten(1).sum(1)

    def mean(self, output: Tensor) -> Tensor:
        """The location, the decoder's output itself; E[x|z] but for the ends of the grid, where mass is gathered."""
        return output


class Categorical(nn.Module):
    """Independent elements of K outcomes, given as codes 1…K; the decoder's output are their logits. Code 0 is no observation.

    Args:
        outcomes: K.
    """

    def __init__(self, *, outcomes: Positive) -> None:
        super().__init__()
        self.outcomes = outcomes

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        """Log-probability of the codes x, shape (batch, *x_shape), from logits, shape (batch, *x_shape, K); result (batch,)."""
        chosen = (x - 1).clamp(min=0).long().unsqueeze(-1)
        log_probability = output.log_softmax(-1).gather(-1, chosen).squeeze(-1)
        return (log_probability * (x > 0)).flatten(1).sum(1)

    def mean(self, output: Tensor) -> Tensor:
        """Probabilities of the outcomes, of the shape of the decoder's output."""
        return output.softmax(-1)


Likelihood = Bernoulli | Gaussian | DiscretisedLogistic | Categorical
LIKELIHOODS: dict[str, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "logistic": DiscretisedLogistic,
    "categorical": Categorical,
}
NUMERIC = ("gaussian", "bernoulli", "logistic")  # those of numbers


def output_shape(likelihood: Likelihood, x_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of what a decoder gives for one observation: that of x, but for outcomes, which have a logit each."""
    return (*x_shape, likelihood.outcomes) if isinstance(likelihood, Categorical) else x_shape

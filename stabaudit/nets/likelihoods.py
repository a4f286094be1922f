"""Likelihoods log p(x|z), given what the decoder puts out: sums over the elements of x, in nats."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from stabaudit.config import PositiveFloat


class Bernoulli(nn.Module):
    """Independent Bernoulli elements; the decoder's output are logits. Values of x between 0 and 1 are taken as probabilities."""

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        """Log-likelihood of x, shape (batch, *x_shape) both, result shape (batch,)."""
        return (x * output - functional.softplus(output)).flatten(1).sum(1)


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


Likelihood = Bernoulli | Gaussian
LIKELIHOODS: dict[str, type[Likelihood]] = {"bernoulli": Bernoulli, "gaussian": Gaussian}

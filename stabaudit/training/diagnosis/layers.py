"""The weight matrices of a decoder, and what they prove: a chain of injective layers is injective.

A linear layer is injective where its columns are independent; a leaky ReLU, a leaky tanh or an ELU always is, element by
element. A ReLU behind a linear layer is not in general. It is where rows come in opposite pairs, w·h + b and −c w·h + b′ with
c b + b′ ≥ 0, c > 0: one of the two is active at every h and tells w·h, so that pairs whose w span the layer's input tell h
(Puthawala et al. 2022, arXiv:2006.08464, who show that nothing narrower than twice the input can do). The product of the
smallest stretches is the least factor by which f stretches any distance. Where this proves nothing f may be injective all the
same.
"""

import math
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stabaudit.families.base import Family
from stabaudit.nets import mlp
from stabaudit.nets.base import LeakyTanh
from stabaudit.nets.convex import InjectiveDecoder
from stabaudit.theory.facts import Layer

Array = NDArray[Any]
NEGLIGIBLE = 1e-6  # singular values below this part of the largest count as 0
_OPPOSITE = 1e-6  # of two directions, 1 + cosine


def layers_of(family: Family) -> tuple[Layer, ...]:
    """Every weight matrix of the decoder; a convolution as one of filters."""
    module = getattr(family, "decoder", None)
    if not isinstance(module, nn.Module):
        return ()
    found = []
    for name, weight in module.named_parameters():
        if weight.dim() < 2:
            continue
        matrix = weight.detach().double().flatten(1)
        values = torch.linalg.svdvals(matrix)
        largest = float(values[0])
        counted = int((values > NEGLIGIBLE * largest).sum()) if largest > 0 else 0
        found.append(Layer(name, matrix.shape[1], matrix.shape[0], counted, float(values[-1]), largest))
    return tuple(found)


def proof(family: Family, kept: tuple[int, ...]) -> str | None:
    """Why the decoder is injective in the dimensions that are kept; None where its layers do not show it."""
    module = getattr(family, "decoder", None)
    if isinstance(module, InjectiveDecoder):
        least = module.inner.alpha * module.outer.alpha
        return f"gradients of convex networks: f stretches distances by {least:.2g} or more"
    layers = _chain(module) if isinstance(module, nn.Module) else None
    if not layers:
        return None
    product, first, position = 1.0, True, 0
    while position < len(layers):
        layer = layers[position]
        after = layers[position + 1] if position + 1 < len(layers) else None
        if isinstance(layer, nn.Linear):
            weight = layer.weight.detach().double()
            weight = weight[:, list(kept)] if first else weight
            bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias.detach().double()
            first = False
            if isinstance(after, nn.ReLU):
                stretch = _of_pairs(weight, bias)
                position += 1
            else:
                stretch = _smallest(weight)
        else:
            stretch = _slope(layer)
        if stretch is None:
            return None
        product *= stretch
        position += 1
    return "every layer is injective" + (f": f stretches distances by {product:.2g} or more" if product > 0 else "")


def _chain(module: nn.Module) -> list[nn.Module] | None:
    """A decoder as layers one after another, or None where it is not known to be that."""
    if isinstance(module, mlp.Decoder):
        body = module.body
        return [part for layer in body.hidden for part in (layer, body.activation)] + [body.out]
    if isinstance(module, nn.Linear):
        return [module]
    if isinstance(module, nn.Sequential):
        return [part for part in module if not isinstance(part, (nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout))]
    return None


def _smallest(weight: Tensor) -> float | None:
    """The smallest singular value of a matrix of independent columns; None where they depend on each other."""
    if weight.shape[0] < weight.shape[1]:
        return None
    values = torch.linalg.svdvals(weight)
    return float(values[-1]) if values[-1] > NEGLIGIBLE * values[0] else None


def _slope(layer: nn.Module) -> float | None:
    """The smallest slope of an activation that is one-to-one; None of any other layer."""
    if isinstance(layer, nn.LeakyReLU) and layer.negative_slope > 0:
        return min(1.0, layer.negative_slope)
    if isinstance(layer, LeakyTanh):
        return 0.1
    return 0.0 if isinstance(layer, (nn.ELU, nn.Tanh, nn.Sigmoid, nn.Softplus)) else None


def _of_pairs(weight: Tensor, bias: Tensor) -> float | None:
    """The smallest stretch of a ReLU layer whose rows come in opposite pairs that span its input; None where they do not.

    Args:
        weight: shape (out, into).
        bias: shape (out,).
    """
    length = weight.norm(dim=1)
    opposite = (weight @ weight.T) / (length[:, None] * length).clamp(min=torch.finfo(weight.dtype).tiny) <= _OPPOSITE - 1
    covering = opposite & (length * bias[:, None] + length[:, None] * bias >= -_OPPOSITE * length[:, None])  # b c + b′ ≥ 0
    taken: set[int] = set()
    pairs = []
    for row, partner in covering.triu(1).nonzero().tolist():
        if not taken & {row, partner}:
            taken |= {row, partner}
            pairs.append((row, partner))
    if not pairs:
        return None
    rows, partners = torch.tensor(pairs).T
    weakest = torch.minimum(length[rows], length[partners]) / length[rows]
    return _smallest(weight[rows] * weakest[:, None] / math.sqrt(2))

"""One training step of a group of restarts as a graph of plain tensor operations.

`vmap(grad_and_value(loss))` batches a family that is written for one restart, but pays for its transforms at every operation of
every step. Traced once with `make_fx` the same step becomes a list of ATen operations with identical results, bit by bit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from stabaudit.families.base import Batch, Family
from stabaudit.training.noise import Replay

Tensors = dict[str, Tensor]
Arguments = tuple[Tensors, Tensors, Tensor, Tensor, list[Tensor], Tensor]  # parameters, buffers, x, u, noise, progress
Step = Callable[..., tuple[Tensors, Tensor]]


def trace_step(family: Family, terms: Sequence[str], example: Arguments, *, grouped: bool) -> Step:
    """Trace loss and gradient of a family into one graph.

    Args:
        family: any instance of the family, in training mode; its own parameters are not used.
        terms: names of the loss terms in the order of the result.
        example: arguments of one step.
        grouped: all arguments but progress carry the restart axis in front; otherwise the graph is that of one restart.

    Returns:
        A function from such arguments to gradients by parameter name and the terms, shape (terms,) or (R, terms). Buffers
        (running statistics of normalisation layers) are updated in place.
    """

    def step(*arguments: Any) -> tuple[Tensors, Tensor]:  # noqa: ANN401 -- `Arguments`, one by one
        parameters, buffers, x, u, noise, progress = arguments

        def objective(parameters: Tensors) -> tuple[Tensor, Tensor]:
            values = functional_call(family, (parameters, buffers), (Batch(x, u, Replay(noise), progress),))
            return values["loss"], torch.stack([values[name].detach() for name in terms])

        gradients, (_, values) = grad_and_value(objective, has_aux=True)(parameters)
        return gradients, values

    traced: Step = make_fx(vmap(step, in_dims=(0, 0, 0, 0, 0, None)) if grouped else step)(*example)
    return traced

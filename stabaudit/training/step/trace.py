"""One training step of a group of restarts as a graph of plain tensor operations.

`vmap(grad_and_value(loss))` batches a family that is written for one restart, but pays for its transforms at every operation of
every step. Traced once with `make_fx` the same step becomes a list of ATen operations with identical results, bit by bit; the
passes of `passes`, `products` and `placement` then make the list shorter, its products faster and its memory small.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch._guards import TracingContext, tracing
from torch._ops import OpOverload
from torch._subclasses import FakeTensor, FakeTensorMode
from torch.func import functional_call, grad_and_value, vmap
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.graph import CodeGen
from torch.utils._pytree import tree_map_only

from stabaudit.errors import UsageError
from stabaudit.families.base import Batch, Family
from stabaudit.training.step.graph_passes import (
    add_bias_in_product,
    bind_kernels,
    drop_copies,
    fold,
    merge_equal,
    numbers_as_tensors,
    read_results,
)
from stabaudit.training.step.matmul import Products, choose_products
from stabaudit.training.step.memory_passes import match_layout, update_early, write_over
from stabaudit.training.step.noise import Replay
from stabaudit.training.step.torch_compile import by_compiler

Tensors = dict[str, Tensor]
Update = Callable[[Sequence[int], list[Tensor]], None]


@dataclass(frozen=True)
class Inputs:
    """What changes from step to step; all but `progress` carry the restart axis in front when restarts are grouped."""

    x: Tensor
    u: Tensor
    noise: list[Tensor]
    progress: Tensor

    def flat(self) -> list[Tensor]:
        """All tensors in order."""
        return [self.x, self.u, *self.noise, self.progress]


class Step:
    """A compiled training step over parameters and buffers that stay where they are in memory.

    Args:
        run: takes the known tensors, then the inputs; updates the parameters and returns the loss terms.
        known: parameters, buffers, views of them and constants.
    """

    def __init__(self, run: Callable[..., Tensor], known: Sequence[Tensor]) -> None:
        self._run = run
        self._known = tuple(known)

    def __call__(self, inputs: Inputs) -> Tensor:
        """Do the step; the loss terms, shape (terms,) or (R, terms)."""
        return self._run(*self._known, *inputs.flat())


def trace(
    family: Family, terms: Sequence[str], parameters: Tensors, buffers: Tensors, inputs: Inputs, *, grouped: bool
) -> GraphModule:
    """Trace loss and gradient of a family into one graph.

    Args:
        family: any instance of the family, in training mode; its own parameters are not used.
        terms: names of the loss terms in the order of the result.
        parameters: by name.
        buffers: by name; not changed.
        inputs: an example.
        grouped: parameters, buffers and inputs carry the restart axis in front.

    Returns:
        A module from parameters, buffers and inputs, in order, to gradients and terms.

    Raises:
        UsageError: the loss draws from torch's global generator.
    """

    def step(parameters: Tensors, buffers: Tensors, inputs: list[Tensor]) -> tuple[Tensors, Tensor]:
        x, u, *noise, progress = inputs

        def objective(parameters: Tensors, buffers: Tensors) -> tuple[Tensor, Tensor]:
            values = functional_call(family, (parameters, buffers), (Batch(x, u, Replay(noise), progress),))
            return values["loss"], torch.stack([values[name].detach() for name in terms])

        gradients, (_, values) = grad_and_value(objective, has_aux=True)(parameters, buffers)
        return gradients, values

    def flat(*tensors: Tensor) -> list[Tensor]:
        rest = iter(tensors)
        mine, kept = ({name: next(rest) for name in of} for of in (parameters, buffers))
        inputs = list(rest)
        in_dims = (0, 0, [*[0] * (len(inputs) - 1), None])
        every = (
            vmap(step, in_dims=in_dims, randomness="different") if grouped else step
        )  # whether anything is random is seen below
        gradients, values = every(mine, kept, inputs)
        return [*(gradients[name] for name in parameters), values]

    kept = [buffer.clone() for buffer in buffers.values()]  # tracing runs the step, which moves running statistics
    # On the CPU, whatever the device: torch cannot stack the backward pass of convolutions on a GPU, whose kernels can run it.
    device = inputs.x.device
    family.cpu()
    example = [tensor.cpu() for tensor in (*parameters.values(), *kept, *inputs.flat())]
    # Torch describes every node's result by a fake tensor, and without a mode in the context makes a new one for each of them.
    with tracing(TracingContext(FakeTensorMode())):
        traced = make_fx(flat)(*example)
    family.to(device)
    _move(traced, device)
    for node in traced.graph.nodes:
        if isinstance(node.target, OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags:
            what = f"the loss of family {type(family).__name__!r} draws random numbers of its own by {node.target}"
            raise UsageError(f"{what}: taken from batch.noise, they can be traced")
    return traced


def _move(traced: GraphModule, device: torch.device) -> None:
    """Let a graph that was traced on the CPU make its tensors on another device."""
    if device.type == "cpu":
        return

    def there(example: Tensor) -> Tensor:
        with example.fake_mode if isinstance(example, FakeTensor) else nullcontext():
            return example.to(device)

    for node in traced.graph.nodes:
        if "val" in node.meta:
            node.meta["val"] = tree_map_only(Tensor, there, node.meta["val"])
        if "device" in node.kwargs:
            node.kwargs = {**node.kwargs, "device": device}
        if node.op == "get_attr":
            setattr(traced, node.target, getattr(traced, node.target).to(device))
    traced.recompile()


def compile_step(  # noqa: PLR0917
    family: Family,
    terms: Sequence[str],
    parameters: Tensors,
    buffers: Tensors,
    inputs: Inputs,
    update: Update,
    products: Products,
    *,
    grouped: bool,
    compiled: bool,
) -> Step:
    """Trace a step, make it fast and let it update the parameters.

    Args:
        family: as in `trace`.
        terms: likewise.
        parameters: likewise.
        buffers: likewise.
        inputs: likewise.
        grouped: likewise.
        update: updates the parameters of given numbers from their gradients.
        products: how matrix products are computed.
        compiled: leave the rest to `torch.compile`.

    Parameters and buffers must keep their place in memory.
    """
    traced = trace(family, terms, parameters, buffers, inputs, grouped=grouped)
    graph = traced.graph
    state = [*parameters.values(), *buffers.values()]
    bound = dict(zip(graph.find_nodes(op="placeholder"), state, strict=False))
    unchanging = {node: getattr(traced, node.target) for node in graph.find_nodes(op="get_attr")}  # tensors made by the family
    unchanging |= dict(list(bound.items())[len(parameters) :])
    match_layout(graph, state[: len(parameters)])
    drop_copies(graph)
    add_bias_in_product(graph)
    read_results(graph)
    choose_products(graph, products)
    drop_copies(graph)
    if compiled:
        return Step(by_compiler(traced, len(parameters), update), state)
    known = fold(graph, bound | unchanging, unchanging.keys())
    merge_equal(graph)
    numbers_as_tensors(graph, known)
    update_early(graph, known, list(parameters.values()), update)
    write_over(graph)
    bind_kernels(graph)
    graph.lint()
    graph.set_codegen(CodeGen())
    return Step(GraphModule({}, graph).forward, known)

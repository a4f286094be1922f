"""Passes that decide where in memory a step puts its results, and when it updates the weights.

Two restarts side by side are held up by main memory more than by arithmetic: every step of a large network sends its weights and
the optimiser's means through the cache, ten million numbers. These passes change no bits.
"""

import operator
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.fx import Graph, Node

from stabaudit.training.step.operations import is_elementwise, is_view, layout_of, strides_of

aten = torch.ops.aten

FRESH = {  # operations that put their results into memory of their own
    aten.mm.default,
    aten.addmm.default,
    aten.bmm.default,
    aten.baddbmm.default,
    aten.convolution.default,
    aten._to_copy.default,  # noqa: SLF001 -- how a change of type is traced
    torch.ops.mkldnn._linear_pointwise.default,  # noqa: SLF001 -- the only way to oneDNN's products
}
UPDATED_TOGETHER = 2**19  # bytes of weights: their gradients fit into half of a core's own cache


def match_layout(graph: Graph, parameters: Sequence[Tensor]) -> None:
    """Let every gradient lie in memory as its parameter does, so that the optimiser can run over both from end to end."""
    output = next(iter(reversed(graph.nodes)))
    results = list(output.args[0])
    for number, parameter in enumerate(parameters):
        gradient = results[number]
        if strides_of(gradient.meta["val"]) == strides_of(parameter):
            continue
        layout = torch.contiguous_format if parameter.is_contiguous() else torch.channels_last
        with graph.inserting_before(output):
            results[number] = graph.call_function(aten.clone.default, (gradient,), {"memory_format": layout})
        results[number].meta = {"val": torch.empty_like(parameter, device="meta")}
    output.args = (results,)


def update_early(graph: Graph, known: Sequence[Tensor], parameters: Sequence[Tensor], update: Callable[..., None]) -> None:
    """Update weights as soon as their gradients are there and nobody needs them any more, while both are still in cache.

    What main memory has to deliver is what keeps two restarts side by side from running at full speed. Updates wait for each
    other until there is `UPDATED_TOGETHER` to do, so that small networks are updated in one call.

    Args:
        graph: its outputs are the gradients, then the loss terms; its first placeholders stand for `known`.
        known: weights, views of them and more.
        parameters: the weights.
        update: takes numbers of parameters and their gradients.
    """
    nodes = list(graph.nodes)
    position = {node: number for number, node in enumerate(nodes)}
    *gradients, terms = nodes[-1].args[0]
    begin = sum(node.op == "placeholder" for node in nodes) - 1
    ready = {number: max(begin, position[gradient]) for number, gradient in enumerate(gradients)}
    for node, tensor in zip(nodes, known, strict=False):
        for number, parameter in enumerate(parameters):
            if 0 <= tensor.data_ptr() - parameter.data_ptr() < parameter.nbytes:
                ready[number] = max([ready[number], *(position[user] for user in node.users if user.op != "output")])
    waiting: list[int] = []
    order = sorted(ready, key=ready.__getitem__)
    for number in order:
        waiting.append(number)
        if sum(parameters[n].nbytes for n in waiting) >= UPDATED_TOGETHER or number == order[-1]:
            with graph.inserting_after(nodes[min(ready[number], len(nodes) - 2)]):
                graph.call_function(update, (tuple(waiting), [gradients[n] for n in waiting]))
            waiting = []
    nodes[-1].args = (terms,)


def write_over(graph: Graph) -> None:
    """Let elementwise operations write over an argument that nobody reads later: less memory to go through the cache."""
    position = {node: number for number, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        if not is_elementwise(node) or not isinstance(node.args[0], Node):
            continue
        argument = node.args[0]
        last = max(position[user] for user in argument.users)
        has_views = any(is_view(user) for user in argument.users)
        if last > position[node] or has_views or not _is_fresh(argument) or layout_of(argument) != layout_of(node):
            continue
        in_place = getattr(aten, f"{node.target.overloadpacket.__name__}_", None)
        if in_place is not None:
            node.target = getattr(in_place, node.target._overloadname, node.target)  # noqa: SLF001 -- named alike in both


def _is_fresh(node: Node) -> bool:
    """Whether an operation puts its result into memory of its own."""
    if node.target is operator.getitem:
        return node.args[0].target is aten.native_batch_norm.default  # type: ignore[union-attr]
    return node.target in FRESH or is_elementwise(node)

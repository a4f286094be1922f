"""What the operations of a traced step are: views, elementwise, writing to their arguments."""

import operator
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.fx import Graph, Node

aten = torch.ops.aten

UNANNOUNCED = {aten.native_batch_norm.default, aten.cudnn_batch_norm.default}  # change running statistics, their schema is silent


def is_view(node: Node) -> bool:
    """Whether an operation gives another look at the memory of its first argument."""
    target = node.target
    if target is operator.getitem:
        return is_view(node.args[0])  # type: ignore[arg-type]
    return target is aten._unsafe_view.default or (isinstance(target, OpOverload) and target.is_view)  # noqa: SLF001


def viewed(node: Node) -> Iterator[Node]:
    """What a view is a view of, then what that is a view of, and so on."""
    while is_view(node):
        node = node.args[0]  # type: ignore[assignment]
        yield node


def base_of(node: Node) -> Node:
    """What a view is in the end a view of; a tensor that is no view is its own."""
    return next(iter(reversed([node, *viewed(node)])))


def changes_something(node: Node) -> bool:
    """Whether an operation writes to an argument."""
    target = node.target
    return target in UNANNOUNCED or (isinstance(target, OpOverload) and target._schema.is_mutable)  # noqa: SLF001


def written_tensors(graph: Graph) -> set[Node]:
    """Tensors that some operation changes in place."""
    return {base_of(argument) for node in graph.nodes if changes_something(node) for argument in node.all_input_nodes}


def touches(node: Node, tensors: AbstractSet[Node]) -> bool:
    """Whether an operation reads or gives one of these tensors, or a view of one."""
    return any(base_of(n) in tensors for n in (node, *node.all_input_nodes))


def is_elementwise(node: Node) -> bool:
    """Whether every number of the result comes from the numbers at its place in the arguments, into memory of its own."""
    return isinstance(node.target, OpOverload) and torch.Tag.pointwise in node.target.tags and not changes_something(node)


def layout_of(node: Any) -> tuple[Any, ...]:  # noqa: ANN401 -- a node, typed as any argument of one
    """Type, shape and strides of a tensor."""
    value = node.meta.get("val")
    return (value.dtype, tuple(value.shape), value.stride()) if isinstance(value, Tensor) else (node,)


def strides_of(tensor: Tensor) -> list[int]:
    """Strides of the dimensions that have more than one place."""
    return [stride for stride, size in zip(tensor.stride(), tensor.shape, strict=True) if size > 1]

"""How matrix products are computed: by which library, and from which numbers.

torch hands float32 products to MKL, which runs at less than half its speed on processors that are not Intel's: 75 against 200
GFLOP/s of oneDNN, (64, 784) × (784, 512) on one core of an AMD EPYC. oneDNN is reached through torch's operator for fused linear
layers, which takes any strides, so that one rule serves the forward product a wᵀ and both backward products g w and gᵀ a.

With bf16 the operands of large products and convolutions are rounded to bfloat16, added up in float32 and rounded to bfloat16
again; weights, optimiser and everything between the products stay in float32 (Kalamkar et al. 2019, arXiv:1905.12322).
"""

import operator
import platform
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch.fx import Graph, Node

aten = torch.ops.aten

Library = Literal["blas", "onednn"]
Precision = Literal["float32", "bf16"]
LARGE = 2.5e6  # floating-point operations; below, oneDNN's 10 µs for a call are more than it saves
PRODUCTS = {aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default}
TRANSPOSES = {aten.t.default, aten.transpose.int}
CONVOLUTIONS = {aten.convolution.default, aten.convolution_backward.default}


@dataclass(frozen=True)
class Products:
    """How a run computes its products: `library` for float32, `precision` of the operands."""

    library: Library = "blas"
    precision: Precision = "float32"


def fastest_library() -> Library:
    """What a new run uses on this machine.

    Decided by who made the processor and not by a timing, so that the same command gives the same bits on a busy machine.
    """
    x86 = platform.machine().lower() in {"x86_64", "amd64"}
    available = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()
    return "onednn" if x86 and available and "GenuineIntel" not in _processor() else "blas"


def choose_products(graph: Graph, products: Products) -> None:
    """Replace the large products of a graph by those of another library or precision."""
    for node in list(graph.nodes):
        if _operations(node) < LARGE or any(n.meta["val"].dtype != torch.float32 for n in node.all_input_nodes):
            continue
        if products.precision == "bf16":
            _round_operands(graph, node)  # torch itself gives such products to oneDNN
        elif products.library == "onednn" and _is_linear_layer(node):
            _use_onednn(graph, node)


def _is_linear_layer(node: Node) -> bool:
    """Whether a product is a b or bias + a b, with one bias a column."""
    if node.target is aten.addmm.default:
        bias: Any = node.args[0]
        return not node.kwargs and bias.meta["val"].dim() == 1
    return node.target is aten.mm.default


def _use_onednn(graph: Graph, node: Node) -> None:
    """Make a b, or bias + a b, the linear layer of input a and weight bᵀ."""
    *bias, a, b = node.args
    with graph.inserting_before(node):
        weight = graph.call_function(aten.t.default, (b,))
        linear = graph.call_function(torch.ops.mkldnn._linear_pointwise.default, (a, weight, *(bias or [None]), "none", [], ""))  # noqa: SLF001
    weight.meta = {"val": b.meta["val"].t()}  # type: ignore[union-attr]
    linear.meta = node.meta
    node.replace_all_uses_with(linear)
    graph.erase_node(node)


def _round_operands(graph: Graph, node: Node) -> None:
    """Compute a product from operands rounded to bfloat16, and go on in float32."""

    def rounded(value: Any) -> Any:  # noqa: ANN401 -- an argument of any operation
        if not isinstance(value, Node) or value.meta["val"].dtype != torch.float32:
            return value
        if value.target in TRANSPOSES:  # round the weight itself, once for the forward and the backward pass
            source, *dims = value.args
            return _insert(graph, value.target, (rounded(source), *dims), value.meta["val"].bfloat16())
        return _insert(graph, aten._to_copy.default, (value,), value.meta["val"].bfloat16(), dtype=torch.bfloat16)  # noqa: SLF001

    with graph.inserting_before(node):
        node.args = tuple(rounded(argument) for argument in node.args)
    results = list(node.users) if node.target is aten.convolution_backward.default else [node]
    for result in results:
        with graph.inserting_after(result):
            back = _insert(graph, aten._to_copy.default, (result,), result.meta["val"], dtype=torch.float32)  # noqa: SLF001
        result.replace_all_uses_with(back, partial(operator.is_not, back))
        result.meta = {"val": result.meta["val"].bfloat16()}


def _operations(node: Any) -> float:  # noqa: ANN401 -- a node, whose arguments are typed as anything
    """Floating-point operations of a product, 0 for anything else."""
    if node.target in CONVOLUTIONS:
        weight = node.args[2 if node.target is aten.convolution_backward.default else 1].meta["val"]
        pixels = node.args[0].meta["val"]  # the output, or its gradient
        if node.target is aten.convolution.default:
            pixels = node.meta["val"]
        return float(2.0 * weight.numel() * pixels.numel() / pixels.shape[1])
    if node.target in PRODUCTS:
        a, b = (n.meta["val"] for n in node.args[-2:])
        return 2.0 * float(a.numel() * b.shape[-1])
    return 0.0


def _insert(graph: Graph, target: Any, args: tuple[Any, ...], value: Any, **kwargs: Any) -> Node:  # noqa: ANN401
    node = graph.call_function(target, args, kwargs)
    node.meta = {"val": value}
    return node


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.read_text()[:2000] if cpuinfo.exists() else platform.processor()

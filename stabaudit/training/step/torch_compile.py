"""The option `--compile`: machine code for a step by `torch.compile` (Ansel et al. 2024, doi:10.1145/3620665.3640366).

The compiler decides by itself what to fuse and where in memory results go. So it gets the step as plain operations from weights
and inputs to gradients and loss terms, and the weights are updated after it, by the same optimiser call. It adds up in an
order of its own: results differ from those of a run without it by rounding, which is why the option is recorded.
"""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.fx import GraphModule

from stabaudit.errors import UsageError

COMPILERS = {"darwin": "clang++", "win32": "cl"}  # what torch calls where CXX does not say; elsewhere g++


def require_compiler(device: Literal["cpu", "cuda"]) -> None:
    """Refuse `--compile` where torch has nothing to compile with.

    Raises:
        UsageError: no C++ compiler for the CPU, no triton for CUDA.
    """
    if device == "cuda":
        if importlib.util.find_spec("triton") is None:
            raise UsageError(
                "--compile: torch compiles for CUDA by triton, which is not installed; install it or leave --compile out"
            )
        return
    name = os.environ.get("CXX") or COMPILERS.get(sys.platform, "g++")
    if shutil.which(name) is None:
        raise UsageError(f"--compile: no C++ compiler {name!r} is found; install one, name one in CXX, or leave --compile out")


def by_compiler(
    traced: GraphModule, parameters: int, update: Callable[[Sequence[int], list[Tensor]], None]
) -> Callable[..., Tensor]:
    """A traced step through `torch.compile`, compiled when it is first called.

    Args:
        traced: takes parameters, buffers and inputs, returns gradients and loss terms.
        parameters: how many there are.
        update: updates the parameters of given numbers from their gradients.

    Returns:
        A function that takes the same, updates the parameters and returns the loss terms.
    """
    traced.recompile()
    # Restarts are what runs in parallel here: no processes beside the worker.
    run = torch.compile(traced, dynamic=False, options={"compile_threads": 1})
    every = range(parameters)

    def step(*tensors: Tensor) -> Tensor:
        results: list[Tensor] = run(*tensors)
        update(every, results[:parameters])
        return results[parameters]

    return step

"""Whether products of bfloat16 numbers are a gain on this machine.

Without instructions for them a processor widens every number in software: on one that has only AVX2, training took 3.6 times as
long as an ordinary loop. So `--precision bf16` is refused there, with what a product costs, unless it is insisted on.
"""

import platform
import time
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from stabaudit.errors import UsageError
from stabaudit.training.step.matmul import fastest_library

_SHAPE = (256, 784, 512)  # of the product that is timed
_TIMES = 15
_CPUINFO = Path("/proc/cpuinfo")


def instructions() -> list[str]:
    """What the processor says that it can do, in Linux's words; empty where the system does not tell."""
    if not _CPUINFO.exists():
        return []
    named = ("flags", "Features")  # on x86-64, on ARM
    lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.partition(":")[2].split() for line in lines if line.startswith(named)), [])


def in_hardware() -> bool | None:
    """Whether the processor multiplies bfloat16 numbers; None where the system does not tell."""
    found = instructions()
    return any("bf16" in name for name in found) if found else None


def ratio() -> float:
    """Speed of a product of bfloat16 numbers in units of that of float32 as `stabaudit` computes it; measured now."""
    rows, inner, columns = _SHAPE
    a, weight = torch.randn(rows, inner), torch.randn(columns, inner)
    linear = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001

    def single() -> Tensor:
        product: Tensor = linear(a, weight, None, "none", [], "") if fastest_library() == "onednn" else a @ weight.t()
        return product

    def rounded() -> Tensor:
        return (a.bfloat16() @ weight.bfloat16().t()).float()

    best = [float("inf")] * 2
    for _ in range(_TIMES):
        for number, product in enumerate((single, rounded)):
            start = time.perf_counter()
            product()
            best[number] = min(best[number], time.perf_counter() - start)
    return best[0] / best[1]


def require_hardware(device: Literal["cpu", "cuda"]) -> None:
    """Refuse bfloat16 where it only costs.

    Raises:
        UsageError: a processor that is known to have no instructions for it.
    """
    if device == "cpu" and in_hardware() is False:
        raise UsageError(
            f"--precision bf16: this {platform.machine()} processor has no instructions for bfloat16; a product took "
            f"{1 / ratio():.1f} times as long as in float32 just now. Leave the option out, or insist by --force"
        )

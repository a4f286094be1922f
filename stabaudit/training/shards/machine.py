"""The machine that a restart is trained on, so far as it can decide its bits."""

from typing import Literal

import torch

from stabaudit import __version__
from stabaudit.store.run.environment import processor_name
from stabaudit.store.run.manifest import Machine


def machine(device: Literal["cpu", "cuda"]) -> Machine:
    """What this process trains on: on another processor the same seed rounds differently."""
    on_gpu = device == "cuda"
    return Machine(
        stabaudit=__version__,
        torch=torch.__version__,
        processor=torch.cuda.get_device_name() if on_gpu else processor_name(),
        capability="CUDA" if on_gpu else torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
    )

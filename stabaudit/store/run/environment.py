"""Where a run is made: versions and hardware, as its manifest keeps them."""

import os
import platform
from typing import Literal

import numpy as np

from stabaudit import __version__
from stabaudit.store.run.manifest import Environment


def environment(
    *,
    torch: str | None = None,
    processor: str | None = None,
    products: Literal["blas", "onednn"] = "blas",
    threads_per_worker: int = 1,
) -> Environment:
    """What this process runs on.

    Args:
        torch: its version, where it trains.
        processor: what computes; None: the machine's processor.
        products: the library that computes large matrix products.
        threads_per_worker: of each process that trains.
    """
    return Environment(
        stabaudit=__version__,
        python=platform.python_version(),
        torch=torch,
        numpy=np.__version__,
        platform=platform.platform(),
        processor=processor or processor_name(),
        cores=os.cpu_count() or 1,
        threads_per_worker=threads_per_worker,
        products=products,
    )


def processor_name() -> str:
    """What this machine calls its processor."""
    return platform.processor() or platform.machine()

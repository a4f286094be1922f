"""A family that misbehaves on demand, so that tests can see what becomes of the restarts beside it."""

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Literal

import torch

from stabaudit.families.vae import VAE
from stabaudit.training.shards import shard

PARENT = multiprocessing.parent_process()  # None in the process that the tests run in


class Moody(VAE):
    """A VAE whose mood strikes one restart or its processes, until a file says that the mood has passed.

    Args:
        problem: what it is built for.
        mood: "raise" and "die" strike while the victim is built in a worker; "diverge" makes its loss NaN in the last third of
            the training; "orphan" kills the parent and itself half-way through; "wait" waits at its second checkpoint.
        victim: seed of the restart that is struck; −1 strikes every one.
        passed: the file.
    """

    def __init__(
        self,
        problem,
        *,
        mood: Literal["calm", "raise", "die", "diverge", "orphan", "wait"] = "calm",
        victim: int = 1,
        passed: str = "",
    ):
        super().__init__(problem)
        struck = victim in {-1, torch.initial_seed()}
        self.register_buffer("poison", torch.tensor(float(mood == "diverge" and struck)))
        if PARENT is None or (passed and Path(passed).exists()):
            return
        if mood == "raise" and struck:
            raise ArithmeticError("not\n  today")
        if mood == "die" and struck:
            os.kill(os.getpid(), signal.SIGKILL)
        shard.CHECKPOINT_SECONDS = 0.0  # of this worker
        shard.as_bytes = after_packing(mood, Path(passed))

    def loss(self, batch):
        terms = super().loss(batch)
        factor = torch.where(batch.progress * self.poison > 0.66, torch.nan, 1.0)
        return {name: value * factor for name, value in terms.items()}


def after_packing(mood, passed):
    from stabaudit.store.run.checkpoint import as_bytes

    def pack(checkpoint):
        content = as_bytes(checkpoint)
        epochs = len(checkpoint.arrays["seconds"])
        if mood == "orphan" and epochs == 10:
            os.kill(PARENT.pid, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        end = time.monotonic() + 60
        while mood == "wait" and epochs == 2 and not passed.exists() and time.monotonic() < end:
            time.sleep(0.05)
        return content

    return pack

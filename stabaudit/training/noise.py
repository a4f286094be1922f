"""Where a training step's random numbers come from: a restart's own generator, drawn some steps ahead.

The stream of a restart depends on its seed and on the shapes its family asks for, never on who is trained beside it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

NUMBERS_AHEAD = 2**18  # per restart and kind: about a megabyte, small enough to stay in cache, large enough to hide the call
STEPS_AHEAD = 64


@dataclass(frozen=True)
class Request:
    """One call of a family for random numbers: Gaussian if `drop` is None, else a dropout mask."""

    shape: tuple[int, ...]
    drop: float | None = None

    @property
    def size(self) -> int:
        """How many numbers it asks for."""
        return math.prod(self.shape)


@dataclass
class Recorder:
    """Noise that answers zeros and ones and remembers what it was asked for."""

    device: torch.device
    requests: list[Request] = field(default_factory=list)

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Record a request for Gaussian numbers."""
        self.requests.append(Request(tuple(shape)))
        return torch.zeros(self.requests[-1].shape, device=self.device)

    def keep(self, shape: Sequence[int], drop: float) -> Tensor:
        """Record a request for a dropout mask."""
        self.requests.append(Request(tuple(shape), drop))
        return torch.ones(self.requests[-1].shape, device=self.device)


class Replay:
    """Noise that hands out given tensors in order."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._tensors = iter(tensors)

    def normal(self, shape: Sequence[int]) -> Tensor:  # noqa: ARG002 -- the shapes were recorded
        """Hand out the next tensor."""
        return next(self._tensors)

    def keep(self, shape: Sequence[int], drop: float) -> Tensor:  # noqa: ARG002 -- the shapes were recorded
        """Hand out the next tensor."""
        return next(self._tensors)


class Fresh:
    """Noise drawn on the spot from one generator; used where nothing is repeated, such as evaluation."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Draw Gaussian numbers."""
        return torch.randn(tuple(shape), generator=self.generator, device=self.generator.device)

    def keep(self, shape: Sequence[int], drop: float) -> Tensor:
        """Draw a dropout mask."""
        mask = torch.empty(tuple(shape), device=self.generator.device)
        return mask.bernoulli_(1 - drop, generator=self.generator).div_(1 - drop)


class Ahead:
    """The noise of R restarts for some steps ahead, in one buffer per request of shape (steps, R, *shape).

    Args:
        requests: what one restart asks for in one step.
        generators: one per restart.
    """

    def __init__(self, requests: Sequence[Request], generators: Sequence[torch.Generator]) -> None:
        self.requests = tuple(requests)
        self.generators = tuple(generators)
        largest = max((r.size for r in requests), default=1)
        self.steps = max(1, min(STEPS_AHEAD, NUMBERS_AHEAD // largest))  # must not depend on R
        device = generators[0].device
        self._buffers = [torch.empty(self.steps, len(generators), *r.shape, device=device) for r in requests]
        self._drawn = [torch.empty(self.steps, *r.shape, device=device) for r in requests]

    def draw(self, steps: int) -> None:
        """Draw the numbers of the next `steps` ≤ `self.steps` steps."""
        for request, buffer, drawn in zip(self.requests, self._buffers, self._drawn, strict=True):
            for restart, generator in enumerate(self.generators):
                numbers = drawn[:steps]
                if request.drop is None:
                    numbers.normal_(generator=generator)
                else:
                    numbers.bernoulli_(1 - request.drop, generator=generator).div_(1 - request.drop)
                buffer[:steps, restart] = numbers

    def step(self, number: int) -> list[Tensor]:
        """The numbers of one drawn step, one tensor of shape (R, *shape) per request."""
        return [buffer[number] for buffer in self._buffers]

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
    """The noise of R restarts for some steps ahead, in a buffer per request: (steps, R, *shape), or (steps, *shape) for R = 1.

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
        lone = len(generators) == 1
        self._steps = [[buffer[n, 0] if lone else buffer[n] for buffer in self._buffers] for n in range(self.steps)]

    def draw(self, steps: int) -> None:
        """Draw the numbers of the next `steps` ≤ `self.steps` steps."""
        for request, buffer in zip(self.requests, self._buffers, strict=True):
            for restart, generator in enumerate(self.generators):
                numbers = buffer[:steps, restart]
                if request.drop is None:
                    drawn = numbers if len(self.generators) == 1 else torch.empty_like(numbers)
                    drawn.normal_(generator=generator)
                    if drawn is not numbers:
                        numbers.copy_(drawn)
                else:
                    _mask(numbers, request.drop, generator)

    def step(self, number: int) -> list[Tensor]:
        """The numbers of one drawn step, one tensor of shape (R, *shape), or (*shape,) for R = 1, per request."""
        return self._steps[number]


def _mask(numbers: Tensor, drop: float, generator: torch.Generator) -> None:
    """Fill a dropout mask from 16 random bits a number: a third of the time of `bernoulli_`, `drop` met to within 2⁻¹⁷."""
    words = torch.empty(-(-numbers.numel() // 4), dtype=torch.int64, device=numbers.device)
    bits = words.random_(-(2**63), None, generator=generator).view(torch.int16)[: numbers.numel()].view(numbers.shape)
    torch.mul(bits >= round(drop * 2**16) - 2**15, 1 / (1 - drop), out=numbers)

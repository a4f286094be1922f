"""Adam (Kingma & Ba 2015) on blocks of one flat buffer, and the learning-rate schedule of each row."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-8
PLATEAU_FACTOR, PLATEAU_PATIENCE, PLATEAU_THRESHOLD, PLATEAU_SMALLEST = 0.1, 10, 1e-4, 1e-8  # as torch's ReduceLROnPlateau
PLATEAU_STEPS = 500


class Adam:
    """Adam for R restarts at once, each with its own learning rate.

    Args:
        flat: all parameters, shape (P,); updated in place.
        blocks: splits such a buffer into one tensor of shape (R, *shape) per parameter, or (*shape,) for a lone restart.
    """

    def __init__(self, flat: Tensor, blocks: Callable[[Tensor], list[Tensor]]) -> None:
        self.mean, self.square = torch.zeros_like(flat), torch.zeros_like(flat)
        self.count = torch.zeros((), device=flat.device)
        self._blocks = list(zip(*(blocks(of) for of in (flat, self.mean, self.square)), strict=True))
        self._rates: list[tuple[slice | None, float | Tensor]] = []
        self._on_gpu: dict[int, tuple[float, Tensor]] = {}  # rates where a recorded step reads them, by the first restart

    def begin(self, learning_rates: list[float]) -> None:
        """Begin a step with a learning rate per restart. Neighbours with equal rates share their kernel calls."""
        self.count += 1
        self._rates, first = [], 0
        for last in range(1, len(learning_rates) + 1):
            if last == len(learning_rates) or learning_rates[last] != learning_rates[first]:
                everyone = last - first == len(learning_rates)
                self._rates.append((None if everyone else slice(first, last), self._placed(first, learning_rates[first])))
                first = last

    @property
    def groups(self) -> tuple[slice | None, ...]:
        """Restarts that share a learning rate in this step; None for all. What is launched depends on them."""
        return tuple(restarts for restarts, _ in self._rates)

    def _placed(self, first: int, rate: float) -> float | Tensor:
        """A learning rate as the kernel takes it: on a GPU from a place in memory that does not change."""
        if not self.count.is_cuda:
            return rate
        known, place = self._on_gpu.get(first, (None, torch.zeros_like(self.count)))
        if known != rate:
            self._on_gpu[first] = (rate, place.fill_(rate))
        return place

    def update(self, numbers: Sequence[int], gradients: list[Tensor]) -> None:
        """Update some parameters in this step.

        Args:
            numbers: which, counted in the order of the blocks.
            gradients: one for each, of its shape; on a GPU torch also insists on its strides.
        """
        for restarts, learning_rate in self._rates:
            tensors = [[*self._blocks[number], gradient] for number, gradient in zip(numbers, gradients, strict=True)]
            if restarts is not None:
                tensors = [[tensor[restarts] for tensor in of] for of in tensors]
            parameters, mean, square, slopes = map(list, zip(*tensors, strict=True))
            torch._fused_adam_(
                parameters,
                slopes,
                mean,
                square,
                [],
                [self.count] * len(parameters),
                lr=learning_rate,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=0.0,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on later, besides the parameters."""
        return {"adam.mean": self.mean, "adam.square": self.square, "adam.count": self.count}


@dataclass
class Plateau:
    """Divides a learning rate by ten when the training loss has not improved for more than ten checks.

    It is checked at the end of an epoch, once at least 500 steps have gone by since the last time: the loss of a handful of steps
    is too noisy to decide on.

    >>> schedule = Plateau(1e-3)
    >>> for _ in range(12): schedule.epoch(5.0, steps=500)
    >>> round(schedule.learning_rate, 6)
    0.0001
    """

    learning_rate: float
    best: float | None = None
    waited: int = 0
    loss_sum: float = 0.0
    steps: int = 0

    def epoch(self, loss: float, steps: int) -> None:
        """Take note of the mean training loss of an epoch of so many steps."""
        self.loss_sum += loss * steps
        self.steps += steps
        if self.steps < PLATEAU_STEPS:
            return
        mean, self.loss_sum, self.steps = self.loss_sum / self.steps, 0.0, 0
        if self.best is None or mean < self.best - PLATEAU_THRESHOLD * abs(self.best):
            self.best, self.waited = mean, 0
            return
        self.waited += 1
        if self.waited > PLATEAU_PATIENCE:
            self.waited = 0
            if self.learning_rate * (1 - PLATEAU_FACTOR) > PLATEAU_SMALLEST:
                self.learning_rate *= PLATEAU_FACTOR


def cosine(learning_rate: float, progress: float) -> float:
    """The learning rate after a share of the training, in [0, 1]: along half a cosine to 0 (Loshchilov & Hutter 2017).

    >>> cosine(1e-3, 0.5)
    0.0005
    """
    return learning_rate * (1 + math.cos(math.pi * progress)) / 2

"""Adam (Kingma & Ba 2015) on blocks of one flat buffer, and the learning-rate schedule of each row."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-8
PLATEAU_FACTOR, PLATEAU_PATIENCE, PLATEAU_THRESHOLD, PLATEAU_SMALLEST = 0.1, 10, 1e-4, 1e-8  # as torch's ReduceLROnPlateau
PLATEAU_STEPS = 500


class _Rate(NamedTuple):
    """What a group of neighbouring restarts has in common in a step; `restarts` None for all."""

    restarts: slice | None
    learning_rate: float | Tensor
    first: int
    held: bool


class Adam:
    """Adam for R restarts at once, each with its own learning rate.

    Args:
        flat: all parameters, shape (P,); updated in place.
        blocks: splits such a buffer into one tensor of shape (R, *shape) per parameter, or (*shape,) for a lone restart.
        restarts: R.
        seldom: numbers of parameters that some steps leave alone.
    """

    def __init__(
        self, flat: Tensor, blocks: Callable[[Tensor], list[Tensor]], restarts: int = 1, seldom: Sequence[int] = ()
    ) -> None:
        self.mean, self.square = torch.zeros_like(flat), torch.zeros_like(flat)
        self.count = torch.zeros((), device=flat.device)
        self._blocks = list(zip(*(blocks(of) for of in (flat, self.mean, self.square)), strict=True))
        self._seldom = frozenset(seldom)
        self._seldom_counts = torch.zeros(restarts if seldom else 0, device=flat.device)  # each has a count of its own
        self._rates: list[_Rate] = []
        self._on_gpu: dict[int, tuple[float, Tensor]] = {}  # rates where a recorded step reads them, by the first restart

    def begin(self, learning_rates: list[float], held: Sequence[bool] = ()) -> None:
        """Begin a step with a learning rate per restart. Neighbours with equal rates share their kernel calls.

        Args:
            learning_rates: one per restart.
            held: whether the step leaves the seldom parameters of a restart alone; empty where there are none.
        """
        self.count += 1
        self._rates, first = [], 0
        for last in range(1, len(learning_rates) + 1):
            if held or last == len(learning_rates) or learning_rates[last] != learning_rates[first]:
                everyone = last - first == len(learning_rates)
                rate = self._placed(first, learning_rates[first])
                self._rates.append(_Rate(None if everyone else slice(first, last), rate, first, bool(held) and held[first]))
                first = last
        for one in self._rates if held else ():
            if not one.held:
                self._seldom_counts[one.first] += 1

    @property
    def groups(self) -> tuple[tuple[int, bool], ...]:
        """The first of the restarts that share a learning rate in this step, and whether they are held: what is launched."""
        return tuple((one.first, one.held) for one in self._rates)

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
        for one in self._rates:
            given = [
                (n, gradient) for n, gradient in zip(numbers, gradients, strict=True) if not (one.held and n in self._seldom)
            ]
            if not given:
                continue
            tensors = [[*self._blocks[number], gradient] for number, gradient in given]
            if one.restarts is not None:
                tensors = [[tensor[one.restarts] for tensor in of] for of in tensors]
            counts = [self._seldom_counts[one.first] if number in self._seldom else self.count for number, _ in given]
            parameters, mean, square, slopes = map(list, zip(*tensors, strict=True))
            torch._fused_adam_(
                parameters,
                slopes,
                mean,
                square,
                [],
                counts,
                lr=one.learning_rate,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=0.0,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on later, besides the parameters."""
        seldom = {"adam.seldom": self._seldom_counts} if self._seldom else {}
        return {"adam.mean": self.mean, "adam.square": self.square, "adam.count": self.count} | seldom


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

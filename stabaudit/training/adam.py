"""Adam (Kingma & Ba 2015) on rows of one flat buffer, and the learning-rate schedule of each row."""

from dataclasses import dataclass

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-8
PLATEAU_FACTOR, PLATEAU_PATIENCE, PLATEAU_THRESHOLD, PLATEAU_SMALLEST = 0.1, 10, 1e-4, 1e-8  # as torch's ReduceLROnPlateau
PLATEAU_STEPS = 500


class Adam:
    """One fused Adam step per restart; each restart has its own learning rate.

    Args:
        parameters: shape (R, P), one restart a row; updated in place.
    """

    def __init__(self, parameters: Tensor) -> None:
        self.parameters = parameters
        self.mean = torch.zeros_like(parameters)
        self.square = torch.zeros_like(parameters)
        self.count = torch.zeros((), device=parameters.device)

    def step(self, gradients: Tensor, learning_rates: list[float]) -> None:
        """Update all restarts from gradients of shape (R, P); neighbours with equal rates share one kernel call."""
        self.count += 1
        first = 0
        for last in range(1, len(learning_rates) + 1):
            if last < len(learning_rates) and learning_rates[last] == learning_rates[first]:
                continue
            torch._fused_adam_(
                [self.parameters[first:last]],
                [gradients[first:last]],
                [self.mean[first:last]],
                [self.square[first:last]],
                [],
                [self.count],
                lr=learning_rates[first],
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=0.0,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )
            first = last

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

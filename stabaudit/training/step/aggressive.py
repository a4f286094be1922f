"""The aggressive phase of a group of restarts: which parameters a step leaves alone, and when the phase ends (He et al. 2019).

In the phase every step updates the parameters that a family names, and the others only in every n-th. At the end of an epoch,
every 500 steps at the most often, each restart that is still in it is looked at: its phase ends when the mutual information of x
and z has not risen at so many looks in a row. All looks take the same draws, so that they depend on the restart alone.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from stabaudit.families.base import Aggressive
from stabaudit.nets.base import Posterior

CHECK_STEPS = 500
PROBED = 500  # training rows that mutual information is found from
SEED = 0  # of the draws it is found with


@dataclass
class Standing:
    """Where a restart stands: its highest mutual information so far, looks since then, and whether its phase is over."""

    best: float | None = None
    waited: int = 0
    over: bool = False

    def look(self, information: float, patience: int) -> None:
        """Take note of the mutual information.

        >>> standing = Standing()
        >>> for value in (0.1, 0.3, 0.2, 0.3): standing.look(value, patience=2)
        >>> standing.over
        True
        """
        if self.best is None or information > self.best:
            self.best, self.waited = information, 0
            return
        self.waited += 1
        self.over = self.over or self.waited >= patience


class Phase:
    """The aggressive phase of R restarts.

    Args:
        aggressive: what the family asks for; None: no phase.
        restarts: R.
    """

    def __init__(self, aggressive: Aggressive | None, restarts: int) -> None:
        self._asked = aggressive
        self._since = 0  # steps since the last look
        self.standings = [Standing() for _ in range(restarts if aggressive else 0)]

    def seldom(self, names: Sequence[str]) -> list[int]:
        """Numbers of the parameters, of such names, that the phase leaves alone now and then."""
        return [] if self._asked is None else [n for n, name in enumerate(names) if not name.startswith(self._asked.often)]

    def held(self, step: int) -> list[bool]:
        """Whether a step, counted from 0, leaves those parameters alone, for each restart; empty where there is no phase."""
        return [not one.over and (step + 1) % self._asked.every != 0 for one in self.standings] if self._asked else []

    def epoch(self, steps: int, posterior: Callable[[int], Posterior]) -> None:
        """Look at every restart that is still in the phase, if it is time.

        Args:
            steps: of the epoch that has ended.
            posterior: of the probed rows, by a restart's number.
        """
        self._since += steps
        if self._asked is None or self._since < CHECK_STEPS:
            return
        self._since = 0
        for number, standing in enumerate(self.standings):
            if not standing.over:
                standing.look(mutual_information(posterior(number)), self._asked.patience)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on later; empty where there is no phase."""
        return {"phase": [self._since, [asdict(one) for one in self.standings]]} if self.standings else {}

    def load_state(self, state: Any) -> None:  # noqa: ANN401 -- as JSON gives it
        """Go on from what `state` gave."""
        if self.standings:
            self._since, standings = state["phase"]
            self.standings = [Standing(**one) for one in standings]


def probed(x: Tensor) -> Tensor:
    """Rows evenly spread over all, at most `PROBED`."""
    return x[:: math.ceil(len(x) / PROBED)]


def mutual_information(posterior: Posterior) -> float:
    """I(x; z) = E_x E_q(z|x) [log q(z|x) − log q(z)] in nats, with q(z) the mixture of the posteriors given, from one z for each.

    Args:
        posterior: of n rows, shape (n, d).
    """
    mean, log_var = (value.double().cpu() for value in posterior)
    draws = torch.randn(mean.shape, generator=torch.Generator().manual_seed(SEED), dtype=torch.float64)
    z = mean + (0.5 * log_var).exp() * draws
    square = ((z[:, None] - mean).square() * (-log_var).exp() + log_var).sum(2)
    density = -0.5 * square
    return float((density.diagonal() - density.logsumexp(1)).mean()) + math.log(len(mean))

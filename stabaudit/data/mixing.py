"""A random invertible network that turns sources into observations, without noise (Hyvärinen and Morioka 2016).

    x = a(… a(a(s W₁) W₂) …) W_L

with L weight matrices and an increasing activation a between them. Each W has entries uniform on [−1, 1], columns scaled to
length one, and is redrawn until its condition number is at most the 25th percentile of such draws (about 6.4 for 5×5). There may
be more observed dimensions than sources; the network is injective all the same.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Activation = Literal["leaky-tanh", "leaky-relu"]

CANDIDATES = 2_000  # draws that estimate the percentile; the published generator takes 10,000 for a third digit of it
PERCENTILE = 25


@dataclass(frozen=True)
class Mixing:
    """The network.

    Args:
        weights: W₁ of shape (sources, observed), then W₂.. of shape (observed, observed).
        activation: leaky tanh, tanh(x) + slope·x, or leaky ReLU.
        slope: the leak, > 0.
    """

    weights: tuple[Array, ...]
    activation: Activation
    slope: float

    def __call__(self, sources: Array) -> Array:
        """Observations of shape (n, observed) from sources of shape (n, sources)."""
        first, *others = self.weights
        x = sources @ first
        for weight in others:
            x = self._activate(x) @ weight
        return x

    def _activate(self, x: Array) -> Array:
        if self.activation == "leaky-tanh":
            return np.asarray(np.tanh(x) + self.slope * x)
        return np.where(x > 0, x, self.slope * x)


def draw_mixing(
    sources: int,
    observed: int,
    layers: int,
    activation: Activation,
    slope: float,
    *,
    rng: np.random.Generator,
    one_matrix: bool = False,
) -> Mixing:
    """A random network with `layers` weight matrices, which `one_matrix` makes the same one (sources = observed)."""
    if one_matrix:
        return Mixing((draw_weight(sources, observed, rng=rng),) * layers, activation, slope)
    inputs = [sources] + [observed] * (layers - 1)
    return Mixing(tuple(draw_weight(width, observed, rng=rng) for width in inputs), activation, slope)


def draw_weight(inputs: int, outputs: int, *, rng: np.random.Generator) -> Array:
    """A well-conditioned weight matrix with columns of length one, shape (inputs, outputs)."""
    candidates = rng.uniform(-1, 1, (CANDIDATES, inputs, outputs))
    candidates /= np.linalg.norm(candidates, axis=1, keepdims=True)
    condition = np.linalg.cond(candidates)
    # The first candidate below the percentile is what redrawing until below it gives.
    return np.asarray(candidates[np.argmax(condition <= np.percentile(condition, PERCENTILE))])

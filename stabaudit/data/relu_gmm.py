"""Draws from a random one-hidden-layer ReLU decoder of one mixture-distributed latent (Kivva et al. 2022, §4 and Fig. 1).

    z ~ Σ_j π_j N(μ_j, s_j²),   x = Σ_h v_h ReLU(w_h z + b_h) + ε,   ε ~ N(0, σ² I)

The paper draws the model at random and does not say how. Here weights and biases are standard Gaussian, v_h has variance 1/H; the
means are uniform on [−4, 4], the standard deviations on [0.3, 1], and the components equally likely.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stabaudit.config import NonNegative, Positive, PositiveFloat
from stabaudit.data.dataset import Dataset, Split, one_hot

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """Parameters: weight and bias (H,), out (H, D), mean and sd of the components (J,)."""

    weight: Array
    bias: Array
    out: Array
    mean: Array
    sd: Array

    def decode(self, z: Array) -> Array:
        """The noiseless x of z, shapes (n, D) and (n,)."""
        return np.asarray(np.maximum(z[:, None] * self.weight + self.bias, 0) @ self.out)


def load(
    *,
    hidden: Positive = 5,
    components: Positive = 3,
    observed: Positive = 1,
    samples: Positive = 5000,
    variance: PositiveFloat = 0.01,
    data_seed: NonNegative = 0,
) -> Dataset:
    """Draw a model, then rows to train on and, ids continuing, as many to evaluate on; z is kept as the true source.

    Args:
        hidden: H, units of the decoder.
        components: J; the component is the label, and u is its one-hot code.
        observed: D, width of x.
        samples: rows in each of the two draws.
        variance: σ², of the noise.
        data_seed: decides the model and both draws.
    """
    rng = np.random.default_rng(data_seed)
    model = draw_model(hidden, components, observed, rng=rng)
    train, evaluation = (_draw(model, samples, first_id, variance, rng=rng) for first_id in (0, samples))
    return Dataset("relu-gmm", train, evaluation, "gaussian")


def draw_model(hidden: int, components: int, observed: int, *, rng: np.random.Generator) -> Model:
    """Parameters at random, see above."""
    return Model(
        weight=rng.standard_normal(hidden),
        bias=rng.standard_normal(hidden),
        out=rng.standard_normal((hidden, observed)) / np.sqrt(hidden),
        mean=rng.uniform(-4, 4, components),
        sd=rng.uniform(0.3, 1, components),
    )


def _draw(model: Model, samples: int, first_id: int, variance: float, *, rng: np.random.Generator) -> Split:
    labels = rng.integers(len(model.mean), size=samples)
    z = model.mean[labels] + model.sd[labels] * rng.standard_normal(samples)
    x = model.decode(z)
    x = x + np.sqrt(variance) * rng.standard_normal(x.shape)
    return Split(
        x=x.astype(np.float32),
        sample_id=first_id + np.arange(samples),
        u=one_hot(labels, len(model.mean)),
        labels=labels,
        sources=z[:, None].astype(np.float32),
    )

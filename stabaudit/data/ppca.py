"""Draws from probabilistic PCA: x = W s + ε, s ~ N(0, I), ε ~ N(0, sd² I) (Tipping & Bishop 1999; Wang et al. 2021, §4.2).

W is standard normal. The sources are kept; a model can find their span, never their axes, which any rotation leaves the same.
"""

import numpy as np

from stabaudit.config import NonNegative, Positive, PositiveFloat
from stabaudit.data.dataset import Dataset, Split
from stabaudit.errors import UsageError, counted


def load(
    *,
    sources: Positive = 2,
    observed: Positive = 5,
    samples: Positive = 2000,
    sd: PositiveFloat = 0.5,
    data_seed: NonNegative = 0,
) -> Dataset:
    """Draw twice from one model, independently: rows to train on and, ids continuing, as many to evaluate on.

    Args:
        sources: number of sources, at most `observed` (Wang et al.: 2).
        observed: width of x (Wang et al.: 5).
        samples: rows of each draw.
        sd: standard deviation of the noise; that of the sources is 1.
        data_seed: decides W, sources and noise. Of one seed, data of different `sd` share W and sources.

    Raises:
        UsageError: more sources than observed dimensions.
    """
    if sources > observed:
        room = counted(observed, "observed dimension")
        raise UsageError(f"dataset ppca: {sources} sources do not fit in {room}; set observed={sources}")
    rng = np.random.default_rng(data_seed)
    loadings = rng.standard_normal((sources, observed))

    def draw(first_id: int) -> Split:
        signal, noise = rng.standard_normal((samples, sources)), rng.standard_normal((samples, observed))
        x = (signal @ loadings + sd * noise).astype(np.float32)
        return Split(x=x, sample_id=first_id + np.arange(samples), sources=signal.astype(np.float32))

    return Dataset("ppca", draw(0), draw(samples), "gaussian")

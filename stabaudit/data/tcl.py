"""Non-stationary sources in M segments, mixed by a random network: the data of time-contrastive learning.

In segment m, source i of sample t is independent Gaussian with parameters of that segment, and u is the segment:

    s_i(t) ~ N(μ_im, σ_im²),   x(t) = f(s(t)),   f as in `stabaudit.data.mixing`, no observation noise

`tcl` is the setting of Khemakhem et al. 2019, §5 (M = 40, L = 1000, μ = 0). The paper says that the *variances* are uniform on
[0.5, 3]; the code published with it draws *standard deviations* there, which is the default here. `tcl-willetts` is the setting
of Willetts and Paige 2021, appendix A. Nothing is standardised. Mixing leaves some directions of x with little variance, which a
decoder's noise can hide: see `stabaudit.data.spectrum`.

Both papers score the rows that they train on, so both splits are the same rows.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stabaudit.config import NonNegative, Positive, PositiveFloat
from stabaudit.data.dataset import Dataset, Split, one_hot
from stabaudit.data.mixing import Activation, draw_mixing
from stabaudit.errors import UsageError, counted

Array = NDArray[np.float64]
Bound = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Modulation:
    """The distribution of the sources in every segment: mean and sd, both of shape (segments, sources)."""

    mean: Array
    sd: Array


def load(
    *,
    segments: Positive = 40,
    samples: Positive = 1000,
    sources: Positive = 5,
    observed: Positive = 5,
    layers: Positive = 3,
    activation: Activation = "leaky-tanh",
    slope: PositiveFloat = 0.1,
    scale: Literal["sd", "variance"] = "sd",
    scale_low: PositiveFloat = 0.5,
    scale_high: PositiveFloat = 3.0,
    mean_bound: Bound = 0.0,
    data_seed: NonNegative = 0,
    one_matrix: bool = False,
) -> Dataset:
    """Draw sources and mix them; labels are the segments, u their one-hot code, and the true sources are kept.

    Args:
        segments: M.
        samples: L, rows of each segment.
        sources: number of sources, at most `observed` (Khemakhem et al.: 2 to 5).
        observed: width of x.
        layers: weight matrices of the mixing network.
        activation: between the matrices: leaky tanh, tanh(x) + slope·x, or leaky ReLU.
        slope: the leak of the activation.
        scale: what is uniform on [scale_low, scale_high]: "sd" as the published code has it, "variance" as the paper says.
        scale_low: lower end.
        scale_high: upper end.
        mean_bound: means are uniform on [−mean_bound, mean_bound]; 0 for zero means (Khemakhem et al., Fig. 1: 5).
        data_seed: decides sources and mixing.
        one_matrix: the same matrix in all layers, as the code published with Khemakhem et al. has it; sources = observed.

    Raises:
        UsageError: more sources than observed dimensions, fewer where there is one matrix, or scale_low above scale_high.
    """
    if sources > observed:
        room = counted(observed, "observed dimension")
        raise UsageError(f"dataset tcl: {sources} sources do not fit in {room}; set observed={sources} or more")
    if one_matrix and sources != observed:
        raise UsageError(f"dataset tcl: one matrix in all layers is square; set sources={observed} or observed={sources}")
    if scale_low > scale_high:
        raise UsageError(f"dataset tcl: scale_low={scale_low} is above scale_high={scale_high}")
    rng = np.random.default_rng(data_seed)
    modulation = draw_modulation(segments, sources, scale, (scale_low, scale_high), mean_bound, rng=rng)
    signal = draw_sources(modulation, samples, rng=rng)
    mixing = draw_mixing(sources, observed, layers, activation, slope, rng=rng, one_matrix=one_matrix)
    segment = np.repeat(np.arange(segments), samples)
    rows = Split(
        x=mixing(signal).astype(np.float32),
        sample_id=np.arange(len(segment)),
        u=one_hot(segment, segments),
        labels=segment,
        sources=signal.astype(np.float32),
    )
    return Dataset("tcl", rows, rows, "gaussian")


def load_willetts(*, samples: Positive = 1000, data_seed: NonNegative = 0) -> Dataset:
    """Draw from `tcl` in the setting of Willetts and Paige 2021: M = 20, means U[−3, 3], sds U[0.01, 3], 4 layers, leaky ReLU.

    The paper does not give the slope of the activation; it is that of the generator the paper builds on, 0.1.

    Args:
        samples: L, rows of each segment (the paper: 100, 200, 500, 1000 and 2000).
        data_seed: decides sources and mixing.
    """
    dataset = load(
        segments=20,
        samples=samples,
        layers=4,
        activation="leaky-relu",
        scale_low=0.01,
        mean_bound=3.0,
        data_seed=data_seed,
    )
    return Dataset("tcl-willetts", dataset.train, dataset.evaluation, dataset.likelihood)


def draw_modulation(
    segments: int,
    sources: int,
    scale: Literal["sd", "variance"],
    scale_range: tuple[float, float],
    mean_bound: float,
    *,
    rng: np.random.Generator,
) -> Modulation:
    """Parameters of every source in every segment, all independent."""
    drawn = rng.uniform(*scale_range, (segments, sources))
    mean = rng.uniform(-mean_bound, mean_bound, (segments, sources))
    return Modulation(mean=mean, sd=drawn if scale == "sd" else np.sqrt(drawn))


def draw_sources(modulation: Modulation, samples: int, *, rng: np.random.Generator) -> Array:
    """Gaussian sources, `samples` rows of each segment, one segment after another: shape (segments · samples, sources)."""
    mean, sd = (np.repeat(parameter, samples, axis=0) for parameter in (modulation.mean, modulation.sd))
    return np.asarray(mean + sd * rng.standard_normal(mean.shape))

"""Pinwheel: K curved arms in the plane (Johnson et al. 2016; used by Kivva et al. 2022 and Wang et al. 2021).

A point of arm k has a radial feature r ~ N(1, σ_r²) and a tangential feature t ~ N(0, σ_t²), turned about the origin by an angle
that grows with the radius, which bends the arm:

    x = scale · R(2πk/K + rate · exp(r)) (r, t)ᵀ,   R(φ) the counter-clockwise rotation by φ

The published code turns clockwise (the mirror image) and sets scale to 10.
"""

import numpy as np
from numpy.typing import NDArray

from stabaudit.config import NonNegative, Positive, PositiveFloat
from stabaudit.data.dataset import Dataset, Split, one_hot


def load(
    *,
    clusters: Positive = 3,
    samples: Positive = 1000,
    radial_sd: PositiveFloat = 0.3,
    tangential_sd: PositiveFloat = 0.05,
    rate: PositiveFloat = 0.25,
    scale: PositiveFloat = 1.0,
    data_seed: NonNegative = 0,
) -> Dataset:
    """Draw a pinwheel twice, independently: once to train on and, ids continuing, once as large to evaluate on.

    Args:
        clusters: number of arms K (Kivva et al.: 3). The arm is the label, and u is its one-hot code.
        samples: points of each arm in each of the two draws.
        radial_sd: σ_r, before scaling.
        tangential_sd: σ_t, before scaling.
        rate: how strongly the arms bend.
        scale: factor on both coordinates; it sets the data against the noise of a Gaussian decoder.
        data_seed: decides both draws.
    """
    rng = np.random.default_rng(data_seed)
    labels = np.repeat(np.arange(clusters), samples)
    train, evaluation = (
        Split(
            x=(scale * draw(labels, clusters, radial_sd, tangential_sd, rate, rng=rng)).astype(np.float32),
            sample_id=first_id + np.arange(len(labels)),
            u=one_hot(labels, clusters),
            labels=labels,
        )
        for first_id in (0, len(labels))
    )
    return Dataset("pinwheel", train, evaluation, "gaussian")


def draw(
    arm: NDArray[np.int64], clusters: int, radial_sd: float, tangential_sd: float, rate: float, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """One point on each given arm, at scale 1: shape (n, 2) for arms of shape (n,)."""
    radial = 1 + radial_sd * rng.standard_normal(len(arm))
    tangential = tangential_sd * rng.standard_normal(len(arm))
    angle = 2 * np.pi * arm / clusters + rate * np.exp(radial)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.column_stack([cos * radial - sin * tangential, sin * radial + cos * tangential])

"""Shapes: small grey pictures of a square, an ellipse or a heart, of known size, angle and place, drawn from a seed.

They are made in the manner of dSprites (Matthey et al. 2017), with nothing to download and with anti-aliased edges. The five
factors are independent and are kept as sources:

    shape        0 square, 1 ellipse, 2 heart, each as likely        scale   uniform on [0.5, 1]
    orientation  uniform on [0, 2π), counter-clockwise               x, y    uniform on [0, 1], right and up

In coordinates in which the picture is [−1, 1]² a shape of scale 1 reaches to at most 0.46 from its centre, which lies within
±0.54, so that none is cut off. In the shape's own coordinates (u, v), of which 0.4 scale is the unit: the square is |u|, |v| ≤
0.8; the ellipse has half axes 1 and ½; the heart is a square of half side ½ that stands on a corner, with discs of radius ½
about the middles of its upper sides.

A pixel's value is what the shape covers of it, by the distance of its centre to the edge: ½ on the edge, 1 from half a pixel
inside on, 0 from half a pixel outside on. A square looks the same every quarter of a turn and an ellipse every half, as in
dSprites, so no representation can tell all of `orientation`.
"""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stabaudit.config import NonNegative, Positive
from stabaudit.data.dataset import Dataset, FloatArray, Split, one_hot

SHAPES = ("square", "ellipse", "heart")
FACTORS = ("shape", "scale", "orientation", "x", "y")
UNIT = 0.4  # of a shape of scale 1, where the picture reaches from −1 to 1
REACH = 0.54  # of centres
HALF_SIDE = 0.8  # of the square
LOBE = 0.5  # half the side of the heart's square, and the radius of its discs
HELD_OUT = 4  # one row to evaluate on for so many to train on
BLOCK = 1_000  # pictures drawn at once

Size = Annotated[int, Field(ge=8, le=256)]
Values = NDArray[np.float64]


def load(*, samples: Positive = 20_000, size: Size = 32, data_seed: NonNegative = 0) -> Dataset:
    """Draw pictures to train on and, ids continuing, a quarter as many to evaluate on.

    x is in [0, 1], of shape (1, size, size); labels are the shape and u is its one-hot code.

    Args:
        samples: pictures to train on.
        size: pixels along a side.
        data_seed: decides all factors.
    """
    rng = np.random.default_rng(data_seed)
    train, evaluation = (
        _split(draw_factors(count, rng=rng), size, first_id)
        for count, first_id in ((samples, 0), (-(-samples // HELD_OUT), samples))
    )
    return Dataset("shapes", train, evaluation, "bernoulli", source_names=FACTORS)


def _split(factors: Values, size: int, first_id: int) -> Split:
    labels = factors[:, 0].astype(np.int64)
    return Split(
        x=render(factors, size),
        sample_id=first_id + np.arange(len(factors)),
        u=one_hot(labels, len(SHAPES)),
        labels=labels,
        sources=factors.astype(np.float32),
    )


def draw_factors(count: int, *, rng: np.random.Generator) -> Values:
    """Factors of so many pictures, shape (count, 5)."""
    shape = rng.integers(len(SHAPES), size=count).astype(np.float64)
    low, high = [0.5, 0.0, 0.0, 0.0], [1.0, 2 * np.pi, 1.0, 1.0]
    return np.column_stack([shape, rng.uniform(low, high, size=(count, 4))])


def render(factors: Values, size: int) -> FloatArray:
    """Pictures of some factors, shape (n, 5), as coverage in [0, 1], shape (n, 1, size, size).

    >>> picture = render(np.array([[0.0, 1.0, 0.0, 0.5, 0.5]]), 32)[0, 0]
    >>> float(picture[16, 16]), float(picture[0, 0]), round(float(picture.sum()) / 32**2, 2)  # (0.4 · 0.8)² = 0.1024
    (1.0, 0.0, 0.1)
    """
    pictures = np.empty((len(factors), 1, size, size), dtype=np.float32)
    for start in range(0, len(factors), BLOCK):
        some = factors[start : start + BLOCK]
        pictures[start : start + BLOCK, 0] = _coverage(some, size)
    return pictures


def _coverage(factors: Values, size: int) -> Values:
    shape, scale, angle, x, y = factors.T[:, :, None, None]
    pixel = 2.0 / size
    centres = (np.arange(size) + 0.5) * pixel - 1.0
    right, up = centres[None, None, :] - (2 * x - 1) * REACH, -centres[None, :, None] - (2 * y - 1) * REACH
    unit = UNIT * scale
    u, v = (np.cos(angle) * right + np.sin(angle) * up) / unit, (np.cos(angle) * up - np.sin(angle) * right) / unit
    covered = np.empty(u.shape)
    for kind, distance in enumerate((_to_square, _to_ellipse, _to_heart)):
        rows = np.flatnonzero(shape.ravel() == kind)
        covered[rows] = np.clip(0.5 - distance(u[rows], v[rows]) * unit[rows] / pixel, 0.0, 1.0)
    return covered


def _to_square(u: Values, v: Values, half: float = HALF_SIDE) -> Values:
    """Distance to the edge of a shape, negative inside, as it is near the edge; likewise below."""
    return np.maximum(np.abs(u), np.abs(v)) - half


def _to_ellipse(u: Values, v: Values) -> Values:
    radius = np.sqrt(u**2 + 4 * v**2)
    return (radius - 1.0) * radius / np.maximum(np.sqrt(u**2 + 16 * v**2), np.finfo(np.float64).tiny)  # over its gradient


def _to_heart(u: Values, v: Values) -> Values:
    a, b = (v + u) / np.sqrt(2), (v - u) / np.sqrt(2)
    lobes = np.minimum(np.hypot(a - LOBE, b), np.hypot(a, b - LOBE)) - LOBE
    nearest: Values = np.minimum(_to_square(a, b, LOBE), lobes)
    return nearest

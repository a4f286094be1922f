"""What is measured of a trained model before any theorem is asked: plain numbers, of one restart.

z has d dimensions and x has n elements; f is the decoder, from z to the parameter of p(x|z): the mean of a Gaussian, the
logits of a Bernoulli. Dimensions on which x does not depend are *collapsed*; what is said of decoder and prior is of the
others, d of them, with the collapsed ones held where they are on average.
"""

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

Array = NDArray[Any]
Prior = Literal["gaussian", "laplace", "mixture", "conditional"]
Noise = Literal["known", "learned", "other"]


@dataclass(frozen=True)
class Components:
    """Diagonal Gaussians: the components of a mixture prior, or p(z|u) at the values of u.

    Args:
        weight: of each, shape (K,), summing to 1.
        mean, log_var: shape (K, d) both.
        rows: training rows that they were learned from.
    """

    weight: Array
    mean: Array
    log_var: Array
    rows: int


@dataclass(frozen=True)
class Layer:
    """A weight matrix of the decoder.

    Args:
        name: as in the weights file.
        into, out: its widths; of a convolution, the filter's size and the channels.
        rank: number of singular values that count.
        smallest, largest: singular values, of min(into, out).
    """

    name: str
    into: int
    out: int
    rank: int
    smallest: float
    largest: float


@dataclass(frozen=True)
class DecoderFacts:
    """A decoder at points drawn from the aggregate posterior, in double precision.

    Args:
        dimensions, outputs: d, without those that are collapsed, and n.
        points: how many there were.
        curvature: median of the second difference of f along a short segment, as a part of the first; 0 but for rounding where f
            is piecewise affine.
        pieces: how many different Jacobians the points have.
        rank: the largest of a Jacobian.
        singular: share of points whose Jacobian has a lower rank than d, in [0, 1].
        condition: median of largest to smallest singular value of the Jacobian; infinite where the smallest is 0.
        targets: points x = f(z) for which another z was searched.
        doubled: how many have one.
        weighty: how many have one that the posterior of x gives a hundredth or more; None where p(z) is not known.
        example: two latents of one x, those between which the posterior is shared most evenly, shape (2, dimensions); or None.
        closest: the smallest distance ‖f(z) − f(z′)‖ that the search found between latents at least one standard deviation apart,
            in standard deviations of the noise; None where the noise is not known or nothing was found.
        proof: why f is injective, where its layers show that; else None.
        layers: its weight matrices.
        directions: what x tells of z along the directions of least to most information, ½ log(1 + signal/noise) in nats, shape
            (d,); None where the noise is not known.
    """

    dimensions: int
    outputs: int
    points: int
    curvature: float
    pieces: int
    rank: int
    singular: float
    condition: float
    targets: int
    doubled: int
    weighty: int | None = None
    example: Array | None = None
    closest: float | None = None
    proof: str | None = None
    layers: tuple[Layer, ...] = ()
    directions: Array | None = None


@dataclass(frozen=True)
class ModelFacts:
    """One restart.

    Args:
        dimensions: of z, all of them.
        prior: what p(z) is; None where the family does not say.
        facets: independent mixtures that p(z) is the product of, one for most families; empty for other priors.
        conditional: p(z|u) at the values of u that the data have; None for a prior without u.
        zero_mean: whether the mean of p(z|u) is fixed at zero, so that z² is the only sufficient statistic.
        noise: p(x|z) is Gaussian of known variance, or of a learned one, or something else.
        exact: whether the training maximised the likelihood itself.
        decoder: None where x does not follow from a vector z.
        slopes: root mean square of ∂f/∂z_k times the spread of z_k, for all dimensions; None without a decoder.
        information: of each dimension about x, ½ log(1 + signal/noise) in nats, for all; None where the noise is not known.
    """

    dimensions: int
    prior: Prior | None
    noise: Noise
    exact: bool
    decoder: DecoderFacts | None
    slopes: Array | None = None
    information: Array | None = None
    facets: tuple[Components, ...] = ()
    conditional: Components | None = None
    zero_mean: bool = False

"""Distances between rows as a trained decoder measures them (Syrota et al. 2025, arXiv:2502.13757).

Latent coordinates are not identifiable: with a decoder f, latents g(z) and the decoder f ∘ g⁻¹ give the same data, and other
Euclidean distances. The length of the image of a curve, ∫ ‖d f(γ(t))/dt‖ dt, is the same for both, and so is that of the shortest
curve between two rows, their geodesic distance under the metric that f pulls back from the data. Here f is the mean of p(x|z).

A curve is the straight line between the encoder means of two rows plus eight sines, Σ_k c_k sin(kπt)/k, so that under a flat
metric all coefficients matter alike and the descent is well conditioned. (As points of a polyline it is not: on a trained decoder
it shortened curves by 10% where sines take off 43%.) From c = 0 on, Adam lowers the energy Σ ‖f(γ(t_{i+1})) − f(γ(t_i))‖² at 32
points, whose minimum is a shortest curve passed at constant speed. Lengths are sums of chords between four times as many points,
so that no curve gains by leaping over a bend. The descent finds a curve near the straight line, which need not be the shortest of
all; the shorter of the two is kept, so that no geodesic is longer than the straight line.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stabaudit.families.base import Family
from stabaudit.training.step.restarts import EVALUATION_ROWS

Array = NDArray[Any]
Decode = Callable[[Tensor], Tensor]  # (batch, d) to (batch, *x_shape)

PAIRS = 200
POINTS = 32  # of a curve where its energy is taken, both ends among them
SINES = 8
CUTS = 4  # of each piece between points, for the length
STEPS = 400
RATE = 0.1  # of Adam, in units of the distance between both ends; it falls to 0
_SEED = 13757  # of the pairs of rows, the same for all runs


def row_pairs(count: int) -> Array:
    """Pairs of rows to measure between, shape (200, 2), or all of them where there are fewer; ascending, none twice.

    Args:
        count: of rows, at least two for any pair.

    >>> row_pairs(3).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    every = count * (count - 1) // 2
    if every <= PAIRS:
        return np.stack(np.triu_indices(count, 1), axis=1)
    rng, found = np.random.default_rng(_SEED), set[tuple[int, int]]()
    while len(found) < PAIRS:
        a, b = sorted(rng.choice(count, 2, replace=False).tolist())
        found.add((a, b))
    return np.array(sorted(found))


def stored_distances(family: Family, mean: Tensor, sample_id: Array) -> dict[str, Array]:
    """Distances between fixed pairs of evaluation rows, by column.

    Args:
        family: a trained restart in evaluation mode, with a decoder.
        mean: encoder means of the evaluation rows, shape (n, d).
        sample_id: their names, shape (n,): pairs are of places in their ascending order, whatever the order here.

    Returns:
        row_a, row_b: places among the ascending ids; euclidean, straight and geodesic: distance of both latents, length of the
        image of the straight line, and of the shortest curve found, shape (pairs,) each.
    """

    def decode(z: Tensor) -> Tensor:
        decoded = family.decode(z)
        assert decoded is not None  # noqa: S101 -- families without a decoder are refused before training
        return decoded

    pairs = row_pairs(len(mean))
    order = np.argsort(sample_id, kind="stable")
    ends = mean[torch.from_numpy(order[pairs])].to(next(family.parameters()).device)
    parts = [lengths(decode, *part.unbind(1)) for part in ends.split(max(1, EVALUATION_ROWS // POINTS))]
    straight, geodesic = (torch.cat(values).cpu().numpy() for values in zip(*parts, strict=True))
    euclidean = (ends[:, 1].double() - ends[:, 0].double()).norm(dim=1).cpu().numpy()
    return {"row_a": pairs[:, 0], "row_b": pairs[:, 1], "euclidean": euclidean, "straight": straight, "geodesic": geodesic}


def lengths(decode: Decode, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Lengths in data space of the straight lines from a to b and of the shortest curves found, shape (pairs,) both, float64.

    Args:
        decode: the decoder's mean, differentiable; each row by itself.
        a: where curves begin, shape (pairs, d).
        b: where they end, shape (pairs, d).
    """
    with torch.no_grad():
        straight = _length(decode, a, b, a.new_zeros(len(a), SINES, a.shape[1]))
    bend = _descend(decode, a, b)
    with torch.no_grad():
        curved = _length(decode, a, b, bend)
    return straight, torch.where(curved < straight, curved, straight)  # also where the descent left the finite numbers


def _curve(a: Tensor, b: Tensor, bend: Tensor, points: int) -> Tensor:
    """Points of curves from a to b, both of shape (pairs, d), that coefficients (pairs, sines, d) bend: (pairs, points, d)."""
    share = torch.linspace(0, 1, points, device=a.device, dtype=a.dtype)[:, None]
    k = torch.arange(1, SINES + 1, device=a.device, dtype=a.dtype)
    sines = torch.sin(math.pi * share * k) / k
    sines[-1] = 0  # which rounding leaves at 1e-7: all curves end in b
    apart = (b - a)[:, None]
    curve: Tensor = a[:, None] + share * apart + apart.norm(dim=2, keepdim=True) * (sines @ bend)
    return curve


def _descend(decode: Decode, a: Tensor, b: Tensor) -> Tensor:
    """Coefficients of curves from a to b of lower energy, shape (pairs, sines, d)."""
    bend = a.new_zeros(len(a), SINES, a.shape[1]).requires_grad_()
    adam = torch.optim.Adam([bend], lr=RATE)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, STEPS)
    with torch.no_grad():
        unit = _energy(decode, _curve(a, b, bend, POINTS)).clamp(min=torch.finfo(a.dtype).tiny)
    for _ in range(STEPS):
        energy = _energy(decode, _curve(a, b, bend, POINTS)) / unit
        (bend.grad,) = torch.autograd.grad(energy.sum(), bend)  # of no weight of the decoder
        adam.step()
        falling.step()
    return bend.detach()


def _chords(decode: Decode, curve: Tensor) -> Tensor:
    """From each point of curves, shape (pairs, points, d), to the next, in data space: shape (pairs, points − 1, D)."""
    decoded = decode(curve.flatten(0, 1)).flatten(1)
    return decoded.reshape(*curve.shape[:2], -1).diff(dim=1)


def _energy(decode: Decode, curve: Tensor) -> Tensor:
    return _chords(decode, curve).square().sum((1, 2))


def _length(decode: Decode, a: Tensor, b: Tensor, bend: Tensor) -> Tensor:
    chords = _chords(decode, _curve(a, b, bend, CUTS * (POINTS - 1) + 1)).double()
    return chords.square().sum(2).sqrt().sum(1)

"""Distances between rows as a trained decoder measures them (Syrota et al. 2025, arXiv:2502.13757).

Latent coordinates are not identifiable: with a decoder f, latents g(z) and the decoder f ∘ g⁻¹ give the same data, and other
Euclidean distances. The length of the image of a curve, ∫ ‖d f(γ(t))/dt‖ dt, is the same for both, and so is that of the shortest
curve between two rows, their geodesic distance under the metric that f pulls back from the data. Here f is the mean of p(x|z).

A curve is a polyline of 16 points between the encoder means of two rows. From the straight line on, Adam lowers its energy
Σ ‖f(z_{i+1}) − f(z_i)‖², whose minimum is a shortest curve passed at constant speed. Lengths are sums of chords, with each piece
of the polyline cut in four, so that no curve gains by leaping over a bend. The descent finds a curve near the straight line,
which need not be the shortest of all; the shorter of the two is kept, so that no geodesic is longer than the straight line.
"""

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
POINTS = 16  # of a curve, both ends among them
CUTS = 4  # of each piece of a curve, for its length
STEPS = 100
RATE = 0.02  # of Adam, in units of the distance between both ends; it falls to 0
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
    share = torch.linspace(0, 1, POINTS, device=a.device, dtype=a.dtype)[:, None]
    line = a[:, None] + share * (b - a)[:, None]
    bent = _descend(decode, line)
    with torch.no_grad():
        straight, curved = _length(decode, line), _length(decode, bent)
    return straight, torch.where(curved < straight, curved, straight)  # also where the descent left the finite numbers


def _descend(decode: Decode, line: Tensor) -> Tensor:
    """Curves of lower energy with the same ends, shape (pairs, points, d) both."""
    scale = (line[:, -1] - line[:, 0]).norm(dim=1)[:, None, None]
    bend = torch.zeros_like(line[:, 1:-1]).requires_grad_()
    adam = torch.optim.Adam([bend], lr=RATE)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, STEPS)
    with torch.no_grad():
        unit = _energy(decode, line).clamp(min=torch.finfo(line.dtype).tiny)
    for _ in range(STEPS):
        curve = torch.cat([line[:, :1], line[:, 1:-1] + scale * bend, line[:, -1:]], 1)
        (bend.grad,) = torch.autograd.grad((_energy(decode, curve) / unit).sum(), bend)  # of no weight of the decoder
        adam.step()
        falling.step()
    return torch.cat([line[:, :1], line[:, 1:-1] + scale * bend.detach(), line[:, -1:]], 1)


def _chords(decode: Decode, curve: Tensor) -> Tensor:
    """From each point of curves, shape (pairs, points, d), to the next, in data space: shape (pairs, points − 1, D)."""
    decoded = decode(curve.flatten(0, 1)).flatten(1)
    return decoded.reshape(*curve.shape[:2], -1).diff(dim=1)


def _energy(decode: Decode, curve: Tensor) -> Tensor:
    return _chords(decode, curve).square().sum((1, 2))


def _length(decode: Decode, curve: Tensor) -> Tensor:
    share = torch.arange(CUTS, device=curve.device, dtype=curve.dtype)[:, None] / CUTS
    cut = (curve[:, :-1, None] + share * curve.diff(dim=1)[:, :, None]).flatten(1, 2)
    chords = _chords(decode, torch.cat([cut, curve[:, -1:]], 1)).double()
    return chords.square().sum(2).sqrt().sum(1)

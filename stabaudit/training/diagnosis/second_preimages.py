"""Searches latents z′ ≠ z with f(z′) = f(z): one is a proof that f is not injective, none is no proof that it is.

From several starts y for every target t = g(y₀), Levenberg–Marquardt (Marquardt 1963, doi:10.1137/0111030) lowers ‖g(y) − t‖²:

    (JᵀJ + μ diag JᵀJ) δ = −Jᵀ (g(y) − t),   μ a tenth after a step that helps, ten times as large after one that does not.

On a piecewise affine g it ends exactly once it stands on the right piece. A preimage counts where the residual is below 10⁻⁷
of the spread of g while y lies further than 0.05 standard deviations from y₀. Starts are other points of the aggregate
posterior, the mirror image of y₀ first; where half of the targets have a second preimage, the others get more starts, as all
may have one. How near the search comes otherwise, at y one standard deviation or more away, is kept too.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from stabaudit.training.diagnosis.decoder_at_points import Decoder

TARGETS, STARTS, ITERATIONS = 64, 8, 40
BUDGET = 400_000  # rows that may be decoded; of fewer dimensions there are more targets
EXACT = 1e-7  # residual of a preimage, in units of the spread of g
APART = 1e-4  # of two latents that are not the same, in standard deviations
BENT = 1e-3  # residual of a preimage, as a part of ‖J (y − y₀)‖
FAR = 1.0  # of two latents whose images should not be near
WIDER = (1.5, 1.5, 3.0, 3.0)  # of the starts of a round, in units of the points' spread
_SEED = 1310


@dataclass(frozen=True)
class Found:
    """What the search found.

    Args:
        targets: how many x = f(z) were searched for a second z.
        doubled: whether one was found, shape (targets,).
        pairs: the z searched from and every z′ found for it, as y, shape (hits, 2, d).
        number: of the target of each, shape (hits,).
        closest: the smallest ‖f(z) − f(z′)‖ of latents at least one standard deviation apart, None where none was seen.
    """

    targets: int
    doubled: Tensor
    pairs: Tensor
    number: Tensor
    closest: float | None


def search(decoder: Decoder, y: Tensor) -> Found:
    """Search from points of the aggregate posterior, shape (points, d), as targets and as starts."""
    d = y.shape[1]
    targets = max(8, min(TARGETS, len(y), BUDGET // (STARTS * ITERATIONS * (2 * d + 1))))
    generator = torch.Generator().manual_seed(_SEED)
    chosen = y[torch.randperm(len(y), generator=generator)[:targets]]
    images = decoder(chosen)
    scale = float((images - images.mean(0)).norm(dim=1).square().mean().sqrt())
    slopes = decoder.jacobian(chosen)
    doubled = torch.zeros(targets, dtype=torch.bool)
    pairs, numbers, nearest = [], [], []
    for wide in WIDER:
        left = (~doubled).nonzero()[:, 0]
        if not len(left) or (wide > WIDER[0] and 2 * len(left) > targets):
            break  # a share is known well enough, unless it may be all
        others = y[torch.randint(len(y), (len(left), STARTS - 1), generator=generator)]
        start = torch.cat([-chosen[left].unsqueeze(1), wide * others], 1).flatten(0, 1)
        number = left.repeat_interleave(STARTS)
        ended, residual = _descend(decoder, start, images[number])
        difference = ended - chosen[number]
        apart, along = difference.norm(dim=1), (slopes[number] @ difference.unsqueeze(2)).squeeze(2).norm(dim=1)
        hit = (residual <= EXACT * scale) & (residual < BENT * along) & (apart >= APART)
        doubled[number[hit]] = True
        pairs.append(torch.stack([chosen[number], ended], 1)[hit])
        numbers.append(number[hit])
        nearest.append(residual[(apart >= FAR) & residual.isfinite()])
    far = torch.cat(nearest)
    return Found(targets, doubled, torch.cat(pairs), torch.cat(numbers), float(far.min()) if len(far) else None)


def _descend(decoder: Decoder, start: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Where Levenberg–Marquardt ends, shape (rows, d), and the distance of the images from their targets, shape (rows,)."""
    y, damping = start.clone(), start.new_full((len(start), 1, 1), 1e-2)
    miss = decoder(y) - target
    cost = miss.square().sum(1)
    for _ in range(ITERATIONS):
        jacobian = decoder.jacobian(y)
        gradient = (jacobian.mT @ miss.unsqueeze(2)).squeeze(2)
        normal = jacobian.mT @ jacobian
        diagonal = normal.diagonal(dim1=1, dim2=2)
        floor = 1e-12 * diagonal.amax(1, keepdim=True).clamp(min=torch.finfo(y.dtype).tiny)
        step = torch.linalg.solve_ex(normal + torch.diag_embed(damping.squeeze(2) * diagonal + floor), -gradient).result
        tried = y + step
        there = decoder(tried) - target
        lower = there.square().sum(1)
        better = (lower < cost) & lower.isfinite()
        y = torch.where(better.unsqueeze(1), tried, y)
        miss = torch.where(better.unsqueeze(1), there, miss)
        cost = torch.where(better, lower, cost)
        damping = torch.where(better[:, None, None], damping / 10, damping * 10).clamp(1e-12, 1e12)
    return y, cost.sqrt()

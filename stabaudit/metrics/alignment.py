"""One restart's latents in the terms of another: the map that is estimated on *fit*, and how well it holds on *score*.

*permutation*: dimensions are matched by |correlation| and each is turned to the sign, the mean and the standard deviation of its
partner. Scales are ratios of standard deviations and not slopes of a regression, which would shrink whatever is noisy.
*orthogonal*: the rotation with one common scale that is nearest in least squares (Schönemann 1966, doi:10.1007/BF02289451).
*affine*: least squares, one regression for each target dimension.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import BadData, UsageError, counted
from stabaudit.metrics.affine import affine_map
from stabaudit.metrics.floors import Draws
from stabaudit.metrics.halves import Halves
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.metrics.mcc_strong import matched
from stabaudit.metrics.pair_scores import ScoreName
from stabaudit.metrics.score_pairs import score_pairs

Array = NDArray[Any]
By = Literal["permutation", "orthogonal", "affine"]
WAYS: tuple[By, ...] = get_args(By)


@dataclass(frozen=True)
class AlignedTo:
    """How latents of d dimensions are taken to a target of d_t.

    Args:
        matrix: rows z become z @ matrix + offset, shape (d, d_t).
        offset: shape (d_t,).
        agreement: correlation with the target on *score* by dimension of the target, in [−1, 1]; 0 where either does not vary,
            shape (d_t,).
        r2: of the target from the aligned latents on *score*, dimension by dimension of equal weight, in (−∞, 1].
        source: the dimension that became each dimension of the target, of a permutation, shape (d_t,); else None.
    """

    matrix: Array
    offset: Array
    agreement: Array
    r2: float
    source: Array | None = None

    def __call__(self, z: Array) -> Array:
        """Latents in the terms of the target, shape (n, d_t)."""
        moved: Array = z @ self.matrix + self.offset
        return moved


@dataclass(frozen=True)
class AlignmentFloor:
    """What an alignment reaches by chance, means over draws.

    Args:
        agreement: by dimension of the target where rows are in another order, in [−1, 1], shape (d_t,).
        r2: likewise, in (−∞, 1].
        rotation: |agreement| of a permutation, mean over dimensions, where the two are the same up to an affine map only (the
            rotation floor of strong MCC), in [0, 1]; None of the other ways, which turn latents themselves.
    """

    agreement: Array
    r2: float
    rotation: float | None


def align(z: Array, target: Array, fit: Array, by: By = "permutation") -> AlignedTo:
    """Find the map that takes latents to a target.

    Args:
        z: latents, shape (n, d).
        target: what they are taken to, shape (n, d_t), of the same rows.
        fit: True for the rows that the map is estimated on, shape (n,); the others say how well it holds.
        by: "permutation" (d = d_t), "orthogonal" (d = d_t) or "affine".

    Raises:
        UsageError: an unknown way, or unequal dimensions of a way that needs equal ones.
        BadData: unequal rows, or too few to estimate a map on.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> target = rng.standard_normal((100, 3))
        >>> found = align(-2.0 * target[:, [2, 0, 1]], target, np.arange(100) < 50)
        >>> found.source.tolist(), [round(float(x), 3) for x in found.agreement]
        ([1, 2, 0], [1.0, 1.0, 1.0])
    """
    if by not in WAYS:
        raise UsageError(f"by {by!r}: expected one of {', '.join(WAYS)}")
    if len(z) != len(target):
        raise BadData(f"align: {len(z)} and {len(target)} rows; join them on sample_id first")
    if by != "affine" and z.shape[1] != target.shape[1]:
        raise UsageError(f"{counted(z.shape[1], 'dimension')} cannot be aligned to {target.shape[1]} by {by}; use affine")
    z, target = z.astype(np.float64), target.astype(np.float64)
    matrix, offset, source = _WAYS[by](z, target, fit)
    moved = z[~fit] @ matrix + offset
    return AlignedTo(matrix, offset, _correlations(moved, target[~fit]), _explained(moved, target[~fit]), source)


def alignment_floor(z: Array, target: Array, fit: Array, by: By, draws: Draws) -> AlignmentFloor:
    """The floors of an alignment, which is found anew in every draw.

    Args:
        z: latents, shape (n, d).
        target: what they are taken to, shape (n, d_t).
        fit: True for the rows that the map is estimated on, shape (n,).
        by: the kind of map.
        draws: how many, and their seed.
    """
    found = [align(z[order], target, fit, by) for order in draws.orders(fit)]
    rotation = None
    if by == "permutation":
        scored = score_pairs([z, target], fit, scores=[STRONG.name], floor_draws=0, rotations=draws.number, rng=draws.rng())
        rotation = float(scored.pairs[0].rotation[ScoreName(STRONG.name, None, "out")].mean())
    return AlignmentFloor(np.mean([one.agreement for one in found], axis=0), float(np.mean([one.r2 for one in found])), rotation)


def _permutation(z: Array, target: Array, fit: Array) -> tuple[Array, Array, Array | None]:
    parts = matched(*Halves.of_rows([z, target], fit).pair(0, 1))
    assert parts.matching is not None  # noqa: S101 -- what this score gives
    source = np.empty(target.shape[1], dtype=int)
    source[parts.matching[:, 1]] = parts.matching[:, 0]
    mine, theirs = z[fit][:, source], target[fit]
    spread, wanted = mine.std(axis=0), theirs.std(axis=0)
    sign = np.where(_correlations(mine, theirs) < 0, -1.0, 1.0)
    scale = sign * np.divide(wanted, spread, out=np.zeros_like(wanted), where=_varies(mine))
    matrix = np.zeros((z.shape[1], target.shape[1]))
    matrix[source, np.arange(target.shape[1])] = scale
    return matrix, theirs.mean(axis=0) - mine.mean(axis=0) * scale, source


def _orthogonal(z: Array, target: Array, fit: Array) -> tuple[Array, Array, Array | None]:
    means = z[fit].mean(axis=0), target[fit].mean(axis=0)
    mine, theirs = z[fit] - means[0], target[fit] - means[1]
    left, singular, right = np.linalg.svd(mine.T @ theirs)
    total = (mine**2).sum()
    scale = singular.sum() / total if total > 0 else 0.0
    matrix = scale * (left @ right)
    return matrix, means[1] - means[0] @ matrix, None


def _affine(z: Array, target: Array, fit: Array) -> tuple[Array, Array, Array | None]:
    return *affine_map(z, target, fit), None


_WAYS = {"permutation": _permutation, "orthogonal": _orthogonal, "affine": _affine}


def _correlations(a: Array, b: Array) -> Array:
    """Correlation of each column of a with that of b, 0 where either does not vary."""
    varies = _varies(a) & _varies(b)
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    norms = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    found: Array = np.divide((a * b).sum(axis=0), norms, out=np.zeros_like(norms), where=varies)
    return found.clip(-1.0, 1.0)


def _varies(z: Array) -> Array:
    """Which columns vary by more than rounding."""
    found: Array = z.std(axis=0) > 1e-12 * np.abs(z).max(axis=0, initial=0.0)
    return found


def _explained(moved: Array, target: Array) -> float:
    spread, varies = target.var(axis=0), _varies(target)
    missed = ((target - moved) ** 2).mean(axis=0)
    return float((1.0 - missed[varies] / spread[varies]).mean()) if varies.any() else 0.0

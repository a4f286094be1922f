"""What latents must be before they can be scored."""

from collections.abc import Sequence

import numpy as np

from stabaudit.errors import BadData, are, counted
from stabaudit.metrics.pair_scores import Array


def require_scorable(latents: Sequence[Array], names: Sequence[str], fit: Array | None) -> list[str]:
    """Refuse what cannot be scored.

    Args:
        latents: one array per restart, shapes (n, d_r).
        names: what to call each of them in a message.
        fit: True for rows of *fit*, shape (n,), or None when all rows serve.

    Returns:
        Warnings, one line each: fewer than 2d rows in *fit*.

    Raises:
        BadData: an array that is not a table of finite numbers, different numbers of rows, n ≤ d rows in *fit*, or fewer than two
            rows in *score*.
    """
    for z, name in zip(latents, names, strict=True):
        _require_finite_table(z, name)
        if len(z) != len(latents[0]):
            raise BadData(f"{name} has {counted(len(z), 'row')}, {names[0]} has {len(latents[0])}; join them on sample_id first")
    n, d = len(latents[0]), max(z.shape[1] for z in latents)
    if fit is None:
        return warn_of_few_rows(n, n, d)
    if fit.shape != (n,) or fit.dtype != bool:
        raise BadData(f"the mask of fit rows has shape {fit.shape} and type {fit.dtype}, expected ({n},) and bool")
    return warn_of_few_rows(int(fit.sum()), n - int(fit.sum()), d)


def warn_of_few_rows(fit: int, score: int, d: int) -> list[str]:
    """Refuse too few rows, and warn of few.

    Args:
        fit: rows to estimate on.
        score: rows to score on.
        d: the largest number of dimensions.

    Returns:
        Warnings, one line each: fewer than 2d rows in *fit*.

    Raises:
        BadData: n ≤ d rows in *fit*, or fewer than two in *score*.
    """
    transposed = "; looks transposed: --dimensions-first" if fit + score < d else ""
    if score < 2:
        left = f"{score} of {counted(fit + score, 'row')} {are(score)} left to score on"
        raise BadData(f"{left}; at least 2 are needed{transposed}")
    said = f"{counted(fit, 'row')} to fit on for {counted(d, 'dimension')}"
    if fit <= d:
        raise BadData(f"{said}: more rows than dimensions are needed, better {2 * d} and more{transposed}")
    if fit < 2 * d:
        return [f"only {said}: in-sample scores are mostly chance below {2 * d}"]
    return []


def require_equal_dimensions(d_a: int, d_b: int, what: str) -> None:
    """Refuse a pair of unequal dimensions.

    Raises:
        BadData: naming both numbers.
    """
    if d_a != d_b:
        raise BadData(f"{what} have {d_a} and {d_b} dimensions; --allow-unequal (allow_unequal=True) matches the smaller number")


def _require_finite_table(z: Array, name: str) -> None:
    if z.ndim != 2 or z.shape[1] == 0 or z.dtype.kind not in "fiu":
        raise BadData(f"{name}: shape {z.shape} of type {z.dtype}, expected a table of numbers, shape (n, d)")
    if not np.isfinite(z).all():
        count = (~np.isfinite(z)).sum(axis=0)
        spoilt = np.flatnonzero(count)
        where = f"dimension {spoilt[0]} holds" if len(spoilt) == 1 else f"dimension {spoilt[0]} and {len(spoilt) - 1} more hold"
        raise BadData(f"{name}: {where} {counted(int(count.sum()), 'NaN or infinite value')}")

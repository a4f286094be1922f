"""Rows so far from the others that they decide every correlation: named, beside what ranks give."""

from collections.abc import Sequence

import numpy as np

from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.settings import Settings
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.metrics.pair_scores import Array, ScoreName
from stabaudit.metrics.score_pairs import score_pairs
from stabaudit.metrics.split import split_halves
from stabaudit.store.files.columns import names_of

_SHARE = 0.5  # of a dimension's sum of squares: such a row outweighs all others together
_FEWEST = 20  # rows, below which one may well carry half


def outlier_warnings(groups: Sequence[Group], settings: Settings) -> list[str]:
    """One row that carries most of the variance of a dimension: which, and strong MCC by ranks, which it cannot decide.

    Args:
        groups: rows in memory, joined; nothing is said of those that are streamed or lie on a grid.
        settings: nothing is said where values are ranks already.
    """
    labels = [label for group in groups for label in group.labels]
    if any(not group.latents for group in groups) or groups[0].summary.grid or settings.correlation == "spearman":
        return []
    latents = [z for group in groups for z in group.latents]
    ids = groups[0].sample_id
    if len(ids) < _FEWEST:
        return []
    found = []
    for label, z in zip(labels, latents, strict=True):
        names = names_of("z", z.shape[1])
        found += [(label, names[k], row, share) for k, row, share in outliers(z)]
    if not found:
        return []
    fit = split_halves(ids)
    rng = np.random.default_rng(settings.seed)
    by_rank = score_pairs(
        latents,
        fit,
        scores=[STRONG.name],
        correlation="spearman",
        floor_draws=0,
        rotations=0,
        rng=rng,
        allow_unequal=settings.allow_unequal,
        names=labels,
    )
    mean = float(np.mean([pair.values[ScoreName(STRONG.name, None, "out")] for pair in by_rank.pairs]))
    label, name, row, share = found[0]
    more = f"; {len(found) - 1} more dimensions are like that" if len(found) > 1 else ""
    ranks = f"by ranks (--correlation spearman) strong MCC is {mean:.3f}"
    return [f"{label}: row {ids[row]} carries {share:.0%} of the variance of {name}{more}; {ranks} over all pairs"]


def outliers(z: Array) -> list[tuple[int, int, float]]:
    """Dimension, row and share of its sum of squares of every row that has more than half of it.

    Args:
        z: latents, shape (n, d).

    >>> z = np.random.default_rng(0).standard_normal((100, 2))
    >>> z[7, 1] = 1e6
    >>> outliers(z)
    [(1, 7, 1.0)]
    """
    centred = z - np.median(z, axis=0).astype(np.float64)
    largest = np.abs(centred).max(axis=0)
    squares = np.square(centred / np.where(largest > 0, largest, 1.0))
    total = squares.sum(axis=0)
    rows = squares.argmax(axis=0)
    shares = squares.max(axis=0) / np.where(total > 0, total, 1.0)
    return [(int(k), int(rows[k]), round(float(shares[k]), 6)) for k in np.flatnonzero(shares > _SHARE)]

"""Rows so far from the others that they decide every correlation: named, beside what ranks give."""

from collections.abc import Sequence

import numpy as np

from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.settings import Settings
from stabaudit.errors import are, counted
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.metrics.pair_scores import ScoreName
from stabaudit.metrics.score_pairs import score_pairs
from stabaudit.metrics.split import split_halves
from stabaudit.metrics.threads import in_parallel
from stabaudit.store.files.columns import names_of, outliers

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
    for label, z, far in zip(labels, latents, in_parallel(outliers, latents), strict=True):
        names = names_of("z", z.shape[1])
        found += [(label, names[k], row, share) for k, row, share in far]
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
    others = len(found) - 1
    more = f"; {counted(others, 'more dimension')} {are(others)} like that" if others else ""
    ranks = f"by ranks (--correlation spearman) strong MCC is {mean:.3f}"
    return [f"{label}: row {ids[row]} carries {share:.0%} of the variance of {name}{more}; {ranks} over all pairs"]

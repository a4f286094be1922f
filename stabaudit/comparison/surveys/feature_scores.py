"""Scores of the table of scores (`stabaudit list scores`) for dictionaries of activations, where they are asked for.

They need all rows of all features at once and in double precision, and most of them a decomposition of d × d matrices.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy import sparse

from stabaudit.comparison.settings import Settings
from stabaudit.errors import UsageError
from stabaudit.metrics.evidence import Evidence
from stabaudit.metrics.features.columns import Array
from stabaudit.metrics.score_pairs import score
from stabaudit.metrics.scores import Measure, measure
from stabaudit.metrics.split import split_halves
from stabaudit.store.imports.dictionary_files import Dictionary

Named = dict[str, tuple[float, float, float | None]]  # value, floor, adjusted


def asked_scores(
    dictionaries: Sequence[Dictionary], ids: Array, kept: Sequence[Array], measures: Sequence[Measure], settings: Settings
) -> tuple[dict[tuple[int, int], Named], list[str]]:
    """Out-of-sample scores of every pair of dictionaries, with their independence floors.

    Args:
        dictionaries: on the same rows.
        ids: names of these.
        kept: features that vary, of each dictionary.
        measures: which scores.
        settings: k, floor draws, seed and memory count.

    Returns:
        By pair of positions and name; and what was noticed.

    Raises:
        UsageError: features take more memory than is allowed.
        BadData: too few rows.
    """
    needed = sum(8 * len(ids) * int(np.sum(one)) for one in kept)
    if needed > settings.memory:
        raise UsageError(f"--scores need all activations at once, {needed // 10**6 + 1} MB; raise --memory or leave them out")
    rows = [
        np.asarray(one.values.toarray() if sparse.issparse(one.values) else one.values, dtype=np.float64)[:, live]
        for one, live in zip(dictionaries, kept, strict=True)
    ]
    evidence = Evidence.of_rows(rows, split_halves(ids), "pearson", [one.name for one in dictionaries])
    scored = score(
        evidence,
        list(combinations(range(len(rows)), 2)),
        measures=measures,
        k=settings.k,
        floor_draws=settings.floor_draws,
        rotations=0,
        rng=np.random.default_rng(settings.seed),
        allow_unequal=True,
    )
    found: dict[tuple[int, int], Named] = {}
    for pair in scored.pairs:
        named = found.setdefault((pair.a, pair.b), {})
        for name, value in pair.values.items():
            if name.sample == "out" and name in pair.independence:
                one, floor = measure(name.metric), float(pair.independence[name].mean())
                called = f"{name.metric}@{'all' if name.k is None else name.k}" if one.counted else name.metric
                named[called] = value, floor, one.above_floor(value, floor)
    return found, list(scored.warnings)

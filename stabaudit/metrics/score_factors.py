"""Scores of restarts against known factors of variation, with their independence floor.

What several scores are read from is found once for all of them: for every restart, and for every draw in which the rows of the
factors are shuffled within their halves, everything being fitted anew. Draws are the same for all restarts and scores; scores
that take long have the first few of them (`FromFactors.draws`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stabaudit.metrics.factors import quietly
from stabaudit.metrics.floors import permuted_within_halves
from stabaudit.metrics.pair_scores import Array, PairScores, ScoreName
from stabaudit.metrics.score_pairs import SOURCES
from stabaudit.metrics.scores import Measure
from stabaudit.metrics.threads import in_parallel

Relate = Callable[[Array, Array, Array], Any]


def score_factors(
    latents: Sequence[Array],
    factors: Array,
    fit: Array,
    measures: Sequence[Measure],
    *,
    floor_draws: int,
    rng: np.random.Generator,
) -> list[PairScores]:
    """Score every restart against known factors: pairs (a, −1).

    Args:
        latents: one array per restart, shapes (n, d_r), rows joined on their sample ids.
        factors: of the same rows, shape (n, K).
        fit: True for the rows to estimate on, False for those to score on, shape (n,).
        measures: scores against factors.
        floor_draws: draws of the independence floor.
        rng: draws them.

    Raises:
        BadData: NaN or infinity, unequal rows, or a half of fewer than two.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics.score_factors import score_factors
        >>> from stabaudit.metrics.scores import measure
        >>> rng = np.random.default_rng(0)
        >>> v = rng.uniform(size=(2000, 3))
        >>> (found,) = score_factors([v[:, ::-1]], v, np.arange(2000) % 2 == 0, [measure("mig")], floor_draws=2, rng=rng)
        >>> [round(value, 1) for value in found.values.values()], len(found.independence)
        ([0.9, 0.9], 2)
    """
    orders = [permuted_within_halves(fit, rng=rng) for _ in range(floor_draws)]
    sharing: dict[Relate, list[Measure]] = {}
    for one in measures:
        if one.factors is not None:
            sharing.setdefault(one.factors.relate, []).append(one)
    values: list[dict[ScoreName, float]] = [{} for _ in latents]
    floors: list[dict[ScoreName, Array]] = [{} for _ in latents]
    with quietly():
        for relate, several in sharing.items():
            related = _related(relate, latents, factors, fit, orders[: drawn(several[0], floor_draws)])
            for one in several:
                found = np.array([[one.of_factors(at) for at in draw] for draw in related])  # (1 + draws, restarts, 2)
                for half, name in enumerate(_names(one)):
                    for restart in range(len(latents)):
                        values[restart][name] = float(found[0, restart, half])
                        floors[restart][name] = found[1:, restart, half]
    ordered = [name for one in measures for name in _names(one)]
    return [
        PairScores(
            a=restart,
            b=SOURCES,
            values={name: values[restart][name] for name in ordered},
            independence={name: floors[restart][name] for name in ordered},
            rotation={},
        )
        for restart in range(len(latents))
    ]


def _names(one: Measure) -> tuple[ScoreName, ScoreName]:
    return ScoreName(one.name, None, "in"), ScoreName(one.name, None, "out")


def drawn(one: Measure, floor_draws: int) -> int:
    """How often the independence floor of a score is drawn where so many draws are asked for."""
    most = None if one.factors is None else one.factors.draws
    return floor_draws if most is None else min(floor_draws, most)


def _related(relate: Relate, latents: Sequence[Array], factors: Array, fit: Array, orders: Sequence[Array]) -> list[list[Any]]:
    """What scores are read from, of every restart: first as it is, then of every draw."""

    def work(task: tuple[Array, Array]) -> Any:  # noqa: ANN401
        z, truth = task
        return relate(z, truth, fit)

    truths = [factors, *(factors[order] for order in orders)]
    found = in_parallel(work, [(z, truth) for truth in truths for z in latents])
    return [found[start : start + len(latents)] for start in range(0, len(found), len(latents))]

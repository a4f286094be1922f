"""A typical pair of a run and what its matched dimensions look like, for scatter plots."""

import numpy as np

from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.scoring.members import Member
from stabaudit.comparison.scoring.pairs import Pairs
from stabaudit.comparison.views.pair_values import Match, MatchedDimension
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.metrics.pair_scores import ScoreName
from stabaudit.metrics.split import split_halves

SHOWN_ROWS = 80  # of *score*, evenly over the sorted ids: as many points as a small scatter plot can tell apart


_STRONG_OUT = ScoreName(STRONG.name, None, "out")


def typical_match(group: Group, member: Member, pairs: Pairs) -> Match | None:
    """The pair of a run whose strong MCC is the median (the lower of two), with three of its matched dimensions.

    Returns:
        None for a single restart, for latents on a grid, where the rows are not in memory or strong MCC was not computed.
    """
    latents = group.latents
    if len(latents) < 2 or group.summary.grid is not None or _STRONG_OUT not in next(iter(pairs.scored.values())).values:
        return None
    every = sorted(pairs.of(member, member), key=lambda pair: pairs.scored[pair].values[_STRONG_OUT])
    typical = pairs.scored[every[(len(every) - 1) // 2]]
    first, second = (member.positions.index(position) for position in (typical.a, typical.b))
    on_score = np.flatnonzero(~split_halves(group.sample_id))
    rows = on_score[np.unique(np.linspace(0, len(on_score) - 1, SHOWN_ROWS).astype(int))]
    parts = typical.parts[STRONG.name]
    order = np.argsort(-parts.outside, kind="stable")
    chosen = dict.fromkeys(order[place] for place in (0, (len(order) - 1) // 2, len(order) - 1))  # some fall together for d < 3
    return Match(
        run=member.run,
        restart_a=group.labels[first],
        restart_b=group.labels[second],
        score=typical.values[_STRONG_OUT],
        dimensions=tuple(
            MatchedDimension(
                a=a,
                b=b,
                inside=float(parts.inside[position]),
                outside=float(parts.outside[position]),
                rows=np.column_stack([latents[first][rows, a], latents[second][rows, b]]),
            )
            for position in chosen
            for a, b in [(parts.matching if parts.matching is not None else [])[position].tolist()]
        ),
    )

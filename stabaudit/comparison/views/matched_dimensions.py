"""A typical pair of a run and what its matched dimensions look like, for scatter plots."""

from itertools import combinations

import numpy as np

from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.reading.streaming import Stream
from stabaudit.comparison.scoring.pairs import Member, Pairs
from stabaudit.comparison.views.pair_values import Match, MatchedDimension
from stabaudit.metrics.score_pairs import STRONG_OUT
from stabaudit.metrics.split import split_halves

SHOWN_ROWS = 80  # of *score*, evenly over the sorted ids: as many points as a small scatter plot can tell apart


def typical_match(group: Group, member: Member, pairs: Pairs) -> Match | None:
    """The pair of a run whose strong MCC is the median (the lower of two), with three of its matched dimensions.

    Returns:
        None for a single restart, for latents on a grid, and where the rows are not in memory.
    """
    latents = [z for z in group.latents if not isinstance(z, Stream)]
    if len(latents) < 2 or group.summary.grid is not None:
        return None
    every = sorted(combinations(member.positions, 2), key=lambda pair: pairs.scored[pair].values[STRONG_OUT])
    typical = pairs.scored[every[(len(every) - 1) // 2]]
    first, second = (member.positions.index(position) for position in (typical.a, typical.b))
    on_score = np.flatnonzero(~split_halves(group.sample_id))
    rows = on_score[np.unique(np.linspace(0, len(on_score) - 1, SHOWN_ROWS).astype(int))]
    order = np.argsort(-typical.matched_out, kind="stable")
    chosen = dict.fromkeys(order[place] for place in (0, (len(order) - 1) // 2, len(order) - 1))  # some fall together for d < 3
    return Match(
        run=member.run,
        restart_a=group.labels[first],
        restart_b=group.labels[second],
        strong_mcc=typical.values[STRONG_OUT],
        dimensions=tuple(
            MatchedDimension(
                a=a,
                b=b,
                inside=float(typical.matched_in[position]),
                outside=float(typical.matched_out[position]),
                rows=np.column_stack([latents[first][rows, a], latents[second][rows, b]]),
            )
            for position in chosen
            for a, b in [typical.matching[position].tolist()]
        ),
    )

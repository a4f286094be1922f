"""Some of all pairs, evenly over restarts: what scores cost is then linear in the number of restarts.

Within a run of N restarts M pairs are those of restarts that lie 1, 2, … places apart on a circle, in an order drawn at random:
every restart is in 2M/N of them, or one more. The mean over them varies as that over all pairs does with the restarts, and with
the pairs beside: Var = 4ζ₁(r − 1)/(Nr) + ζ₂/M for r = 2M/N pairs of a restart, variance ζ₁ of a restart's mean and ζ₂ of a pair
(incomplete U-statistics: Blom 1976, doi:10.1093/biomet/63.3.573).
"""

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np

from stabaudit.comparison.scoring.members import Member
from stabaudit.comparison.scoring.pairs import Pairs
from stabaudit.errors import UsageError
from stabaudit.metrics.pair_scores import Pair
from stabaudit.metrics.scores import measure


def chosen_pairs(members: Sequence[Member], count: int | None, *, rng: np.random.Generator) -> list[Pair]:
    """The pairs to score, ascending: all, or so many within every group and between every two.

    Args:
        members: groups whose positions are 0, 1, … one after the other.
        count: of pairs; None: all.
        rng: draws the order in which restarts lie on the circle.

    Raises:
        UsageError: where some restart would be in fewer than two pairs, so that no interval could be found.
    """
    if count is None:
        last = max(position for member in members for position in member.positions)
        return list(combinations(range(last + 1), 2))
    found: set[Pair] = set()
    for member in members:
        found |= _within(member, count, rng)
    for a, b in combinations(members, 2):
        found |= _between(a, b, count, rng)
    return sorted(found)


def _within(member: Member, count: int, rng: np.random.Generator) -> set[Pair]:
    every = set(combinations(member.positions, 2))
    if count >= len(every):
        return every
    size = len(member.positions)
    if count < size:
        raise UsageError(
            f"--pairs {count}: {member.run} has {size:,} restarts, each of which needs two pairs or more for an interval; "
            f"expected at least {size:,}"
        )
    circle = rng.permutation(member.positions).tolist()
    found: set[Pair] = set()
    for step in range(1, size):
        for place in range(size):
            if len(found) == count:
                return found
            a, b = circle[place], circle[(place + step) % size]
            found.add((min(a, b), max(a, b)))
    return found


def _between(a: Member, b: Member, count: int, rng: np.random.Generator) -> set[Pair]:
    every = list(product(a.positions, b.positions))
    if count >= len(every):
        return set(every)
    first, second = (rng.permutation(member.positions).tolist() for member in (a, b))
    longest = max(len(first), len(second))
    found: set[Pair] = set()
    for step in range(longest):
        for place in range(longest):
            if len(found) == count:
                return found
            found.add((first[place % len(first)], second[(place + step) % len(second)]))
    return found


def sampled_warnings(members: Sequence[Member], pairs: Pairs) -> list[str]:
    """A line for every run of which some pairs were scored, with what that costs the interval of its first score."""
    said = []
    for member in members:
        count = len(member.positions)
        if count < 2 or not pairs.sampled(member):
            continue
        own = next(one for one in pairs.within(member) if one.sample == "out")
        scored, every = own.pairs, count * (count - 1) // 2
        price = ""
        if own.se and own.sd is not None:
            wider = own.se / max(own.se**2 - own.sd**2 * (1 / scored - 1 / every), own.se**2 / 4) ** 0.5 - 1
            price = f"; the interval of {measure(own.metric).label} is about {wider:.0%} wider than that of all"
        said.append(
            f"{member.run}: {scored:,} of {every:,} pairs are scored, evenly over restarts (--pairs){price}; "
            "groups of restarts are not looked for"
        )
    return said

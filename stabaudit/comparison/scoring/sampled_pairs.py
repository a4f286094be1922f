"""Some of all pairs, evenly over restarts: what scores cost is then linear in the number of restarts.

Within a run of N restarts M pairs are those of restarts that lie 1, 2, … places apart on a circle, in an order drawn at random.
Every restart is in 2M/N of them, rounded down or up. The mean over them varies as that over all pairs does with the restarts, and
with the pairs beside: Var = 4ζ₁(r − 1)/(Nr) + ζ₂/M for r = 2M/N pairs of a restart, variance ζ₁ of a restart's mean and ζ₂ of a
pair (incomplete U-statistics: Blom 1976, doi:10.1093/biomet/63.3.573). Between two runs, too, restarts of one run are in as many
pairs each, but for one.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from math import lcm, prod

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
    ends = ((circle[place], circle[(place + step) % size]) for place, step in _places_and_steps(size, count))
    return {(min(pair), max(pair)) for pair in ends}


def _places_and_steps(size: int, count: int) -> Iterator[Pair]:
    """So many pairs on a circle, each as a place and how much further the other lies; every place is in 2·count/size."""
    rounds, rest = divmod(count, size)
    opposite = 2 * (rounds + 1) == size  # all that is left
    first = 1 if opposite or not rest else 2
    yield from product(range(size), range(first, first + rounds))
    # Every other pair of neighbours comes first: no place is in two of them before each is in one.
    places, step = (range(rest), size // 2) if opposite else ([*range(0, size, 2), *range(1, size, 2)][:rest], 1)
    yield from ((place, step) for place in places)


def _between(a: Member, b: Member, count: int, rng: np.random.Generator) -> set[Pair]:
    sizes = len(a.positions), len(b.positions)
    if count >= prod(sizes):
        return set(product(a.positions, b.positions))
    first, second = (rng.permutation(member.positions).tolist() for member in (a, b))
    # Both circles turn together; when they meet as they began, the second is one place further on.
    return {(first[turn % sizes[0]], second[(turn + turn // lcm(*sizes)) % sizes[1]]) for turn in range(count)}


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

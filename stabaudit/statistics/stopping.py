"""When to stop adding restarts: a run is extended until its interval is as narrow as was asked for.

To stop at the first interval that is narrow enough selects those that are so by luck (Chow and Robbins 1965,
doi:10.1214/aoms/1177700156), and they hold the true mean less often than they say. So looks are few: after each, the run grows to
what its spread asks for, at least by half. The last look is taken with a half-width of 0.9 of the one asked for. Coverage:
`python tests/benchmarks/restarts.py`.
"""

import math

from stabaudit.statistics.restarts_needed import MOST, Spread

FIRST = 8  # restarts before the first look; fewer say too little of a spread
STRICTNESS = 0.9  # of the half-width asked for, which a look must find
EVENLY = 0.5  # probability that the next look is the last


def next_count(spread: Spread, half_width: float) -> int:
    """How many restarts a run should have: as many as it has where its interval is narrow enough.

    Args:
        spread: of the scores of its pairs.
        half_width: wanted, of the 95% interval.
    """
    n = spread.restarts
    if n < FIRST:
        return FIRST
    if spread.half_width(n) <= STRICTNESS * half_width:
        return n
    needed = spread.needed(STRICTNESS * half_width, EVENLY) or MOST
    return max(needed, math.ceil(1.5 * n))

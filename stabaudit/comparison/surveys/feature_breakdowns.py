"""What the mean of a pair of dictionaries hides: matches by how often features fire, features explained by a few of the other."""

from collections.abc import Sequence

import numpy as np

from stabaudit.comparison.surveys.feature_records import FeatureParts, FiringBin
from stabaudit.metrics.features.columns import Array
from stabaudit.metrics.features.made_of import MADE, PARTS
from stabaudit.metrics.features.match import Match

RATES = (0.0, *(float(f"{step}e{power}") for power in range(-6, 0) for step in (1, 3)), 1.0)  # ends of bins of firing rates


def by_rate(
    names: tuple[str, str], rates: tuple[Array | None, Array | None], own: Match, chance: Sequence[Match], threshold: float
) -> list[FiringBin]:
    """Matched similarity by how often the two features fire on average.

    Args:
        names: of both dictionaries.
        rates: how often each feature of either fires, shapes (d_a,) and (d_b,); None of weights.
        own: the matching.
        chance: matchings by chance, of features that fire as often as b's.
        threshold: similarity above which a match is more than chance.
    """
    of_a, of_b = rates
    if of_a is None or of_b is None:
        return []
    mean_rates = [(of_a[one.of_a] + of_b[one.of_b]) / 2 for one in (own, *chance)]
    bins = [np.searchsorted(RATES, rate, side="right").clip(1, len(RATES) - 1) for rate in mean_rates]
    by_chance, bin_by_chance = np.concatenate([one.strength for one in chance]), np.concatenate(bins[1:])
    found = []
    for place in np.unique(bins[0]):
        here, there = own.strength[bins[0] == place], by_chance[bin_by_chance == place]
        found.append(
            FiringBin(
                *names,
                rate_low=RATES[place - 1],
                rate_high=RATES[place],
                matched=len(here),
                mean=float(here.mean()),
                floor=float(there.mean()) if len(there) else None,
                shared=float((here > threshold).mean()),
            )
        )
    return found


def by_parts(explained: str, by: str, r2: Array, by_chance: Array) -> list[FeatureParts]:
    """How well features are explained by 1, 2 and 4 of another dictionary.

    Args:
        explained: the dictionary whose features are explained.
        by: the other.
        r2: of sampled features, shape (s, 3).
        by_chance: the same from dictionaries that have nothing to do with it, shape (s', 3).
    """
    if not len(r2) or not len(by_chance):
        return []
    found = []
    for parts, own, drawn in zip(PARTS, r2.T, by_chance.T, strict=True):
        low, middle, high = (float(one) for one in np.quantile(own, (0.25, 0.5, 0.75)))
        found.append(
            FeatureParts(
                explained,
                by,
                parts,
                len(own),
                float(own.mean()),
                low,
                middle,
                high,
                floor=float(drawn.mean()),
                made=float((own >= MADE).mean()),
                made_floor=float((drawn >= MADE).mean()),
            )
        )
    return found

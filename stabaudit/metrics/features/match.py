"""Two dictionaries held against each other: which features are the same, how many of them, and what chance would give.

Features are matched one to one on *fit* and their similarity is that on *score* (decoder weights have no rows to hold out:
both are the same, and the floor is matched in the same way). Besides the mean of matched similarities:

- of decoder weights this is PW-MCC (Song et al. 2025, arXiv:2505.20254). By default it is of |cosine|, as that of activations is
  of |correlation|; with signs, as the program published with that work has it, a feature does not match its opposite;
- *best*: for each feature of a the most similar of b, found on *fit*, whatever others take (mean max cosine of weights), and
  b's of a;
- *shared features*: (p − p₀)/(1 − p₀), at least 0, with p the fraction of matched features above a threshold that the fraction
  p₀ of those matched by chance exceed, the 99% quantile of these. So a fraction s of features that are well recovered gives s,
  whatever the similarity of those that are not, and unrelated dictionaries give 0;
- *matched at 0.7*: the fraction of matched features with at least that similarity, the usual convention (Paulo and Belrose 2025,
  arXiv:2501.16615).
"""

from dataclasses import dataclass, replace

import numpy as np

from stabaudit.defaults import CANDIDATES
from stabaudit.metrics.features.assignment import Assignment, How, assign
from stabaudit.metrics.features.candidates import candidates
from stabaudit.metrics.features.columns import Array, DenseColumns, paired
from stabaudit.metrics.features.made_of import SAMPLED, Sides, explained
from stabaudit.metrics.features.tiles import Tiles

QUANTILE = 0.99  # of matches by chance, above which a match counts
ALIKE = 0.7
MOST_ROWS = 20_000  # of dense columns, from which R² is


@dataclass(frozen=True)
class Match:
    """Features of a and b that belong together; numbers of features are those of the columns given.

    Args:
        of_a, of_b: both features of each match, shape (m,), m = min(d_a, d_b).
        strength: |similarity| on *score*, or similarity where signs count, shape (m,).
        best_a: for each feature of a, the same with its best of b, shape (d_a,).
        best_b: for each feature of b, the same with its best of a, shape (d_b,).
        assignment: as it was found on *fit*, in the same units.
        from_b: R² of sampled features of a from 1, 2 and 4 of b, shape (s_a, 3).
        from_a: the other way, shape (s_b, 3).
    """

    of_a: Array
    of_b: Array
    strength: Array
    best_a: Array
    best_b: Array
    assignment: Assignment
    from_b: Array
    from_a: Array


def match_features(
    sides: Sides,
    *,
    memory: int,
    rng: np.random.Generator,
    count: int = CANDIDATES,
    how: How = "exact",
    sampled: int = SAMPLED,
    signed: bool = False,
) -> Match:
    """Match the features of two dictionaries.

    Args:
        sides: columns of both on *fit* and on *score*, all of which vary.
        memory: bytes for similarities.
        rng: decides which features are sampled.
        count: candidates of each feature.
        how: features are matched.
        sampled: features of either whose R² is found.
        signed: whether −1 is the least similar rather than as similar as 1.

    Raises:
        UsageError: too little memory.
    """
    tiles = Tiles(sides.a_fit, sides.b_fit, memory, signed)
    known = candidates(tiles, count)

    def similar(i: Array, j: Array) -> Array:
        found = paired(sides.a_fit, i, sides.b_fit, j)
        return (1.0 + found) / 2.0 if signed else np.abs(found)

    def on_score(i: Array, j: Array) -> Array:
        found = paired(sides.a_score, i, sides.b_score, j)
        return found if signed else np.abs(found)

    assignment = assign(tiles, known, similar, how)
    if signed:
        assignment = replace(assignment, mean=2.0 * assignment.mean - 1.0, bound=2.0 * assignment.bound - 1.0)
    best_a, _ = known.best_of_a()
    best_b, _ = known.best_of_b()
    few, of_a, of_b = _few_rows(sides), *(_drawn(size, sampled, rng) for size in tiles.shape)
    return Match(
        of_a=assignment.of_a,
        of_b=assignment.of_b,
        strength=on_score(assignment.of_a, assignment.of_b),
        best_a=on_score(np.arange(len(best_a)), best_a),
        best_b=on_score(best_b, np.arange(len(best_b))),
        assignment=assignment,
        from_b=explained(few, known, of_a),
        from_a=explained(few.flipped(), known.flipped(), of_b),
    )


def threshold_of(by_chance: Array) -> float:
    """The similarity above which a match counts as more than chance.

    Args:
        by_chance: similarities of features matched by chance.
    """
    return float(np.quantile(by_chance, QUANTILE, method="higher"))


def shared_features(strength: Array, by_chance: Array) -> float:
    """The fraction of matched features that are the same.

    Args:
        strength: similarities of matched features, shape (m,).
        by_chance: those of features matched by chance.

    Returns:
        In [0, 1].

    >>> rng = np.random.default_rng(0)
    >>> noise = rng.uniform(0.0, 0.1, 10_000)
    >>> mixed = np.where(np.arange(10_000) < 6_000, 0.9, rng.uniform(0.0, 0.1, 10_000))
    >>> round(shared_features(mixed, noise), 2)
    0.6
    """
    threshold = threshold_of(by_chance)
    observed, chance = float((strength > threshold).mean()), float((by_chance > threshold).mean())
    return max(0.0, (observed - chance) / (1.0 - chance))


def _drawn(size: int, most: int, rng: np.random.Generator) -> Array:
    return np.sort(rng.choice(size, min(size, most), replace=False))


def _few_rows(sides: Sides) -> Sides:
    """The same on fewer rows where all columns are dense and long; beside sparse ones, on all: rows must stay the same."""
    every = (sides.a_fit, sides.b_fit, sides.a_score, sides.b_score)
    dense = [one.thinned(MOST_ROWS) for one in every if isinstance(one, DenseColumns)]
    return Sides(*dense) if len(dense) == len(every) else sides

"""Latents on a grid: d numbers at each of h×w positions, every position compared with the same position of other restarts.

Willetts & Paige 2021, appendix D: one score for each position and pair of restarts, which they show as a box plot. A score of a
pair is the mean over positions here, and so are the draws of its floors, so that the restart stays the unit of the intervals and
a run on a grid is read like any other; what the positions have one by one stands beside it. Rows are permuted, and restarts
turned, by the same random numbers at all positions: a restart is unrelated to another, or turned against it, as a whole.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import combinations, product

import numpy as np

from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.records import PositionScore
from stabaudit.comparison.scoring.members import Member
from stabaudit.comparison.scoring.pairs import Pairs
from stabaudit.errors import BadData, counted
from stabaudit.metrics.evidence import Evidence, seed_of
from stabaudit.metrics.pair_scores import Array, PairScores, Scored, ScoreName
from stabaudit.metrics.ranks import Correlation
from stabaudit.metrics.scores import Parts
from stabaudit.metrics.split import split_halves

Size = tuple[int, int]  # rows and columns of a grid


def shared_size(groups: Sequence[Group]) -> Size | None:
    """Rows and columns of the grid that the latents of all groups lie on; None where all are vectors.

    Raises:
        BadData: where some are vectors and some are not, or grids have different shapes.
    """
    first = groups[0].summary
    for group in groups[1:]:
        if _size(group) != _size(groups[0]):
            other = group.summary
            raise BadData(
                f"{first.name} has {_shape(groups[0])} and {other.name} {_shape(group)}: a position of a grid is compared with "
                "the same position of another grid alone; compare runs whose latents have one shape"
            )
    return _size(groups[0])


def _size(group: Group) -> Size | None:
    return None if group.summary.grid is None else group.summary.grid[:2]


def _shape(group: Group) -> str:
    grid, d = group.summary.grid, group.summary.latent_dim
    return f"{'vectors' if grid is None else f'a {grid[0]}×{grid[1]} grid'} of {counted(d, 'dimension')}"


def evidence_at(
    latents: Sequence[Array], size: Size, sample_id: Array, correlation: Correlation, names: Sequence[str]
) -> Iterable[Evidence]:
    """The latents of one position after another, row by row.

    Args:
        latents: of every restart, shape (n, h·w·d_r), positions row by row.
        size: h and w.
        sample_id: names of the rows, shape (n,).
        correlation: "spearman" replaces values by ranks.
        names: what to call each of the latents in messages.

    Raises:
        BadData: n ≤ d rows in *fit*.
    """
    count, fit = size[0] * size[1], split_halves(sample_id)
    apart = [z.reshape(len(z), count, -1) for z in latents]
    seeds = [max(seed_of(z[:, position]) for position in range(count)) for z in apart]  # one for a restart as a whole
    for position in range(count):
        yield replace(Evidence.of_rows([z[:, position] for z in apart], fit, correlation, names), seeds=seeds)


def score_positions(
    evidence: Iterable[Evidence], score: Callable[[Evidence, np.random.Generator], Scored], rng: np.random.Generator
) -> list[Scored]:
    """Score every position by the same random numbers."""
    seed = int(rng.integers(2**63))
    return [score(at, np.random.default_rng(seed)) for at in evidence]


def together(positions: Sequence[Scored], dimensions: Sequence[int]) -> Scored:
    """Every pair's scores, and the draws of its floors, as means over positions; its matched dimensions of all of them.

    Args:
        positions: the same pairs at every position.
        dimensions: d of each latents.
    """
    pairs = tuple(_mean_pair(alike, dimensions) for alike in zip(*(at.pairs for at in positions), strict=True))
    dead = tuple(
        tuple(number * d + k for number, at in enumerate(positions) for k in at.dead[restart])
        for restart, d in enumerate(dimensions)
    )
    said = Counter(warning for at in positions for warning in at.warnings)
    warnings = [f"{warning}, at {count} of {counted(len(positions), 'position')}" for warning, count in said.items()]
    return Scored(pairs, dead, tuple(warnings))


def _mean_pair(alike: Sequence[PairScores], dimensions: Sequence[int]) -> PairScores:
    """One pair at all positions as one; the numbers of its matched dimensions go on from position to position."""
    a, b = alike[0].a, alike[0].b
    return PairScores(
        a=a,
        b=b,
        values={name: float(np.mean([pair.values[name] for pair in alike])) for name in alike[0].values},
        independence=_mean_draws([pair.independence for pair in alike]),
        rotation=_mean_draws([pair.rotation for pair in alike]),
        parts={
            name: _at_all_positions([pair.parts[name] for pair in alike], (dimensions[a], dimensions[b]))
            for name, parts in alike[0].parts.items()
            if parts.matching is not None
        },
    )


def _at_all_positions(parts: Sequence[Parts], sizes: tuple[int, int]) -> Parts:
    """Matched dimensions of all positions as one list, the best on *fit* first."""
    matching = np.concatenate([one.matching + number * np.array(sizes) for number, one in enumerate(parts)])
    inside, outside = (np.concatenate([getattr(one, half) for one in parts]) for half in ("inside", "outside"))
    order = np.argsort(-inside, kind="stable")
    return Parts(inside[order], outside[order], matching[order])


def _mean_draws(draws: Sequence[dict[ScoreName, Array]]) -> dict[ScoreName, Array]:
    return {name: np.mean([drawn[name] for drawn in draws], axis=0) for name in draws[0]}


def position_scores(positions: Sequence[Scored], size: Size, members: Sequence[Member]) -> list[PositionScore]:
    """Every score within each run and between every two, position by position."""
    found = []
    for (row, column), at in zip(product(*map(range, size)), positions, strict=True):
        pairs = Pairs({(pair.a, pair.b): pair for pair in at.pairs}, [()] * len(at.dead))
        scores = [score for member in members for score in pairs.within(member)]
        scores += [score for a, b in combinations(members, 2) for score in pairs.between(a, b)]
        found += [PositionScore.of(score, row, column) for score in scores]
    return found

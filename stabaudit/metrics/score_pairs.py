"""Scores of many pairs at once, with their floors.

Every restart is standardised and whitened once, the cross-moments of all restarts come from one matrix product per half, and what
is left for a pair is what its measures do with d × d matrices.
"""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from itertools import combinations

import numpy as np

from stabaudit.engines.base import Engine
from stabaudit.errors import UsageError, counted
from stabaudit.metrics.checks import require_equal_dimensions
from stabaudit.metrics.drawn_floors import independence_floors, rotation_floors
from stabaudit.metrics.evidence import Evidence
from stabaudit.metrics.pair_scores import DEFAULT_K, Array, Pair, PairScores, Scored
from stabaudit.metrics.ranks import Correlation
from stabaudit.metrics.remote import scores_on
from stabaudit.metrics.scores import Measure, chosen, chosen_of_pairs, default_scores
from stabaudit.metrics.scoring import Scoring

SOURCES = -1  # the position that stands for the true sources in a pair


def score_pairs(
    latents: Sequence[Array],
    fit: Array,
    *,
    pairs: Sequence[Pair] | None = None,
    scores: Sequence[str] | None = None,
    k: int = DEFAULT_K,
    correlation: Correlation = "pearson",
    floor_draws: int = 20,
    rotations: int | None = None,
    rng: np.random.Generator,
    allow_unequal: bool = False,
    names: Sequence[str] | None = None,
) -> Scored:
    """Score pairs of latents, with their floors.

    Args:
        latents: one array per restart, shapes (n, d_r), rows joined on their sample ids; float32 or float64.
        fit: True for the rows to estimate on, False for those to score on, shape (n,), as from `split_halves`.
        pairs: positions (a, b) in `latents`; None for all a < b.
        scores: names of scores; None for the default ones.
        k: parts averaged by counted scores, largest first, beside the mean over all. It names the score also where there are
            fewer.
        correlation: "spearman" replaces values by ranks.
        floor_draws: draws of the independence floor; 0 for none.
        rotations: draws of the rotation floor; None for as many.
        rng: draws the floors.
        allow_unequal: match min(d_a, d_b) dimensions instead of refusing d_a ≠ d_b.
        names: what to call each of the latents in messages.

    Raises:
        BadData: NaN or infinity, unequal rows or dimensions, or n ≤ d rows in *fit*.
        UsageError: an unknown score.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics.pair_scores import ScoreName
        >>> from stabaudit.metrics.score_pairs import score_pairs
        >>> rng = np.random.default_rng(0)
        >>> z = rng.standard_normal((1000, 2))
        >>> turned = z @ np.array([[1.0, -1.0], [1.0, 1.0]])
        >>> scored = score_pairs([z, turned], np.arange(1000) % 2 == 0, rng=rng)
        >>> for metric in ("strong_mcc", "weak_mcc"):
        ...     print(metric, round(scored.pairs[0].values[ScoreName(metric, None, "out")], 2))
        strong_mcc 0.71
        weak_mcc 1.0
    """
    evidence = Evidence.of_rows(latents, fit, correlation, names)
    measures = chosen_of_pairs(default_scores() if scores is None else scores)
    return score(
        evidence,
        pairs,
        measures=measures,
        k=k,
        floor_draws=floor_draws,
        rotations=rotations,
        rng=rng,
        allow_unequal=allow_unequal,
    )


def score_sources(
    latents: Sequence[Array],
    sources: Array,
    fit: Array,
    *,
    scores: Sequence[str] | None = None,
    k: int = DEFAULT_K,
    correlation: Correlation = "pearson",
    floor_draws: int = 20,
    rotations: int | None = None,
    rng: np.random.Generator,
    allow_unequal: bool = False,
    names: Sequence[str] | None = None,
) -> Scored:
    """Score every latents against the true sources, shape (n, d_s): pairs (a, −1). Otherwise as `score_pairs`."""
    called = [*(names or [f"latents {position}" for position in range(len(latents))]), "sources"]
    evidence = Evidence.of_rows([*latents, sources], fit, correlation, called)
    pairs = [(position, len(latents)) for position in range(len(latents))]
    measures = chosen_of_pairs(default_scores() if scores is None else scores)
    scored = score(
        evidence,
        pairs,
        measures=measures,
        k=k,
        floor_draws=floor_draws,
        rotations=rotations,
        rng=rng,
        allow_unequal=allow_unequal,
    )
    return replace(scored, pairs=tuple(replace(pair, b=SOURCES) for pair in scored.pairs))


def score(
    evidence: Evidence,
    pairs: Sequence[Pair] | None = None,
    *,
    measures: Sequence[Measure] | None = None,
    floor_groups: Sequence[Sequence[Pair]] | None = None,
    k: int = DEFAULT_K,
    floor_draws: int = 20,
    rotations: int | None = None,
    rng: np.random.Generator,
    allow_unequal: bool = False,
    engine: Engine | None = None,
) -> Scored:
    """Score pairs of what has been taken in.

    Args:
        evidence: the latents, or their moments.
        pairs: positions (a, b); None for all a < b.
        measures: what to score, None for the default scores; those that need rows are left out, with a warning, where only
            moments are known.
        floor_groups: those of them over which floors are averaged, one group for each mean: every draw is then of a share of a
            group (see `stabaudit.metrics.floor_shares`). None draws the floors of all pairs, every time.
        k: as in `score_pairs`, like the following.
        floor_draws: draws of the independence floor.
        rotations: draws of the rotation floor, None for as many; of measures that need rows never more than `floor_draws`.
        rng: draws the independence floor, and one number that the rotations are drawn with.
        allow_unequal: match min(d_a, d_b) dimensions.
        engine: where pairs are scored; None: in this process.

    Raises:
        BadData: unequal dimensions.
        UsageError: k < 1, or nothing that moments are enough for.
    """
    if k < 1:
        raise UsageError(f"a counted score is the mean of at least one part, not of {k}")
    every = list(combinations(range(len(evidence.names)), 2)) if pairs is None else list(pairs)
    d = [len(marginal.scale) for marginal in evidence.values.marginals]
    if not allow_unequal:
        for a, b in every:
            require_equal_dimensions(d[a], d[b], f"{evidence.names[a]} and {evidence.names[b]}")
    measures = chosen(default_scores()) if measures is None else measures
    kept, warnings = _computable(measures, evidence, [(d[a], d[b]) for a, b in every])
    scoring = Scoring(evidence, kept, k)
    seed = int(rng.integers(2**63))
    with redirect_stdout(sys.stderr):  # whatever functions of users print: results are what stdout is for; once, for all threads
        groups, whole = ([every], True) if floor_groups is None else (floor_groups, False)
        turns = floor_draws if rotations is None else rotations
        independence = independence_floors(scoring, groups, floor_draws, whole=whole, rng=rng)
        rotation = rotation_floors(scoring, groups, turns, floor_draws, whole=whole, seed=seed)
        parts, values = scoring.scores(every) if engine is None else scores_on(engine, scoring, every)
    scored = tuple(
        PairScores(
            a=a,
            b=b,
            values=dict(zip(scoring.names, values[position].tolist(), strict=True)),
            independence=independence.get((a, b), {}),
            rotation=rotation.get((a, b), {}),
            parts=parts[position],
        )
        for position, (a, b) in enumerate(every)
    )
    return Scored(scored, evidence.dead, (*evidence.warnings, *warnings))


def _computable(
    measures: Sequence[Measure], evidence: Evidence, pairs: Sequence[tuple[int, int]]
) -> tuple[list[Measure], list[str]]:
    """The measures that pairs of so many dimensions allow, and a warning on those that they do not.

    Raises:
        UsageError: where they allow none of those that are wanted.
    """
    streamed = [one for one in measures if evidence.rows is None and not one.from_moments]
    n, d = evidence.values.fit.n, max(len(marginal.scale) for marginal in evidence.values.marginals)
    short = [one for one in measures if n < one.rows_per_dimension * d and one not in streamed]
    sizes = {size for both in pairs for size in both}
    unequal = [one for one in measures if one.equal_dimensions and len(sizes) > 1]
    least = min(n, evidence.values.score.n)
    few = [one for one in measures if one.sides and least < one.sides.fewest and one not in (*streamed, *short)]
    kept = [one for one in measures if one not in (*streamed, *short, *unequal, *few)]
    warnings = []
    if few:
        needed = max(one.sides.fewest for one in few if one.sides)
        warnings.append(
            f"{', '.join(one.name for one in few)}: left out, since a half of the rows has {least}; {needed} are needed"
        )
    if unequal:
        names = ", ".join(one.name for one in unequal)
        warnings.append(
            f"{names}: left out, since latents of {min(sizes)} and of {max(sizes)} dimensions are no copies of each other"
        )
    if streamed:
        names = ", ".join(one.name for one in streamed)
        warnings.append(f"{names}: left out, since the latents are streamed and these scores need all rows; raise --memory")
    if short:
        names = ", ".join(one.name for one in short)
        needed = max(one.rows_per_dimension for one in short) * d
        rows = f"{n} rows to fit on for {counted(d, 'dimension')}"
        warnings.append(f"{names}: left out, since {rows} leave it arbitrary; {needed} are needed")
    if measures and not kept:
        raise UsageError("; ".join(warnings))
    return kept, warnings

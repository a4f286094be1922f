"""All scores of many pairs at once.

Every restart is standardised and whitened once, the cross-moments of all restarts come from one matrix product per half (and per
draw of the independence floor), and what is left for a pair is one SVD and one assignment on d × d matrices. Pairs of one shape
are scored in batches, stacked, and the batches on all cores.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from stabaudit.errors import UsageError
from stabaudit.metrics.affine import affine
from stabaudit.metrics.checks import require_equal_dimensions
from stabaudit.metrics.evidence import Evidence, PairMoments
from stabaudit.metrics.floors import turn, turned_cross, turned_variance_on_score
from stabaudit.metrics.halves import Cross, Halves, Marginal
from stabaudit.metrics.mcc import DEFAULT_K, Canonical, Correlation, Matched, decorrelated, mean_of_first, ranked, strong, weak
from stabaudit.metrics.pair_scores import Array, Pair, PairScores, Scored, ScoreName
from stabaudit.metrics.threads import in_parallel, single_threaded

SOURCES = -1  # the position that stands for the true sources in a pair
STRONG_IN, STRONG_OUT = ScoreName("strong_mcc", None, "in"), ScoreName("strong_mcc", None, "out")
DECORRELATED_IN = ScoreName("decorrelated_strong_mcc", None, "in")
DECORRELATED_OUT = ScoreName("decorrelated_strong_mcc", None, "out")
ROTATED = (STRONG_IN, STRONG_OUT, DECORRELATED_IN, DECORRELATED_OUT)  # scores that have a rotation floor
_BATCH = 2**15  # matrix entries of a batch, 256 kB: few enough for the cache of a core, many enough to share what a call costs


def score_pairs(
    latents: Sequence[Array],
    fit: Array,
    *,
    pairs: Sequence[Pair] | None = None,
    k: int = DEFAULT_K,
    correlation: Correlation = "pearson",
    floor_draws: int = 20,
    rng: np.random.Generator,
    allow_unequal: bool = False,
    names: Sequence[str] | None = None,
) -> Scored:
    """Score pairs of latents in every way, with their floors.

    Args:
        latents: one array per restart, shapes (n, d_r), rows joined on their sample ids; float32 or float64.
        fit: True for the rows to estimate on, False for those to score on, shape (n,), as from `split_halves`.
        pairs: positions (a, b) in `latents`; None for all a < b.
        k: canonical pairs averaged by weak MCC, largest first, beside the mean over all. It names the score also where there
            are fewer.
        correlation: of strong MCC and its floors.
        floor_draws: draws of either floor; 0 for none.
        rng: draws the floors.
        allow_unequal: match min(d_a, d_b) dimensions instead of refusing d_a ≠ d_b.
        names: what to call each of the latents in messages.

    Raises:
        BadData: NaN or infinity, unequal rows or dimensions, or n ≤ d rows in *fit*.

    Example:
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
    return score(evidence, pairs, k=k, floor_draws=floor_draws, rng=rng, allow_unequal=allow_unequal)


def score_sources(
    latents: Sequence[Array],
    sources: Array,
    fit: Array,
    *,
    k: int = DEFAULT_K,
    correlation: Correlation = "pearson",
    floor_draws: int = 20,
    rng: np.random.Generator,
    allow_unequal: bool = False,
    names: Sequence[str] | None = None,
) -> Scored:
    """Score every latents against the true sources, shape (n, d_s): pairs (a, −1). Otherwise as `score_pairs`."""
    called = [*(names or [f"latents {position}" for position in range(len(latents))]), "sources"]
    evidence = Evidence.of_rows([*latents, sources], fit, correlation, called)
    chosen = [(position, len(latents)) for position in range(len(latents))]
    scored = score(evidence, chosen, k=k, floor_draws=floor_draws, rng=rng, allow_unequal=allow_unequal)
    return replace(scored, pairs=tuple(replace(pair, b=SOURCES) for pair in scored.pairs))


def score(
    evidence: Evidence,
    pairs: Sequence[Pair] | None = None,
    *,
    floor_pairs: Sequence[Pair] | None = None,
    k: int = DEFAULT_K,
    floor_draws: int = 20,
    rng: np.random.Generator,
    allow_unequal: bool = False,
) -> Scored:
    """Score pairs of what has been taken in.

    Args:
        evidence: the latents, or their moments.
        pairs: positions (a, b); None for all a < b.
        floor_pairs: those of them that the independence floor is drawn for; None for all. The rotation floor is drawn for all.
        k: as in `score_pairs`, like the following.
        floor_draws: draws of either floor.
        rng: draws them.
        allow_unequal: match min(d_a, d_b) dimensions.

    Raises:
        BadData: unequal dimensions.
        UsageError: k < 1.
    """
    if k < 1:
        raise UsageError(f"weak MCC is the mean of at least one canonical correlation, not of {k}")
    chosen = list(combinations(range(len(evidence.names)), 2)) if pairs is None else list(pairs)
    d = [len(marginal.scale) for marginal in evidence.values.marginals]
    if not allow_unequal:
        for a, b in chosen:
            require_equal_dimensions(d[a], d[b], f"{evidence.names[a]} and {evidence.names[b]}")
    names = _names(k)
    # Generators of their own, so that the rotation floor does not depend on how the other one is drawn.
    rng_independence, rng_rotation = rng.spawn(2)
    independence = _independence(evidence, chosen if floor_pairs is None else floor_pairs, k, floor_draws, rng_independence)
    turns = [chosen if draw % 2 == 0 else [(b, a) for a, b in chosen] for draw in range(floor_draws)]
    rotation = np.array([_turned(evidence, turned, rng_rotation) for turned in turns]).reshape(
        floor_draws, len(chosen), len(ROTATED)
    )
    matched, canonical, values = _scores(evidence, chosen, k)
    scored = tuple(
        PairScores(
            a=a,
            b=b,
            values=dict(zip(names, values[position].tolist(), strict=True)),
            independence=independence.get((a, b), {}),
            rotation=dict(zip(ROTATED, rotation[:, position].T, strict=True)),
            matching=matched[position].matching,
            matched_in=matched[position].inside,
            matched_out=matched[position].outside,
            canonical_in=canonical[position].inside,
            canonical_out=canonical[position].outside,
        )
        for position, (a, b) in enumerate(chosen)
    )
    return Scored(scored, evidence.dead, evidence.warnings)


def _names(k: int) -> list[ScoreName]:
    """The scores, in the order of `_values`."""
    names: list[ScoreName] = list(ROTATED)
    for count in (k, None):
        names += [ScoreName("weak_mcc", count, "in"), ScoreName("weak_mcc", count, "out")]
    names += [ScoreName("affine_r2", None, "in"), ScoreName("affine_r2", None, "out")]
    names += [ScoreName("affine_r2_reverse", None, "in"), ScoreName("affine_r2_reverse", None, "out")]
    return names


def _values(a: Marginal, b: Marginal, cross: Cross, matched: Sequence[Matched], directions: Canonical, *, k: int) -> Array:
    """Every score of stacked pairs whose dimensions and directions have been matched, shape (pairs, 12)."""
    forward, reverse = affine(a, b, cross), affine(b, a, cross.transposed)
    return np.column_stack(
        [
            [_means(pair) for pair in matched],
            [_means(pair) for pair in _decorrelated(a, b, cross)],
            *(mean_of_first(count, correlations) for count in (k, None) for correlations in directions),
            *(explained.total for way in (forward, reverse) for explained in way),
        ]
    )


def _decorrelated(a: Marginal, b: Marginal, cross: Cross) -> list[Matched]:
    """Match the dimensions of stacked pairs once either side's are uncorrelated."""
    variances = (a.decorrelated_variance_on_score, b.decorrelated_variance_on_score)
    stacked = zip(*decorrelated(a, b, cross), *variances, strict=True)
    return [strong(Cross(fit, score), *both) for fit, score, *both in stacked]


def _batches(halves: Halves, pairs: Sequence[Pair]) -> list[list[int]]:
    """Positions of pairs of one shape, a batch at a time."""
    alike: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for position, pair in enumerate(pairs):
        alike.setdefault(tuple(halves.marginals[restart].whitening.shape for restart in pair), []).append(position)
    batches = []
    for ((d_a, _), (d_b, _)), positions in alike.items():
        size = max(1, _BATCH // (d_a * d_b))
        batches += [positions[start : start + size] for start in range(0, len(positions), size)]
    return batches


def _scores(
    evidence: Evidence, pairs: Sequence[Pair], k: int, moments: Sequence[PairMoments] | None = None
) -> tuple[list[Matched], list[Canonical], Array]:
    """Match and score every pair by the moments given, or by its own: what was matched, and scores of shape (pairs, 12)."""
    marginals, axes = evidence.values.marginals, evidence.axes.marginals

    def work(batch: list[int]) -> tuple[list[Matched], Canonical, Array]:
        given = [evidence.observed(*pairs[p]) if moments is None else moments[p] for p in batch]
        matched = [
            strong(pair.axes, axes[a].variance_on_score, axes[b].variance_on_score)
            for pair, (a, b) in zip(given, (pairs[p] for p in batch), strict=True)
        ]
        first, second = (Marginal.stacked([marginals[pairs[p][side]] for p in batch]) for side in (0, 1))
        cross = Cross.stacked([pair.values for pair in given])
        canonical = weak(first, second, cross)
        return matched, canonical, _values(first, second, cross, matched, canonical, k=k)

    batches = _batches(evidence.values, pairs)
    dimensions: dict[int, Matched] = {}
    directions: dict[int, Canonical] = {}
    values = np.empty((len(pairs), len(_names(k))))
    for batch, (matched, canonical, scores) in zip(batches, in_parallel(work, batches), strict=True):
        dimensions |= dict(zip(batch, matched, strict=True))
        directions |= dict(zip(batch, map(Canonical, *canonical), strict=True))
        values[batch] = scores
    every = range(len(pairs))
    return [dimensions[position] for position in every], [directions[position] for position in every], values


def _independence(
    evidence: Evidence, pairs: Sequence[Pair], k: int, draws: int, rng: np.random.Generator
) -> dict[Pair, dict[ScoreName, Array]]:
    """Draws of the independence floor of every score, shape (K,) each."""
    batches = _batches(evidence.values, pairs)
    drawn = np.empty((draws, len(pairs), len(_names(k))))
    for draw in drawn:
        draw[:] = _scores(evidence, pairs, k, evidence.unrelated(pairs, batches, rng=rng))[-1]
    return {pair: dict(zip(_names(k), drawn[:, position].T, strict=True)) for position, pair in enumerate(pairs)}


def _turned(evidence: Evidence, pairs: Sequence[Pair], rng: np.random.Generator) -> Array:
    """One draw of the rotation floor, the second of each pair turned, shape (pairs, 4); a restart is turned once."""
    marginals = evidence.values.marginals
    with single_threaded():
        turnings = {b: turn(marginals[b], rng=rng) for b in sorted({b for _, b in pairs})}
        variances = {b: turned_variance_on_score(marginals[b], turning) for b, turning in turnings.items()}

    def of_pair(a: int, b: int) -> list[float]:
        cross, fixed = turned_cross(evidence.values.cross(a, b), turnings[b]), marginals[a]
        apart = Cross(fixed.decorrelation.T @ cross.fit, fixed.decorrelation.T @ cross.score)
        as_it_is = strong(cross, fixed.variance_on_score, variances[b])
        return _means(as_it_is) + _means(strong(apart, fixed.decorrelated_variance_on_score, variances[b]))

    batches = _batches(evidence.values, pairs)
    means = np.empty((len(pairs), len(ROTATED)))
    for batch, found in zip(batches, in_parallel(lambda batch: [of_pair(*pairs[p]) for p in batch], batches), strict=True):
        means[batch] = found
    if evidence.by_rank:
        means[:, :2] = _turned_by_rank(evidence, pairs, turnings)
    return means


def _turned_by_rank(evidence: Evidence, pairs: Sequence[Pair], turnings: dict[int, Array]) -> Array:
    """The same of ranks, shape (pairs, 2): these do not follow from moments, so rows are turned, ranked and set beside others."""
    if evidence.rows is None:
        raise UsageError("ranks need the rows themselves, not only their moments")
    rows, marginals = evidence.rows, evidence.values.marginals
    turned = [rows.latents[b] @ marginals[b].in_own_units(turning) for b, turning in turnings.items()]
    ranks = ranked(turned, rows.fit, [marginals[b] for b in turnings])
    axes = Halves.of_rows([*rows.ranks, *ranks], rows.fit)
    place = {b: len(rows.latents) + position for position, b in enumerate(turnings)}
    return np.array(
        [
            _means(
                strong(axes.cross(a, place[b]), axes.marginals[a].variance_on_score, axes.marginals[place[b]].variance_on_score)
            )
            for a, b in pairs
        ]
    )


def _means(matched: Matched) -> list[float]:
    return [float(matched.inside.mean()), float(matched.outside.mean())]

"""All scores of many pairs at once.

Every restart is standardised and whitened once, the cross-moments of all restarts come from one matrix product per half (and per
draw of the independence floor), and what is left for a pair is one SVD and one assignment on d × d matrices.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from stabaudit.errors import UsageError
from stabaudit.metrics.affine import affine
from stabaudit.metrics.checks import require_equal_dimensions, require_scorable
from stabaudit.metrics.floors import permuted_within_halves, turn, turned_cross, turned_variance_on_score, with_rows_permuted
from stabaudit.metrics.halves import Halves
from stabaudit.metrics.mcc import DEFAULT_K, Correlation, Matched, mean_of_first, ranked, strong, weak
from stabaudit.metrics.results import Array, PairScores, Scored, ScoreName
from stabaudit.metrics.threads import single_threaded

Pair = tuple[int, int]
Values = dict[ScoreName, float]
SOURCES = -1  # the position that stands for the true sources in a pair
STRONG_IN, STRONG_OUT = ScoreName("strong_mcc", None, "in"), ScoreName("strong_mcc", None, "out")


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
    chosen = list(combinations(range(len(latents)), 2)) if pairs is None else list(pairs)
    return _score(
        latents,
        names or _positions(latents),
        fit,
        pairs=chosen,
        k=k,
        correlation=correlation,
        floor_draws=floor_draws,
        rng=rng,
        allow_unequal=allow_unequal,
    )


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
    chosen = [(position, len(latents)) for position in range(len(latents))]
    scored = _score(
        [*latents, sources],
        [*(names or _positions(latents)), "sources"],
        fit,
        pairs=chosen,
        k=k,
        correlation=correlation,
        floor_draws=floor_draws,
        rng=rng,
        allow_unequal=allow_unequal,
    )
    return replace(scored, pairs=tuple(replace(pair, b=SOURCES) for pair in scored.pairs))


def _positions(latents: Sequence[Array]) -> list[str]:
    return [f"latents {position}" for position in range(len(latents))]


@dataclass(frozen=True)
class _Evidence:
    """The rows and their moments: as values, and as what strong MCC correlates, which is the values again or their ranks."""

    fit: Array
    latents: Sequence[Array]
    values: Halves
    axis_latents: Sequence[Array]
    axes: Halves

    @classmethod
    def of(cls, latents: Sequence[Array], fit: Array, correlation: Correlation) -> "_Evidence":
        values = Halves.of_rows(latents, fit)
        if correlation == "pearson":
            return cls(fit, latents, values, latents, values)
        ranks = ranked(latents, fit, values.marginals)
        return cls(fit, latents, values, ranks, Halves.of_rows(ranks, fit))

    @property
    def by_rank(self) -> bool:
        return self.axes is not self.values


def _score(
    latents: Sequence[Array],
    names: Sequence[str],
    fit: Array,
    *,
    pairs: Sequence[Pair],
    k: int,
    correlation: Correlation,
    floor_draws: int,
    rng: np.random.Generator,
    allow_unequal: bool,
) -> Scored:
    if k < 1:
        raise UsageError(f"weak MCC is the mean of at least one canonical correlation, not of {k}")
    warnings = require_scorable(latents, names, fit)
    if not allow_unequal:
        for a, b in pairs:
            require_equal_dimensions(latents[a].shape[1], latents[b].shape[1], f"{names[a]} and {names[b]}")
    evidence = _Evidence.of(latents, fit, correlation)
    independence = [_permuted(evidence, pairs, k, rng) for _ in range(floor_draws)]
    rotation = [_turned(evidence, pairs, rng) for _ in range(floor_draws)]
    observed = _scores(evidence, pairs, k)
    scored = []
    for position, ((a, b), (matched, values)) in enumerate(zip(pairs, observed, strict=True)):
        null = [draw[position] for draw in independence]
        turned = [draw[position] for draw in rotation]
        scored.append(
            PairScores(
                a=a,
                b=b,
                values=values,
                independence={name: np.array([draw[name] for _, draw in null], dtype=float) for name in values},
                rotation={
                    STRONG_IN: np.array([match.inside.mean() for match in turned], dtype=float),
                    STRONG_OUT: np.array([match.outside.mean() for match in turned], dtype=float),
                },
                matching=matched.matching,
                matched_in=matched.inside,
                matched_out=matched.outside,
            )
        )
    marginals = evidence.values.marginals
    for name, marginal in zip(names, marginals, strict=True):
        alive = len(marginal.scale) - len(marginal.dead)
        if marginal.rank < alive:
            warnings.append(f"{name}: its {alive} dimensions that vary span only {marginal.rank} directions")
    return Scored(tuple(scored), tuple(marginal.dead for marginal in marginals), tuple(warnings))


def _match(axes: Halves, a: int, b: int) -> Matched:
    return strong(axes.cross(a, b), axes.marginals[a].variance_on_score, axes.marginals[b].variance_on_score)


def _scores(evidence: _Evidence, pairs: Sequence[Pair], k: int) -> list[tuple[Matched, Values]]:
    """Match and score every pair."""
    scored = []
    with single_threaded():
        for a, b in pairs:
            matched = _match(evidence.axes, a, b)
            scored.append((matched, _values(evidence.values, matched, a, b, k)))
    return scored


def _values(halves: Halves, matched: Matched, a: int, b: int, k: int) -> Values:
    """Every score of a pair whose dimensions have been matched."""
    first, second, cross = halves.marginals[a], halves.marginals[b], halves.cross(a, b)
    canonical = weak(first, second, cross)
    forward, reverse = affine(first, second, cross), affine(second, first, cross.transposed)
    return {
        STRONG_IN: float(matched.inside.mean()),
        STRONG_OUT: float(matched.outside.mean()),
        ScoreName("weak_mcc", k, "in"): mean_of_first(k, canonical.inside),
        ScoreName("weak_mcc", k, "out"): mean_of_first(k, canonical.outside),
        ScoreName("weak_mcc", None, "in"): mean_of_first(None, canonical.inside),
        ScoreName("weak_mcc", None, "out"): mean_of_first(None, canonical.outside),
        ScoreName("affine_r2", None, "in"): forward.inside.total,
        ScoreName("affine_r2", None, "out"): forward.outside.total,
        ScoreName("affine_r2_reverse", None, "in"): reverse.inside.total,
        ScoreName("affine_r2_reverse", None, "out"): reverse.outside.total,
    }


def _permuted(evidence: _Evidence, pairs: Sequence[Pair], k: int, rng: np.random.Generator) -> list[tuple[Matched, Values]]:
    """One draw of the independence floor, for every pair."""
    order = permuted_within_halves(evidence.fit, rng=rng)
    values = with_rows_permuted(evidence.values, evidence.latents, evidence.fit, order)
    axes = with_rows_permuted(evidence.axes, evidence.axis_latents, evidence.fit, order) if evidence.by_rank else values
    return _scores(replace(evidence, values=values, axes=axes), pairs, k)


def _turned(evidence: _Evidence, pairs: Sequence[Pair], rng: np.random.Generator) -> list[Matched]:
    """One draw of the rotation floor, for every pair; one turn of a restart serves all its pairs."""
    marginals = evidence.values.marginals
    with single_threaded():
        turnings = [turn(marginal, rng=rng) for marginal in marginals]
    if not evidence.by_rank:
        with single_threaded():
            variances = [turned_variance_on_score(*turned) for turned in zip(marginals, turnings, strict=True)]
            return [
                strong(turned_cross(evidence.axes.cross(a, b), turnings[b]), marginals[a].variance_on_score, variances[b])
                for a, b in pairs
            ]
    # Ranks of turned values do not follow from moments: the rows themselves are turned, ranked and set beside the others.
    rows = [z @ marginal.in_own_units(t) for z, marginal, t in zip(evidence.latents, marginals, turnings, strict=True)]
    axes = Halves.of_rows([*evidence.axis_latents, *ranked(rows, evidence.fit, marginals)], evidence.fit)
    return [_match(axes, a, len(rows) + b) for a, b in pairs]

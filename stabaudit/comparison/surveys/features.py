"""Dictionaries of features, of sparse autoencoders say, held against each other: are the features the same?

Every pair of dictionaries is matched feature by feature (`stabaudit.metrics.features`), and so is one of the two with a
stand-in for the other that has nothing to do with it. Of three dictionaries or more the means over pairs have intervals in
which the dictionary is the unit; of two there is one pair and no interval. Features that never vary cannot be matched: they
are counted and left out, as are those that vary on one half of the rows alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from stabaudit.comparison.records import limits
from stabaudit.comparison.settings import DEFAULT_SETTINGS
from stabaudit.comparison.surveys.feature_breakdowns import by_parts, by_rate
from stabaudit.comparison.surveys.feature_records import (
    USUAL,
    DictionaryRecord,
    FeatureComparison,
    FeatureMatching,
    FeaturePairScore,
    FeatureParts,
    FeatureScore,
    FeatureSettings,
    FiringBin,
)
from stabaudit.comparison.surveys.feature_scores import asked_scores
from stabaudit.errors import BadData, UsageError, counted
from stabaudit.metrics.features.columns import Array, Columns, DenseColumns, columns_of, firing_rates
from stabaudit.metrics.features.floors import draws_needed, random_directions
from stabaudit.metrics.features.made_of import MADE, PARTS, Sides
from stabaudit.metrics.features.match import ALIKE, Match, match_features, shared_features, threshold_of
from stabaudit.metrics.scores import Measure, is_known, measure
from stabaudit.metrics.split import split_halves
from stabaudit.statistics.jackknife import Scale, within
from stabaudit.store.imports.dictionary_files import Dictionary, Of, join_rows


@dataclass(frozen=True)
class _Prepared:
    """Features of a dictionary that can be matched, on *fit* and on *score*."""

    record: DictionaryRecord
    fit: Columns
    score: Columns
    rates: Array | None
    kept: Array


def features(
    dictionaries: Sequence[Dictionary],
    settings: FeatureSettings = USUAL,
    *,
    measures: Sequence[Measure] = (),
    k: int = DEFAULT_SETTINGS.k,
) -> FeatureComparison:
    """Hold every dictionary against every other.

    Args:
        dictionaries: two or more, all weights or all activations.
        settings: how.
        measures: further scores, of activations.
        k: parts that counted ones of them average.

    Raises:
        UsageError: a single dictionary, or too little memory.
        BadData: rows or dimensions that do not match, too few rows, no feature that varies, NaN or infinity.
    """
    if len(dictionaries) < 2:
        raise UsageError("features are held against those of another dictionary: give two or more")
    if len({one.name for one in dictionaries}) < len(dictionaries):
        raise UsageError("a dictionary is given twice; held against itself it says nothing")
    if len({one.of for one in dictionaries}) > 1:
        raise UsageError("features of decoder weights and of activations are not held against each other")
    joined, ids = join_rows(dictionaries) if dictionaries[0].of == "activations" else (list(dictionaries), None)
    prepared = _prepared(joined, ids)
    names = [one.record.dictionary for one in prepared]
    found = [_pair(prepared[i], prepared[j], settings, (i, j)) for i, j in combinations(range(len(names)), 2)]
    scores = [score for one in found for score in one.scores]
    noticed: list[str] = []
    if measures and ids is None:
        raise UsageError("--scores are of activations; of decoder weights there are matched and best cosines alone")
    if measures and ids is not None:
        asked = replace(DEFAULT_SETTINGS, k=k, floor_draws=settings.floor_draws, seed=settings.seed, memory=settings.memory)
        by_pair, noticed = asked_scores(joined, ids, [one.kept for one in prepared], measures, asked)
        for (i, j), named in by_pair.items():
            scores += [FeaturePairScore(names[i], names[j], name, *values) for name, values in named.items()]
    return FeatureComparison(
        dictionaries=tuple(one.record for one in prepared),
        scores=tuple(_means(dictionaries[0].of, names, scores, settings.signed)),
        pair_scores=tuple(scores),
        matchings=tuple(one.matching for one in found),
        firing=tuple(row for one in found for row in one.firing),
        parts=tuple(row for one in found for row in one.parts),
        warnings=(*_warnings(prepared, found), *noticed),
    )


def _prepared(dictionaries: Sequence[Dictionary], ids: Array | None) -> list[_Prepared]:
    if ids is None:
        if len({one.values.shape[1] for one in dictionaries}) > 1:
            sizes = ", ".join(f"{one.name} {one.values.shape[1]:,}" for one in dictionaries)
            raise BadData(f"{sizes} dimensions of directions; expected as many in all dictionaries")
        every = [DenseColumns.of_directions(np.asarray(one.values), one.name) for one in dictionaries]
        return [_live(one, columns, columns, None) for one, columns in zip(dictionaries, every, strict=True)]
    fit = split_halves(ids)
    if len(ids) < 4:
        raise BadData(
            f"{counted(len(ids), 'row')} of activations: two halves of at least 2 are needed; is it a matrix of weights?"
        )
    halves = (np.flatnonzero(fit), np.flatnonzero(~fit))
    found = []
    for one in dictionaries:
        first, second = (columns_of(one.values, rows, one.name) for rows in halves)
        found.append(_live(one, first, second, firing_rates(one.values)))
    return found


def _live(one: Dictionary, fit: Columns, score: Columns, rates: Array | None) -> _Prepared:
    kept = fit.varies & score.varies
    if not kept.any():
        what = "has a direction" if one.of == "weights" else "varies on both halves of the rows"
        raise BadData(f"{one.name}: none of {counted(len(kept), 'feature')} {what}")
    # A column that is one constant on *fit* and another on *score* varies all the same.
    never = ~fit.varies & ~score.varies & (fit.mean == score.mean)
    weights = one.of == "weights"
    record = DictionaryRecord(
        dictionary=one.name,
        of=one.of,
        features=len(kept),
        dimensions=one.values.shape[1] if weights else None,
        rows=None if weights else one.values.shape[0],
        never=int(never.sum()),
        one_half=int((~kept & ~never).sum()),
    )
    return _Prepared(record, fit.of(kept), score.of(kept), None if rates is None else rates[kept], kept)


@dataclass(frozen=True)
class _Found:
    """What became of a pair."""

    matching: FeatureMatching
    scores: tuple[FeaturePairScore, ...]
    firing: tuple[FiringBin, ...]
    parts: tuple[FeatureParts, ...]


def _pair(a: _Prepared, b: _Prepared, settings: FeatureSettings, pair: tuple[int, int]) -> _Found:
    rng = np.random.default_rng([settings.seed, *pair])

    def match(fit: Columns, score: Columns, sampled: int) -> Match:
        return match_features(
            Sides(a.fit, fit, a.score, score),
            memory=settings.memory,
            rng=rng,
            count=settings.candidates,
            how=settings.match,
            sampled=sampled,
            signed=settings.signed,
        )

    own = match(b.fit, b.score, settings.sampled)
    draws = draws_needed(len(own.strength), settings.floor_draws)
    chance = [match(*_stand_in(b, rng), -(-settings.sampled // draws)) for _ in range(draws)]
    by_chance = np.concatenate([one.strength for one in chance])
    names = (a.record.dictionary, b.record.dictionary)
    matching = FeatureMatching(
        *names, settings.match, len(own.strength), own.assignment.gap, threshold_of(by_chance), draws, settings.signed
    )
    values, floors = _values(own, by_chance), [_values(one, by_chance) for one in chance]
    scores = []
    for name, value in values.items():
        floor = 0.0 if name == "shared" else float(np.mean([one[name] for one in floors]))
        scores.append(FeaturePairScore(*names, name, value, floor, _adjusted(value, floor)))
    both = ((names, own.from_b, [one.from_b for one in chance]), (names[::-1], own.from_a, [one.from_a for one in chance]))
    return _Found(
        matching,
        tuple(scores),
        tuple(by_rate(names, (a.rates, b.rates), own, chance, matching.threshold)),
        tuple(row for (first, second), r2, drawn in both for row in by_parts(first, second, r2, np.concatenate(drawn))),
    )


def _stand_in(b: _Prepared, rng: np.random.Generator) -> tuple[Columns, Columns]:
    """Features that have nothing to do with any others: b's on shuffled rows, or random directions."""
    if b.record.of == "activations":
        return b.fit.shuffled(rng), b.score.shuffled(rng)
    drawn = random_directions(len(b.fit.mean), len(b.fit.rows), rng)
    return drawn, drawn


def _values(match: Match, by_chance: Array) -> dict[str, float]:
    """All scores of a pair by name."""
    found = {
        "matched": float(match.strength.mean()),
        "best": float(match.best_a.mean()),
        "best_reverse": float(match.best_b.mean()),
        "shared": shared_features(match.strength, by_chance),
        "alike": float((match.strength >= ALIKE).mean()),
    }
    for way, r2 in (("", match.from_b), ("_reverse", match.from_a)):
        if len(r2):
            found |= {f"r2_from_{parts}{way}": float(column.mean()) for parts, column in zip(PARTS, r2.T, strict=True)}
            found |= {f"made_of_{parts}{way}": float((column >= MADE).mean()) for parts, column in zip(PARTS, r2.T, strict=True)}
    return found


def _adjusted(value: float, floor: float) -> float | None:
    return None if floor >= 1 else (value - floor) / (1 - floor)


def _means(of: Of, names: Sequence[str], scores: Sequence[FeaturePairScore], signed: bool) -> list[FeatureScore]:
    """Means over pairs, with intervals in which the dictionary is the unit."""
    found = []
    held = {(one.a, one.b, one.measure): one for one in scores}
    for name in dict.fromkeys(one.measure.removesuffix("_reverse") for one in scores):
        pairs = [[held.get((a, b, way)) for way in (name, f"{name}_reverse")] for a, b in combinations(names, 2)]
        known = [[one for one in pair if one is not None] for pair in pairs]
        if not all(known):
            continue
        table = np.zeros((len(names), len(names)))
        upper = np.triu_indices(len(names), k=1)
        table[upper] = [np.mean([one.value for one in pair]) for pair in known]
        estimate = within(table + table.T, scale=_scale(name, signed))
        floor = float(np.mean([one.floor for pair in known for one in pair]))
        adjusted = [one.adjusted for pair in known for one in pair if one.adjusted is not None]
        low, high = limits(estimate)
        found.append(
            FeatureScore(
                of,
                name,
                estimate.mean,
                estimate.sd,
                low,
                high,
                pairs=len(known),
                dictionaries=len(names),
                floor=floor,
                adjusted=float(np.mean(adjusted)) if adjusted else None,
            )
        )
    return found


def _scale(name: str, signed: bool) -> Scale:
    """On which the interval of a score is symmetric."""
    metric = name.partition("@")[0]
    if is_known(metric):
        return measure(metric).scale
    if signed and name in {"matched", "best"}:
        return "atanh"
    return "logit"


def _warnings(prepared: Sequence[_Prepared], found: Sequence[_Found]) -> list[str]:
    said = []
    for record in (one.record for one in prepared):
        if record.never or record.one_half:
            have, vary = ("has", "varies") if record.never == 1 else ("have", "vary")
            what = f"{have} no direction" if record.of == "weights" else f"never {vary}"
            vary = "varies" if record.one_half == 1 else "vary"
            half = f", {record.one_half:,} {vary} on one half of the rows alone" if record.one_half else ""
            features = f"{record.never:,} of {counted(record.features, 'feature')}"
            said.append(f"{record.dictionary}: {features} {what}{half}: left out")
    sizes = {len(one.fit.mean) for one in prepared}
    if len(sizes) > 1:
        listed = ", ".join(f"{size:,}" for size in sorted(sizes))
        said.append(f"dictionaries of {listed} features that vary: of two, as many are matched as the smaller has")
    if len(prepared) == 2:
        said.append("two dictionaries make one pair, which has no interval; compare three or more")
    loosest = max(found, key=lambda one: one.matching.gap).matching
    if loosest.match == "exact" and loosest.gap > 1e-4:
        said.append(
            f"{loosest.a} and {loosest.b}: the matching may lie up to {loosest.gap:.1e} below the best; raise --candidates"
        )
    return said

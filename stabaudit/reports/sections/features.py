"""Dictionaries of features as tables: scores, matched features by how often they fire, and features made of others."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations

import numpy as np

from stabaudit.comparison.records import limits
from stabaudit.comparison.surveys.feature_records import FeatureComparison, FeatureScore, FiringBin
from stabaudit.errors import counted
from stabaudit.metrics.features.assignment import TOLERANCE
from stabaudit.metrics.features.made_of import MADE, PARTS
from stabaudit.metrics.features.match import ALIKE
from stabaudit.reports.report import Report, Section
from stabaudit.reports.wording import mean_with_interval, number, score_name
from stabaudit.statistics.jackknife import Scale, within

_LABELS = {
    ("activations", "matched"): "strong MCC: matched |correlation|",
    ("activations", "best"): "best |correlation|",
    ("weights", "matched"): "PW-MCC: matched |cosine|",
    ("weights", "best"): "mean max |cosine|",
}
_CHANCE = {
    "activations": "chance: the rows of the second dictionary shuffled; matched on one half of the rows, scored on the other.",
    "weights": "chance: random directions in place of the second dictionary; weights have no rows to hold out, nor have these.",
}
PARTS_LEGEND = (
    "R² of a feature from the 1, 2 or 4 of the other dictionary that orthogonal matching pursuit picks, at least 0; made: the "
    f"share of features with R² of at least {MADE:g}. Features that another dictionary splits gain from 1 to 2 and 4, those it "
    "lacks stay near chance, and those that fire in few rows may lose."
)


def features_report(found: FeatureComparison) -> Report:
    """Scores, then matched features by firing rate, then features made of others."""
    sections = [_scores(found)]
    if found.firing:
        sections.append(_firing(found.firing, found.matchings[0].signed))
    if found.parts:
        sections.append(_parts(found))
    records: dict[str, list[dict[str, object]]] = {
        "feature_scores": [asdict(one) for one in found.scores],
        "feature_pairs": [asdict(one) for one in found.pair_scores],
        "dictionaries": [asdict(one) for one in found.dictionaries],
        "matchings": [asdict(one) for one in found.matchings],
        "firing": [asdict(one) for one in found.firing],
        "parts": [asdict(one) for one in found.parts],
        "warnings": [{"warning": warning} for warning in found.warnings],
    }
    return Report(sections, records, main="feature_scores")


def _scores(found: FeatureComparison) -> Section:
    of = found.dictionaries[0].of
    signed = found.matchings[0].signed
    shown = [one for one in found.scores if not one.measure.startswith(("r2_from", "made_of"))]
    rows = [
        [
            label_of(one, signed),
            mean_with_interval(one.mean, one.ci_low, one.ci_high),
            number(one.floor),
            number(one.adjusted),
        ]
        for one in shown
    ]
    sizes = ", ".join(f"{one.dictionary} {one.features:,}" for one in found.dictionaries)
    where = found.dictionaries[0]
    basis = (
        f"on {counted(where.rows or 0, 'row')}" if of == "activations" else f"in {counted(where.dimensions or 0, 'dimension')}"
    )
    return Section(
        f"features of {len(found.dictionaries)} dictionaries by their {of} {basis}",
        ["score", "mean [95%]", "chance", "adj."],
        rows,
        [f"Features: {sizes}.", *_sentences(found), _CHANCE[of]],
    )


def label_of(one: FeatureScore, signed: bool = False) -> str:
    """A score as it is called in tables; where signs count, of similarities rather than of their absolute values."""
    if one.measure == "shared":
        return "shared features"
    if one.measure == "alike":
        return f"matched at {ALIKE:g} or more"
    if (one.of, one.measure) in _LABELS:
        return _LABELS[one.of, one.measure].replace("|", "" if signed else "|")
    metric, _, k = one.measure.partition("@")
    return score_name(metric, int(k) if k.isdecimal() else None)


def _sentences(found: FeatureComparison) -> list[str]:
    """How many features are the same, and how good the matching is."""
    (shared,) = [one for one in found.scores if one.measure == "shared"]
    thresholds = [one.threshold for one in found.matchings]
    matched = sorted({one.matched for one in found.matchings})
    above = number(thresholds[0], 3) if len(thresholds) == 1 else f"{number(min(thresholds))} to {number(max(thresholds))}"
    sizes = " to ".join(f"{size:,}" for size in dict.fromkeys((matched[0], matched[-1])))
    counting = (
        f"Shared features: of {sizes} matched, {mean_with_interval(shared.mean, shared.ci_low, shared.ci_high)} are more similar "
        f"than chance makes them. Counted are those above {above}, which 1% of features matched by chance exceed, less this 1%."
    )
    gap, how = max(TOLERANCE, *(one.gap for one in found.matchings)), found.matchings[0].match
    where = "the rows matched on" if found.dictionaries[0].of == "activations" else "these directions"
    return [
        counting,
        f"Matched by {how} assignment; on {where} the mean of no matching exceeds theirs by more than {gap:.0e}.",
    ]


def _firing(every: Sequence[FiringBin], signed: bool) -> Section:
    names = list(dict.fromkeys(name for one in every for name in (one.a, one.b)))
    rows = []
    for low, high in sorted({(one.rate_low, one.rate_high) for one in every}):
        here = {(one.a, one.b): one for one in every if one.rate_low == low}
        floors = [one.floor for one in here.values() if one.floor is not None]
        rows.append(
            [
                f"{low:.0e} to {high:.0e}",
                f"{sum(one.matched for one in here.values()):,}",
                _over_pairs(names, {pair: one.mean for pair, one in here.items()}, "atanh" if signed else "logit"),
                number(float(np.mean(floors)) if floors else None),
                _over_pairs(names, {pair: one.shared for pair, one in here.items()}),
            ]
        )
    words = (
        "Firing rate: the fraction of rows in which a feature is not 0, the mean of both; above: of more than the similarity "
        "that 1% of all features matched by chance exceed."
    )
    head = ["firing rate", "matched", "correlation" if signed else "|correlation|", "chance", "above"]
    return Section("matched features by how often they fire", head, rows, [words])


def _over_pairs(names: Sequence[str], values: Mapping[tuple[str, str], float], scale: Scale = "logit") -> str:
    """The mean over pairs of dictionaries, with its interval where there are three or more and all have such features."""
    mean = float(np.mean(list(values.values())))
    if len(names) < 3:
        return number(mean)
    pairs = list(combinations(names, 2))
    if any(pair not in values for pair in pairs):
        return mean_with_interval(mean, None, None)
    table = np.zeros((len(names), len(names)))
    table[np.triu_indices(len(names), k=1)] = [values[pair] for pair in pairs]
    estimate = within(table + table.T, scale=scale)
    return mean_with_interval(estimate.mean, *limits(estimate))


def _parts(found: FeatureComparison) -> Section:
    if len(found.dictionaries) > 2:
        held = {one.measure: one for one in found.scores}
        rows = []
        for parts in PARTS:
            r2, made = held[f"r2_from_{parts}"], held[f"made_of_{parts}"]
            rows.append(
                [
                    str(parts),
                    mean_with_interval(r2.mean, r2.ci_low, r2.ci_high),
                    number(r2.floor),
                    mean_with_interval(made.mean, made.ci_low, made.ci_high),
                    number(made.floor),
                ]
            )
        head = ["features", "R² [95%]", "chance", "made [95%]", "chance"]
        return Section("features of one dictionary from a few of another, both ways", head, rows, [PARTS_LEGEND], left=0)
    rows = [
        [
            f"{one.explained} from {one.by}",
            str(one.parts),
            number(one.mean),
            f"{number(one.quartile_1, 2)} / {number(one.median, 2)} / {number(one.quartile_3, 2)}",
            number(one.floor),
            number(one.made),
            number(one.made_floor),
        ]
        for one in found.parts
    ]
    sampled = max(one.sampled for one in found.parts)
    head = ["dictionary", "features", "R²", "quartiles", "chance", "made", "chance"]
    title = f"features of one dictionary from a few of the other, {counted(sampled, 'feature')} of each at random"
    return Section(title, head, rows, [PARTS_LEGEND])

"""A comparison as tables: one per run, one per two runs, then the differences between runs."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import NamedTuple

import numpy as np

from stabaudit.comparison.records import Comparison, Curve, Difference, GroupScore, PositionScore, RunSummary, Score
from stabaudit.comparison.scoring.spread import next_step, spread_of_score
from stabaudit.errors import counted
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.metrics.scores import Measure, headlines, measure
from stabaudit.reports.report import Report, Section
from stabaudit.reports.sections.clusters_found import found_section
from stabaudit.reports.sections.collapse import collapse_section, collapse_summary
from stabaudit.reports.sections.densities import density_section
from stabaudit.reports.sections.grid_positions import position_section
from stabaudit.reports.sections.nonlinear import nonlinear_section
from stabaudit.reports.sections.ranking import ranking_words
from stabaudit.reports.sections.restarts_needed import needed_sentence
from stabaudit.reports.verdict import axes_in_short, never_active, strong_sentence, verdict
from stabaudit.reports.wording import (
    mean_with_interval,
    number,
    p_value,
    score_name,
    shared_k,
)
from stabaudit.statistics.gate import ScoreKey
from stabaudit.statistics.jackknife import LEVEL
from stabaudit.statistics.restarts_needed import FEWEST

MANY_RUNS = 6  # more than this and one sentence counts what each would say
_NARROW = 0.02  # half of an interval, below which nobody asks for more restarts
_HUNDREDTH = 0.01  # half-widths below it get a third decimal
_CURVE_POINTS = 10  # rows of a printed curve; JSON has them all


def comparison_report(comparison: Comparison, *, curves: bool = False) -> Report:
    """Every score, with its floors, and what it means.

    Args:
        comparison: the results.
        curves: also print the cumulative MCC curves.
    """
    sections = []
    for runs, scores in groupby(comparison.scores, lambda s: (s.run_a, s.run_b)):
        sections.append(_pair_section(comparison, list(scores)))
        positions = [p for p in comparison.positions if (p.run_a, p.run_b) == runs and _says_more(comparison, p)]
        sections += [position_section(" and ".join(dict.fromkeys(runs)), positions)] if positions else []
        sections += [found_section(comparison, one) for one in comparison.clusterings if runs == (one.run, one.run)]
        groups = [one for one in comparison.group_scores if runs == (one.run, one.run)]
        sections += [groups_section(comparison, groups)] if groups else []
        nonlinear = [one for one in comparison.nonlinear if runs == (one.run, one.run)]
        sections += [nonlinear_section(runs[0], nonlinear)] if nonlinear else []
        collapse = [score for score in comparison.collapse if runs == (score.run, score.run)]
        sections += [collapse_section(runs[0], collapse)] if collapse else []
        densities = [score for score in comparison.densities if runs == (score.run_a, score.run_b)]
        sections += [density_section(densities)] if densities else []
    sections += [
        _difference_section(comparison, list(found)) for _, found in groupby(comparison.differences, lambda d: (d.run_a, d.run_b))
    ]
    if curves:
        sections += [
            _curve_section(curve)
            for curve in comparison.curves
            if curve.sample == "out" and curve.metric == comparison.curves[0].metric
        ]
    dimensions = [asdict(dimension) for dimension in comparison.dimensions]
    return Report(sections, _records(comparison) | {"pairs": _pair_records(comparison), "dimensions": dimensions})


def groups_section(comparison: Comparison, scores: Sequence[GroupScore]) -> Section:
    """Every score within each group of restarts of one run."""
    run = scores[0].run
    restarts = {one.solution: one.restarts for one in comparison.solutions if one.run == run}
    rows = [
        [
            ", ".join(name.rpartition("#")[2] for name in restarts[score.solution]),
            score_name(score.metric, score.k),
            mean_with_interval(score.mean, score.ci_low, score.ci_high),
            number(score.independence_floor, 2),
        ]
        for score in scores
        if _says_more(comparison, Level(run, run, score.metric, score.k))
    ]
    return Section(f"groups of restarts within {run}, out-of-sample", ["restarts", "score", "mean [95%]", "chance"], rows, left=2)


def summary_report(comparison: Comparison) -> Report:
    """One row per run: headline scores and those that were asked for, out-of-sample, with intervals and floors."""
    shown = summarised(comparison)
    rows, words = [], []
    for run in comparison.runs:
        found = comparison.out_of_sample(run.name)
        rows.append(
            [
                run.name,
                _restarts(run),
                axes_in_short(comparison, run.name),
                *(cell for one in shown for cell in _with_floors(found.get(one.name))),
            ]
        )
        if said := verdict(comparison, run.name):
            words.append(f"{run.name}: {' '.join(said)}")
    if len(words) > MANY_RUNS:
        words = [axes_over_runs(comparison)]
    header = ["run", "N", "axes"]
    for one in shown:
        floors = "floors" if len(one.floors) > 1 else "floor"
        header += [f"{score_name(one.name, shared_k(comparison, one.name))} [95%]", floors]
    sections = [Section("stability, out-of-sample", header, rows, words)]
    if comparison.collapse:
        sections.append(collapse_summary([run.name for run in comparison.runs], comparison.collapse))
    return Report(sections, _records(comparison))


def axes_over_runs(comparison: Comparison) -> str:
    """How many dimensions are axes, over many runs: one sentence."""
    of_runs = {run.name: [one for one in comparison.anatomy if one.run == run.name] for run in comparison.runs}
    axes = [sum(one.verdict == "axis" for one in own) for own in of_runs.values() if own]
    dimensions = sum(len(own) for own in of_runs.values())
    same = "is the same axis" if sum(axes) == 1 else "are the same axes"
    return (
        f"Over {counted(len(axes), 'run')} {sum(axes)} of {counted(dimensions, 'dimension')} {same} in every restart "
        f"of their run; runs with such axes: {sum(1 for count in axes if count)}."
    )


def summarised(comparison: Comparison) -> list[Measure]:
    """Scores that a summary has columns for: the headlines, and those that are computed only when asked for."""
    there = {score.metric for score in comparison.scores if score.relation == "within"}
    known = [measure(name) for name in dict.fromkeys(score.metric for score in comparison.scores) if name in there]
    return [one for one in known if (one.unit == "pair" or one.factors) and one.brief and (one.headline or not one.default)]


def _with_floors(score: Score | None) -> list[str]:
    """A mean with its interval; then its floors."""
    if score is None:
        return [number(None)] * 2
    floors = [floor for floor in (score.independence_floor, score.rotation_floor) if floor is not None]
    return [mean_with_interval(score.mean, score.ci_low, score.ci_high, 2), "/".join(number(floor, 2) for floor in floors)]


def _restarts(run: RunSummary) -> str:
    return f"{run.restarts}/{run.trained}" if run.lost else str(run.restarts)


def _records(comparison: Comparison) -> dict[str, list[dict[str, object]]]:
    return {
        "runs": [asdict(run) for run in comparison.runs],
        "scores": [asdict(score) for score in comparison.scores],
        "differences": [asdict(difference) for difference in comparison.differences],
        "curves": [asdict(curve) for curve in comparison.curves],
        "positions": [asdict(position) for position in comparison.positions],
        "collapse": [asdict(score) for score in comparison.collapse],
        "densities": [asdict(score) for score in comparison.densities],
        "anatomy": [asdict(one) for one in comparison.anatomy],
        "nonlinear": [asdict(one) for one in comparison.nonlinear],
        "solutions": [asdict(one) for one in comparison.solutions],
        "group_scores": [asdict(one) for one in comparison.group_scores],
        "clusterings": [asdict(one) for one in comparison.clusterings],
        "clusters": [asdict(one) for one in comparison.clusters],
        "cluster_changes": [asdict(one) for one in comparison.cluster_changes],
        "warnings": [{"warning": warning} for warning in comparison.warnings],
    }


def _pair_records(comparison: Comparison) -> list[dict[str, object]]:
    """Every out-of-sample score of every pair; within a run each pair once."""
    return [
        {
            "run_a": table.run_a,
            "run_b": table.run_b,
            "restart_a": a,
            "restart_b": b,
            "metric": table.metric,
            "k": table.k,
            "sample": "out",
            "value": float(table.values[i, j]),
        }
        for table in comparison.pairs
        for i, a in enumerate(table.restarts_a)
        for j, b in enumerate(table.restarts_b)
        if np.isfinite(table.values[i, j]) and (table.run_a != table.run_b or i < j)
    ]


def _pair_section(comparison: Comparison, scores: Sequence[Score]) -> Section:
    """All scores within one run or between two: out-of-sample in full, in-sample beside it, or alone where there is no other."""
    inside = {(score.metric, score.k): score for score in scores if score.sample == "in"}
    outside = {(score.metric, score.k): score for score in scores if score.sample == "out"}
    rows = [
        [
            score_name(score.metric, score.k),
            mean_with_interval(score.mean, score.ci_low, score.ci_high) if score.sample == "out" else number(None),
            number(score.sd),
            number(inside[key].mean if key in inside else None, 2)
            if score.sample == "out"
            else mean_with_interval(score.mean, score.ci_low, score.ci_high, 2),
            number(score.independence_floor, 2),
            number(score.rotation_floor, 2),
            number(score.adjusted, 2),
            number(score.axis_alignment, 2),
        ]
        for key, score in (inside | outside).items()
        if _says_more(comparison, score)
    ]
    header = ["score", "out-of-sample [95%]", "sd", "in", "chance", "rotation", "adj.", "axis"]
    found = {score.metric: score for score in outside.values()}
    words = verdict(comparison, scores[0].run_a) if scores[0].relation == "within" else []
    own = [one for one in comparison.anatomy if scores[0].relation == "within" and one.run == scores[0].run_a]
    collapsed = bool(own) and never_active(own)
    strong = None if collapsed else found.get(STRONG.name)
    if strong is not None and strong.rotation_floor is not None:
        words.append(strong_sentence(strong, comparison.rotations))
        words += _more_restarts(comparison, strong)
    words += ranking_words(comparison, scores[0].run_a) if scores[0].relation == "within" else []
    return Section(_title(comparison, scores[0]), header, rows, words)


def _more_restarts(comparison: Comparison, strong: Score) -> list[str]:
    """What a narrower interval asks for, where a run has one."""
    if strong.relation != "within" or strong.restarts < FEWEST or not comparison.pairs:
        return []
    step = next_step(spread_of_score(comparison, strong.run_a, ScoreKey(strong.metric, strong.k)))
    if step is None:
        return []
    present, wanted, needed = step
    if present <= _NARROW:
        return []
    half = number(present, 2 if present >= _HUNDREDTH else 3)
    return [
        f"The interval reaches ±{half}; {needed_sentence(score_name(strong.metric, strong.k), wanted, needed, strong.restarts)}"
    ]


class Level(NamedTuple):
    """What decides whether a score is printed: its runs, its name and its k."""

    run_a: str
    run_b: str
    metric: str
    k: int | None


def _says_more(comparison: Comparison, score: Score | PositionScore | Difference | Level) -> bool:
    """Whether a score says more than the one over all dimensions: the first 20 of 8 canonical correlations are all of them."""
    runs = [run for run in comparison.runs if run.name in {score.run_a, score.run_b}]
    most = [run.latent_dim for run in runs] + [
        run.sources for run in runs if run.sources and measure(score.metric).unit == "restart"
    ]
    return score.k is None or score.k < min(most)


def _title(comparison: Comparison, score: Score) -> str:
    runs = {run.name: run for run in comparison.runs}
    pairs = [] if measure(score.metric).unit == "restart" else [counted(score.pairs, "pair")]
    sizes = ", ".join([counted(score.restarts, "restart"), *pairs, counted(runs[score.run_a].rows, "row")])
    grid = runs[score.run_a].grid
    at = f" at each of {grid[0]}×{grid[1]} positions" if grid else ""
    if score.relation == "within":
        return f"within {score.run_a}: {sizes}, d = {runs[score.run_a].latent_dim}{at}"
    a, b = runs[score.run_a].latent_dim, runs[score.run_b].latent_dim
    matched = f"d = {a}" if a == b else f"{min(a, b)} of {max(a, b)} dimensions matched"
    return f"between {score.run_a} and {score.run_b}: {sizes}, {matched}{at}"


def _difference_section(comparison: Comparison, differences: Sequence[Difference]) -> Section:
    """Every score within one run minus the same within another."""
    header = ["score", "difference [95%]", "p (Welch)", "Holm p", "p (permuted)"]
    rows = [
        [
            score_name(d.metric, d.k),
            mean_with_interval(d.difference, d.ci_low, d.ci_high),
            p_value(d.p_welch),
            p_value(d.p_holm),
            p_value(d.p_permutation),
        ]
        for d in differences
        if _says_more(comparison, d)
    ]
    words = [_explain_difference(d) for d in differences if d.metric == headlines()[0].name]
    if differences[0].p_smallest > LEVEL:
        words.append(f"The smallest p that permuting these restarts allows is {differences[0].p_smallest:.2g}.")
    return Section(f"within {differences[0].run_a} − within {differences[0].run_b}, out-of-sample", header, rows, words)


def _explain_difference(d: Difference) -> str:
    if d.ci_low is None or d.ci_high is None:
        return "Not enough restarts to say which is more stable."
    if d.ci_low > 0 or d.ci_high < 0:
        return f"The {measure(d.metric).label} of {d.run_a if d.ci_low > 0 else d.run_b} is higher."
    return f"The interval of the {measure(d.metric).label} holds 0: neither run is shown to be more stable."


def _curve_section(curve: Curve) -> Section:
    """The curve at up to ten places, the last of which is the score itself."""
    d = len(curve.values)
    points = sorted({max(1, round(d * i / _CURVE_POINTS)) for i in range(1, _CURVE_POINTS + 1)})
    where = f"within {curve.run_a}" if curve.run_a == curve.run_b else f"between {curve.run_a} and {curve.run_b}"
    rows = [[str(point), number(curve.values[point - 1])] for point in points]
    one = measure(curve.metric)
    return Section(f"cumulative {one.label}, out-of-sample, {where}", [one.parts or "parts", "mean over these"], rows, left=0)

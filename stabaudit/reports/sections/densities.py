"""Affine density distances as a table."""

from collections.abc import Sequence

from stabaudit.comparison.records import DensityScore
from stabaudit.errors import counted
from stabaudit.metrics.density_distance import RELATIVE_DISTANCE
from stabaudit.metrics.scores import measure
from stabaudit.reports.report import Section
from stabaudit.reports.wording import mean_with_interval, number


def density_section(scores: Sequence[DensityScore]) -> Section:
    """A row for every distance within one run or between two."""
    rows = [
        [
            measure(score.metric).label,
            mean_with_interval(score.mean, score.ci_low, score.ci_high),
            number(score.sd),
            number(score.chance),
            number(score.spread),
        ]
        for score in scores
    ]
    first = scores[0]
    sizes = f"{counted(first.restarts, 'restart')}, {counted(first.pairs, 'pair')}"
    runs = f"within {first.run_a}" if first.relation == "within" else f"between {first.run_a} and {first.run_b}"
    both = ", both ways averaged" if first.relation == "within" else ""
    return Section(
        f"affine density distance {runs}: {first.source}, {sizes}{both}",
        ["distance", "mean [95%]", "sd", "chance", "starts"],
        rows,
        _words(scores),
    )


def _words(scores: Sequence[DensityScore]) -> list[str]:
    """What it is, by whose definition, and whether it says anything."""
    relative = next(score for score in scores if score.metric == RELATIVE_DISTANCE.name)
    ours = (
        "our definition: the L2 distance that the best affine map leaves between two densities; relative to the norm of the "
        "second it is in [0, 1]. chance: of a single Gaussian; starts: how much the local minima differ."
    )
    words, dimensions = [ours], counted(relative.dimensions, "dimension")
    if relative.components <= relative.dimensions + 1:
        words.append(
            f"an affine map takes nearly any {relative.components} means to any others in {dimensions}: "
            "the distance is of the weights and spreads of the clusters, not of where they lie."
        )
    if relative.ci_high is not None:
        said = f"relative distance {mean_with_interval(relative.mean, relative.ci_low, relative.ci_high, 2)}"
        below = "lies below" if relative.ci_high < relative.chance else "is not shown to lie below"
        words.append(f"{said} {below} that of a single Gaussian ({number(relative.chance, 2)}), which has no clusters.")
    return words

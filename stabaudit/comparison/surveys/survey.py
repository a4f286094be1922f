"""All runs below some paths, each compared within itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stabaudit.comparison.compare import compare
from stabaudit.comparison.reading.selectors import lost_restarts, read_run
from stabaudit.comparison.reading.true_sources import read_sources
from stabaudit.comparison.records import Comparison
from stabaudit.comparison.settings import Settings
from stabaudit.config import RunConfig
from stabaudit.errors import counted
from stabaudit.steps import steps
from stabaudit.store.files.atomic import shown
from stabaudit.store.files.mirror import address_of
from stabaudit.store.run.find import find_runs


@dataclass(frozen=True)
class Survey:
    """Many runs, each compared within itself.

    Args:
        comparison: the comparisons as one.
        configs: configurations by name of those runs that stabaudit trained.
    """

    comparison: Comparison
    configs: Mapping[str, RunConfig]


def survey(paths: Sequence[Path], settings: Settings, sources: Path | None = None) -> Survey:
    """Score every run, and say of each that cannot be scored why.

    Args:
        paths: run folders, or folders above them.
        settings: how pairs are scored.
        sources: a file of true sources, for runs that have none of their own.

    Raises:
        UsageError: a path that is not there.
        BadRun: no runs, or a damaged one.
        BadData: latents that cannot be scored.
    """
    runs = find_runs(paths)
    truth = None if sources is None else read_sources(sources)
    names = [run.name for run in runs]
    comparisons: list[Comparison] = []
    configs: dict[str, RunConfig] = {}
    warnings: list[str] = []
    for run in steps(runs, "runs compared" if len(runs) > 1 else ""):
        name = run.name if names.count(run.name) == 1 else address_of(run.folder)
        if len(run.done) < 2:
            lost = "; ".join(lost_restarts(run)) or "the only one"
            done = f"{len(run.done)} of {counted(len(run.manifest.restarts), 'restart')}"
            warnings.append(f"{shown(run.folder)} is left out: {done} ({lost})")
            continue
        comparisons.append(compare([read_run(run, name=name, memory=settings.memory, sources=truth)], settings))
        if run.manifest.config is not None:
            configs[name] = run.manifest.config
        elif len(runs) > 1 and comparisons[-1].runs[0].family is None:
            warnings.append(
                f"{name} has no family, so it takes no part in tests of families; --family gives it one when it is made"
            )
    together = Comparison(
        runs=tuple(summary for found in comparisons for summary in found.runs),
        scores=tuple(score for found in comparisons for score in found.scores),
        differences=(),
        curves=tuple(curve for found in comparisons for curve in found.curves),
        warnings=(*(warning for found in comparisons for warning in found.warnings), *warnings),
        floor_draws=settings.floor_draws,
        rotations=settings.rotations,
        anatomy=tuple(one for found in comparisons for one in found.anatomy),
        nonlinear=tuple(one for found in comparisons for one in found.nonlinear),
        group_scores=tuple(one for found in comparisons for one in found.group_scores),
        solutions=tuple(one for found in comparisons for one in found.solutions),
        collapse=tuple(one for found in comparisons for one in found.collapse),
        dimensions=tuple(one for found in comparisons for one in found.dimensions),
        densities=tuple(one for found in comparisons for one in found.densities),
        positions=tuple(position for found in comparisons for position in found.positions),
        pairs=tuple(table for found in comparisons for table in found.pairs),
        clusterings=tuple(one for found in comparisons for one in found.clusterings),
        clusters=tuple(one for found in comparisons for one in found.clusters),
        cluster_changes=tuple(one for found in comparisons for one in found.cluster_changes),
        matches=tuple(match for found in comparisons for match in found.matches),
    )
    return Survey(together, configs)

"""Judge runs: report and test families, check gates and baselines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from stabaudit.api.comparing import changed_settings, drift
from stabaudit.api.runs import AnyPath
from stabaudit.comparison.gating.baseline import (
    as_baseline,
    read_baseline,
    require_comparable,
    require_replaceable,
    write_baseline,
)
from stabaudit.comparison.gating.find_score import by_name, require_possible
from stabaudit.comparison.gating.gates import Gate, judge_against, judge_drift, judge_requirement, only_run, survey_for_gates
from stabaudit.comparison.records import Comparison
from stabaudit.comparison.settings import DEFAULT_SETTINGS, Settings
from stabaudit.comparison.surveys.configurations import family_tests
from stabaudit.comparison.surveys.drift import HALF_SAMPLES, Drift, default_measures
from stabaudit.comparison.surveys.score_table import read_score_table
from stabaudit.comparison.surveys.survey import Survey, survey
from stabaudit.defaults import MARGIN
from stabaudit.errors import UsageError
from stabaudit.metrics.scores import headlines
from stabaudit.statistics.families import FamilyTests
from stabaudit.statistics.families import compare_families as statistics_of_families
from stabaudit.statistics.gate import FamilyRequirement, Requirement, Verdict, parse_requirement, parse_score, worst
from stabaudit.statistics.signed_rank import Zeros
from stabaudit.store.imports.foreign_files import AS_IS, Naming


@dataclass(frozen=True)
class Reported:
    """Runs, each compared within itself, and their families against each other.

    Args:
        survey: the runs.
        tests: exact Wilcoxon signed-rank tests over configurations; None where they were not asked for.
    """

    survey: Survey
    tests: FamilyTests | None

    @property
    def comparison(self) -> Comparison:
        """All scores, each of a run within itself."""
        return self.survey.comparison


def report(
    *paths: AnyPath,
    wilcoxon: bool = False,
    score: str | None = None,
    zeros: Zeros = "pratt",
    settings: Settings = DEFAULT_SETTINGS,
    **changed: Any,  # noqa: ANN401 -- fields of Settings
) -> Reported:
    """Score every run below some paths, and test model families against each other.

    Args:
        paths: run folders, or folders above them; "runs" by default.
        wilcoxon: whether to test families.
        score: on which score, as on the command line: "strong_mcc" (the default), "weak_mcc@all.in", "strong_mcc.adjusted".
        zeros: what the signed-rank test does with differences of zero.
        settings: how pairs are scored.
        changed: fields of `Settings` that are to differ.

    Raises:
        UsageError: a path that is not there, an unknown score, families that cannot be tested.
        BadRun: no runs, or a damaged one.
        BadData: latents that cannot be scored.
    """
    _require_paths("report", paths)
    tested = score or headlines()[0].name
    settings = changed_settings(settings, changed).including([parse_score(tested).metric] if wilcoxon else ())
    found = survey([Path(path) for path in paths or ("runs",)], settings)
    return Reported(found, family_tests(found, tested, zeros) if wilcoxon else None)


def _require_paths(function: str, given: Sequence[object]) -> None:
    """Refuse what is no path, such as arrays in memory.

    Raises:
        UsageError: saying what has arrays.
    """
    if not all(isinstance(one, (str, PathLike)) for one in given):
        raise UsageError(f"{function}: give paths of runs, or of folders of runs; arrays in memory have compare()")


def _read_requirements(texts: Sequence[str]) -> list[Requirement | FamilyRequirement]:
    found = [parse_requirement(by_name(text), default=headlines()[0].name) for text in texts]
    for requirement in found:
        require_possible(requirement)
    return found


@dataclass(frozen=True)
class Checked:
    """Gates on runs.

    Args:
        verdict: over all gates: one failure fails all, and one that is not sure leaves all unsure; "pass" where there are none.
        gates: each of them.
        comparison: what they were held against.
        changed: keys of the configuration that differ from the baseline's.
        written: the baseline that was written, or None.
    """

    verdict: Verdict
    gates: tuple[Gate, ...]
    comparison: Comparison
    changed: tuple[str, ...] = ()
    written: Path | None = None


def check(
    path: AnyPath,
    *,
    require: str | Sequence[str] = (),
    baseline: AnyPath | None = None,
    margin: float | None = None,
    update_baseline: bool = False,
    settings: Settings = DEFAULT_SETTINGS,
    sources: AnyPath | None = None,
    **changed: Any,  # noqa: ANN401 -- fields of Settings
) -> Checked:
    """Hold runs against bounds, and one run against a baseline.

    Args:
        path: the run folder, or one with runs below it.
        require: bounds that every run must keep: "strong_mcc>=0.6"; or tests of families: "wilcoxon(vade,vae).p_holm<0.05".
        baseline: its file.
        margin: loss of the headline scores that the baseline allows; None: the one it was written with, or 0.02.
        update_baseline: write the baseline instead of testing against it, unless the run fails its bounds.
        settings: how pairs are scored.
        sources: a file of true sources, for runs that have none of their own.
        changed: fields of `Settings` that are to differ.

    Raises:
        UsageError: nothing to check, a requirement that cannot be read, a score that a run has not, a baseline that is missing,
            damaged or not comparable, or is for one of several runs.
        BadRun: a folder without runs, or a run with fewer than two restarts.
        BadData: latents that cannot be scored.
    """
    _require_paths("check", [path])
    file = None if baseline is None else Path(baseline)
    if not require and file is None:
        raise UsageError("nothing to check: give --require SCORE>=NUMBER, --baseline FILE, or both")
    if margin is not None and not 0 <= margin < math.inf:
        raise UsageError(f"--margin {margin:g}: expected a loss of score, a finite number from 0 on")
    if update_baseline:
        _require_place(file)
    settings = changed_settings(settings, changed)
    requirements = _read_requirements([require] if isinstance(require, str) else require)
    settings = settings.including(requirement.score.metric for requirement in requirements)
    old = None if file is None or update_baseline else read_baseline(file)
    if margin is None:
        margin = MARGIN if old is None or old.margin is None else old.margin
    if file is not None and update_baseline:
        require_replaceable(file)
    found = survey_for_gates(Path(path), settings, None if sources is None else Path(sources))
    gates = [gate for requirement in requirements for gate in judge_requirement(found, requirement)]
    differing: tuple[str, ...] = ()
    written = None
    if file is not None:
        config = found.configs.get(only_run(found.comparison, Path(path)).name)
        new = as_baseline(found.comparison, settings, config, margin)
        if old is not None:
            require_comparable(old, new, file)
            if old.config is not None and config is not None:
                differing = tuple(old.config.differences(config))
            gates += judge_against(found.comparison, old, margin)
        elif worst([gate.verdict for gate in gates]) != "fail":
            write_baseline(file, new)
            written = file
    return Checked(worst([gate.verdict for gate in gates]), tuple(gates), found.comparison, differing, written)


@dataclass(frozen=True)
class DriftChecked:
    """Gates on the drift from one version of an embedding to another.

    Args:
        verdict: over all gates, as of `Checked`.
        gates: each of them.
        drift: what they were held against.
    """

    verdict: Verdict
    gates: tuple[Gate, ...]
    drift: Drift


def check_drift(
    old: AnyPath,
    new: AnyPath,
    *,
    require: str | Sequence[str],
    half_samples: int = HALF_SAMPLES,
    settings: Settings = DEFAULT_SETTINGS,
    naming: Naming = AS_IS,
    **changed: Any,  # noqa: ANN401 -- fields of Settings
) -> DriftChecked:
    """Hold the drift between two versions of an embedding against bounds.

    Args:
        old: as of `drift`, like all but the following.
        new: the new version.
        require: bounds on scores: "knn_overlap>=0.9", "identity_r2>=0.99".
        half_samples: from which the intervals are.
        settings: how the two are scored.
        naming: what rows and latents are called in latents files.
        changed: fields of `Settings` that are to differ.

    Raises:
        UsageError: no bounds, or one that cannot be read.
        BadRun, BadData: as of `drift`.
    """
    requirements = _read_requirements([require] if isinstance(require, str) else require)
    if not requirements:
        raise UsageError("nothing to check: give --require SCORE>=NUMBER")
    wanted = [one.score.metric for one in requirements if not isinstance(one, FamilyRequirement)]
    chosen = tuple(dict.fromkeys([*(one.name for one in default_measures()), *wanted]))
    settings = replace(changed_settings(settings, changed), scores=chosen)
    found = drift(old, new, half_samples=half_samples, moved=0, settings=settings, naming=naming)
    gates = [judge_drift(found, one) for one in requirements]
    return DriftChecked(worst([gate.verdict for gate in gates]), tuple(gates), found)


def _require_place(file: Path | None) -> None:
    """Refuse a baseline that could not be written, before runs are scored."""
    if file is None:
        raise UsageError("--update-baseline needs --baseline FILE to write to")
    if not file.absolute().parent.is_dir():
        raise UsageError(f"--baseline {file}: no folder {file.parent}; make it first")


def compare_families(table: AnyPath, *, score: str | None = None, zeros: Zeros = "pratt") -> FamilyTests:
    """Test model families against each other over the configurations of a table of scores.

    Args:
        table: a CSV or Parquet file with a row per family and configuration.
        score: its column; by default "mcc", or the only one that there is.
        zeros: what the signed-rank test does with differences of zero.

    Raises:
        BadData: a file that cannot be read, or values that are no scores.
        UsageError: columns that are missing, or a score that is not named.
    """
    values, name, averaged = read_score_table(Path(table), score)
    return replace(statistics_of_families(values, score=name, zeros=zeros), averaged=averaged)

"""The library: what the commands do, as functions that return typed results.

    import stabaudit

    run = stabaudit.train("vade", data="digits", latent_dim=4, restarts=5, out="runs/vade")
    found = stabaudit.compare(run.folder)
    print(stabaudit.frame(found.scores))

The commands `compare`, `report` and `check` parse their options, call these functions and render what comes back; `train` shows
its progress besides. As on the command line, a score comes with its floors and a mean over pairs with its interval; what a user
did wrong is a `StabauditError` that says so in one line.
"""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stabaudit.comparison.compare import compare as compare_groups
from stabaudit.comparison.gating.baseline import (
    as_baseline,
    read_baseline,
    require_comparable,
    require_replaceable,
    write_baseline,
)
from stabaudit.comparison.gating.find_score import by_name
from stabaudit.comparison.gating.gates import Gate, judge_against, judge_requirement, only_run, survey_for_gates
from stabaudit.comparison.reading.in_memory import group_arrays
from stabaudit.comparison.reading.learned_priors import priors_of
from stabaudit.comparison.reading.row_labels import labels_of
from stabaudit.comparison.reading.selectors import read_groups
from stabaudit.comparison.records import Comparison
from stabaudit.comparison.scoring.spread import spread_of_score
from stabaudit.comparison.settings import DEFAULT_SETTINGS, Settings
from stabaudit.comparison.surveys.configurations import family_tests
from stabaudit.comparison.surveys.score_table import read_score_table
from stabaudit.comparison.surveys.survey import Survey, survey
from stabaudit.comparison.views.aligned_run import CENTRAL, AlignedRun, align_run
from stabaudit.comparison.views.clusters import PRIOR, with_clusters
from stabaudit.config import checked
from stabaudit.data.published_files import DataFolder
from stabaudit.defaults import MARGIN
from stabaudit.errors import UsageError
from stabaudit.metrics.alignment import By
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.metrics.scores import headlines
from stabaudit.statistics.families import FamilyTests
from stabaudit.statistics.families import compare_families as statistics_of_families
from stabaudit.statistics.gate import Verdict, parse_requirement, parse_score, worst
from stabaudit.statistics.restarts_needed import Spread
from stabaudit.statistics.signed_rank import Zeros
from stabaudit.store.imports.foreign_files import AS_IS, Naming
from stabaudit.store.run.run_folder import Run

if TYPE_CHECKING:
    from pandas import DataFrame

    from stabaudit.training.workers.messages import Event

AnyPath = str | PathLike[str]


def load_run(path: AnyPath) -> Run:
    """Open a run folder for reading: its manifest, latents, histories, weights.

    Raises:
        BadRun: no such folder, not a run, a damaged manifest or one of a newer schema.
    """
    return Run.open(Path(path))


def train(
    family: str | type,
    data: AnyPath = "digits",
    *,
    out: AnyPath | None = None,
    workers: int | None = None,
    data_dir: AnyPath | None = None,
    download: bool = False,
    unchecked_data: bool = False,
    accept_change: bool = False,
    on_note: Callable[[str], None] = lambda note: warnings.warn(note, stacklevel=3),
    on_event: "Callable[[Event], None]" = lambda _: None,
    on_tick: Callable[[], None] = lambda: None,
    **recipe: object,
) -> Run:
    """Train N restarts of a model family and keep their latents; finishes what an interrupted call has begun.

    Args:
        family: a registered name, `package.module:Class`, or the class itself, of a module that can be imported.
        data: a registered name, or the path of a file.
        out: the run folder; runs/FAMILY-ARCH-DATA-dD by default.
        workers: worker processes; one per core by default.
        data_dir: folder with published data files.
        download: fetch published data files that are missing.
        unchecked_data: take published files whose SHA-256 is another than the publisher's.
        accept_change: go on although the source of your own model has changed since the run began.
        on_note: is told what to know before training, one line each; by default as a Python warning.
        on_event: called with progress and with shards that end (see `stabaudit.training.workers.messages`).
        on_tick: is called several times a second.
        recipe: other fields of `stabaudit.training.recipe.Recipe`: latent_dim, restarts, seed, epochs or steps, batch_size, lr,
            arch, likelihood, exact, settings, …

    Returns:
        The run. A restart that diverged or failed is recorded there and does not stop the others.

    Raises:
        StabauditError: an unknown name or option, data that cannot be read, a folder that holds another run.
    """
    from stabaudit.training.prepare import job_of  # noqa: PLC0415 -- torch is not needed for the other functions
    from stabaudit.training.recipe import Recipe  # noqa: PLC0415
    from stabaudit.training.train import train as train_runs  # noqa: PLC0415
    from stabaudit.training.workers.pool import default_workers  # noqa: PLC0415

    asked = checked(Recipe, {"family": _named(family), "data": str(data)} | recipe, "train")
    folder, files = (None if path is None else Path(path) for path in (out, data_dir))
    place = DataFolder.locate(files, download=download, unchecked=unchecked_data)
    job = job_of(asked, folder, data_folder=place, accept_change=accept_change)
    for note in job.prepared.notes:
        on_note(note)
    (run,) = train_runs([job], workers or default_workers(), on_event, on_tick)
    return run


def compare(
    *selectors: AnyPath | Mapping[str, Sequence[Any]],
    settings: Settings = DEFAULT_SETTINGS,
    naming: Naming = AS_IS,
    sources: AnyPath | None = None,
    **changed: Any,  # noqa: ANN401 -- fields of Settings
) -> Comparison:
    """Compare restarts within runs and between runs.

    Args:
        selectors: run folders, one restart of a run (`runs/vade#3`) or latents files; or one mapping from names to restarts in
            memory, each a list of arrays, tensors or data frames of shape (n, d).
        settings: how pairs are scored.
        naming: what rows and latents are called in latents files.
        sources: a file of true sources, for files and runs that have none of their own.
        changed: fields of `Settings` that are to differ: k, correlation, floor_draws, seed,
            allow_unequal, memory, densities, scores, rotations.

    Raises:
        BadRun: a folder that is no run, or a restart that it does not hold.
        BadData: a file that cannot be read, rows that do not match, unequal dimensions, nothing to compare.
        UsageError: the same thing named twice, or an unknown setting.

    Example:
        >>> import numpy as np
        >>> import stabaudit
        >>> rng = np.random.default_rng(0)
        >>> z = rng.standard_normal((1000, 3))
        >>> found = stabaudit.compare({"mine": [z, z[:, [2, 0, 1]], -z]}, scores=("strong_mcc", "cka"), floor_draws=5)
        >>> [(score.metric, round(score.mean, 6)) for score in found.scores if score.sample == "out"]
        [('strong_mcc', 1.0), ('cka', 1.0)]
    """
    settings = _changed(settings, changed)
    if any(not isinstance(selector, (str, PathLike, Mapping)) for selector in selectors):
        raise UsageError("compare: give paths, or one mapping from names to lists of arrays: compare({'mine': [z0, z1, …]})")
    if any(isinstance(selector, Mapping) for selector in selectors):
        (groups,) = selectors if len(selectors) == 1 else ({},)
        if not isinstance(groups, Mapping) or not groups:
            raise UsageError("compare: give one mapping from names to lists of arrays, or paths, not both")
        return compare_groups(group_arrays(groups), settings)
    truth = None if sources is None else Path(sources)
    read = read_groups([str(selector) for selector in selectors], settings.memory, naming, sources=truth)
    return compare_groups(read, settings)


def align(
    selector: AnyPath | Mapping[str, Sequence[Any]],
    *,
    to: str | int = CENTRAL,
    by: By = "permutation",
    clusters: int | Literal["prior"] | None = None,
    naming: Naming = AS_IS,
    memory: int = DEFAULT_SETTINGS.memory,
) -> AlignedRun:
    """Every restart of a run in the terms of one, so that dimension 3 means the same in each, and their consensus.

    Args:
        selector: a run folder, or a mapping from one name to restarts in memory.
        to: "central", the most central restart of each group of restarts that agree; "sources"; or the number of a restart.
        by: "permutation" (order, sign and scale), "orthogonal" (rotation and one scale) or "affine" (least squares).
        clusters: by which consensus and restarts are held against each other: how many k-means is to find, "prior" for the
            components of learned mixture priors, or None for as many as there are classes of labels.
        naming: what rows and latents are called in latents files.
        memory: bytes that latents may take.

    Returns:
        Aligned latents, how each restart was aligned, the consensus of each group and its clusters, and the most central restart.

    Raises:
        UsageError: a single restart, latents on a grid or beyond `memory`, nothing to align to, or clusters that cannot be had.
        BadRun: a folder that is no run.
        BadData: a file that cannot be read.

    Example:
        >>> import numpy as np
        >>> import stabaudit
        >>> rng = np.random.default_rng(0)
        >>> z = rng.standard_normal((1000, 3))
        >>> found = stabaudit.align({"mine": [z, -3.0 * z[:, [1, 2, 0]], z[:, [2, 0, 1]]]}, to=0)
        >>> all(np.allclose(one.latents, z, atol=1e-5) for one in found.restarts)
        True
    """
    if isinstance(selector, Mapping):
        groups = group_arrays(selector)
        label = None
    else:
        groups = read_groups([str(selector)], memory, naming)
        label = labels_of(str(selector), groups[0])
    if len(groups) != 1:
        raise UsageError("align: one run at a time")
    settings = replace(DEFAULT_SETTINGS, floor_draws=1, rotations=1, memory=memory)
    without_densities = replace(groups[0], priors=())  # which take seconds, and say nothing of groups
    solutions = compare_groups([without_densities], settings).solutions
    aligned = align_run(groups[0], solutions, to=str(to), by=by, label=label)
    mapped = isinstance(selector, Mapping) or clusters != PRIOR
    priors = {} if mapped else priors_of(str(selector), groups[0].summary.name.partition("#")[0])
    return with_clusters(aligned, groups[0], clusters, priors)


def spread(
    selector: AnyPath | Mapping[str, Sequence[Any]],
    *,
    score: str = STRONG.name,
    naming: Naming = AS_IS,
    memory: int = DEFAULT_SETTINGS.memory,
) -> tuple[str, Spread]:
    """How a score varies over the pairs of a run: how wide its interval would be with more restarts, and how many one needs.

    Args:
        selector: a run folder, or a mapping from one name to restarts in memory.
        score: of pairs, as in `check`: "strong_mcc", "weak_mcc@20".
        naming: what rows and latents are called in latents files.
        memory: bytes that latents may take.

    Returns:
        The name of the run, and its spread.

    Raises:
        UsageError: another kind of score, or fewer than three restarts.
        BadRun: a folder that is no run.
        BadData: a file that cannot be read.

    Example:
        >>> import numpy as np
        >>> import stabaudit
        >>> rng = np.random.default_rng(0)
        >>> z = rng.standard_normal((500, 3))
        >>> noisy = [z + noise * rng.standard_normal(z.shape) for noise in (0.2, 0.3, 0.4, 0.5, 0.6)]
        >>> _, found = stabaudit.spread({"mine": noisy})
        >>> found.needed(0.01) > found.needed(0.02) > 5
        True
    """
    key = parse_score(score)
    wanted = DEFAULT_SETTINGS if not isinstance(key.k, int) else replace(DEFAULT_SETTINGS, k=key.k)
    settings = replace(wanted, scores=(key.metric,), floor_draws=1, rotations=1, memory=memory)
    found = compare(selector, settings=settings, naming=naming)
    if len(found.runs) != 1:
        raise UsageError("spread: one run at a time")
    return found.runs[0].name, spread_of_score(found, found.runs[0].name, key)


def dimensions(
    *selectors: AnyPath | Mapping[str, Sequence[Any]],
    settings: Settings = DEFAULT_SETTINGS,
    naming: Naming = AS_IS,
    **changed: Any,  # noqa: ANN401 -- fields of Settings
) -> Comparison:
    """The anatomy of runs: a verdict for every dimension, and the groups that the restarts fall into.

    Args:
        selectors: as of `compare`; each names a run of two restarts or more.
        settings: correlation, seed and memory count.
        naming: what rows and latents are called in latents files.
        changed: fields of `Settings` that are to differ.

    Returns:
        Comparisons of every run with itself, as one: `frame(found.anatomy)` has a row for each dimension.

    Raises:
        UsageError: a single restart, whose dimensions nothing can be held against, or latents on a grid.

    Example:
        >>> import numpy as np
        >>> import stabaudit
        >>> rng = np.random.default_rng(0)
        >>> z = rng.standard_normal((1000, 2))
        >>> found = stabaudit.dimensions({"mine": [z + 0.1 * rng.standard_normal(z.shape) for _ in range(4)]})
        >>> [one.verdict for one in found.anatomy]
        ['axis', 'axis']
    """
    found = compare(*selectors, settings=settings, naming=naming, **changed)
    for run in found.runs:
        if not any(one.run == run.name for one in found.anatomy):
            what = (
                "latents on a grid, which have no anatomy yet"
                if run.grid
                else "one restart, nothing to hold its dimensions against"
            )
            raise UsageError(f"{run.name}: {what}; give runs of two restarts or more")
    return found


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
    tested = score or headlines()[0].name
    settings = _changed(settings, changed).including([parse_score(tested).metric] if wilcoxon else ())
    found = survey([Path(path) for path in paths or ("runs",)], settings)
    return Reported(found, family_tests(found, tested, zeros) if wilcoxon else None)


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
    require: Sequence[str] = (),
    baseline: AnyPath | None = None,
    margin: float | None = None,
    update_baseline: bool = False,
    settings: Settings = DEFAULT_SETTINGS,
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
        changed: fields of `Settings` that are to differ.

    Raises:
        UsageError: nothing to check, a requirement that cannot be read, a score that a run has not, a baseline that is missing,
            damaged or not comparable, or is for one of several runs.
        BadRun: a folder without runs, or a run with fewer than two restarts.
        BadData: latents that cannot be scored.
    """
    file = None if baseline is None else Path(baseline)
    if not require and file is None:
        raise UsageError("nothing to check: give --require SCORE>=NUMBER, --baseline FILE, or both")
    if margin is not None and not 0 <= margin < math.inf:
        raise UsageError(f"--margin {margin:g}: expected a loss of score, a finite number from 0 on")
    if update_baseline:
        _require_place(file)
    settings = _changed(settings, changed)
    requirements = [parse_requirement(by_name(text), default=headlines()[0].name) for text in require]
    settings = settings.including(requirement.score.metric for requirement in requirements)
    old = None if file is None or update_baseline else read_baseline(file)
    if margin is None:
        margin = MARGIN if old is None or old.margin is None else old.margin
    if file is not None and update_baseline:
        require_replaceable(file)
    found = survey_for_gates(Path(path), settings)
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


def frame(records: Sequence[object]) -> "DataFrame":
    """Typed results as a pandas frame, a row for each and a column for each field.

    Args:
        records: dataclasses of one kind: `comparison.scores`, `comparison.differences`, `reported.tests.comparisons`, …

    >>> from stabaudit.comparison.records import DimensionRecord
    >>> frame([DimensionRecord("vae", "vae#0", 0, variance=0.9, active=True, kl=None)]).loc[0, "variance"].item()
    0.9
    """
    from pandas import DataFrame  # noqa: PLC0415 -- half a second that only frames need

    return DataFrame([asdict(record) if is_dataclass(record) and not isinstance(record, type) else record for record in records])


def _changed(settings: Settings, changed: dict[str, Any]) -> Settings:
    try:
        return replace(settings, **changed)
    except TypeError as error:
        raise UsageError(f"settings: {', '.join(changed)}: expected fields of {settings}") from error


def _named(family: str | type) -> str:
    """A family as workers can find it."""
    if isinstance(family, str):
        return family
    if family.__module__ == "__main__" or "." in family.__qualname__:
        raise UsageError(
            f"{family.__name__}: workers cannot import it from here; put the class at the top of a module of its own"
        )
    return f"{family.__module__}:{family.__qualname__}"

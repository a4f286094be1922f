"""Hold restarts against each other: compare, align, spread and dimensions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from stabaudit.api.runs import AnyPath
from stabaudit.comparison.compare import compare as compare_groups
from stabaudit.comparison.reading.in_memory import group_arrays
from stabaudit.comparison.reading.learned_priors import priors_of
from stabaudit.comparison.reading.row_labels import labels_of
from stabaudit.comparison.reading.selectors import read_groups
from stabaudit.comparison.records import Comparison
from stabaudit.comparison.scoring.spread import settings_for_spread, spread_of_score
from stabaudit.comparison.settings import DEFAULT_SETTINGS, Settings
from stabaudit.comparison.surveys.drift import HALF_SAMPLES, MOST_MOVED, Drift
from stabaudit.comparison.surveys.drift import drift as drift_of_groups
from stabaudit.comparison.views.aligned_run import CENTRAL, AlignedRun, align_run
from stabaudit.comparison.views.clusters import PRIOR, with_clusters
from stabaudit.engines.base import Engine
from stabaudit.errors import UsageError
from stabaudit.metrics.alignment import By
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.metrics.scores import measure
from stabaudit.statistics.gate import parse_score
from stabaudit.statistics.restarts_needed import Spread
from stabaudit.store.imports.foreign_files import AS_IS, Naming


def compare(
    *selectors: AnyPath | Mapping[str, Sequence[Any]],
    settings: Settings = DEFAULT_SETTINGS,
    naming: Naming = AS_IS,
    sources: AnyPath | None = None,
    engine: Engine | None = None,
    **changed: Any,  # noqa: ANN401 -- fields of Settings
) -> Comparison:
    """Compare restarts within runs and between runs.

    Args:
        selectors: run folders, one restart of a run (`runs/vade#3`) or latents files; or one mapping from names to restarts in
            memory, each a list of arrays, tensors or data frames of shape (n, d).
        settings: how pairs are scored.
        naming: what rows, latents and clusters are called in latents files; of frames, what their clusters are.
        sources: a file of true sources, for files and runs that have none of their own.
        engine: where pairs are scored, as of `stabaudit.engines.choose.engine_of`; None: in this process.
        changed: fields of `Settings` that are to differ: k, correlation, floor_draws, seed,
            allow_unequal, memory, pairs, densities, nonlinear, clusters, cluster_by, scores, rotations.

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
        >>> found = stabaudit.compare({"mine": [z, 2.0 * z, -z]}, clusters=4, floor_draws=5)
        >>> len(found.clusters), found.out_of_sample("mine")["clusters_ari"].mean > 0.2
        (4, True)
    """
    settings = changed_settings(settings, changed)
    if any(not isinstance(selector, (str, PathLike, Mapping)) for selector in selectors):
        raise UsageError("compare: give paths, or one mapping from names to lists of arrays: compare({'mine': [z0, z1, …]})")
    if any(isinstance(selector, Mapping) for selector in selectors):
        (groups,) = selectors if len(selectors) == 1 else ({},)
        if not isinstance(groups, Mapping) or not groups:
            raise UsageError("compare: give one mapping from names to lists of arrays, or paths, not both")
        if sources is not None:
            raise UsageError("compare: sources are a file beside latents in files; arrays have none")
        _require_as_is(replace(naming, cluster_column=None))
        return compare_groups(group_arrays(groups, naming.cluster_column), settings, engine)
    truth = None if sources is None else Path(sources)
    read = read_groups([str(selector) for selector in selectors], settings.memory, naming, sources=truth)
    return compare_groups(read, settings, engine)


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
    if not isinstance(selector, (str, PathLike, Mapping)):
        raise UsageError("align: give a path, or a mapping from one name to a list of arrays: align({'mine': [z0, z1, …]})")
    if isinstance(selector, Mapping):
        _require_as_is(naming)
    path = None if isinstance(selector, Mapping) else str(selector)
    groups = group_arrays(selector) if isinstance(selector, Mapping) else read_groups([str(selector)], memory, naming)
    if len(groups) != 1:
        raise UsageError("align: one run at a time")
    settings = replace(DEFAULT_SETTINGS, floor_draws=1, rotations=1, memory=memory)
    latents_alone = replace(groups[0], priors=(), clusters=None)  # densities take seconds, and say nothing of groups
    solutions = compare_groups([latents_alone], settings).solutions
    label = None if path is None else labels_of(path, groups[0])
    aligned = align_run(groups[0], solutions, to=str(to), by=by, label=label)
    priors = {} if path is None or clusters != PRIOR else priors_of(path, groups[0].summary.name.partition("#")[0])
    return with_clusters(aligned, groups[0], clusters, priors)


def _require_as_is(naming: Naming) -> None:
    """Refuse what names rows and arrays in files, beside arrays in memory.

    Raises:
        UsageError: saying so.
    """
    if naming != AS_IS:
        raise UsageError("naming says what rows and arrays are called in files; arrays in memory have shape (n, d)")


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
    found = compare(selector, settings=settings_for_spread(key, memory), naming=naming)
    if len(found.runs) != 1:
        raise UsageError("spread: one run at a time")
    return found.runs[0].name, spread_of_score(found, found.runs[0].name, key)


def drift(
    old: AnyPath | Any,  # noqa: ANN401 -- an array, a tensor or a frame
    new: AnyPath | Any,  # noqa: ANN401 -- likewise
    *,
    half_samples: int = HALF_SAMPLES,
    moved: int = MOST_MOVED,
    settings: Settings = DEFAULT_SETTINGS,
    naming: Naming = AS_IS,
    **changed: Any,  # noqa: ANN401 -- fields of Settings
) -> Drift:
    """Hold a new version of an embedding against an old one: scores with intervals over rows, and the rows that moved most.

    Args:
        old: a latents file or one restart of a run (`runs/vade#3`); or an array of shape (n, d_old).
        new: the same of the new version, of the same rows; or an array of shape (n, d_new).
        half_samples: from which the intervals are; at least 10.
        moved: how many of the rows that moved most are named.
        settings: correlation, k, floor_draws, seed and memory count; scores too where they are given.
        naming: what rows and latents are called in latents files.
        changed: fields of `Settings` that are to differ.

    Raises:
        BadRun, BadData: as of `compare`.
        UsageError: a run of several restarts, or too few half-samples.

    Example:
        >>> import numpy as np
        >>> import stabaudit
        >>> rng = np.random.default_rng(0)
        >>> old = rng.standard_normal((500, 3))
        >>> found = stabaudit.drift(old, old @ rng.standard_normal((3, 8)), scores=("affine_r2",), half_samples=10)
        >>> [(one.metric, round(one.value, 6)) for one in found.scores]
        [('affine_r2', 1.0), ('affine_r2_reverse', 1.0)]
    """
    settings = changed_settings(settings, changed)
    if wrong := [name for name in settings.scores if measure(name).factors]:
        raise UsageError(f"{', '.join(wrong)}: a score against known factors, and none of two versions of an embedding")
    labels = None
    if isinstance(old, (str, PathLike)) and isinstance(new, (str, PathLike)):
        groups = read_groups([str(old), str(new)], settings.memory, replace(naming, one_model=False))
        labels = labels_of(str(new), groups[1])
    elif isinstance(old, (str, PathLike)) or isinstance(new, (str, PathLike)):
        raise UsageError("drift: give two paths, or two arrays")
    else:
        _require_as_is(naming)
        groups = group_arrays({"old": [old], "new": [new]})
    chosen = settings.measures if settings.scores != DEFAULT_SETTINGS.scores else None
    return drift_of_groups(groups, settings, measures=chosen, half_samples=half_samples, most_moved=moved, labels=labels)


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


def changed_settings(settings: Settings, changed: dict[str, Any]) -> Settings:
    """Settings of which some fields are changed.

    Raises:
        UsageError: naming what is no field.
    """
    try:
        return replace(settings, **changed)
    except TypeError as error:
        raise UsageError(f"settings: {', '.join(changed)}: expected fields of {settings}") from error

"""What a comparison finds: typed results whose fields are the records of the JSON report."""

from dataclasses import dataclass, fields
from typing import Literal

from stabaudit.comparison.cluster_records import ClusterChange, ClusteringRecord, ClusterRecord
from stabaudit.comparison.views.pair_values import Match, PairTable
from stabaudit.metrics.scores import measure
from stabaudit.statistics.jackknife import Estimate, Scale

Sample = Literal["in", "out"]


@dataclass(frozen=True)
class RunSummary:
    """What was compared: a run, one restart of it, or a file of latents.

    Args:
        name: unique in a comparison; records refer to it.
        path: the run folder or file.
        family, architecture, dataset: names with the options that matter; None for latents from elsewhere.
        fingerprint: of the dataset, where it is known.
        precision: float32 or bf16, of the matrix products it was trained with; None for latents from elsewhere.
        latent_dim: number of dimensions d; of latents on a grid, at each position.
        sources: number of true sources, where the dataset has them.
        rows: evaluation samples n; half of them fit, half score.
        restarts: how many were compared.
        trained: how many the run was to have.
        lost: restarts that failed, diverged or are not trained yet, one line each.
        grid: (h, w, d) of latents on a grid; None for vectors.
        unfinished: what speaks against its restarts having converged, in one line, or None.
        source_names: what the true sources are called, where they have names.
        machines: how the machines differ that its restarts were trained on, in one line, or None.
        changes: what was changed in the user's own model or program while the run was trained, one line each.
    """

    name: str
    path: str
    family: str | None
    architecture: str | None
    dataset: str | None
    fingerprint: str | None
    precision: str | None
    latent_dim: int
    sources: int | None
    rows: int
    restarts: int
    trained: int
    lost: tuple[str, ...]
    grid: tuple[int, int, int] | None = None
    changes: tuple[str, ...] = ()
    unfinished: str | None = None
    machines: str | None = None
    source_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Score:
    """One score of a run, or between two runs, with its floors; `metric`, `k` and `sample` name it.

    Args:
        run_a: the run, or the first of two.
        run_b: the same run again, or the second.
        relation: pairs of restarts within one run, or of one restart of either.
        metric: name of the score (`stabaudit list scores`); a directed one is averaged over both ways within a run, and is a→b
            between runs, where the name with _reverse is b→a; source_ begins the name of a score of encoder means against the
            true sources, one value per restart, and sampled_source_ that of one posterior sample of each row; a score against
            known factors has a name of its own, one value per restart too.
        k: parts averaged by a counted score, such as canonical pairs; None for all.
        sample: scored on the rows it was fitted on, or on the others; "out" on all rows where nothing is fitted to a pair, as of
            clusters.
        mean: over pairs, in the range of the score.
        sd: standard deviation over the same pairs.
        se: standard error of the mean, the restart being the unit; None where there are not enough restarts.
        df: degrees of freedom of `se`.
        scale: on which the interval is symmetric, so that it keeps to the range of the score.
        ci_low, ci_high: 95% interval of the mean; None where there are not enough restarts.
        pairs: how many values were averaged.
        restarts: how many restarts they came from.
        independence_floor: the score of unrelated latents: rows shuffled, everything refitted.
        rotation_floor: the score had the restarts agreed only up to an affine map.
        adjusted: (mean − floor)/(1 − floor) with the independence floor: 0 is chance, 1 perfect.
        axis_alignment: the same with the rotation floor.
        p_rotation: how often a rotation does as well, at least 1/(1 + draws).
        dead_dimensions: constant dimensions of the restarts involved, "run#restart:z7".
        independence_floor_se, rotation_floor_se: Monte-Carlo standard error of either floor; None of a single draw.
    """

    run_a: str
    run_b: str
    relation: Literal["within", "between"]
    metric: str
    k: int | None
    sample: Sample
    mean: float
    sd: float | None
    se: float | None
    df: float
    scale: Scale
    ci_low: float | None
    ci_high: float | None
    pairs: int
    restarts: int
    independence_floor: float | None
    rotation_floor: float | None
    adjusted: float | None
    axis_alignment: float | None
    p_rotation: float | None
    dead_dimensions: tuple[str, ...]
    independence_floor_se: float | None = None
    rotation_floor_se: float | None = None

    def estimate(self) -> Estimate:
        """The mean and how sure it is."""
        return Estimate(self.mean, self.sd, self.se, self.df, self.pairs, self.scale)

    def interval(self, reading: Literal["mean", "adjusted", "axis_alignment"] = "mean") -> tuple[float, float] | None:
        """The interval of the score, or of what a floor makes of it; None where there is none."""
        floor = self.independence_floor if reading == "adjusted" else self.rotation_floor
        if reading == "mean":
            return None if self.ci_low is None or self.ci_high is None else (self.ci_low, self.ci_high)
        low, high = (measure(self.metric).above_floor(end, floor) for end in (self.ci_low, self.ci_high))
        return None if low is None or high is None else (min(low, high), max(low, high))


@dataclass(frozen=True)
class PositionScore:
    """A score at one position of a grid, counted from 0; everything else as in `Score`, which is its mean over positions."""

    run_a: str
    run_b: str
    relation: Literal["within", "between"]
    metric: str
    k: int | None
    sample: Sample
    row: int
    column: int
    mean: float
    ci_low: float | None
    ci_high: float | None
    independence_floor: float | None
    rotation_floor: float | None

    @classmethod
    def of(cls, score: Score, row: int, column: int) -> "PositionScore":
        """The score of the latents at one position alone."""
        shared = [found.name for found in fields(cls) if found.name not in {"row", "column"}]
        return cls(row=row, column=column, **{name: getattr(score, name) for name in shared})


@dataclass(frozen=True)
class Difference:
    """A score within run a minus the same score within run b.

    `p_welch` is Welch's t on jackknife pseudo-values, `p_permutation` the studentised permutation of the same values (Janssen
    1997), both of equal stability; None where there are not enough restarts. `p_smallest` is the smallest that permuting so many
    can give, `p_holm` is `p_welch` adjusted over all scores and pairs of runs of the comparison (Holm 1979).
    """

    run_a: str
    run_b: str
    metric: str
    k: int | None
    sample: Sample
    difference: float
    ci_low: float | None
    ci_high: float | None
    p_welch: float | None
    p_permutation: float | None
    p_smallest: float
    p_holm: float | None = None


@dataclass(frozen=True)
class Curve:
    """Cumulative MCC curve, averaged over pairs (Willetts 2021, Figs 2–4 and C.3–C.5).

    Args:
        run_a, run_b: as of a `Score`.
        metric: a score with parts: of matched dimensions, position m holds the mean of the m+1 best; of canonical pairs,
            the score with k = m+1.
        sample: in- or out-of-sample.
        values: the curve, in [0, 1].
        sd: standard deviation over pairs at each position; empty for a single pair.
        ci_low, ci_high: 95% interval of the mean at each position, the restart being the unit; empty where there is none.
    """

    run_a: str
    run_b: str
    metric: str
    sample: Sample
    values: tuple[float, ...]
    sd: tuple[float, ...]
    ci_low: tuple[float, ...]
    ci_high: tuple[float, ...]


@dataclass(frozen=True)
class CollapseScore:
    """A collapse score of a run (Wang et al. 2021, §4), over restarts.

    Args:
        run: the run.
        score: its name; see `stabaudit list scores`.
        mean, sd, ci_low, ci_high: over restarts, with Student's 95% interval; None where there is a single one.
        restarts: how many.
        note: what the number is to be held against.
    """

    run: str
    score: str
    mean: float
    sd: float | None
    ci_low: float | None
    ci_high: float | None
    restarts: int
    note: str


@dataclass(frozen=True)
class DensityScore:
    """Affine density distance of a run, or between two runs (see `stabaudit.metrics.density_distance`): 0 is the best.

    Args:
        run_a, run_b, relation: as of a `Score`.
        metric: its name (`stabaudit list scores`): the distance, in the unit of a density to the power 1/2, or the relative
            one, in [0, 1]; both ways averaged within a run, a→b between runs; with _reverse b→a.
        mean: over pairs.
        sd: standard deviation over the same pairs.
        ci_low, ci_high: 95% interval of the mean, the restart being the unit; None where there are not enough restarts.
        pairs: how many values were averaged; within a run each is the mean of both ways.
        restarts: how many restarts they came from.
        chance: the mean distance of a single Gaussian, which has no clusters, to the same mixtures, it too under the affine
            map that suits it best.
        spread: standard deviation over starts of the optimiser, mean over pairs: 0 where all lead to the same minimum.
        components: of the largest mixture; d + 1 means or fewer can be taken to any others by an affine map.
        dimensions: of the latents, d.
        source: where the mixtures are from: "learned prior", "fitted mixture", or, between runs, both.
    """

    run_a: str
    run_b: str
    relation: Literal["within", "between"]
    metric: str
    mean: float
    sd: float | None
    ci_low: float | None
    ci_high: float | None
    pairs: int
    restarts: int
    chance: float
    spread: float
    components: int
    dimensions: int
    source: str


@dataclass(frozen=True)
class DimensionRecord:
    """One dimension of one restart: variance of its posterior mean, whether it is active, and its divergence, where known."""

    run: str
    restart: str
    dimension: int
    variance: float
    active: bool | None
    kl: float | None


@dataclass(frozen=True)
class AnatomyRecord:
    """One dimension of a run, followed through all restarts from the central one (see `stabaudit.metrics.anatomy`).

    Args:
        run: the run.
        dimension: its number in the central restart.
        verdict: axis (the same in every restart), subspace (its information is there, spread over several dimensions),
            not_shared, or inactive (collapsed in most restarts).
        may_be_axis: whether it is an axis, or nothing but the number of restarts keeps it from being shown to be one.
        shared_information: out-of-sample R² of the dimension from all of another restart, mean over ordered pairs, in (−∞, 1].
        shared_information_low, shared_information_high: 95% interval, the restart being the unit.
        shared_information_floor: that of unrelated latents.
        axis_agreement: mean squared correlation of the matched dimensions, decorrelated, in [0, 1].
        axis_agreement_low, axis_agreement_high: 95% interval.
        correlation: mean |correlation| of the matched dimensions.
        purity: the part of the shared information that sits in one dimension of the other restart; about 1 for an axis.
        lowest_purity: of the restart farthest from the axis.
        purity_null: what purity must exceed: 95% of planes turned at random stay below it, adjusted over dimensions.
        p: probability of such purity for a plane that every restart turns at random.
        p_holm: p, adjusted over the dimensions that share information (Holm 1979).
        active_restarts: restarts in which the matched dimension is active.
        restarts: how many there are.
        block: number of the subspace that it belongs to; None where nothing is shared.
        central_restart: position of the central restart.
        members: the matched dimension of every restart.
        agreement_by_restart: mean squared correlation of each restart's member with those of the others.
    """

    run: str
    dimension: int
    verdict: Literal["axis", "subspace", "not_shared", "inactive"]
    may_be_axis: bool
    shared_information: float
    shared_information_low: float | None
    shared_information_high: float | None
    shared_information_floor: float
    axis_agreement: float
    axis_agreement_low: float | None
    axis_agreement_high: float | None
    correlation: float
    purity: float | None
    lowest_purity: float | None
    purity_null: float | None
    p: float | None
    p_holm: float | None
    active_restarts: int
    restarts: int
    block: int | None
    central_restart: int
    members: tuple[int, ...]
    agreement_by_restart: tuple[float, ...]


@dataclass(frozen=True)
class NonlinearRecord:
    """A block of a run, or a dimension outside them, as a function of other restarts (see `stabaudit.metrics.nonlinear_blocks`).

    Out-of-sample R² of these dimensions of the central restart, mean over the other restarts, in (−∞, 1].

    Args:
        run: the run.
        dimensions: of the central restart.
        block: number of the subspace in the anatomy; None for a dimension that shares no linear information.
        linear: from the matched members of another restart by an affine map.
        members: from the members by an affine map and the nearest rows.
        members_low, members_high: 95% interval, the other restart being the unit; None of a single one.
        members_floor: that of unrelated latents.
        gain: `members` less `linear`.
        gain_low, gain_high: 95% interval.
        elsewhere: from all dimensions but the members; None for a single dimension, or where there are no others.
        elsewhere_low, elsewhere_high: 95% interval.
        elsewhere_floor: that of unrelated latents.
        everything: from all dimensions.
        everything_low, everything_high: 95% interval.
        everything_floor: that of unrelated latents.
        restarts: how many others there are.
    """

    run: str
    dimensions: tuple[int, ...]
    block: int | None
    linear: float
    members: float
    members_low: float | None
    members_high: float | None
    members_floor: float
    gain: float
    gain_low: float | None
    gain_high: float | None
    elsewhere: float | None
    elsewhere_low: float | None
    elsewhere_high: float | None
    elsewhere_floor: float | None
    everything: float
    everything_low: float | None
    everything_high: float | None
    everything_floor: float
    restarts: int


@dataclass(frozen=True)
class Solution:
    """A group of restarts of a run that agree among themselves (see `stabaudit.statistics.solutions`).

    Args:
        run: the run.
        solution: number of the group, the largest first; a single group where no split is shown.
        restarts: its restarts.
        metric: the score that the groups were found by.
        within: its mean over the pairs within the group; None for a restart that stands apart.
        across: its mean over pairs of different groups; None for a single group.
        p: of the split; None where there are not enough restarts to test one, or none is large enough.
        unseen_share: of a single group, the share of trainings that may still end elsewhere, at 95%; None for several.
        order: its restarts, the most central first.
    """

    run: str
    solution: int
    restarts: tuple[str, ...]
    metric: str
    within: float | None
    across: float | None
    p: float | None
    unseen_share: float | None
    order: tuple[str, ...]


@dataclass(frozen=True)
class GroupScore:
    """A score within one of the groups that the restarts of a run fall into, out-of-sample.

    Args:
        run: the run.
        solution: number of the group.
        metric, k: as of a `Score`.
        mean: over the pairs within the group.
        ci_low, ci_high: 95% interval, the restart being the unit; None where there are not enough restarts.
        pairs: how many values were averaged.
        restarts: how many restarts the group has.
        independence_floor: of the whole run.
    """

    run: str
    solution: int
    metric: str
    k: int | None
    mean: float
    ci_low: float | None
    ci_high: float | None
    pairs: int
    restarts: int
    independence_floor: float | None


@dataclass(frozen=True)
class Comparison:
    """Everything that comparing runs gives; floors are means over so many draws, `positions` those of grids.

    `pairs` holds every out-of-sample score pair by pair, `matches` a typical pair of each run whose rows are in memory.
    """

    runs: tuple[RunSummary, ...]
    scores: tuple[Score, ...]
    differences: tuple[Difference, ...]
    curves: tuple[Curve, ...]
    warnings: tuple[str, ...]
    floor_draws: int
    positions: tuple[PositionScore, ...] = ()
    pairs: tuple[PairTable, ...] = ()
    matches: tuple[Match, ...] = ()
    collapse: tuple[CollapseScore, ...] = ()
    dimensions: tuple[DimensionRecord, ...] = ()
    densities: tuple[DensityScore, ...] = ()
    anatomy: tuple[AnatomyRecord, ...] = ()
    nonlinear: tuple[NonlinearRecord, ...] = ()
    solutions: tuple[Solution, ...] = ()
    group_scores: tuple[GroupScore, ...] = ()
    rotations: int = 0
    clusterings: tuple[ClusteringRecord, ...] = ()
    clusters: tuple[ClusterRecord, ...] = ()
    cluster_changes: tuple[ClusterChange, ...] = ()

    def out_of_sample(self, run: str) -> dict[str, Score]:
        """A run's own scores out-of-sample by name; of several k the first, which was asked for."""
        own = [score for score in self.scores if score.run_a == score.run_b == run and score.sample == "out"]
        return {score.metric: score for score in reversed(own)}


def limits(estimate: Estimate) -> tuple[float | None, float | None]:
    """Both ends of an estimate's interval, None where it has none."""
    return estimate.interval() or (None, None)

"""Clusters of a consensus against those of its restarts, as tables and records."""

from dataclasses import dataclass

from stabaudit.comparison.views.aligned_run import AlignedRun
from stabaudit.errors import counted
from stabaudit.reports.report import Section
from stabaudit.reports.wording import mean_with_interval, number
from stabaudit.statistics.jackknife import within


@dataclass(frozen=True)
class ClusterAgreement:
    """Clusters of the consensus or of one restart, held against others by the adjusted Rand index, at most 1, 0 by chance.

    Args:
        run: the run.
        group: number of the group of restarts.
        restart: whose clusters, or None for those of the consensus.
        by: "k-means", or "prior" for components of learned mixture priors.
        clusters: how many were asked for, or the prior has.
        with_consensus: with the clusters of the consensus; None for its own.
        with_restarts: mean with the clusters of the restarts of its group, its own left out.
        with_labels: with the labels, or None.
        repeated: with the clusters that another seed of k-means gives for the same latents; 1 of priors, which have none.
    """

    run: str
    group: int
    restart: str | None
    by: str
    clusters: int
    with_consensus: float | None
    with_restarts: float
    with_labels: float | None
    repeated: float


@dataclass(frozen=True)
class ClusterStability:
    """Whether restarts have the same clusters.

    Args:
        run: the run.
        group: number of the group of restarts.
        by: "k-means", or "prior" for components of learned mixture priors.
        clusters: how many were asked for, or the prior has.
        mean: adjusted Rand index over pairs of restarts, at most 1, 0 by chance.
        ci_low, ci_high: 95% interval in which the restart is the unit, or None.
        pairs: how many there are.
        restarts: how many there are.
    """

    run: str
    group: int
    by: str
    clusters: int
    mean: float
    ci_low: float | None
    ci_high: float | None
    pairs: int
    restarts: int


def cluster_sections(aligned: AlignedRun) -> list[Section]:
    """A table for each group that has clusters."""
    agreements, stable = cluster_records(aligned)
    several = len(aligned.groups) > 1
    return [_section([one for one in agreements if one.group == group.group], group, several=several) for group in stable]


def _section(own: list[ClusterAgreement], stability: ClusterStability, *, several: bool) -> Section:
    chance, labelled = stability.by == "k-means", own[0].with_labels is not None
    rows = [
        [
            one.restart or "consensus",
            number(one.with_consensus),
            number(one.with_restarts),
            *([number(one.with_labels)] if labelled else []),
            *([number(one.repeated)] if chance else []),
        ]
        for one in own
    ]
    header = ["clusters of", "with consensus", "with restarts"]
    header += [*(["with labels"] if labelled else []), *(["repeated"] if chance else [])]
    method = f"{stability.clusters} by k-means" if chance else f"{counted(stability.clusters, 'component')} of the learned prior"
    group = f", group {stability.group}" if several else ""
    mean = mean_with_interval(stability.mean, stability.ci_low, stability.ci_high)
    words = [f"Two restarts have the same clusters with an adjusted Rand index of {mean}: 1 the same, 0 as by chance."]
    return Section(f"clusters ({method}{group}), adjusted Rand index", header, rows, words)


def cluster_records(aligned: AlignedRun) -> tuple[list[ClusterAgreement], list[ClusterStability]]:
    """A record for each clustering, that of the consensus first, and one for each group."""
    agreements, stable = [], []
    for found in aligned.clusters:
        count = len(found.restarts)
        others = (found.between.sum(axis=1) - 1.0) / (count - 1)
        labels = [None] * (count + 1) if found.with_labels is None else found.with_labels.tolist()
        agreements += [
            ClusterAgreement(
                aligned.run, found.group, restart, found.by, found.clusters, with_consensus, mean, with_labels, again
            )
            for restart, with_consensus, mean, with_labels, again in zip(
                [None, *found.restarts],
                [None, *found.with_consensus.tolist()],
                [float(found.with_consensus.mean()), *others.tolist()],
                labels,
                found.repeated.tolist(),
                strict=True,
            )
        ]
        estimate = within(found.between, scale="log1m")
        low, high = estimate.interval() or (None, None)
        stable.append(
            ClusterStability(aligned.run, found.group, found.by, found.clusters, estimate.mean, low, high, estimate.count, count)
        )
    return agreements, stable

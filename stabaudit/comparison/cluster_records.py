"""What a comparison finds of the clusters of restarts: records of the JSON report."""

from dataclasses import dataclass
from typing import Literal

from stabaudit.metrics.cluster_recovery import Reading

By = Literal["column", "prior", "k-means", "gmm"]


@dataclass(frozen=True)
class ClusteringRecord:
    """How the restarts of a run were clustered, and how far the method agrees with itself.

    Args:
        run: the run.
        by: a column of its files, the components of the mixture priors that it learned, k-means, or a Gaussian mixture; the last
            two start in each restart from a seed of its own.
        asked: number of clusters that was asked for; None where restarts come with their own.
        fewest, most: clusters that the restarts have.
        rows: how many are clustered.
        restarts: how many were.
        central: the restart whose clusters are followed: the one whose clusters agree best with those of the others.
        repeated: adjusted Rand index of the clusters of a restart and those of the same latents from another seed, mean over
            restarts; None where nothing is drawn.
        repeated_low, repeated_high: 95% interval; None without it.
    """

    run: str
    by: By
    asked: int | None
    fewest: int
    most: int
    rows: int
    restarts: int
    central: str
    repeated: float | None
    repeated_low: float | None
    repeated_high: float | None


@dataclass(frozen=True)
class ClusterRecord:
    """One cluster of the central restart, looked for in the others (see `stabaudit.metrics.cluster_recovery`).

    Args:
        run: the run.
        central: the restart that has it.
        cluster: what it is called there.
        rows: how many it has.
        label: of most of its rows; None where no classes are known.
        label_share: part of its rows that have this label; None likewise.
        jaccard: Jaccard index with its best partner in another restart, mean over the others, in [0, 1].
        jaccard_low, jaccard_high: 95% interval over the others; None for fewer than three of them.
        jaccard_floor: of shuffled rows.
        adjusted: (jaccard − floor)/(1 − floor): 0 is chance, 1 perfect.
        recovered: in how many of the others the index is 0.75 or more.
        restarts: how many others there are.
        reading: highly stable (0.85 and more), stable (0.75), pattern (0.6) or unstable, after Hennig (2007); chance where the
            index does not exceed that of any shuffle; None where shuffled rows reach 0.6, so that this says nothing.
    """

    run: str
    central: str
    cluster: str
    rows: int
    label: str | None
    label_share: float | None
    jaccard: float
    jaccard_low: float | None
    jaccard_high: float | None
    jaccard_floor: float
    adjusted: float | None
    recovered: int
    restarts: int
    reading: Reading | None


@dataclass(frozen=True)
class ClusterChange:
    """Clusters of the central restart that another one splits or merges (see `stabaudit.metrics.cluster_recovery`).

    Args:
        run: the run.
        central: the restart whose clusters are followed.
        restart: the other one.
        kind: split into several clusters there, or several merged into one.
        clusters: of the central restart: one that is split, or several that are merged.
        into: clusters of the other: several, or one.
        rows: that the one and the several have in common.
        share: part of the one that they are.
    """

    run: str
    central: str
    restart: str
    kind: Literal["split", "merged"]
    clusters: tuple[str, ...]
    into: tuple[str, ...]
    rows: int
    share: float

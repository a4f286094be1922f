"""The clusters of the central restart of a run: how well each is found again in the others, and which are split or merged."""

from collections.abc import Sequence

import numpy as np

from stabaudit.comparison.cluster_records import ClusterChange, ClusterRecord
from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.records import limits
from stabaudit.comparison.scoring.clusterings import Clustered
from stabaudit.metrics.cluster_agreement import Clustering, overlap
from stabaudit.metrics.cluster_recovery import STABLE, found_again, reading, splits
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.threads import in_parallel
from stabaudit.statistics import jackknife


def cluster_records(group: Group, found: Clustered, central: int, orders: Sequence[Array]) -> list[ClusterRecord]:
    """A record for each cluster of the central restart, the largest first.

    Args:
        group: the restarts, at least two.
        found: their clusters.
        central: position of the central one.
        orders: shuffles of the rows, for floors.
    """
    own = found.restarts[central]
    others = [one for position, one in enumerate(found.restarts) if position != central]
    jaccard = _jaccard(own, others)
    draws = np.array(in_parallel(lambda order: _jaccard(own.permuted(order), others).mean(axis=0), orders))
    labels = _majority(own, group.label)
    largest_first = np.argsort(-own.sizes, kind="stable")
    largest_first = np.argsort(-own.sizes, kind="stable")
    return [_record(group, central, own, at, jaccard[:, at], draws[:, at], labels[at]) for at in largest_first]


def _jaccard(own: Clustering, others: Sequence[Clustering]) -> Array:
    """With the best partner in every other restart, shape (N − 1, K)."""
    return np.array([found_again(overlap(own, other)).jaccard for other in others])


def _majority(own: Clustering, label: Array | None) -> list[tuple[str, float] | None]:
    """The most frequent label of each cluster, and the share of rows that have it; rows without a class count as others."""
    if label is None:
        return [None] * len(own)
    classes, of_row = np.unique(label, return_inverse=True)
    counts = np.bincount(own.of_row * len(classes) + of_row, minlength=len(own) * len(classes)).reshape(len(own), -1)
    named = np.array([str(name) != "" for name in classes])
    counts, names = counts[:, named], classes[named]
    if not len(names):
        return [None] * len(own)
    best = counts.argmax(axis=1)
    shares = counts[np.arange(len(own)), best] / own.sizes
    return [(str(names[at]), float(share)) if share else None for at, share in zip(best, shares, strict=True)]


def _record(  # noqa: PLR0917 -- of what, then what from
    group: Group, central: int, own: Clustering, at: int, jaccard: Array, draws: Array, label: tuple[str, float] | None
) -> ClusterRecord:
    estimate = jackknife.over_restarts(jaccard, scale="logit")
    low, high = limits(estimate) if len(jaccard) > 2 else (None, None)
    floor = float(draws.mean())
    name, share = label or (None, None)
    return ClusterRecord(
        run=group.summary.name,
        central=group.labels[central],
        cluster=str(own.names[at]),
        rows=int(own.sizes[at]),
        label=name,
        label_share=share,
        jaccard=estimate.mean,
        jaccard_low=low,
        jaccard_high=high,
        jaccard_floor=floor,
        adjusted=(estimate.mean - floor) / (1 - floor) if floor < 1 else None,
        recovered=int((jaccard >= STABLE).sum()),
        restarts=len(jaccard),
        reading=reading(estimate.mean, draws),
    )


def cluster_changes(group: Group, found: Clustered, central: int) -> list[ClusterChange]:
    """Clusters of the central restart that others split or merge, restart by restart."""
    own, run = found.restarts[central], group.summary.name
    changes = []
    for position, (label, other) in enumerate(zip(group.labels, found.restarts, strict=True)):
        if position == central:
            continue
        counts = overlap(own, other)
        between = run, group.labels[central], label
        for one in splits(counts):
            whole, parts = (str(own.names[one.whole]),), tuple(str(other.names[part]) for part in one.parts)
            changes.append(ClusterChange(*between, "split", whole, parts, one.rows, one.rows / int(own.sizes[one.whole])))
        for one in splits(counts.T):
            whole, parts = (str(other.names[one.whole]),), tuple(str(own.names[part]) for part in one.parts)
            changes.append(ClusterChange(*between, "merged", parts, whole, one.rows, one.rows / int(other.sizes[one.whole])))
    return changes

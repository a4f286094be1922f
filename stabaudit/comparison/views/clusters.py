"""Clusters of the consensus against the clusters of each restart.

A restart is clustered in its own latents, as a user would cluster them; the consensus in the terms of its reference. By k-means
with a stated number of clusters, or by the components of the mixture prior that the family learned, of which the consensus takes
those of its reference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.views.aligned_run import AlignedRun, ClusteredGroup, Consensus
from stabaudit.errors import UsageError, counted
from stabaudit.metrics.cluster_agreement import adjusted_rand
from stabaudit.metrics.clusters import k_means, most_probable_component
from stabaudit.metrics.mixtures import GaussianMixture
from stabaudit.metrics.threads import in_parallel

Array = NDArray[Any]
PRIOR: Literal["prior"] = "prior"
MOST_CLASSES = 100  # of labels, whose number is that of the clusters where no other is asked for
_SEED, _OTHER_SEED = 0, 1  # of k-means, and of its repetition


@dataclass(frozen=True)
class _Clustered:
    """Clusters of rows, and those that the method gives when it is repeated; None where it has no chance in it."""

    cluster: Array
    again: Array | None


def with_clusters(
    aligned: AlignedRun, group: Group, clusters: int | Literal["prior"] | None, priors: Mapping[str, GaussianMixture]
) -> AlignedRun:
    """The same aligned run with clusters of its consensus, held against those of its restarts.

    Args:
        aligned: the run.
        group: its latents as they were.
        clusters: how many; "prior" for the components of learned priors; None for as many as there are classes of labels, and for
            none where there are no labels, or more than 100 classes.
        priors: learned mixtures by restart; empty where there are none.

    Raises:
        UsageError: a number that no clustering can have, or priors that are not there.
    """
    if clusters is None:
        clusters = _classes(aligned.label)
        if clusters is None or clusters >= len(aligned.sample_id):
            return aligned
    if not isinstance(clusters, int):
        _require_priors(aligned, group, priors)
    elif not 2 <= clusters < len(aligned.sample_id):
        raise UsageError(
            f"clusters: {clusters} of {len(aligned.sample_id)} rows; expected from 2 to {len(aligned.sample_id) - 1}"
        )
    latents = dict(zip(group.labels, group.latents, strict=True))
    found = [_of_group(aligned, one, clusters, latents, priors) for one in aligned.consensus]
    consensus = tuple(replace(one, cluster=cluster) for one, (_, cluster) in zip(aligned.consensus, found, strict=True))
    return replace(aligned, consensus=consensus, clusters=tuple(agreement for agreement, _ in found))


def _classes(label: Array | None) -> int | None:
    """How many classes there are, where that can be a number of clusters."""
    count = 0 if label is None else len(np.unique(label))
    return count if 2 <= count <= MOST_CLASSES else None


def _require_priors(aligned: AlignedRun, group: Group, priors: Mapping[str, GaussianMixture]) -> None:
    for label, z in zip(group.labels, group.latents, strict=True):
        if label not in priors or priors[label].dimensions != z.shape[1]:
            what = f"no learned mixture prior over its {counted(z.shape[1], 'dimension')} is stored with {label}"
            raise UsageError(f"clusters {PRIOR}: {what}; give a number of clusters")
    unlike = [one for one in aligned.restarts if one.reference not in priors]
    if unlike:
        raise UsageError(f"clusters {PRIOR}: {unlike[0].reference} have no prior to cluster the consensus by; align to a restart")


def _of_group(
    aligned: AlignedRun,
    consensus: Consensus,
    clusters: int | Literal["prior"],
    latents: Mapping[str, Array],
    priors: Mapping[str, GaussianMixture],
) -> tuple[ClusteredGroup, Array]:
    members = [one for one in aligned.restarts if one.group == consensus.group]
    names = [one.restart for one in members]
    reference = members[0].reference
    if not isinstance(clusters, int):
        found = [_Clustered(most_probable_component(latents[name], priors[name]), None) for name in names]
        own = _Clustered(most_probable_component(consensus.mean, priors[reference]), None)
        count = max(len(priors[name].weight) for name in names)
    else:
        count = clusters
        own, *found = in_parallel(lambda z: _by_k_means(z, count), [consensus.mean, *(latents[name] for name in names)])
    every = [own, *found]
    agreement = ClusteredGroup(
        group=consensus.group,
        by="k-means" if isinstance(clusters, int) else PRIOR,
        clusters=count,
        restarts=tuple(names),
        between=_between(found),
        with_consensus=np.array([adjusted_rand(own.cluster, one.cluster) for one in found]),
        with_labels=None if aligned.label is None else np.array([adjusted_rand(one.cluster, aligned.label) for one in every]),
        repeated=np.array([1.0 if one.again is None else adjusted_rand(one.cluster, one.again) for one in every]),
    )
    return agreement, own.cluster


def _by_k_means(z: Array, count: int) -> _Clustered:
    return _Clustered(k_means(z, count, seed=_SEED), k_means(z, count, seed=_OTHER_SEED))


def _between(found: Sequence[_Clustered]) -> Array:
    """Agreement of every two restarts, symmetric, shape (N, N)."""
    values = np.eye(len(found))
    for i, one in enumerate(found):
        for j, other in enumerate(found[:i]):
            values[i, j] = values[j, i] = adjusted_rand(one.cluster, other.cluster)
    return values

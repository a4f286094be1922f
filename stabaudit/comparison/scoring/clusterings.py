"""The clusters of every restart: those that it comes with, or those that k-means or a Gaussian mixture finds in its latents.

Each restart is clustered from a seed of its own, which follows from its latents: from a common one, k-means would begin at the
same rows in all restarts and agree more than its clusters do. It is clustered from another seed again, which says how far the
method agrees with itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stabaudit.comparison.cluster_records import By
from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.settings import ClusterBy, Settings
from stabaudit.errors import UsageError
from stabaudit.metrics.cluster_agreement import MOST_CLUSTERS, Clustering
from stabaudit.metrics.clusters import by_mixture, k_means
from stabaudit.metrics.evidence import seed_of
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.threads import in_parallel

_METHODS: dict[ClusterBy, Callable[..., Array]] = {"k-means": k_means, "gmm": by_mixture}
_NOISE = -1  # how some methods mark rows that are in no cluster


@dataclass(frozen=True)
class Clustered:
    """The clusters of the restarts of a group.

    Args:
        by: where they are from.
        asked: how many were asked for, or None.
        restarts: one clustering each.
        again: of the same latents from another seed; empty where nothing is drawn.
    """

    by: By
    asked: int | None
    restarts: tuple[Clustering, ...]
    again: tuple[Clustering, ...] = ()


def clustered(group: Group, settings: Settings, warnings: list[str]) -> Clustered | None:
    """The clusters of a group as settings ask for them; None where there are none, or one in each restart, which is said.

    Two restarts whose rows are all in one cluster agree by definition, as shuffled ones do: a bound on agreement would be kept by
    a model that has collapsed.

    Args:
        group: restarts.
        settings: number of clusters and method.
        warnings: what was noticed is added.

    Raises:
        UsageError: a number that no clustering can have, or learned priors that are not there.
        BadData: rows that no mixture can be fitted to, or names that are no clusters.
    """
    found, run = _found(group, settings, warnings), group.summary
    single = [] if found is None else [label for label, one in zip(group.labels, found.restarts, strict=True) if len(one) == 1]
    if single and len(single) == len(group.labels):
        warnings.append(f"{run.name}: clusters are left out: each restart has all rows in one, so there is nothing to agree on")
        return None
    if single:
        warnings.append(f"{run.name}: all rows of {_some(single)} are in one cluster")
    return found


def _found(group: Group, settings: Settings, warnings: list[str]) -> Clustered | None:
    own, asked = group.clusters, settings.clusters
    run = group.summary
    if asked == "prior" and (own is None or own.by != "prior"):
        raise UsageError(f"--clusters prior: {run.name} has no learned mixture prior of its latents; give a number of clusters")
    if own is None and asked is None:
        return None
    if group.streams and (isinstance(asked, int) or (own is not None and not own.of)):
        warnings.append(f"{run.name}: clusters are left out, since latents are streamed and they need all rows; raise --memory")
        return None
    if not isinstance(asked, int):
        return None if own is None else _own(group, warnings)
    if run.grid is not None:
        warnings.append(f"{run.name}: latents on a grid are not clustered")
        return None
    n = len(group.sample_id)
    if not asked < n or asked > MOST_CLUSTERS:
        most = min(n - 1, MOST_CLUSTERS)
        raise UsageError(f"--clusters {asked}: {run.name} has {n:,} rows; expected a number of clusters from 2 to {most:,}")
    method = _METHODS[settings.cluster_by]

    def of_restart(task: tuple[Array, int]) -> Clustering:
        z, turn = task
        seed = np.random.SeedSequence([settings.seed, seed_of(z), turn]).generate_state(1)[0]
        return Clustering.of(method(z, asked, seed=int(seed)))

    every = in_parallel(of_restart, [(z, turn) for turn in (0, 1) for z in group.latents], "restarts clustered")
    restarts, again = every[: len(group.latents)], every[len(group.latents) :]
    return Clustered(settings.cluster_by, asked, tuple(restarts), tuple(again))


def _own(group: Group, warnings: list[str]) -> Clustered | None:
    """The clusters that restarts come with."""
    own = group.clusters
    if own is None:
        return None
    found = [Clustering.of(of_row, f"{label}: its clusters") for label, of_row in zip(group.labels, own.of, strict=True)]
    noisy = [label for label, one in zip(group.labels, found, strict=True) if one.names.dtype.kind == "i" and _NOISE in one.names]
    if noisy:
        warnings.append(f"{group.summary.name}: cluster −1 of {_some(noisy)} counts as a cluster; leave noise out")
    return Clustered(own.by, None, tuple(found))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")

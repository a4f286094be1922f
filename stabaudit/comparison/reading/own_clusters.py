"""Clusters that restarts come with, a column of their files or the components of learned priors, and classes of their rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from stabaudit.comparison.reading.learned_priors import prior_clusters
from stabaudit.comparison.reading.streaming import Opened
from stabaudit.store.run.latents import Latents
from stabaudit.store.run.run_folder import Run

Array = NDArray[Any]


@dataclass(frozen=True)
class OwnClusters:
    """The clusters that restarts come with.

    Args:
        by: whether a column of their files names them, or they are the components of learned mixture priors.
        of: the cluster of each row, integers or text, shape (n,) for each restart; empty where the rows are streamed.
    """

    by: Literal["column", "prior"]
    of: tuple[Array, ...] = ()


@dataclass(frozen=True)
class Classes:
    """The class of each row.

    Args:
        sample_id: names of the rows, shape (n,).
        label: integers or text, "" for none, shape (n,).
    """

    sample_id: Array
    label: Array


def column_clusters(latents: Sequence[Opened]) -> OwnClusters | None:
    """The clusters in the files of some restarts; None unless all of them have some."""
    if not all(one.clusters for one in latents):
        return None
    read = [one.read.cluster for one in latents if one.read is not None]
    return OwnClusters("column", tuple(of for of in read if of is not None))


def run_clusters(run: Run, chosen: Sequence[int], latents: Sequence[Opened]) -> OwnClusters | None:
    """Those that restarts of a run were imported with, or else the components of the priors that they learned.

    Args:
        run: the run.
        chosen: some of its restarts.
        latents: theirs.

    Raises:
        BadData: a file that is damaged or holds no mixture.
    """
    if (found := column_clusters(latents)) is not None:
        return found
    read = [one.read.mean for one in latents if one.read is not None]
    if not read:
        return OwnClusters("prior") if all(run.prior(index) is not None for index in chosen) else None
    of = prior_clusters(run, chosen, read)
    return OwnClusters("prior", of) if of else None


def classes_in(latents: Latents | None) -> Classes | None:
    """The classes that a file of latents holds; None where it has none, or its rows are not in memory."""
    return None if latents is None or latents.label is None else Classes(latents.sample_id, latents.label)

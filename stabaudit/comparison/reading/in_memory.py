"""Latents in memory: arrays, tensors and data frames as groups of restarts."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from stabaudit.comparison.reading.join_rows import Group, Unjoined, join
from stabaudit.comparison.reading.own_clusters import classes_in, column_clusters
from stabaudit.comparison.reading.streaming import Opened
from stabaudit.comparison.records import RunSummary
from stabaudit.comparison.scoring.collapse import facts_of
from stabaudit.errors import BadData, Noticed
from stabaudit.metrics.pair_scores import Array
from stabaudit.store.files import columns
from stabaudit.store.imports.foreign_files import Naming
from stabaudit.store.run.latents import Latents, latents_of_table


def group_arrays(groups: Mapping[str, Sequence[Any]], cluster_column: str | None = None) -> tuple[Group, ...]:
    """Arrange restarts by name, with their rows joined.

    Args:
        groups: for each name its restarts: arrays or tensors of shape (n, d), rows in one order, or pandas frames, whose index
            names the rows.
        cluster_column: of frames, which names the cluster of each row.

    Raises:
        BadData: what is no table of finite numbers, other rows, or fewer than two restarts in all.
    """
    named = {str(name): list(restarts) for name, restarts in groups.items()}
    if len(named) < len(groups):
        raise BadData(f"two groups are called alike: {', '.join(map(repr, groups))}; give names that differ as text")
    if sum(map(len, named.values())) < 2:
        raise BadData("one restart, nothing to compare it with; give two arrays or more")
    return join([_unjoined(name, restarts, cluster_column) for name, restarts in named.items()], by_position=True)


def _unjoined(name: str, restarts: Sequence[Any], cluster_column: str | None) -> Unjoined:
    if len(restarts) == 0:
        raise BadData(f"{name}: no restarts; give a list of arrays of shape (n, d)")
    latents = [_latents(f"{name}#{position}", z, cluster_column) for position, z in enumerate(restarts)]
    summary = RunSummary(
        name=name,
        path="",
        family=None,
        architecture=None,
        dataset=None,
        fingerprint=None,
        precision=None,
        latent_dim=latents[0].mean.shape[1],
        sources=None,
        rows=len(latents[0].mean),
        restarts=len(latents),
        trained=len(latents),
        lost=(),
    )
    facts = tuple(facts_of(found, {}, None) for found in latents)
    opened = tuple(map(Opened.in_memory, latents))
    classes = next((found for one in latents if (found := classes_in(one)) is not None), None)
    clusters = column_clusters(opened)
    return Unjoined(summary, tuple(range(len(latents))), opened, None, facts, clusters=clusters, classes=classes)


def _latents(label: str, z: Any, cluster_column: str | None) -> Latents:  # noqa: ANN401 -- array, tensor or frame
    if hasattr(z, "columns") and hasattr(z, "index"):
        return _of_frame(label, z, cluster_column)
    if cluster_column is not None:
        raise BadData(f"{label}: an array has no column {cluster_column!r}; give pandas frames")
    values = _values(label, z)
    found = Latents(sample_id=np.arange(len(values)), mean=values, ids_by_position=True)
    found.validate(label)
    return found


def _of_frame(label: str, frame: Any, cluster_column: str | None) -> Latents:  # noqa: ANN401 -- pandas is not imported for this
    """A pandas frame, read as a file of it would be: its index names the rows, or its column `sample_id`."""
    try:
        table = pa.Table.from_pandas(frame.rename(columns=str))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise BadData(f"{label}: expected a frame of numbers, shape (n, d) ({' '.join(str(error).split())[:200]})") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Noticed)  # a frame's index is what names its rows
        found = latents_of_table(table, label, Naming(cluster_column=cluster_column))
    found.validate(label)
    return found


def _values(label: str, z: Any) -> Array:  # noqa: ANN401
    try:
        tensor = z.detach().cpu().double() if hasattr(z, "detach") else z  # torch is not imported for this
        values = np.asarray(tensor)
        if values.ndim != 2 or values.dtype.kind not in "fiub":
            raise BadData(
                f"{label}: shape {values.shape} of type {columns.kind_of(values)}, expected a table of numbers, shape (n, d)"
            )
        return columns.narrowed(values)  # as a file of them is read
    except (TypeError, ValueError, NotImplementedError, RuntimeError) as error:
        raise BadData(f"{label}: expected a table of numbers, shape (n, d) ({error})") from error

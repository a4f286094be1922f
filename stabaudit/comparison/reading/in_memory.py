"""Latents in memory: arrays, tensors and data frames as groups of restarts."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from stabaudit.comparison.reading.join_rows import Group, Unjoined, join
from stabaudit.comparison.reading.streaming import Opened
from stabaudit.comparison.records import RunSummary
from stabaudit.comparison.scoring.collapse import facts_of
from stabaudit.errors import BadData, Noticed
from stabaudit.metrics.pair_scores import Array
from stabaudit.store.files import columns
from stabaudit.store.run.latents import Latents, latents_of_table


def group_arrays(groups: Mapping[str, Sequence[Any]]) -> tuple[Group, ...]:
    """Arrange restarts by name, with their rows joined.

    Args:
        groups: for each name its restarts: arrays or tensors of shape (n, d), rows in one order, or pandas frames, whose index
            names the rows.

    Raises:
        BadData: what is no table of finite numbers, other rows, or fewer than two restarts in all.
    """
    named = {str(name): list(restarts) for name, restarts in groups.items()}
    if len(named) < len(groups):
        raise BadData(f"two groups are called alike: {', '.join(map(repr, groups))}; give names that differ as text")
    if sum(map(len, named.values())) < 2:
        raise BadData("one restart, nothing to compare it with; give two arrays or more")
    return join([_unjoined(name, restarts) for name, restarts in named.items()], by_position=True)


def _unjoined(name: str, restarts: Sequence[Any]) -> Unjoined:
    if len(restarts) == 0:
        raise BadData(f"{name}: no restarts; give a list of arrays of shape (n, d)")
    latents = [_latents(f"{name}#{position}", z) for position, z in enumerate(restarts)]
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
    return Unjoined(summary, tuple(range(len(latents))), tuple(map(Opened.in_memory, latents)), None, facts)


def _latents(label: str, z: Any) -> Latents:  # noqa: ANN401 -- array, tensor or frame
    if hasattr(z, "columns") and hasattr(z, "index"):
        return _of_frame(label, z)
    values = _values(label, z)
    found = Latents(sample_id=np.arange(len(values)), mean=values, ids_by_position=True)
    found.validate(label)
    return found


def _of_frame(label: str, frame: Any) -> Latents:  # noqa: ANN401 -- pandas is not imported for this
    """A pandas frame, read as a file of it would be: its index names the rows, or its column `sample_id`."""
    try:
        table = pa.Table.from_pandas(frame.rename(columns=str))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise BadData(f"{label}: expected a frame of numbers, shape (n, d) ({' '.join(str(error).split())[:200]})") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Noticed)  # a frame's index is what names its rows
        found = latents_of_table(table, label)
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

"""Latents in memory: arrays, tensors and data frames as groups of restarts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stabaudit.comparison.reading.join_rows import Group, Unjoined, join
from stabaudit.comparison.reading.streaming import Opened
from stabaudit.comparison.records import RunSummary
from stabaudit.comparison.scoring.collapse import facts_of
from stabaudit.errors import BadData
from stabaudit.metrics.pair_scores import Array
from stabaudit.store.run.latents import Latents


def group_arrays(groups: Mapping[str, Sequence[Any]]) -> tuple[Group, ...]:
    """Arrange restarts by name, with their rows joined.

    Args:
        groups: for each name its restarts: arrays or tensors of shape (n, d), rows in one order, or pandas frames, whose index
            names the rows.

    Raises:
        BadData: what is no table of finite numbers, other rows, or fewer than two restarts in all.
    """
    if sum(map(len, groups.values())) < 2:
        raise BadData("one restart, nothing to compare it with; give two arrays or more")
    return join([_unjoined(str(name), restarts) for name, restarts in groups.items()], by_position=True)


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
    index = getattr(z, "index", None)
    named = index is not None and hasattr(z, "columns")  # lists have an index too
    values = _values(label, z)
    ids = np.asarray(index) if named else np.arange(len(values))
    found = Latents(sample_id=ids.astype(str) if ids.dtype == object else ids, mean=values, ids_by_position=not named)
    found.validate(label)
    return found


def _values(label: str, z: Any) -> Array:  # noqa: ANN401
    tensor = z.detach().cpu() if hasattr(z, "detach") else z  # torch is not imported for this
    try:
        values = np.asarray(tensor)
        if values.ndim != 2 or values.dtype.kind not in "fiub":
            raise BadData(f"{label}: shape {values.shape} of type {values.dtype}, expected a table of numbers, shape (n, d)")
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise BadData(f"{label}: expected a table of numbers, shape (n, d) ({error})") from error

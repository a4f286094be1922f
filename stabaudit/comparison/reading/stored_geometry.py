"""Distances between rows that were measured by the decoders of the restarts of a run, as they were stored with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import BadData
from stabaudit.store.files.atomic import shown
from stabaudit.store.run import layout
from stabaudit.store.run.run_folder import Run

Array = NDArray[Any]


@dataclass(frozen=True)
class Geometry:
    """Distances between fixed pairs of evaluation rows in one restart.

    Args:
        rows: places of both rows among the ascending sample ids, shape (pairs, 2).
        euclidean: between their latents, shape (pairs,).
        geodesic: shortest length found in data space, shape (pairs,).
    """

    rows: Array
    euclidean: Array
    geodesic: Array


def read_geometry(run: Run, restarts: Sequence[int]) -> tuple[Geometry, ...]:
    """The distances of each of some restarts; none at all unless all of them have them.

    Raises:
        BadData: a file that is damaged or holds no distances.
    """
    found = [(index, columns) for index in restarts if (columns := run.geometry(index)) is not None]
    if len(found) < len(restarts):
        return ()
    return tuple(_geometry(columns, shown(run.folder / layout.geometry(index))) for index, columns in found)


def _geometry(columns: Mapping[str, Array], where: str) -> Geometry:
    wanted = ("row_a", "row_b", "euclidean", "geodesic")
    absent = [name for name in wanted if name not in columns]
    if absent:
        raise BadData(f"{where} has no column {absent[0]}, expected {', '.join(wanted)}; train the restart again")
    if not len(columns["row_a"]) or not all(np.isfinite(columns[name]).all() for name in wanted):
        raise BadData(f"{where}: distances are absent or not finite; train the restart again")
    return Geometry(np.column_stack([columns["row_a"], columns["row_b"]]), columns["euclidean"], columns["geodesic"])

"""What the rows of every file of a run must be: named apart, and finite."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import BadData
from stabaudit.store.files import columns

Array = NDArray[Any]


def require_unique(sample_id: Array, where: str) -> None:
    """Refuse repeated ids.

    Raises:
        BadData: naming the first one and how many there are.
    """
    ids, counts = np.unique(sample_id, return_counts=True)
    repeated = ids[counts > 1]
    if len(repeated):
        raise BadData(f"{where}: {len(repeated)} sample ids are repeated, the first is {repeated[0]}; ids must name one row each")


def require_finite(values: Array, prefix: str, where: str, grid: columns.Grid | None = None) -> None:
    """Refuse NaN and infinity in columns that are called as `columns.names_of` says.

    Raises:
        BadData: naming the first column that holds some and how many.
    """
    bad = ~np.isfinite(values)
    if bad.any():
        counts = bad.sum(axis=0)
        first = int(np.flatnonzero(counts)[0])
        others = int((counts > 0).sum()) - 1
        more = f", and {others} more columns hold some" if others else ""
        name = columns.names_of(prefix, len(counts), grid)[first]
        raise BadData(
            f"{where}: {name} holds {counts[first]} NaN or infinite values{more}; "
            "retrain this restart, or leave out the rows in question"
        )

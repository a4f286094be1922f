"""What the rows of every file of a run must be: named apart, and finite."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import BadData, are, counted

Array = NDArray[Any]


def require_unique(sample_id: Array, where: str) -> None:
    """Refuse repeated ids.

    Raises:
        BadData: naming the first one and how many there are.
    """
    ids, counts = np.unique(sample_id, return_counts=True)
    repeated = ids[counts > 1]
    if len(repeated):
        said = f"{counted(len(repeated), 'sample id')} {are(len(repeated))} repeated"
        raise BadData(f"{where}: {said}, the first is {repeated[0]}; ids must name one row each")


def require_finite(values: Array, names: Sequence[str], where: str) -> None:
    """Refuse NaN and infinity in columns of these names.

    Raises:
        BadData: naming the first column that holds some and how many.
    """
    bad = ~np.isfinite(values)
    if bad.any():
        counts = bad.sum(axis=0)
        first = int(np.flatnonzero(counts)[0])
        others = int((counts > 0).sum()) - 1
        more = f", and {counted(others, 'more column')} {'holds' if others == 1 else 'hold'} some" if others else ""
        raise BadData(
            f"{where}: {names[first]} holds {counted(counts[first], 'NaN or infinite value')}{more}; "
            "leave out the rows in question, or train again what gave them"
        )

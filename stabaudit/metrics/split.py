"""The two halves of the evaluation rows: everything is estimated on *fit* and tested, unchanged, on *score*."""

import numpy as np

from stabaudit.errors import BadData, are
from stabaudit.metrics.pair_scores import Array


def split_halves(sample_id: Array, *, seed: int = 0) -> Array:
    """Choose the rows of *fit* by a fixed-seed permutation of the sorted ids.

    The half that a row falls into depends on the set of ids and on the seed, not on the order of the rows.

    Args:
        sample_id: a unique name of each row, shape (n,), integers or text.
        seed: decides the permutation.

    Returns:
        True for rows of *fit*, False for rows of *score*, shape (n,); of an odd n, *fit* gets the row more.

    Raises:
        BadData: an id is repeated.

    Example:
        >>> ids = np.array([30, 10, 40, 20])
        >>> dict(zip(ids.tolist(), split_halves(ids).tolist()))
        {30: True, 10: False, 40: False, 20: True}
    """
    n = len(sample_id)
    order = np.argsort(sample_id, kind="stable")
    ordered = sample_id[order]
    repeated = int((ordered[1:] == ordered[:-1]).sum())
    if repeated:
        raise BadData(f"{repeated} of {n} sample ids {are(repeated)} repeated; every row needs an id of its own")
    del ordered  # memory: n may be many millions
    fit = np.empty(n, dtype=bool)
    fit[order] = np.random.default_rng(seed).permutation(n) < (n + 1) // 2
    return fit

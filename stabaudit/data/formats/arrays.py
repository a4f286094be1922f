"""From arrays as users save them to the arrays of a `Split`: checked, and of the types that models take."""

import numpy as np

from stabaudit.data.dataset import Array, FloatArray, one_hot, to_float32
from stabaudit.errors import BadData
from stabaudit.store.files.columns import kind_of

CATEGORIES = "biuU"  # kinds of numpy types: bool, integers, text
MAX_ONE_HOT = 1 << 28  # values, 1 GiB: more is rather a number that was saved as an integer than a category


def to_rows(array: Array, where: str) -> FloatArray:
    """Numbers as float32 with one row a sample: a vector of n numbers is n samples of one dimension."""
    values = to_float32(array, where)
    return values[:, None] if values.ndim == 1 else values


def encode_auxiliary(u: Array, where: str) -> FloatArray:
    """The auxiliary variable: a vector of integers or text is one-hot by its sorted values, anything else is taken as numbers.

    Example:
        >>> encode_auxiliary(np.array([7, 3, 7]), "data.npz: u")
        array([[0., 1.],
               [1., 0.],
               [0., 1.]], dtype=float32)
    """
    if u.ndim > 2:
        raise BadData(f"{where} has shape {u.shape}, expected one row a sample")
    if u.ndim == 2 or u.dtype.kind not in CATEGORIES:
        return to_rows(u, where)
    values, codes = np.unique(u, return_inverse=True)
    if len(u) * len(values) > MAX_ONE_HOT:
        raise BadData(
            f"{where} holds {len(values):,} different categories in {len(u):,} rows; save it as floats if it is a number"
        )
    return one_hot(codes, len(values))


def encode_labels(labels: Array, where: str) -> Array:
    """Labels as integers: integers stay as they are, text becomes 0..K−1 in sorted order."""
    if labels.ndim != 1 or labels.dtype.kind not in CATEGORIES:
        raise BadData(f"{where} is {kind_of(labels)} of shape {labels.shape}, expected one integer or text a row")
    if labels.dtype.kind == "U":
        return np.unique(labels, return_inverse=True)[1]
    return labels.astype(np.int64)


def check_ids(sample_id: Array, where: str) -> Array:
    """Sample ids: one integer or text a row."""
    if sample_id.ndim != 1 or sample_id.dtype.kind not in "iuU":
        raise BadData(f"{where} is {kind_of(sample_id)} of shape {sample_id.shape}, expected one integer or text a row")
    return sample_id.astype(sample_id.dtype.newbyteorder("="))

"""How much variance the directions of a dataset hold: what a decoder's noise lets through.

A Gaussian decoder with noise variance σ² (Khemakhem et al. 2019 fix 0.01) cannot see a direction whose variance is well below σ².
"""

import numpy as np
from numpy.typing import NDArray

from stabaudit.data.dataset import FloatArray


def spectrum(x: FloatArray) -> NDArray[np.float64]:
    """Eigenvalues of the covariance of x, largest first.

    Args:
        x: observations, shape (n, *shape), n ≥ 2, flattened to d columns.

    Returns:
        d variances in squared units of x, each ≥ 0.

    Example:
        >>> spectrum(np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]], np.float32)).round(2)
        array([6.  , 0.67])
    """
    columns = x.reshape(len(x), -1).astype(np.float64)
    variances = np.linalg.eigvalsh(np.atleast_2d(np.cov(columns, rowvar=False)))
    return np.maximum(variances[::-1], 0.0)  # rounding leaves zeros slightly negative

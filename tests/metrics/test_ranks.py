"""Ranks against scipy's."""

import numpy as np
import pytest
from scipy.stats import rankdata

from stabaudit.metrics.ranks import midranks


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [0, 1, 2, 57])
def test_midranks_are_those_of_scipy(n, dtype):
    rng = np.random.default_rng(n)
    z = np.column_stack(
        [rng.normal(size=n), rng.integers(0, 5, n), np.full(n, 3.0), 1e200 * rng.normal(size=n), rng.integers(0, 2, n)]
    )
    z = np.clip(z, -1e30, 1e30).astype(dtype)
    np.testing.assert_array_equal(midranks(z), rankdata(z, axis=0))

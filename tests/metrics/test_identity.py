"""Scores without a map, by loops."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from stabaudit.errors import BadData
from stabaudit.metrics import identity_r2, mean_cosine
from stabaudit.metrics.score_pairs import score_pairs


def latents():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(50, 3)) + 2.0
    return a, a + 0.3 * rng.normal(size=a.shape)


def test_they_are_those_of_loops_and_of_scikit_learn():
    a, b = latents()
    cosines = [x @ y / np.sqrt(x @ x * (y @ y)) for x, y in zip(a, b, strict=True)]
    assert mean_cosine(a, b) == pytest.approx(np.mean(cosines), abs=1e-12)
    assert identity_r2(a, b) == pytest.approx(r2_score(b, a, multioutput="variance_weighted"), abs=1e-12)
    assert identity_r2(a, a + 100.0) < -1000


def test_rows_of_zeros_and_extreme_units():
    a, b = latents()
    a[0] = 0.0
    assert mean_cosine(1e-200 * a, 1e200 * b) == pytest.approx(mean_cosine(a, b), abs=1e-12)
    assert identity_r2(a, np.ones_like(a)) == 0.0


def test_other_numbers_of_dimensions_are_refused_and_left_out_of_pairs():
    a, b = latents()
    with pytest.raises(BadData, match="dimensions"):
        mean_cosine(a, b[:, :2])
    scored = score_pairs(
        [a, b[:, :2]],
        np.arange(50) % 2 == 0,
        scores=["mean_cosine", "cka"],
        rng=np.random.default_rng(0),
        allow_unequal=True,
        rotations=0,
    )
    assert {name.metric for name in scored.pairs[0].values} == {"cka"}
    assert "mean_cosine: left out, since latents of 2 and of 3 dimensions are no copies of each other" in scored.warnings

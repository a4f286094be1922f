import numpy as np
import pytest

from stabaudit.data.ppca import load
from stabaudit.errors import UsageError


def test_noise_and_sources_have_the_moments_they_should() -> None:
    dataset = load(samples=20_000, sd=0.3)
    for split in (dataset.train, dataset.evaluation):
        weights, residual, *_ = np.linalg.lstsq(split.sources, split.x, rcond=None)
        assert np.sqrt(residual / len(split)) == pytest.approx(0.3 * np.ones(5), rel=0.03)
        assert np.cov(split.sources.T) == pytest.approx(np.eye(2), abs=0.03)
        assert np.cov(split.x.T) == pytest.approx(weights.T @ weights + 0.09 * np.eye(5), abs=0.15)


def test_data_of_other_noise_share_their_sources() -> None:
    one, other = load(sd=0.1), load(sd=1.0)
    np.testing.assert_array_equal(one.train.sources, other.train.sources)
    np.testing.assert_allclose(
        np.linalg.lstsq(one.train.sources, one.train.x, rcond=None)[0],
        np.linalg.lstsq(other.train.sources, other.train.x, rcond=None)[0],
        atol=0.1,
    )
    assert set(one.train.sample_id).isdisjoint(one.evaluation.sample_id)


def test_more_sources_than_width_are_refused() -> None:
    with pytest.raises(UsageError, match="6 sources do not fit in 5 observed dimensions; set observed=6"):
        load(sources=6)

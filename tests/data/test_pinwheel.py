import numpy as np
import pytest
from scipy import stats

from stabaudit.data.pinwheel import draw, load


def test_without_tangential_noise_points_lie_on_the_spirals() -> None:
    arm = np.repeat(np.arange(4), 500)
    x = draw(arm, 4, radial_sd=0.1, tangential_sd=1e-12, rate=0.25, rng=np.random.default_rng(0))
    radius = np.linalg.norm(x, axis=1)  # 1 + 0.1·noise, never near 0
    expected = 2 * np.pi * arm / 4 + 0.25 * np.exp(radius)
    difference = np.angle(np.exp(1j * (np.arctan2(x[:, 1], x[:, 0]) - expected)))
    assert np.abs(difference).max() < 1e-10
    assert stats.kstest((radius - 1) / 0.1, "norm").pvalue > 0.01


def test_turning_back_by_the_angle_leaves_both_features() -> None:
    dataset = load(clusters=1, samples=4000, radial_sd=0.3, tangential_sd=0.05, rate=1e-9)
    x = dataset.train.x  # with next to no bend the arm is its two features
    assert stats.kstest((x[:, 0] - 1) / 0.3, "norm").pvalue > 0.01
    assert stats.kstest(x[:, 1] / 0.05, "norm").pvalue > 0.01


def test_arms_are_one_another_turned() -> None:
    train = load(clusters=5, samples=1000).train
    turned = []
    for k in range(5):
        angle = -2 * np.pi * k / 5
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turned.append(train.x[train.labels == k] @ turn.T)
    for k in range(1, 5):
        for axis in range(2):
            assert stats.ks_2samp(turned[0][:, axis], turned[k][:, axis]).pvalue > 0.001


def test_evaluation_rows_are_a_second_draw() -> None:
    dataset = load(clusters=3, samples=10, data_seed=4)
    assert not np.intersect1d(dataset.train.x, dataset.evaluation.x).size
    assert sorted([*dataset.train.sample_id, *dataset.evaluation.sample_id]) == list(range(60))
    assert np.array_equal(np.bincount(dataset.evaluation.labels), [10, 10, 10])
    assert np.array_equal(dataset.train.u.argmax(axis=1), dataset.train.labels)


def test_scale_multiplies_and_the_seed_decides() -> None:
    one, ten = load(samples=5), load(samples=5, scale=10.0)
    np.testing.assert_allclose(ten.train.x, 10 * one.train.x, rtol=1e-6)
    assert load(samples=5).fingerprint == one.fingerprint != load(samples=5, data_seed=1).fingerprint
    assert one.likelihood == "gaussian"


@pytest.mark.parametrize("clusters", [1, 7])
def test_labels_are_the_arms(clusters: int) -> None:
    assert set(load(clusters=clusters, samples=3).train.labels) == set(range(clusters))

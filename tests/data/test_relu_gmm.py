import numpy as np
from scipy import stats

from stabaudit.data.relu_gmm import Model, draw_model, load


def test_the_decoder_is_a_sum_of_rectified_lines():
    model = Model(np.array([1.0, -2.0]), np.array([0.5, 1.0]), np.array([[3.0, 0.0], [0.0, -1.0]]), np.zeros(1), np.ones(1))
    np.testing.assert_allclose(model.decode(np.array([-2.0, 0.0, 1.0])), [[0, -5], [1.5, -1], [4.5, 0]])


def test_sources_follow_the_mixture_and_x_the_decoder():
    dataset = load(observed=3, samples=4000, variance=0.04, data_seed=7)
    model = draw_model(5, 3, 3, rng=np.random.default_rng(7))
    rows = dataset.train
    for component in range(3):
        z = rows.sources[rows.labels == component, 0]
        assert stats.kstest((z - model.mean[component]) / model.sd[component], "norm").pvalue > 0.001
    noise = (rows.x - model.decode(rows.sources[:, 0].astype(float))) / 0.2
    assert all(stats.kstest(column, "norm").pvalue > 0.001 for column in noise.T)
    assert np.array_equal(rows.u.argmax(1), rows.labels)


def test_evaluation_rows_are_a_second_draw_and_the_seed_decides():
    dataset = load(samples=50, data_seed=3)
    assert sorted([*dataset.train.sample_id, *dataset.evaluation.sample_id]) == list(range(100))
    assert not np.intersect1d(dataset.train.sources, dataset.evaluation.sources).size
    assert load(samples=50, data_seed=3).fingerprint == dataset.fingerprint != load(samples=50, data_seed=4).fingerprint
    assert dataset.train.x.shape == (50, 1)

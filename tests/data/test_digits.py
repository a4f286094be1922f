import numpy as np
from sklearn.datasets import load_digits

from stabaudit.data.digits import load


def test_rows_are_those_of_scikit_learn() -> None:
    dataset = load()
    pixels, labels = load_digits(return_X_y=True)
    for split in (dataset.train, dataset.evaluation):
        assert split.x.shape[1:] == (1, 8, 8)
        assert split.x.dtype == np.float32
        assert np.array_equal(split.x.reshape(len(split), 64) * 16, pixels[split.sample_id])
        assert np.array_equal(split.labels, labels[split.sample_id])
        assert np.array_equal(split.u.argmax(axis=1), split.labels)
        assert np.array_equal(split.u.sum(axis=1), np.ones(len(split)))
    assert (dataset.train.x.min(), dataset.train.x.max()) == (0, 1)
    assert dataset.likelihood == "bernoulli"


def test_a_third_of_each_class_is_held_out() -> None:
    dataset = load()
    _, labels = load_digits(return_X_y=True)
    assert sorted([*dataset.train.sample_id, *dataset.evaluation.sample_id]) == list(range(1797))
    assert np.abs(np.bincount(dataset.evaluation.labels) - np.bincount(labels) / 3).max() <= 0.5


def test_the_split_has_a_seed_of_its_own() -> None:
    assert load().fingerprint == load(split_seed=0).fingerprint != load(split_seed=1).fingerprint

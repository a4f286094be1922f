import numpy as np

from stabaudit.data.spectrum import spectrum


def test_the_spectrum_is_that_of_the_singular_values() -> None:
    x = np.random.default_rng(0).normal(size=(200, 2, 3)).astype(np.float32) + 5
    columns = x.reshape(200, 6).astype(np.float64)
    singular = np.linalg.svd(columns - columns.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(spectrum(x), singular**2 / 199, rtol=1e-10)


def test_known_variances_come_back_from_any_rotation() -> None:
    rng = np.random.default_rng(1)
    variances = np.array([4.0, 1.0, 0.25, 1e-4])
    rotation, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    x = (rng.normal(size=(100_000, 4)) * np.sqrt(variances)) @ rotation
    np.testing.assert_allclose(spectrum(x.astype(np.float32)), variances, rtol=0.03)


def test_a_missing_direction_has_no_variance_and_one_column_is_enough() -> None:
    x = np.random.default_rng(2).normal(size=(50, 1)).astype(np.float32)
    assert spectrum(x @ np.ones((1, 3), np.float32))[1:].max() < 1e-6
    np.testing.assert_allclose(spectrum(x), [x.var(ddof=1)], rtol=1e-5)

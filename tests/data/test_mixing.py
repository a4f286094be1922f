import numpy as np
import pytest
from scipy.optimize import brentq

from stabaudit.data.mixing import Activation, Mixing, draw_mixing, draw_weight


def unmix(mixing: Mixing, x: np.ndarray) -> np.ndarray:
    """The inverse, layer by layer: least squares through each matrix, root finding through each activation."""
    for depth, weight in enumerate(reversed(mixing.weights)):
        if depth:
            if mixing.activation == "leaky-relu":
                x = np.where(x > 0, x, x / mixing.slope)
            else:
                bound = 1 + (1 + np.abs(x).max()) / mixing.slope
                x = np.vectorize(lambda y, b=bound: brentq(lambda v: np.tanh(v) + mixing.slope * v - y, -b, b, xtol=1e-13))(x)
        x = np.linalg.lstsq(weight.T, x.T, rcond=None)[0].T
    return x


@pytest.mark.parametrize("activation", ["leaky-tanh", "leaky-relu"])
@pytest.mark.parametrize(("sources", "observed", "layers"), [(5, 5, 3), (2, 5, 4), (1, 1, 1), (3, 3, 2)])
def test_mixing_can_be_undone(activation: Activation, sources: int, observed: int, layers: int) -> None:
    rng = np.random.default_rng(layers)
    mixing = draw_mixing(sources, observed, layers, activation, 0.1, rng=rng)
    assert [weight.shape for weight in mixing.weights] == [(sources, observed)] + [(observed, observed)] * (layers - 1)
    signal = 3 * rng.normal(size=(40, sources))
    np.testing.assert_allclose(unmix(mixing, mixing(signal)), signal, atol=1e-8)


def test_one_row_by_hand() -> None:
    weights = (np.array([[1.0, -2.0]]), np.array([[1.0, 0.0], [1.0, 1.0]]))
    np.testing.assert_allclose(Mixing(weights, "leaky-relu", 0.1)(np.array([[3.0]])), [[3 - 0.6, -0.6]])
    leaked = [np.tanh(3.0) + 0.3, np.tanh(-6.0) - 0.6]
    np.testing.assert_allclose(Mixing(weights, "leaky-tanh", 0.1)(np.array([[3.0]])), [[leaked[0] + leaked[1], leaked[1]]])


def test_mixing_is_not_linear_and_layers_differ() -> None:
    rng = np.random.default_rng(0)
    mixing = draw_mixing(5, 5, 3, "leaky-tanh", 0.1, rng=rng)
    signal = rng.normal(size=(2, 5))
    assert np.abs(mixing(signal[:1] + signal[1:]) - mixing(signal[:1]) - mixing(signal[1:])).max() > 0.1
    assert not np.allclose(mixing.weights[1], mixing.weights[2])


@pytest.mark.slow
@pytest.mark.parametrize(("inputs", "outputs"), [(5, 5), (2, 5)])
def test_weights_are_what_redrawing_below_the_quartile_gives(inputs: int, outputs: int) -> None:
    rng = np.random.default_rng(0)
    reference = rng.uniform(-1, 1, (20_000, inputs, outputs))
    reference /= np.sqrt((reference**2).sum(axis=1, keepdims=True))
    singular = np.linalg.svd(reference, compute_uv=False)
    condition = singular[:, 0] / singular[:, -1]
    quartile = np.quantile(condition, 0.25)

    drawn = np.stack([draw_weight(inputs, outputs, rng=rng) for _ in range(300)])
    found = np.linalg.cond(drawn)
    np.testing.assert_allclose((drawn**2).sum(axis=1), 1)
    assert found.max() < 1.1 * quartile  # the quartile of 2,000 draws wanders by a few percent
    expected = condition[condition < quartile].mean()
    assert abs(found.mean() - expected) < 5 * condition[condition < quartile].std() / np.sqrt(300)
    assert abs(drawn.mean()) < 5 / np.sqrt(drawn.size * inputs)
    if inputs == 5:
        assert abs(quartile - 6.4) < 0.3

"""Documents drawn from a two-layer sequential VAE with known latents (Wang et al. 2021, §4.1).

    z ~ N(0, I_d),   h_i = LSTM₂(LSTM₁([e(x_{i−1}), z])),   x_i ~ Categorical(softmax(W h_i + V z + b))

A decoder of random weights sees z at every step, as the paper's model does, which has five latent dimensions. The paper gives
neither its sizes nor its weights; here they are standard Gaussian, the LSTMs' divided by the root of what goes into a unit. z
gives the logits a standard deviation of `signal`. A document ends where its end is drawn, or at the greatest length. The true z
are kept as sources.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stabaudit.config import NonNegative, Positive, PositiveFloat
from stabaudit.data.dataset import Dataset, Split
from stabaudit.data.text import END, SYMBOLS, UNKNOWN

Array = NDArray[np.float64]
HIDDEN, EMBEDDING, LAYERS = 32, 16, 2
EVALUATED = 5  # one document to evaluate on for so many to train on
LAST_BIAS = -0.5  # of the logit of the end, against words of mean 0: seldom early, for there are many words


@dataclass(frozen=True)
class Layer:
    """An LSTM layer: weight (in + H, 4H) and bias (4H,), gates in the order input, forget, candidate, output."""

    weight: Array
    bias: Array

    def step(self, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
        """The next hidden and cell states, shape (n, H) both, from an input of shape (n, in) and those before."""
        enter, forget, candidate, leave = np.split(np.concatenate([x, h], axis=1) @ self.weight + self.bias, 4, axis=1)
        c = _sigmoid(forget) * c + _sigmoid(enter) * np.tanh(candidate)
        return _sigmoid(leave) * np.tanh(c), c


@dataclass(frozen=True)
class Model:
    """Parameters: embedding (K + 1, E), layers, from_history (H, K), from_z (d, K) and bias (K,) of the logits of codes 1…K."""

    embedding: Array
    layers: tuple[Layer, ...]
    from_history: Array
    from_z: Array
    bias: Array


def load(
    *,
    words: Positive = 50,
    length: Positive = 8,
    sources: Positive = 5,
    signal: PositiveFloat = 1.0,
    samples: Positive = 5000,
    data_seed: NonNegative = 0,
) -> Dataset:
    """Draw a model, then documents to train on and, ids continuing, a fifth as many to evaluate on.

    Args:
        words: of the vocabulary, beside "unknown", which is never drawn, and "end".
        length: symbols of a document at most.
        sources: d, dimensions of z (the paper: 5).
        signal: standard deviation that z gives the logits; the history gives them 1.
        samples: documents to train on.
        data_seed: decides the model and both draws.
    """
    rng = np.random.default_rng(data_seed)
    model = draw_model(words, sources, signal, rng=rng)
    counts = (samples, -(-samples // EVALUATED))
    train, evaluation = (_draw(model, n, first, length, rng=rng) for n, first in zip(counts, (0, samples), strict=True))
    symbols = (*SYMBOLS, *(f"w{number}" for number in range(words)))
    return Dataset("text-synthetic", train, evaluation, "categorical", vocabulary=symbols)


def draw_model(words: int, sources: int, signal: float, *, rng: np.random.Generator) -> Model:
    """Parameters at random, see above."""
    symbols = words + len(SYMBOLS)

    def layer(into: int) -> Layer:
        size = into + HIDDEN
        return Layer(3 * rng.standard_normal((size, 4 * HIDDEN)) / np.sqrt(size), np.zeros(4 * HIDDEN))

    bias = np.zeros(symbols)
    bias[UNKNOWN - 1], bias[END - 1] = -np.inf, LAST_BIAS + np.log(words / 10)
    return Model(
        embedding=rng.standard_normal((symbols + 1, EMBEDDING)),
        layers=(layer(EMBEDDING + sources), *(layer(HIDDEN) for _ in range(LAYERS - 1))),
        from_history=3 * rng.standard_normal((HIDDEN, symbols)) / np.sqrt(HIDDEN),
        from_z=signal * rng.standard_normal((sources, symbols)) / np.sqrt(sources),
        bias=bias,
    )


def logits(model: Model, codes: Array, z: Array) -> Array:
    """Logits of codes 1..K at every place given what stands before it, shape (n, L, K), of documents (n, L) and z (n, d)."""
    before = np.concatenate([np.zeros((len(codes), 1)), codes[:, :-1]], axis=1).astype(int)
    state = _start(model, len(codes))
    places = []
    for column in before.T:
        found, state = _next(model, column, z, state)
        places.append(found)
    return np.stack(places, axis=1)


State = tuple[tuple[Array, Array], ...]


def _start(model: Model, n: int) -> State:
    zero = np.zeros((n, HIDDEN))
    return tuple((zero, zero) for _ in model.layers)


def _next(model: Model, before: NDArray[np.int64], z: Array, state: State) -> tuple[Array, State]:
    """Logits of the next symbol, shape (n, K), from the one before, shape (n,), and the state after it."""
    h = np.concatenate([model.embedding[before], z], axis=1)
    after = []
    for layer, hidden in zip(model.layers, state, strict=True):
        after.append(layer.step(h, *hidden))
        h = after[-1][0]
    return h @ model.from_history + z @ model.from_z + model.bias, tuple(after)


def _draw(model: Model, n: int, first_id: int, length: int, *, rng: np.random.Generator) -> Split:
    z = rng.standard_normal((n, len(model.from_z)))
    codes = np.zeros((n, length))
    before, state, going = np.zeros(n, np.int64), _start(model, n), np.ones(n, bool)
    for place in range(length):
        found, state = _next(model, before, z, state)
        drawn = (found + rng.gumbel(size=found.shape)).argmax(axis=1) + 1  # the Gumbel-max trick draws from a softmax
        codes[:, place] = before = np.where(going, drawn, 0)
        going &= drawn != END
    return Split(x=codes.astype(np.float32), sample_id=first_id + np.arange(n), sources=z.astype(np.float32))


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))

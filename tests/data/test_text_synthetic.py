"""Documents drawn from a model: against the model's own probabilities, and its LSTM against torch's."""

import numpy as np
import pytest
import torch

from stabaudit.data import text_synthetic
from stabaudit.data.load import load_dataset
from stabaudit.data.text import END, UNKNOWN


def probabilities(model, x, z):
    found = np.exp(text_synthetic.logits(model, x, z))
    return found / found.sum(axis=2, keepdims=True)


def test_the_layer_is_torchs_lstm():
    rng = np.random.default_rng(0)
    into, hidden = 5, text_synthetic.HIDDEN
    weight, bias = rng.standard_normal((into + hidden, 4 * hidden)) / 3, rng.standard_normal(4 * hidden)
    cell = torch.nn.LSTMCell(into, hidden, dtype=torch.float64)  # gates in the same order: input, forget, cell, output
    with torch.no_grad():
        cell.weight_ih.copy_(torch.from_numpy(weight[:into].T))
        cell.weight_hh.copy_(torch.from_numpy(weight[into:].T))
        cell.bias_ih.copy_(torch.from_numpy(bias))
        cell.bias_hh.zero_()
    x, h, c = rng.standard_normal((4, into)), *rng.standard_normal((2, 4, hidden))
    with torch.no_grad():
        expected = cell(torch.from_numpy(x), (torch.from_numpy(h), torch.from_numpy(c)))
    for mine, theirs in zip(text_synthetic.Layer(weight, bias).step(x, h, c), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


@pytest.mark.slow
def test_first_and_second_words_are_as_often_as_the_model_says():
    """Averages over z of the model's own probabilities, the second given the first, against frequencies."""
    rng = np.random.default_rng(0)
    model = text_synthetic.draw_model(4, 2, 2.0, rng=rng)
    n = 20_000
    split = text_synthetic._draw(model, n, 0, 3, rng=rng)
    chances = probabilities(model, split.x, split.sources.astype(float))
    for place in (0, 1):
        there = split.x[:, place] > 0
        for code in range(1, 7):
            expected = chances[there, place, code - 1]
            seen = split.x[there, place] == code
            error = np.sqrt((expected * (1 - expected)).sum()) / there.sum()
            assert abs(seen.mean() - expected.mean()) < 4 * error + 1e-9, (place, code)


def test_documents_stop_at_their_end_and_unknown_is_never_drawn():
    dataset = load_dataset("text-synthetic", {"samples": 500})
    for x in (dataset.train.x, dataset.evaluation.x):
        ended = np.cumsum(x == END, axis=1) - (x == END) > 0
        np.testing.assert_array_equal(x == 0, ended)
        assert not (x == UNKNOWN).any()
    lengths = (dataset.train.x > 0).sum(axis=1)
    assert lengths.min() < lengths.max() == 8


def test_sources_are_the_latents_and_words_depend_on_them():
    dataset = load_dataset("text-synthetic", {"samples": 2000, "signal": 3.0})
    z, x = dataset.train.sources, dataset.train.x
    assert z.shape == (2000, 5)
    assert np.abs(np.cov(z.T) - np.eye(5)).max() < 0.12
    counts = np.stack([(x == code).sum(axis=1) for code in range(2, 53)], axis=1)
    design = np.column_stack([counts, np.ones(len(x))])
    fitted = design @ np.linalg.lstsq(design, z, rcond=None)[0]
    r2 = 1 - ((z - fitted) ** 2).sum(axis=0) / ((z - z.mean(axis=0)) ** 2).sum(axis=0)
    assert r2.min() > 0.2
    assert (dataset.evaluation.sample_id.min(), len(dataset.evaluation)) == (2000, 400)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_seed_decides_everything(seed):
    of = [load_dataset("text-synthetic", {"samples": 50, "data_seed": s}).fingerprint for s in (seed, seed, seed + 1)]
    assert of[0] == of[1] != of[2]

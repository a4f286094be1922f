"""Rendered shapes against brute-force coverage, areas and symmetries."""

import numpy as np
import pytest

from stabaudit.data.load import load_dataset
from stabaudit.data.shapes import FACTORS, REACH, UNIT, draw_factors, load, render

AREA = [1.6**2, np.pi / 2, 1 + np.pi / 4]  # of square, ellipse and heart, in units of the shape


def inside(shape, u, v):
    """Whether points lie in a shape, by its definition."""
    if shape == 0:
        return (np.abs(u) <= 0.8) & (np.abs(v) <= 0.8)
    if shape == 1:
        return u**2 + 4 * v**2 <= 1
    a, b = (v + u) / np.sqrt(2), (v - u) / np.sqrt(2)
    body = (np.abs(a) <= 0.5) & (np.abs(b) <= 0.5)
    return body | ((a - 0.5) ** 2 + b**2 <= 0.25) | (a**2 + (b - 0.5) ** 2 <= 0.25)


def brute_force(factors, size, fine=16):
    """The part of a grid of points in every pixel that lies in the shape."""
    shape, scale, angle, x, y = factors
    places = (np.arange(size * fine) + 0.5) * 2 / (size * fine) - 1
    right, up = places[None, :] - (2 * x - 1) * REACH, -places[:, None] - (2 * y - 1) * REACH
    along = (right + 1j * up) * np.exp(-1j * angle) / (UNIT * scale)
    return inside(shape, along.real, along.imag).reshape(size, fine, size, fine).mean(axis=(1, 3))


@pytest.mark.parametrize("shape", [0, 1, 2])
def test_every_pixel_is_about_the_part_that_is_covered(shape):
    rng = np.random.default_rng(shape)
    factors = np.column_stack([np.full(8, shape), draw_factors(8, rng=rng)[:, 1:]])
    pictures = render(factors, 32)[:, 0]
    for picture, own in zip(pictures, factors, strict=True):
        truth = brute_force(own, 32)
        assert np.abs(picture - truth).mean() < 0.003
        assert np.abs(picture - truth).max() < 0.5
        assert picture[truth == 1].min(initial=1.0) > 0.7
        assert picture[truth == 0].max(initial=0.0) < 0.3


@pytest.mark.parametrize("shape", [0, 1, 2])
def test_areas_are_those_of_the_figures_and_nothing_is_cut_off(shape):
    corners = [
        [shape, scale, angle, x, y] for scale in (0.5, 1.0) for angle in (0.0, 0.7, 4.0) for x in (0.0, 1.0) for y in (0.0, 1.0)
    ]
    pictures = render(np.array(corners), 64)[:, 0]
    areas = pictures.sum(axis=(1, 2)) * (2 / 64) ** 2
    np.testing.assert_allclose(areas, [AREA[shape] * (UNIT * one[1]) ** 2 for one in corners], rtol=0.03)
    assert REACH + UNIT * 0.8 * np.sqrt(2) < 1  # corners of the largest square


def test_x_is_to_the_right_y_is_up_and_angles_are_counter_clockwise():
    right, up, middle = render(np.array([[0, 0.5, 0, 1.0, 0.5], [0, 0.5, 0, 0.5, 1.0], [0, 0.5, 0, 0.5, 0.5]]), 32)[:, 0]
    assert np.array_equal(right.sum(axis=1) > 0, middle.sum(axis=1) > 0)
    assert right[:, 16:].sum() == pytest.approx(right.sum())
    assert up[:16].sum() == pytest.approx(up.sum())
    heart, turned = render(np.array([[2, 1.0, 0, 0.5, 0.5], [2, 1.0, np.pi / 2, 0.5, 0.5]]), 32)[:, 0]
    np.testing.assert_allclose(turned, np.rot90(heart), atol=1e-5)
    assert heart[:16].sum() > heart[16:].sum()  # lobes above
    assert not np.allclose(heart, np.rot90(heart, 2), atol=0.1)


def test_factors_are_kept_as_sources_with_names_and_rows_follow_from_the_seed():
    dataset = load_dataset("shapes", {"samples": 3000, "size": 8}, None)
    assert dataset.source_names == FACTORS == ("shape", "scale", "orientation", "x", "y")
    assert (len(dataset.train), len(dataset.evaluation)) == (3000, 750)
    assert dataset.train.x.shape == (3000, 1, 8, 8)
    sources = dataset.train.sources
    assert np.array_equal(sources[:, 0], dataset.train.labels)
    assert np.array_equal(dataset.train.u.argmax(axis=1), dataset.train.labels)
    assert np.bincount(dataset.train.labels) == pytest.approx([1000] * 3, abs=100)
    assert np.abs(np.corrcoef(sources.T) - np.eye(5)).max() < 0.07
    for column, (low, high) in zip(sources.T[1:], [(0.5, 1), (0, 2 * np.pi), (0, 1), (0, 1)], strict=True):
        assert low <= column.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < column.max() <= high
    assert load(samples=20, size=8).fingerprint == load(samples=20, size=8).fingerprint
    assert load(samples=20, size=8).fingerprint != load(samples=20, size=8, data_seed=1).fingerprint

"""Latents side by side, aligned, and recovered sources beside the true ones."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from stabaudit.comparison.reading.selectors import read_groups
from stabaudit.comparison.views.aligned_latents import read_planes
from stabaudit.comparison.views.recovered_sources import SHOWN_ROWS, signals
from stabaudit.errors import BadRun, UsageError
from stabaudit.metrics.alignment import align
from stabaudit.metrics.floors import Draws
from stabaudit.metrics.split import split_halves

ROWS = 600


@pytest.fixture
def base():
    return np.random.default_rng(1).normal(size=(ROWS, 2))


def test_an_affine_copy_lands_on_the_first(make_run, base):
    copy = base @ np.array([[1.0, 2.0], [0.5, -1.0]]) + 3.0
    planes = read_planes(str(make_run("a", latents=[base, copy], d=2)))
    first, second = planes.planes
    assert (planes.reference, first.name, second.name) == ("a#0", "a#0", "a#1")
    np.testing.assert_allclose(second.points, first.points, atol=1e-4)
    assert second.r2 == pytest.approx(1.0)


def test_a_permutation_mends_order_sign_and_scale_and_no_rotation(make_run, base):
    swapped = base[:, ::-1] * [-3.0, 0.1] + 7.0
    turned = base @ np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
    folder = str(make_run("a", latents=[base, swapped, turned], d=2))
    _, second, third = read_planes(folder, "permutation").planes
    assert second.r2 == pytest.approx(1.0)
    assert third.r2 == pytest.approx(np.sqrt(2) - 1, abs=0.1)  # each has a correlation of 1/√2 with one: 2/√2 − 1
    as_they_are = read_planes(folder, "none").planes
    np.testing.assert_allclose(as_they_are[1].points[:, 0].mean(), 7.0, atol=0.5)
    assert as_they_are[1].r2 is None


def test_chance_is_what_rows_in_another_order_give(make_run, base):
    """Ordinary least squares on rows shuffled within their halves; latents that have nothing in common lie where chance does."""
    unrelated = np.random.default_rng(5).normal(size=base.shape)
    folder = str(make_run("a", latents=[base, base @ np.array([[1.0, 2.0], [0.5, -1.0]]), unrelated], d=2))
    _, copy, other = read_planes(folder, draws=Draws(200, 1)).planes
    fit = split_halves(np.arange(ROWS))
    rng, brute = np.random.default_rng(7), []
    for _ in range(200):
        halves = {half: rng.permutation(np.flatnonzero(fit == half)) for half in (True, False)}
        model = LinearRegression().fit(unrelated[halves[True]], base[fit])
        brute.append(r2_score(base[~fit], model.predict(unrelated[halves[False]])))
    error = np.std(brute) * np.sqrt(2 / 200)
    assert abs(other.floor - np.mean(brute)) < 3 * error
    assert abs(other.r2 - other.floor) < 4 * np.std(brute)
    assert copy.r2 - copy.floor > 0.95
    again = read_planes(folder, draws=Draws(200, 1)).planes
    assert (again[1].floor, again[2].floor) == (copy.floor, other.floor)
    assert read_planes(folder, "none").planes[1].floor is None


def test_true_sources_are_the_reference_where_there_are_as_many(make_run, base):
    planes = read_planes(str(make_run("a", latents=[base * 2, base * 3], d=2, sources=base)))
    assert planes.reference == "true sources"
    assert [plane.name for plane in planes.planes] == ["true sources", "a#0", "a#1"]
    np.testing.assert_allclose(planes.planes[1].points, planes.planes[0].points, atol=1e-4)


def test_labels_and_rows_stay_together_in_any_order(make_run, base):
    ids = np.random.default_rng(2).permutation(ROWS)
    labels = (base[:, 0] > 0).astype(int)
    planes = read_planes(str(make_run("a", latents=[base, base], d=2, ids=ids, labels=labels)))
    assert ((planes.planes[0].points[:, 0] > 0) == planes.label.astype(bool)).all()
    seen = set(planes.planes[0].points[:, 0].tolist())
    assert not seen & set(np.float32(base[split_halves(ids), 0]).tolist())  # what the alignment was estimated on is not shown


@pytest.mark.parametrize("dimensions", [(0, 2), (1, 1), (-1, 0)])
def test_dimensions_that_are_not_there_are_refused(make_run, dimensions):
    with pytest.raises(UsageError, match="has dimensions 0 to 1"):
        read_planes(str(make_run("a", d=2)), "affine", dimensions)


def test_a_run_without_restarts_has_no_planes(make_run):
    with pytest.raises(BadRun, match="none of its restarts is trained"):
        read_planes(str(make_run("a", latents=[], lost=("NaN",))))


def test_sources_are_recovered_from_a_permuted_rescaled_copy(make_run, base):
    good = make_run("good", latents=[base[:, ::-1] * [-2.0, 5.0] + 1.0], d=2, sources=base)
    bad = make_run("bad", "unrelated", 1, d=2, sources=base)
    found = signals(read_groups([str(good), str(bad)]))
    assert [signal.source for signal in found] == [0, 1]
    for signal in found:
        right, wrong = signal.recovered
        assert (right.restart, wrong.restart) == ("good#0", "bad#0")
        assert right.dimension == 1 - signal.source
        np.testing.assert_allclose(right.values, np.float32(base[:SHOWN_ROWS, signal.source]), atol=1e-4)
        assert right.correlation == pytest.approx(1.0)
        assert wrong.correlation < 0.3


def test_chance_of_a_recovered_source_is_the_mean_correlation_of_what_is_unrelated(make_run, base):
    """Which dimension is matched is decided on other rows, so it is E|r| of two independent columns: √(2/πn) of n rows."""
    found = signals(read_groups([str(make_run("a", "unrelated", 2, d=2, sources=base))]), Draws(400, 3))
    expected = np.sqrt(2 / (np.pi * (~split_halves(np.arange(ROWS))).sum()))
    for signal in found:
        (one,) = signal.recovered
        assert one.independence_floor == pytest.approx(expected, rel=0.08)  # 800 correlations: a relative error of 0.76/√800


def test_the_rotation_floor_of_two_recovered_sources_is_that_of_a_turn_at_random(make_run, base):
    """The better of two matchings of a turned square: E max(|cos θ|, |sin θ|) = 2√2/π of θ uniform; drawn anew for every run."""
    folders = [str(make_run(name, latents=[base], d=2, sources=base)) for name in ("a", "b")]
    first, second = ([signal.recovered[k] for signal in signals(read_groups(folders), Draws(400, 3))] for k in (0, 1))
    for one, other in zip(first, second, strict=True):
        for found in (one, other):
            assert found.rotation_floor == pytest.approx(2 * np.sqrt(2) / np.pi, abs=0.02)  # five standard errors
        assert one.rotation_floor != other.rotation_floor
        assert one.independence_floor != other.independence_floor


@pytest.mark.parametrize("by", ["permutation", "orthogonal", "affine"])
def test_chance_is_of_the_way_that_latents_are_aligned(make_run, base, by):
    """Of two unrelated columns each way has a chance of its own, and no two restarts have the same draws."""
    rng = np.random.default_rng(5)
    other = rng.normal(size=base.shape)
    folder = str(make_run("a", latents=[base, other, other], d=2))
    _, second, third = read_planes(folder, by, draws=Draws(50, 1)).planes
    fit = split_halves(np.arange(ROWS))
    brute = [align(rng.normal(size=base.shape), base, fit, by).r2 for _ in range(50)]
    assert abs(second.floor - np.mean(brute)) < 4 * np.std(brute) * np.sqrt(2 / 50)
    assert second.floor != third.floor


def test_signals_need_true_sources_that_agree(make_run, base):
    with pytest.raises(UsageError, match="no true sources"):
        signals(read_groups([str(make_run("a"))]))
    one, other = make_run("one", d=2, sources=base), make_run("other", d=2, sources=base + 1)
    with pytest.raises(UsageError, match="different true sources"):
        signals(read_groups([str(one), str(other)]))


def test_r2_of_an_alignment_is_that_of_rows_it_was_not_estimated_on(make_run, base):
    """Held against scikit-learn's least squares; the rows of *fit* alone would give more."""
    noisy = base + np.random.default_rng(4).normal(size=base.shape)
    _, second = read_planes(str(make_run("a", latents=[base, noisy], d=2))).planes
    fit = split_halves(np.arange(ROWS))
    line = LinearRegression().fit(np.float32(noisy)[fit], np.float32(base)[fit])

    def r2(rows):
        return r2_score(base[rows], line.predict(np.float32(noisy)[rows]), multioutput="uniform_average")

    assert second.r2 == pytest.approx(r2(~fit), abs=1e-5)
    assert abs(r2(fit) - r2(~fit)) > 1e-3

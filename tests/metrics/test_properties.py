"""What must hold of scores whatever the latents are: invariances, bounds, and how the scores relate to each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stabaudit.metrics.affine import affine_map, affine_r2
from stabaudit.metrics.floors import p_value
from stabaudit.metrics.mcc_strong import strong_mcc
from stabaudit.metrics.mcc_weak import weak_mcc
from stabaudit.metrics.pair_scores import ScoreName
from stabaudit.metrics.score_pairs import score_pairs
from stabaudit.metrics.scores import measure

few = settings(deadline=None, derandomize=True, max_examples=40)
EXACT = 1e-9


@st.composite
def pairs(draw, most=5):
    """Two latents of the same rows, anything between unrelated and affine copies, with the rows to fit on."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d = draw(st.integers(40, 120)), draw(st.integers(1, most))
    noise, shape = draw(st.sampled_from([0.0, 0.1, 1.0, 100.0])), draw(st.sampled_from(["normal", "laplace", "uniform"]))
    sources = getattr(rng, shape)(size=(n, d))
    a, b = (mixed(rng, sources) + noise * rng.normal(size=(n, d)) for _ in range(2))
    return a, b, rng.permutation(n) < n // 2, rng


def mixed(rng, sources):
    """Some linear function of the sources, or one that only weights them."""
    d = sources.shape[1]
    return sources @ rng.normal(size=(d, d)) if rng.random() < 0.5 else sources * rng.uniform(0.5, 2, size=d)


def rearranged(rng, z):
    """The same axes in another order, with other signs, offsets and scales; beyond a millionth of the largest they are dead."""
    d = z.shape[1]
    return z[:, rng.permutation(d)] * rng.choice([-1, 1], d) * 10.0 ** rng.uniform(-2, 2, d) + rng.normal(size=d)


def remixed(rng, z):
    """An invertible affine function, whose condition number is at most 100."""
    d = z.shape[1]
    left, right = (np.linalg.qr(rng.normal(size=(d, d)))[0] for _ in range(2))
    return z @ (left * 10.0 ** rng.uniform(-1, 1, d)) @ right + rng.normal(size=d)


@few
@given(pairs())
def test_strong_does_not_see_order_sign_scale_and_offset(pair):
    a, b, fit, rng = pair
    expected = strong_mcc(a, b, fit)
    assert strong_mcc(rearranged(rng, a), rearranged(rng, b), fit) == pytest.approx(expected, abs=EXACT)
    assert strong_mcc(rearranged(rng, a), a, fit) == pytest.approx(1, abs=EXACT)


@few
@given(pairs())
def test_weak_and_r2_do_not_see_affine_maps(pair):
    a, b, fit, rng = pair
    assert weak_mcc(remixed(rng, a), remixed(rng, b), fit, k=None) == pytest.approx(weak_mcc(a, b, fit, k=None), abs=1e-6)
    assert weak_mcc(remixed(rng, a), a, fit) == pytest.approx(1, abs=1e-6)
    assert affine_r2(remixed(rng, a), b, fit) == pytest.approx(affine_r2(a, b, fit), rel=1e-6, abs=1e-6)
    assert affine_r2(a, remixed(rng, a), fit) == pytest.approx(1, abs=1e-6)


@few
@given(pairs())
def test_mccs_are_symmetric(pair):
    a, b, fit, _ = pair
    assert strong_mcc(a, b, fit) == pytest.approx(strong_mcc(b, a, fit), abs=EXACT)
    assert weak_mcc(a, b, fit, k=None) == pytest.approx(weak_mcc(b, a, fit, k=None), abs=EXACT)


@few
@given(pairs())
def test_the_order_of_rows_and_which_half_comes_first_do_not_matter(pair):
    a, b, fit, rng = pair
    order = rng.permutation(len(a))
    for score in (strong_mcc, weak_mcc, affine_r2):
        assert score(a[order], b[order], fit[order]) == pytest.approx(score(a, b, fit), abs=1e-7)


@few
@given(pairs())
def test_the_map_is_the_best_there_is_on_the_rows_it_was_fitted_to(pair):
    a, b, fit, rng = pair
    matrix, offset = affine_map(a, b, fit)
    best = ((b[fit] - a[fit] @ matrix - offset) ** 2).sum()
    for _ in range(3):
        other = matrix + 0.1 * rng.normal(size=matrix.shape)
        assert ((b[fit] - a[fit] @ other - offset) ** 2).sum() >= best * (1 - 1e-9) - 1e-9


@pytest.mark.slow
@few
@given(pairs())
def test_scores_and_floors_lie_within_their_bounds_and_relate_as_they_must(pair):
    a, b, fit, rng = pair
    (found,) = score_pairs([a, b], fit, k=2, floor_draws=4, rng=rng).pairs
    for name, value in found.values.items():
        mcc = not name.metric.startswith("affine")
        assert (-EXACT if mcc or name.sample == "in" else -np.inf) <= value <= 1 + EXACT
        floor = found.independence[name]
        assert floor.shape == (4,)
        assert (floor <= 1 + EXACT).all()
        assert ((floor >= -EXACT) | (not mcc and name.sample == "out")).all()
        assert (measure(name.metric).above_floor(value, float(floor.mean())) or 0.0) <= 1 + EXACT
        assert 0 < p_value(value, floor) <= 1
    for floor in found.rotation.values():
        assert ((floor >= -EXACT) & (floor <= 1 + EXACT)).all()
    assert found.parts["strong_mcc"].inside.mean() == pytest.approx(found.values[ScoreName("strong_mcc", None, "in")])
    assert (np.diff(found.parts["strong_mcc"].inside) <= EXACT).all()
    assert (
        sorted(found.parts["strong_mcc"].matching[:, 0])
        == sorted(found.parts["strong_mcc"].matching[:, 1])
        == list(range(a.shape[1]))
    )
    # No two dimensions can be more alike than the two most alike directions.
    assert found.parts["weak_mcc"].inside[0] >= found.parts["strong_mcc"].inside[0] - 1e-7
    # Decorrelated axes are one choice of directions, and canonical ones the best: |trace| ≤ nuclear norm.
    weak_of_all = found.parts["weak_mcc"].inside.sum() / a.shape[1]
    assert found.values[ScoreName("decorrelated_strong_mcc", None, "in")] <= weak_of_all + 1e-7
    assert (np.diff(found.curve("strong_mcc", "in")) <= EXACT).all()


@few
@given(pairs(most=3), st.integers(1, 3))
def test_a_constant_dimension_matches_nothing_and_counts(pair, constants):
    a, b, fit, rng = pair
    d = a.shape[1]
    with_dead = [np.hstack([z, np.full((len(z), constants), rng.normal())]) for z in (a, b)]
    expected = strong_mcc(a, b, fit) * d / (d + constants)
    assert strong_mcc(*with_dead, fit) == pytest.approx(expected, abs=EXACT)

"""What every score against known factors promises, found in the table by itself."""

import numpy as np
import pytest

from stabaudit import metrics
from stabaudit.errors import BadData, UsageError
from stabaudit.metrics.factors import quietly
from stabaudit.metrics.pair_scores import ScoreName
from stabaudit.metrics.score_factors import score_factors
from stabaudit.metrics.score_pairs import score_pairs
from stabaudit.metrics.scores import MEANS, SAMPLES, every_name, measure, of_factors, of_pairs
from stabaudit.metrics.split import split_halves

N = 1200
FIT = split_halves(np.arange(N))
_ALL = [pytest.param(one, id=one.name, marks=pytest.mark.slow if one.factors.draws else ()) for one in of_factors()]
_SEEN = {}
by_name = pytest.mark.parametrize("one", _ALL)  # those of few draws take a second each


def factors(seed=0, n=N):
    """Two continuous factors, one of many values, and one of three classes whose numbers mean nothing."""
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [rng.uniform(size=(n, 2)), rng.integers(0, 8, n), rng.permutation([4.0, -1.0, 0.5])[rng.integers(0, 3, n)]]
    )


def mixed(v, seed=1):
    z = (v - v.mean(axis=0)) / v.std(axis=0)
    return z @ np.random.default_rng(seed).normal(size=(v.shape[1], v.shape[1]))


def out_of_sample(one, z, v, draws=0, fit=FIT):
    """The score and its floor; scores that read the same forests, say, are all read where the first of them is asked for."""
    arrays = (np.ascontiguousarray(array) for array in (z, v, fit))
    key = (one.factors.relate, draws, *((array.dtype.str, array.shape, array.tobytes()) for array in arrays))
    if key not in _SEEN:
        alike = [other for other in of_factors() if other.factors.relate is one.factors.relate]
        (_SEEN[key],) = score_factors([z], v, fit, alike, floor_draws=draws, rng=np.random.default_rng(0))
    name = ScoreName(one.name, None, "out")
    return _SEEN[key].values[name], _SEEN[key].independence[name]


@by_name
def test_the_function_of_two_arrays_gives_what_restarts_get(one):
    v = factors()
    z = mixed(v) + 0.1 * np.random.default_rng(2).normal(size=v.shape)
    with quietly():
        inside, outside = one.of_rows(z, v, FIT)
    (found,) = score_factors([z], v, FIT, [one], floor_draws=1, rng=np.random.default_rng(0))
    assert list(found.values.values()) == pytest.approx([inside, outside], abs=1e-12)
    assert getattr(metrics, one.name) is one.function


@by_name
def test_one_dimension_for_each_factor_is_near_the_top(one):
    v = factors()
    assert out_of_sample(one, -3.0 * v[:, [2, 0, 3, 1]] + 7.0, v)[0] > 0.9


@by_name
def test_maps_of_the_latents_that_it_says_change_nothing(one):
    v = factors()
    z = mixed(v)
    there = out_of_sample(one, z, v)[0]
    maps = {
        "translation": z + np.array([7.0, -3.0, 0.5, 100.0]),
        "scaling": 1e-6 * z,
        "axis scaling": z * [2.0, -0.1, 3e4, 1.0],
        "permutation": z[:, [2, 0, 3, 1]],
        "rotation": z @ np.linalg.qr(np.random.default_rng(3).normal(size=(4, 4)))[0],
        "linear": z @ np.random.default_rng(4).normal(size=(4, 4)),
    }
    # Trees choose among equal splits by the order of dimensions, and solvers stop a little short.
    exact = 1e-9 if one.factors.draws is None else 0.04
    for name, moved in maps.items():
        if name in one.invariances:
            assert out_of_sample(one, moved, v)[0] == pytest.approx(there, abs=exact), name


@pytest.mark.slow
@by_name
def test_unrelated_latents_score_as_the_floor_which_brute_force_gives_too(one):
    v, z = factors(), np.random.default_rng(5).normal(size=(N, 4))
    draws = 100 if one.factors.draws is None else one.factors.draws
    value, floor = out_of_sample(one, z, v, draws)
    assert len(floor) == draws
    rng = np.random.default_rng(6)
    brute = []
    with quietly():
        for _ in range(draws):
            order = np.arange(N)
            for half in (FIT, ~FIT):
                order[half] = rng.permutation(np.flatnonzero(half))
            brute.append(one.of_rows(z, v[order], FIT)[1])
    error = np.sqrt((np.var(floor) + np.var(brute)) / draws)
    assert abs(np.mean(floor) - np.mean(brute)) < 2 * error + (
        0.0 if one.factors.draws is None else 0.02
    )  # two draws say little of it
    assert abs(value - np.mean([*floor, *brute])) < 4 * np.std([*floor, *brute]) + 0.01


@by_name
def test_magnitudes_types_and_constant_columns(one):
    v = factors()
    z = mixed(v)
    there = out_of_sample(one, z, v)[0]
    for moved in (1e150 * z, 1e-150 * z, z.astype(np.float32)):
        assert out_of_sample(one, moved, v)[0] == pytest.approx(there, abs=0.05)
    assert out_of_sample(one, np.full_like(z, 3.0), v)[0] <= 0.05
    assert out_of_sample(one, z, np.column_stack([v, np.full(N, -1.0)]))[0] == pytest.approx(there, abs=0.01)
    assert out_of_sample(one, np.column_stack([z, np.full(N, 2.5)]), v)[0] >= there - 0.05  # one more that could be needed
    assert np.isfinite(out_of_sample(one, z, np.zeros((N, 2)))[0])


@by_name
@pytest.mark.parametrize("n", [4, 9, 30])
def test_few_rows_give_a_number_in_range(one, n):
    v = factors(n=n)
    value, floor = out_of_sample(one, mixed(v)[:, :2], v, draws=1, fit=split_halves(np.arange(n)))
    assert one.low <= value <= one.high
    assert np.isfinite(floor).all()


@by_name
def test_wrong_arrays_are_one_line(one):
    v = factors()
    for z, truth, said in (
        (v[:10], v, "rows; join them on sample_id first"),
        (v, v[:, :0], r"factors have shape \(1200, 0\), expected \(n, K\)"),
        (np.where(v > 0.9, np.nan, v), v, "latents hold NaN"),
    ):
        with pytest.raises(BadData, match=said):
            one.function(z, truth)


@by_name
def test_it_is_never_one_of_two_restarts(one):
    assert one.needs == "factors"
    assert one.unit == "restart"
    assert one not in of_pairs()
    with pytest.raises(UsageError, match="is of one restart and known factors, not of pairs of restarts"):
        score_pairs([factors(), factors()], FIT, scores=[one.name], rng=np.random.default_rng(0))
    assert one.name in every_name()
    for against in (MEANS, SAMPLES):
        assert f"{against.prefix}{one.name}" not in every_name()
        with pytest.raises(UsageError, match="unknown score"):
            measure(f"{against.prefix}{one.name}")


def test_what_scores_share_is_found_once_and_draws_are_those_asked_for():
    v = factors()
    seen = []

    def relate(z, truth, fit):
        seen.append(truth)
        return 0.25, 0.5

    steps = measure("mig").factors._replace(relate=relate, read=lambda found: found, draws=2)
    ones = [measure(name) for name in ("mig", "modularity")]
    ones = [type(one)(**{**vars(one), "factors": steps}) for one in ones]
    found = score_factors([v, v], v, FIT, ones, floor_draws=7, rng=np.random.default_rng(0))
    assert len(seen) == 2 * (1 + 2)
    assert [list(one.values.values()) for one in found] == [[0.25, 0.5, 0.25, 0.5]] * 2
    assert {len(draws) for one in found for draws in one.independence.values()} == {2}
    for half in (FIT, ~FIT):  # a shuffle keeps rows in their half
        assert np.array_equal(np.sort(seen[-1][half], axis=0), np.sort(v[half], axis=0))

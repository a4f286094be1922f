"""Strong MCC after ICA: it undoes a linear map where factors are not Gaussian, and only there."""

import numpy as np
import pytest
from sklearn.decomposition import FastICA

from stabaudit.metrics import ica_strong_mcc, mcc_after_ica, strong_mcc
from stabaudit.metrics.mcc_after_ica import components
from stabaudit.metrics.pair_scores import ScoreName
from stabaudit.metrics.score_pairs import score_pairs
from stabaudit.metrics.split import split_halves

N, D = 3000, 4
FIT = split_halves(np.arange(N))


def mixed(seed=0, draw="laplace", noise=0.0):
    rng = np.random.default_rng(seed)
    s = getattr(rng, draw)(size=(N, D))
    return s, [(s + noise * rng.normal(size=s.shape)) @ rng.normal(size=(D, D)) + 3.0 for _ in range(2)]


def test_components_are_those_of_the_library_up_to_order_and_sign():
    _, (a, _) = mixed()
    ours = components(a, FIT).values[FIT]
    theirs = FastICA(whiten="unit-variance", random_state=0, tol=1e-10, max_iter=1000).fit_transform(a[FIT])
    assert strong_mcc(ours, theirs) > 0.9999


@pytest.mark.parametrize("draw", ["laplace", "uniform"])
def test_it_finds_factors_whatever_the_mixing(draw):
    s, (a, b) = mixed(draw=draw)
    assert strong_mcc(a, b, FIT) < 0.9
    assert ica_strong_mcc(a, b, FIT) > 0.99
    assert ica_strong_mcc(a, s, FIT) > 0.99


def test_any_linear_map_of_either_side_leaves_it():
    _, (a, b) = mixed(noise=0.3)
    rng = np.random.default_rng(1)
    there = ica_strong_mcc(a, b, FIT)
    assert 0.8 < there < 0.99
    for _ in range(3):
        assert ica_strong_mcc(a @ rng.normal(size=(D, D)) - 2.0, b, FIT) == pytest.approx(there, abs=0.01)


@pytest.mark.slow
def test_gaussian_factors_are_not_found():
    """One world by itself is arbitrary, and changes with the machine: means over eight."""
    agreement, found = {}, {}
    for draw in ("standard_normal", "laplace"):
        agreement[draw] = np.mean([ica_strong_mcc(*mixed(seed, draw, noise=0.3)[1], FIT) for seed in range(8)])
        worlds = [mixed(seed, draw) for seed in range(8)]
        found[draw] = np.mean([strong_mcc(components(a, FIT).values, s, FIT) for s, (a, _) in worlds])
    assert agreement["standard_normal"] < 0.85
    assert agreement["laplace"] > 0.94
    assert found["standard_normal"] < 0.9
    assert found["laplace"] > 0.99


def test_the_floor_is_that_of_unrelated_components():
    _, (a, _) = mixed()
    b = np.random.default_rng(7).laplace(size=(N, D))
    scored = score_pairs([a, b], FIT, scores=["ica_strong_mcc"], floor_draws=60, rng=np.random.default_rng(0)).pairs[0]
    name = ScoreName("ica_strong_mcc", None, "out")
    rng = np.random.default_rng(2)
    of_a, of_b = components(a, FIT).values, components(b, FIT).values
    brute = []
    for _ in range(200):
        inside, outside = rng.permutation(of_b[FIT]), rng.permutation(of_b[~FIT])
        order = best_order(np.abs(of_a[FIT].T @ inside))
        brute.append(np.mean([abs(of_a[~FIT][:, k] @ outside[:, m]) for k, m in enumerate(order)]))
    error = np.hypot(np.std(brute) / np.sqrt(200), scored.independence[name].std() / np.sqrt(60))
    assert abs(scored.independence[name].mean() - np.mean(brute)) < 2 * error
    assert not scored.rotation.get(name)


def best_order(strength):
    from itertools import permutations

    return max(permutations(range(D)), key=lambda order: sum(strength[k, m] for k, m in enumerate(order)))


def test_dead_and_dependent_dimensions_and_unequal_numbers():
    _, (a, b) = mixed()
    with_dead = np.column_stack([a, np.full(N, 7.0), a[:, 0] + a[:, 1]])
    assert ica_strong_mcc(with_dead, b, FIT) > 0.99
    assert ica_strong_mcc(np.zeros((N, 2)), b, FIT) == 0.0
    assert ica_strong_mcc(a[:, :1], a[:, :1] * -2, FIT) == pytest.approx(1.0)
    assert ica_strong_mcc(1e120 * a, 1e-120 * b, FIT) > 0.99


def test_components_stay_next_to_the_dimensions_whatever_was_drawn_before():
    s, _ = mixed()
    z = s + 0.2 * s[:, ::-1]
    first = components(z, FIT).values
    assert np.array_equal(first, components(z, FIT).values)
    for half in (FIT, ~FIT):
        turned = np.diag(np.corrcoef(s[half].T, first[half].T)[:D, D:])
        assert (turned > 0.99).all()  # component k is factor k, of the same sign


def test_more_steps_and_a_finer_end_change_little(monkeypatch):
    _, (a, b) = mixed(noise=0.3)
    there = ica_strong_mcc(a, b, FIT)
    monkeypatch.setattr(mcc_after_ica, "_STEPS", 5000)
    monkeypatch.setattr(mcc_after_ica, "_TOLERANCE", 1e-10)
    assert ica_strong_mcc(a, b, FIT) == pytest.approx(there, abs=2e-3)


@pytest.mark.parametrize(
    ("times", "offset", "noise", "directions"),
    [
        (1.0, 0.0, 0.0, 4),
        (1.0, 0.0, 1e-6, 5),
        (0.0, 7.0, 1e-15, 4),  # what rounding leaves of a constant
        (0.0, 1e5, 1e-3, 5),
        (0.0, 0.0, 1e-30, 5),  # small, but not next to its own magnitude
    ],
)
def test_directions_are_those_that_double_precision_tells_apart(times, offset, noise, directions):
    _, (a, _) = mixed()
    added = times * (a[:, 0] + a[:, 1]) + offset + noise * np.random.default_rng(2).normal(size=N)
    assert components(np.column_stack([a, added]), FIT).values.shape == (N, directions)


def test_where_latents_lie_does_not_matter_in_either_half():
    _, (a, b) = mixed(noise=0.3)
    there = ica_strong_mcc(a, b, FIT)
    assert ica_strong_mcc(a + 1000.0, b, FIT) == pytest.approx(there, abs=1e-6)
    moved = a + np.where(FIT, 0.0, 50.0)[:, None]
    assert ica_strong_mcc(moved, b, FIT) == pytest.approx(there, abs=1e-9)
    for half in (FIT, ~FIT):
        part = components(moved, FIT).values[half]
        np.testing.assert_allclose(part.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(part, axis=0), 1, rtol=1e-12)

"""Strong and weak MCC against brute force, an independent canonical correlation analysis, and what must hold for any latents."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from stabaudit.errors import BadData
from stabaudit.metrics.halves import Halves
from stabaudit.metrics.mcc_strong import strong_mcc
from stabaudit.metrics.mcc_weak import canonical as weak
from stabaudit.metrics.mcc_weak import weak_mcc

N = 400
FIT = np.random.default_rng(99).permutation(N) < N // 2


def noisy_pair(d, *, seed=0, noise=0.7, d_b=None, n=N):
    """Two noisy, mixed views of the same sources."""
    rng = np.random.default_rng(seed)
    sources = rng.standard_normal((n, d))
    a = (sources + noise * rng.standard_normal((n, d))) @ rng.standard_normal((d, d))
    return a, sources @ rng.standard_normal((d, d_b or d)) + noise * rng.standard_normal((n, d_b or d)) + 3.0


def correlation_matrix(a, b):
    return np.corrcoef(a.T, b.T)[: a.shape[1], a.shape[1] :]


def canonical_correlations_by_qr(a, b):
    """Björck and Golub 1973: singular values of Q_aᵀQ_b."""
    q_a, _ = np.linalg.qr(a - a.mean(axis=0))
    q_b, _ = np.linalg.qr(b - b.mean(axis=0))
    return np.linalg.svd(q_a.T @ q_b, compute_uv=False)


@given(st.integers(1, 6), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_strong_is_the_best_of_all_permutations(d, seed):
    a, b = noisy_pair(d, seed=seed)
    inside, outside = (np.abs(correlation_matrix(a[half], b[half])) for half in (FIT, ~FIT))
    best = max(permutations(range(d)), key=lambda order: inside[range(d), order].sum())
    assert strong_mcc(a[FIT], b[FIT]) == pytest.approx(inside[range(d), best].mean(), abs=1e-12)
    assert strong_mcc(a, b, FIT) == pytest.approx(outside[range(d), best].mean(), abs=1e-12)


def test_strong_by_ranks_is_the_best_of_all_permutations():
    a, b = noisy_pair(4)
    a, b = np.exp(a), b**3
    inside, outside = (np.abs(spearmanr(a[half], b[half]).statistic[:4, 4:]) for half in (FIT, ~FIT))
    best = max(permutations(range(4)), key=lambda order: inside[range(4), order].sum())
    assert strong_mcc(a, b, FIT, correlation="spearman") == pytest.approx(outside[range(4), best].mean(), abs=1e-12)


def test_ranks_do_not_change_under_monotone_maps():
    a, b = noisy_pair(4)
    assert strong_mcc(np.exp(a), b, FIT, correlation="spearman") == pytest.approx(
        strong_mcc(a, b, FIT, correlation="spearman"), abs=1e-12
    )
    assert abs(strong_mcc(np.exp(a), b, FIT) - strong_mcc(a, b, FIT)) > 0.01


@pytest.mark.parametrize(("d_a", "d_b"), [(5, 5), (50, 50), (8, 3)])
def test_canonical_correlations_equal_those_by_qr(d_a, d_b):
    rng = np.random.default_rng(1)
    a = rng.standard_normal((2000, d_a)) * 10.0 ** rng.integers(-2, 3, size=d_a) + 5.0
    b = np.tanh(a / a.std(axis=0))[:, rng.permutation(d_a)][:, :d_b] + rng.standard_normal((2000, d_b))
    halves = Halves.of_rows([a, b], None)
    inside = weak(*halves.marginals, halves.cross(0, 1)).inside
    np.testing.assert_allclose(inside, canonical_correlations_by_qr(a, b), atol=1e-12)


def test_weak_out_of_sample_applies_the_directions_of_fit_to_score():
    a, b = noisy_pair(6)
    q_a, r_a = np.linalg.qr(a[FIT] - a[FIT].mean(axis=0))
    q_b, r_b = np.linalg.qr(b[FIT] - b[FIT].mean(axis=0))
    left, _, right = np.linalg.svd(q_a.T @ q_b)
    u, v = a[~FIT] @ np.linalg.solve(r_a, left), b[~FIT] @ np.linalg.solve(r_b, right.T)
    expected = [abs(np.corrcoef(u[:, i], v[:, i])[0, 1]) for i in range(6)]
    assert weak_mcc(a, b, FIT, k=None) == pytest.approx(np.mean(expected), abs=1e-10)
    assert weak_mcc(a, b, FIT, k=2) == pytest.approx(np.mean(expected[:2]), abs=1e-10)


@given(st.integers(1, 8), st.integers(0, 1000), st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_permuted_rescaled_shifted_flipped_copy_scores_one(d, seed, split):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((N, d)) @ rng.standard_normal((d, d))
    scale = rng.choice([-1, 1], size=d) * 10.0 ** rng.uniform(-2, 2, size=d)
    b = a[:, rng.permutation(d)] * scale + rng.normal(scale=10, size=d)
    fit = FIT if split else None
    assert strong_mcc(a, b, fit) == pytest.approx(1.0, abs=1e-9)
    assert weak_mcc(a, b, fit) == pytest.approx(1.0, abs=1e-6)


def test_an_affine_copy_is_weakly_but_not_strongly_the_same():
    rng = np.random.default_rng(3)
    a = rng.standard_normal((N, 10))
    b = a @ rng.standard_normal((10, 10)) - 4.0
    assert weak_mcc(a, b, FIT, k=None) == pytest.approx(1.0, abs=1e-9)
    assert strong_mcc(a, b, FIT) < 0.8


@given(st.integers(1, 6), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_both_are_symmetric_and_within_bounds(d, seed):
    a, b = noisy_pair(d, seed=seed, noise=2.0)
    for score in (strong_mcc, weak_mcc):
        assert 0.0 <= score(a, b, FIT) <= 1.0
        assert score(a, b, FIT) == pytest.approx(score(b, a, FIT), abs=1e-10)


def test_weak_is_invariant_under_affine_maps_and_strong_under_rescaling():
    a, b = noisy_pair(5)
    mixed = a @ np.random.default_rng(4).standard_normal((5, 5)) + 100.0
    assert weak_mcc(mixed, b, FIT) == pytest.approx(weak_mcc(a, b, FIT), abs=1e-9)
    assert strong_mcc(a * [1, -2, 3e2, -4e-2, 5] + 1.0, b, FIT) == pytest.approx(strong_mcc(a, b, FIT), abs=1e-12)


def test_the_units_of_other_dimensions_do_not_make_one_dead():
    a, b = noisy_pair(4)
    units = [1e-12, 1.0, 1e6, 1e12]
    assert strong_mcc(a * units, b * units, FIT) == pytest.approx(strong_mcc(a, b, FIT), abs=1e-9)
    assert strong_mcc(a + 1e8, b + 1e8, FIT) == pytest.approx(strong_mcc(a, b, FIT), abs=1e-6)


def test_a_dead_dimension_scores_zero_and_stays_in_the_denominator():
    a = np.random.default_rng(0).standard_normal((N, 4))
    dead, nearly = a.copy(), a.copy()
    dead[:, 1] = 0.3
    nearly[:, 1] = 1e9 + 1e-7 * (np.arange(N) % 2)  # no more than what double precision resolves there
    for b in (dead, nearly):
        assert strong_mcc(a, b, FIT) == pytest.approx(3 / 4, abs=1e-2)
        assert strong_mcc(b, b, FIT) == pytest.approx(3 / 4, abs=1e-12)
        assert weak_mcc(b, b, FIT) == pytest.approx(1.0, abs=1e-12)  # three canonical pairs, all of them 1


def test_a_dimension_that_lives_on_fit_alone_scores_zero_out_of_sample():
    a = np.random.default_rng(0).standard_normal((N, 3))
    a[~FIT, 0] = 1.5
    assert strong_mcc(a, a, FIT) == pytest.approx(2 / 3, abs=1e-12)


def test_latents_without_any_variance_score_zero():
    a = np.random.default_rng(0).standard_normal((N, 3))
    assert strong_mcc(a, np.full((N, 3), 0.1), FIT) == 0.0
    assert weak_mcc(a, np.full((N, 3), 0.1), FIT) == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rank_deficient_latents_are_scored_on_their_rank(dtype):
    rng = np.random.default_rng(2)
    a = rng.standard_normal((N, 3))
    b = (a @ rng.standard_normal((3, 8)) + 5.0).astype(dtype)
    assert weak_mcc(a, b, FIT, k=None, allow_unequal=True) == pytest.approx(1.0, abs=1e-6)
    halves = Halves.of_rows([b], FIT)
    assert halves.marginals[0].rank == 3


def test_unequal_dimensions_are_refused_unless_allowed():
    a, b = noisy_pair(6, d_b=4)
    with pytest.raises(BadData, match="a and b have 6 and 4 dimensions"):
        strong_mcc(a, b)
    with pytest.raises(BadData, match="6 and 4"):
        weak_mcc(a, b)
    inside = np.abs(correlation_matrix(a, b))
    best = max(inside[list(rows), range(4)].mean() for rows in permutations(range(6), 4))
    assert strong_mcc(a, b, allow_unequal=True) == pytest.approx(best, abs=1e-12)
    assert weak_mcc(a, b, k=None, allow_unequal=True) == pytest.approx(canonical_correlations_by_qr(a, b).mean(), abs=1e-10)

"""Dictionaries whose shared features are known: scores, floors, intervals, counts and what is said of them."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linear_sum_assignment

import stabaudit
from stabaudit.comparison.surveys.features import features
from stabaudit.errors import BadData, UsageError
from stabaudit.metrics.features import assignment
from stabaudit.metrics.split import split_halves
from stabaudit.reports.formats.markdown import write as text
from stabaudit.reports.sections.features import features_report
from stabaudit.statistics.jackknife import within
from stabaudit.store.imports.dictionary_files import Dictionary

ROWS, D = 1000, 250


def activations(dictionaries, shared, seed=0, d=D, rows=ROWS):
    """Sparse codes of which a fraction is the same in all dictionaries but for noise, in orders of their own."""
    rng = np.random.default_rng(seed)

    def codes(count):
        return np.where(rng.random((rows, count)) < 0.05, rng.exponential(size=(rows, count)) + 0.2, 0.0)

    common = codes(round(shared * d))
    made = []
    for _ in range(dictionaries):
        noisy = common * (1 + 0.2 * rng.standard_normal(common.shape)) * (rng.random(common.shape) < 0.9)
        made.append(np.hstack([noisy, codes(d - common.shape[1])])[:, rng.permutation(d)])
    return {f"sae{place}": sparse.csr_array(one) for place, one in enumerate(made)}


def weights(dictionaries, shared, seed=0, d=D, dims=128):
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((round(shared * d), dims))
    return {
        f"sae{place}": np.vstack(
            [common + 0.5 * rng.standard_normal(common.shape), rng.standard_normal((d - len(common), dims))]
        )[rng.permutation(d)]
        for place in range(dictionaries)
    }


def by_name(found):
    return {one.measure: one for one in found.scores}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
@pytest.mark.parametrize("world", [activations, weights])
def test_planted_overlap_is_found(world, seed):
    found = by_name(stabaudit.features(world(2, 0.6, seed), of=world.__name__, sampled=4, floor_draws=6))
    assert found["shared"].mean == pytest.approx(0.60, abs=0.012)  # 150 of 250; 1% of the other 100 is one feature


@pytest.mark.slow
@pytest.mark.parametrize("world", [activations, weights])
def test_dictionaries_that_share_nothing_lie_at_their_floors(world):
    found = stabaudit.features(world(3, 0.0), of=world.__name__, sampled=32, floor_draws=3)
    for one in found.scores:
        assert one.mean == pytest.approx(one.floor, abs=0.02), one.measure
        assert abs(one.adjusted) < 0.03


@pytest.mark.slow
def test_scores_are_those_of_brute_force():
    held = {name: one.toarray() for name, one in activations(2, 0.5, d=60).items()}
    found = stabaudit.features(held)
    a, b = held.values()
    fit = split_halves(np.arange(ROWS))
    on_fit, on_score = (np.abs(np.corrcoef(a[rows].T, b[rows].T)[:60, 60:]) for rows in (fit, ~fit))
    scores = by_name(found)
    assert scores["matched"].mean == pytest.approx(on_score[linear_sum_assignment(on_fit, maximize=True)].mean(), abs=1e-6)
    best = [on_score[np.arange(60), on_fit.argmax(axis=1)].mean(), on_score[on_fit.argmax(axis=0), np.arange(60)].mean()]
    assert scores["best"].mean == pytest.approx(np.mean(best), abs=1e-6)
    assert [one.value for one in found.pair_scores if one.measure.startswith("best")] == pytest.approx(best, abs=1e-6)


def test_floors_are_those_of_shuffled_rows():
    a, b = (one.toarray() for one in activations(2, 0.5, d=60).values())
    found = by_name(stabaudit.features({"a": a, "b": b}, floor_draws=20, sampled=4))["matched"]
    fit = split_halves(np.arange(ROWS))
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(20):
        moved = [b[rows][rng.permutation(int(rows.sum()))] for rows in (fit, ~fit)]
        tables = [np.abs(np.corrcoef(a[rows].T, x.T)[:60, 60:]) for rows, x in zip((fit, ~fit), moved, strict=True)]
        drawn.append(tables[1][linear_sum_assignment(tables[0], maximize=True)].mean())
    assert found.floor == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / np.sqrt(20))


def test_intervals_are_of_dictionaries_and_two_have_none():
    found = stabaudit.features(weights(4, 0.5, d=60), of="weights", sampled=4, floor_draws=3)
    matched = by_name(found)["matched"]
    table = np.zeros((4, 4))
    table[np.triu_indices(4, k=1)] = [one.value for one in found.pair_scores if one.measure == "matched"]
    expected = within(table + table.T, scale="logit")
    assert (matched.mean, matched.ci_low, matched.ci_high) == (expected.mean, *expected.interval())
    assert (matched.pairs, matched.dictionaries) == (6, 4)
    two = stabaudit.features(weights(2, 0.5, d=60), of="weights", sampled=4, floor_draws=3)
    assert by_name(two)["matched"].ci_low is None
    assert any("one pair, which has no interval" in warning for warning in two.warnings)
    assert "no interval" in text(features_report(two))


def test_features_that_never_fire_are_counted_and_left_out():
    held = {name: one.toarray() for name, one in activations(2, 1.0, d=60).items()}
    dead = {name: np.hstack([one, np.zeros((ROWS, 9))]) for name, one in held.items()}
    fit = split_halves(np.arange(ROWS))
    dead["sae1"][np.flatnonzero(fit)[0], 65] = 1.0  # fires once, on one half
    alive, found = stabaudit.features(held, sampled=4, floor_draws=3), stabaudit.features(dead, sampled=4, floor_draws=3)
    assert [(one.features, one.never, one.one_half) for one in found.dictionaries] == [(69, 9, 0), (69, 8, 1)]
    assert by_name(found)["matched"].mean == by_name(alive)["matched"].mean
    assert found.warnings[0] == "sae0: 9 of 69 features never vary: left out"
    assert found.warnings[1] == "sae1: 8 of 69 features never vary, 1 varies on one half of the rows alone: left out"


def test_a_column_that_is_one_constant_on_one_half_and_another_on_the_other_varies():
    held = {name: one.toarray() for name, one in activations(2, 1.0, d=20).items()}
    halves = np.where(split_halves(np.arange(ROWS)), 1.0, 3.0)[:, None]
    found = stabaudit.features({name: np.hstack([one, halves]) for name, one in held.items()}, sampled=4, floor_draws=3)
    assert [(one.never, one.one_half) for one in found.dictionaries] == [(0, 1), (0, 1)]


def test_adjusted_scores_lie_between_the_floor_and_one():
    found = stabaudit.features(weights(2, 0.5, d=60), of="weights", sampled=8, floor_draws=3)
    for one in found.pair_scores:
        assert one.adjusted == pytest.approx((one.value - one.floor) / (1 - one.floor)), one.measure
    assert by_name(found)["matched"].floor > 0.1
    assert by_name(found)["shared"].floor == 0.0


def test_a_matching_that_may_be_far_from_the_best_is_said(monkeypatch):
    monkeypatch.setattr(assignment, "MOST_ROUNDS", 1)
    with_few = stabaudit.features(weights(2, 0.0, d=120, dims=8), of="weights", candidates=1, sampled=4, floor_draws=1)
    assert with_few.matchings[0].gap > 1e-4
    assert any("below the best; raise --candidates" in warning for warning in with_few.warnings)


def test_larger_dictionaries_hold_the_smaller():
    large = weights(1, 1.0, d=120)["sae0"]
    for held in ({"a": large[:50], "b": large}, {"a": large, "b": large[:50]}):
        found = stabaudit.features(held, of="weights", sampled=50, floor_draws=3)
        assert by_name(found)["matched"].mean == pytest.approx(1.0, abs=1e-5)
        assert found.matchings[0].matched == 50
        parts = {(one.explained, one.parts): one for one in found.parts}
        small, big = ("a", "b") if held["a"] is not large else ("b", "a")
        assert parts[small, 1].made == 1.0
        assert parts[big, 1].made < 0.7


def test_rates_of_firing_tell_rare_features_from_frequent_ones():
    rng = np.random.default_rng(0)
    rates = np.repeat([0.02, 0.2], 30)
    fired = rng.random((4000, 60)) < rates
    a = fired * rng.exponential(size=fired.shape)
    b = np.hstack([rng.permuted(a[:, :30], axis=0), a[:, 30:]])  # rare ones are unrelated
    found = stabaudit.features({"a": a, "b": b}, sampled=4, floor_draws=10)
    low, high = found.firing
    assert (low.rate_low, low.rate_high, high.rate_low, high.rate_high) == (0.01, 0.03, 0.1, 0.3)
    assert (low.matched, high.matched) == (30, 30)
    assert low.mean < 0.1
    assert high.mean == pytest.approx(1.0, abs=1e-6)
    assert (low.shared < 0.2, high.shared) == (True, 1.0)


@pytest.mark.slow
def test_dense_and_sparse_matrices_give_the_same():
    held = activations(3, 0.5, d=60)
    dense = {name: one.toarray() for name, one in held.items()}
    found = [stabaudit.features(given, sampled=16, floor_draws=3).scores for given in (held, dense)]
    for one, other in zip(*found, strict=True):
        assert (one.mean, one.floor) == pytest.approx((other.mean, other.floor), abs=1e-5), one.measure


def test_scores_of_the_table_are_given_where_they_are_asked_for():
    held = {name: one.toarray() for name, one in activations(3, 0.9, d=8).items()}
    scores = by_name(stabaudit.features(held, scores=("cka", "weak_mcc"), floor_draws=3, sampled=4))
    other = stabaudit.compare({"it": list(held.values())}, scores=("cka", "weak_mcc"), floor_draws=3, rotations=19)
    assert scores["cka"].mean == pytest.approx(other.out_of_sample("it")["cka"].mean, abs=1e-6)
    assert scores["cka"].ci_low == pytest.approx(other.out_of_sample("it")["cka"].ci_low, abs=1e-6)
    assert "weak_mcc@20" in scores
    assert "CKA" in text(features_report(stabaudit.features(held, scores=("cka",), floor_draws=3, sampled=4)))


def test_the_same_seed_gives_the_same_numbers():
    one, other = (stabaudit.features(weights(3, 0.5, d=60), of="weights", seed=7, sampled=4, floor_draws=3) for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("held", "of", "message"),
    [
        ({"a": np.eye(5)}, "weights", "give two or more"),
        ({"a": np.eye(5), "b": np.eye(6)}, "weights", "a 5, b 6 dimensions of directions"),
        ({"a": np.ones((9, 3)), "b": np.eye(9)}, "activations", "a: none of 3 features varies on both halves"),
        ({"a": np.eye(9), "b": np.eye(8)}, "activations", "a 9, b 8 rows"),
        ({"a": np.eye(3), "b": np.eye(3)}, "activations", "3 rows of activations: two halves"),
        ({"a": np.eye(9), "b": np.full((9, 9), np.nan)}, "weights", "b: feature 0 and 8 more holds NaN"),
        ({"a": np.eye(9), "b": np.zeros((9, 9))}, "weights", "b: none of 9 features has a direction"),
        ({"a": np.eye(9), "b": sparse.eye_array(9)}, "weights", "b: a sparse matrix; decoder weights are dense"),
        ({"a": np.eye(9), "b": np.array([["x"] * 9] * 9)}, "activations", "b: an array of shape"),
        ({"a": np.eye(9), "b": np.eye(9)}, "biases", "expected weights or activations"),
    ],
)
def test_what_cannot_be_compared_is_refused(held, of, message):
    with pytest.raises((BadData, UsageError), match=message):
        stabaudit.features(held, of=of)


def test_settings_that_find_nothing_are_refused():
    with pytest.raises(UsageError, match="candidates=0: expected at least 1"):
        stabaudit.features(weights(2, 0.5, d=20), of="weights", candidates=0)
    with pytest.raises(UsageError, match="expected fields of"):
        stabaudit.features(weights(2, 0.5, d=20), of="weights", matches="exact")
    with pytest.raises(UsageError, match="--scores are of activations"):
        stabaudit.features(weights(2, 0.5, d=20), of="weights", scores=("cka",))
    both = [Dictionary("a", "weights", np.eye(5)), Dictionary("b", "activations", np.eye(5))]
    with pytest.raises(UsageError, match="of decoder weights and of activations are not held against each other"):
        features(both)
    with pytest.raises(UsageError, match="give paths, or one mapping"):
        stabaudit.features(np.eye(3), np.eye(3))

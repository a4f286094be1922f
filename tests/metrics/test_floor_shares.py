"""Draws of a floor that see a share of the pairs each: the same expectation, and an error that is what it is said to be."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import t as student

from stabaudit.comparison.scoring.floors import Floors
from stabaudit.metrics import drawn_floors
from stabaudit.metrics.evidence import Evidence
from stabaudit.metrics.floor_shares import monte_carlo_error, of_permutations, of_rotations, shares
from stabaudit.metrics.pair_scores import ScoreName
from stabaudit.metrics.score_pairs import score
from stabaudit.metrics.scores import chosen

RESTARTS = 8
PAIRS = list(combinations(range(RESTARTS), 2))
NAMES = [ScoreName(metric, None, "out") for metric in ("strong_mcc", "decorrelated_strong_mcc")]


def restarts_of(shared):
    """Unrelated restarts, of which the later ones have dimensions that share a direction, ever more of it."""
    rng = np.random.default_rng(0)
    latents = [rng.standard_normal((240, 3)) + shared * at * rng.standard_normal((240, 1)) for at in range(RESTARTS)]
    return Evidence.of_rows(latents, np.arange(240) % 2 == 0)


@pytest.fixture(scope="module")
def unlike():
    """Restarts whose pairs have floors that differ."""
    return restarts_of(0.5)


def floors(evidence, seed, name, *, groups, draws=20, rotations=24):
    scored = score(
        evidence,
        measures=chosen([name.metric]),
        floor_groups=groups,
        floor_draws=draws,
        rotations=rotations,
        rng=np.random.default_rng(seed),
    )
    return Floors.of(scored.pairs, [name])


@pytest.mark.parametrize(("count", "draws", "most"), [(45, 20, 5), (45, 199, 5), (7, 20, 5), (3, 4, 5), (200, 20, 10), (0, 3, 5)])
def test_every_pair_has_a_part_in_as_many_draws_as_any_other(count, draws, most):
    pairs = [(0, b) for b in range(1, count + 1)]
    found = shares(pairs, draws, most)
    assert len(found) == draws
    assert all(len(set(share)) == len(share) <= most for share in found)
    assert max(map(len, found)) - min(map(len, found)) <= 1
    times = Counter(pair for share in found for pair in share)
    if draws * most >= 2 * count > 0:
        assert set(times) == set(pairs)
        assert max(times.values()) - min(times.values()) <= 1


def test_a_share_is_of_many_pairs_where_they_say_little_and_cost_little():
    assert [of_permutations(n, of_moments=True) for n in (100, 1_000, 10_000, 10**6)] == [500, 50, 5, 5]
    assert [of_permutations(n, of_moments=False) for n in (100, 1_000, 10_000, 10**6)] == [500, 50, 10, 10]
    assert [of_rotations(d) for d in (2, 10, 25, 50, 200)] == [3125, 125, 20, 5, 5]


@pytest.mark.slow
@pytest.mark.parametrize("floor", ["independence", "rotation"])
@pytest.mark.parametrize("name", NAMES, ids=lambda name: name.metric)
def test_shares_estimate_the_floor_of_all_pairs_within_the_stated_error(unlike, monkeypatch, floor, name):
    whole = getattr(floors(unlike, 1, name, groups=None, draws=150, rotations=150), floor)
    monkeypatch.setattr(drawn_floors, "of_permutations", lambda _, **_of_scores: 5)
    monkeypatch.setattr(drawn_floors, "of_rotations", lambda _: 5)
    shared = getattr(floors(unlike, 2, name, groups=[PAIRS], draws=60, rotations=60), floor)
    error = np.hypot(monte_carlo_error(whole), monte_carlo_error(shared))
    assert abs(whole.mean() - shared.mean()) < 3.5 * error
    assert monte_carlo_error(shared) < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("floor", ["independence", "rotation"])
@pytest.mark.parametrize(("shared", "most"), [(0.0, 0.985), (0.5, 1.0)])
def test_the_stated_error_covers(monkeypatch, floor, shared, most):
    """95% intervals of 18 or 24 draws of five pairs hold the mean of all: of unlike pairs more often, as shares take turns."""
    evidence, name = restarts_of(shared), NAMES[0]
    truth = getattr(floors(evidence, 1, name, groups=None, draws=1000, rotations=1000), floor).mean()
    monkeypatch.setattr(drawn_floors, "of_permutations", lambda _, **_of_scores: 5)
    monkeypatch.setattr(drawn_floors, "of_rotations", lambda _: 5)
    means, errors = [], []
    for seed in range(100):
        draws = getattr(floors(evidence, 100 + seed, name, groups=[PAIRS], draws=18), floor)
        means.append(draws.mean())
        errors.append(monte_carlo_error(draws))
    within = np.abs(np.array(means) - truth) / errors < student.ppf(0.975, len(draws) - 1)
    assert 0.88 <= within.mean() <= most
    assert 0.8 < np.mean(errors) / np.std(means) < 3


def test_draws_without_a_pair_of_the_group_are_left_out_of_its_mean(unlike):
    scored = score(
        unlike, measures=chosen(["strong_mcc"]), floor_groups=[PAIRS], floor_draws=6, rotations=2, rng=np.random.default_rng(0)
    )
    drawn = {(pair.a, pair.b): pair.independence[NAMES[0]] for pair in scored.pairs if pair.independence}
    for pair in scored.pairs:
        if pair.independence:
            pair.independence[NAMES[0]][3:] = np.nan
    left = Floors.of(scored.pairs, [NAMES[0]]).independence
    np.testing.assert_allclose(left, np.mean([draws[:3] for draws in drawn.values()], axis=0))

"""How many restarts a half-width asks for, against simulated runs; `tests/benchmarks/restarts.py` has the whole table."""

import numpy as np
import pytest
from scipy.stats import f as f_distribution
from scipy.stats import t as t_distribution

from stabaudit.errors import UsageError
from stabaudit.statistics.jackknife import within
from stabaudit.statistics.restarts_needed import spread_of
from stabaudit.statistics.stopping import FIRST, STRICTNESS, next_count

MEAN, SD, PAIRS = 0.6, 0.05, 0.03


def scores_from(rng, effects, pairs=PAIRS):
    noise = np.triu(pairs * rng.standard_normal((len(effects), len(effects))), 1)
    return MEAN + effects[:, None] + effects + noise + noise.T


def scores_of(rng, n, sd=SD, pairs=PAIRS):
    return scores_from(rng, sd * rng.standard_normal(n), pairs)


def half_width(scores):
    low, high = within(scores, scale="logit").interval()
    return (high - low) / 2


@pytest.mark.parametrize(("sd", "pairs"), [(0.05, 0.03), (0.05, 0.0), (0.0, 0.05)])
def test_both_variances_are_found(sd, pairs):
    rng = np.random.default_rng(0)
    found = [spread_of(scores_of(rng, 8, sd, pairs)) for _ in range(400)]
    assert np.mean([one.of_restarts for one in found]) == pytest.approx(sd**2, abs=2e-4)
    assert np.mean([one.of_pairs for one in found]) == pytest.approx(pairs**2, abs=2e-4)


def test_with_the_present_number_the_half_width_is_that_of_the_interval():
    scores = scores_of(np.random.default_rng(1), 6)
    assert spread_of(scores, scale="logit").half_width(6) == pytest.approx(half_width(scores), abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("start", [4, 10, 40])
def test_the_half_width_asked_for_is_kept_in_nine_of_ten_runs(start):
    """300 runs each: 0.9 within three standard errors; more where the present run is wide enough already."""
    rng, kept, wanted = np.random.default_rng(start), 0, 0.08
    for _ in range(300):
        effects = SD * rng.standard_normal(400)
        scores = scores_from(rng, effects[:start])
        needed = min(spread_of(scores, scale="logit").needed(wanted), 400)
        longer = scores_from(rng, effects[:needed])
        longer[:start, :start] = scores
        kept += half_width(longer) <= wanted
    assert kept / 300 > 0.84


def test_more_restarts_are_asked_for_by_narrower_intervals_and_none_by_what_is_reached():
    spread = spread_of(scores_of(np.random.default_rng(2), 10), scale="logit")
    counts = [spread.needed(half) for half in (0.5, 0.05, 0.02, 0.01, 0.005)]
    assert counts[0] == 10
    assert counts == sorted(counts)
    assert spread.needed(1e-5) is None
    for count, half in zip(counts[1:], (0.05, 0.02, 0.01, 0.005), strict=True):
        assert spread.half_width(count, 0.9) <= half < spread.half_width(count - 1, 0.9)


@pytest.mark.parametrize("half", [0.0, -0.1, float("nan"), float("inf")])
def test_a_half_width_that_is_no_positive_number_is_refused(half):
    with pytest.raises(UsageError, match="expected a number above 0"):
        spread_of(scores_of(np.random.default_rng(3), 5)).needed(half)


def test_fewer_than_three_restarts_have_no_spread():
    assert spread_of(np.eye(2)) is None
    assert spread_of(scores_of(np.random.default_rng(4), 3)).restarts == 3


def test_alike_restarts_need_no_more():
    found = spread_of(np.full((9, 9), 0.7), scale="logit")
    assert found.needed(0.001) == 9
    assert next_count(found, 0.001) == 9


def test_looks_are_few_and_the_last_is_strict():
    rng = np.random.default_rng(5)
    assert next_count(spread_of(scores_of(rng, 4), scale="logit"), 0.5) == FIRST
    scores = scores_of(rng, 10)
    spread, present = spread_of(scores, scale="logit"), half_width(scores)
    assert next_count(spread, present / STRICTNESS + 1e-9) == 10
    assert next_count(spread, present / STRICTNESS - 1e-9) == 15
    assert next_count(spread, present / 4) > 60


def test_the_kept_half_width_takes_the_quantile_of_fishers_distribution():
    """With 5 restarts extended to 15: by hand, with scipy's distribution."""
    spread = spread_of(scores_of(np.random.default_rng(7), 5), scale="identity")
    n0, n = 5, 15
    expected = 4 * spread.of_restarts / n + 4 * spread.of_pairs / (n * (n - 2))
    share = 4 * spread.of_restarts / n0 / (4 * spread.of_restarts / n0 + 4 * spread.of_pairs / (n0 * (n0 - 2)))
    freedom = (n0 - 1) * np.sqrt(share) - 0.6
    assert freedom > 1
    growth = ((n0 - 1) + (n - n0) * f_distribution(n - n0, freedom).ppf(0.9)) / (n - 1)
    assert spread.half_width(n, 0.9) == pytest.approx(t_distribution(n - 1).ppf(0.975) * np.sqrt(expected * growth))
    with pytest.raises(UsageError, match="2 restarts have no interval"):
        spread.half_width(2)

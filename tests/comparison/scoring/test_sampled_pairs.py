"""Some pairs of many restarts: evenly, with an interval that holds, at a price that is said."""

import re
from collections import Counter

import numpy as np
import pytest

import stabaudit
from stabaudit.comparison.scoring.members import Member
from stabaudit.comparison.scoring.sampled_pairs import chosen_pairs
from stabaudit.errors import UsageError
from stabaudit.statistics import jackknife


def member(count, start=0):
    return Member("run", tuple(range(start, start + count)), (None,) * count)


@pytest.mark.parametrize("restarts", range(3, 21))
def test_pairs_are_even_over_restarts(restarts):
    every = restarts * (restarts - 1) // 2
    for count in range(restarts, every + 2):
        pairs = chosen_pairs([member(restarts)], count, rng=np.random.default_rng(0))
        assert len(pairs) == len(set(pairs)) == min(count, every)
        assert all(0 <= a < b < restarts for a, b in pairs)
        each = Counter(position for pair in pairs for position in pair)
        low, over = divmod(2 * len(pairs), restarts)
        assert {each[position] for position in range(restarts)} == ({low, low + 1} if over else {low})


@pytest.mark.parametrize(("of_a", "of_b"), [(6, 4), (7, 20), (5, 5), (8, 8), (12, 18), (1, 6)])
def test_between_runs_too(of_a, of_b):
    for count in range(max(of_a, of_b), of_a * of_b + 2):
        pairs = chosen_pairs([member(of_a), member(of_b, of_a)], count, rng=np.random.default_rng(0))
        across = [pair for pair in pairs if pair[0] < of_a <= pair[1]]
        assert len(across) == len(set(across)) == min(count, of_a * of_b)
        each = Counter(position for pair in across for position in pair)
        for own in (range(of_a), range(of_a, of_a + of_b)):
            assert max(each[position] for position in own) - min(each[position] for position in own) <= 1


def test_the_seed_decides_which_pairs():
    drawn = {tuple(chosen_pairs([member(9)], 9, rng=np.random.default_rng(seed))) for seed in range(8)}
    assert len(drawn) > 1


def test_fewer_than_two_pairs_a_restart_are_refused():
    with pytest.raises(UsageError, match="expected at least 10"):
        chosen_pairs([member(10)], 9, rng=np.random.default_rng(0))


def worlds(draws, restarts, noise, rng):
    """Scores of pairs: an effect of either restart, and one of the pair."""
    effect = rng.normal(size=(draws, restarts))
    own = np.triu(noise * rng.normal(size=(draws, restarts, restarts)), 1)
    scores = 0.5 + 0.05 * (effect[:, :, None] + effect[:, None, :] + own + own.transpose(0, 2, 1))
    scores[:, np.arange(restarts), np.arange(restarts)] = 0.0
    return scores


@pytest.mark.slow
@pytest.mark.parametrize(("count", "noise"), [(60, 0.5), (60, 2.0), (200, 1.0)])
def test_the_interval_of_some_pairs_covers(count, noise):
    """2,000 worlds of 40 restarts; 95% intervals cover 94 to 99 times of 100, and pairs that are left out never narrow them."""
    rng = np.random.default_rng(1)
    covered, widths = 0, []
    for scores in worlds(2000, 40, noise, rng):
        pairs = chosen_pairs([member(40)], count, rng=rng)
        some = np.full_like(scores, np.nan)
        rows, columns = np.array(pairs).T
        some[rows, columns] = some[columns, rows] = scores[rows, columns]
        found = jackknife.within(some)
        low, high = found.interval()
        covered += low <= 0.5 <= high
        widths.append(found.se / jackknife.within(scores).se)
        assert found.count == count
    assert 0.94 <= covered / 2000 <= 0.99
    assert np.median(widths) >= 1.0


def test_what_the_pairs_left_out_cost_is_said():
    rng = np.random.default_rng(3)
    shared = rng.normal(size=(60, 3))
    latents = [shared + rng.uniform(0.3, 1.5) * rng.normal(size=shared.shape) for _ in range(20)]
    asked = {"scores": ("strong_mcc",), "floor_draws": 1, "rotations": 1}
    found = stabaudit.compare({"it": latents}, pairs=40, **asked)
    (said,) = (warning for warning in found.warnings if "--pairs" in warning)
    assert "it: 40 of 190 pairs are scored, evenly over restarts" in said
    price = int(re.search(r"the interval of strong MCC is about (\d+)% wider than that of all", said)[1]) / 100
    own = found.out_of_sample("it")["strong_mcc"]
    (table,) = (one.values for one in found.pairs if one.metric == "strong_mcc")
    of_pairs = table[np.triu_indices(20, 1)]
    of_pairs = of_pairs[np.isfinite(of_pairs)]
    assert len(of_pairs) == own.pairs == 40
    assert own.mean == pytest.approx(np.mean(of_pairs))
    of_all = own.se / (1 + price)
    assert own.se**2 - of_all**2 == pytest.approx(own.sd**2 / 40 - own.sd**2 / 190, rel=0.1)
    assert not [warning for warning in stabaudit.compare({"it": latents[:4]}, pairs=6, **asked).warnings if "--pairs" in warning]


def test_of_all_pairs_nothing_changes():
    (scores,) = worlds(1, 8, 1.0, np.random.default_rng(2))
    with_gaps = scores.copy()
    np.fill_diagonal(with_gaps, np.nan)
    assert jackknife.within(with_gaps) == jackknife.within(scores)
    without = [
        scores[np.ix_(keep, keep)][np.triu_indices(7, 1)].mean() for i in range(8) if (keep := [j for j in range(8) if j != i])
    ]
    assert jackknife.leave_one_out(scores) == pytest.approx(without)

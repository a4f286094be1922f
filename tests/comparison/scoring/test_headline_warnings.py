"""Lines that say when strong MCC is not what it seems, in worlds whose truth is known."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

import stabaudit
from stabaudit.metrics.split import split_halves

_path = Path(__file__).parents[2] / "benchmarks" / "validity.py"
_spec = importlib.util.spec_from_file_location("worlds_of_validity", _path)
worlds = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(worlds)
PROCESS = {one.name: one for one in worlds.PROCESSES}
ENCODER = {one.name: one for one in worlds.ENCODERS}
SHARED, BY_RANK = "dimensions of one restart share a direction", "by ranks, "


def said(process, encoder, seed, **changed):
    latents = worlds.latents_of(PROCESS[process], ENCODER[encoder], np.random.default_rng([7, seed]))
    found = stabaudit.compare({"run": latents}, floor_draws=1, rotations=1, **changed)
    return [line for line in found.warnings if SHARED in line or BY_RANK in line]


@pytest.mark.parametrize("process", ["independent", "correlated", "heavy tails"])
def test_a_direction_that_dimensions_repeat_is_said(process):
    (line,) = said(process, "one direction repeated", 0)
    assert line.startswith(f"run: {SHARED}: strong MCC 0.5")


def test_bent_axes_are_said_with_what_ranks_give():
    (line,) = said("independent", "axes bent", 0)
    assert "axes are bent, or a few rows stand out; see --correlation spearman" in line
    assert said("independent", "axes bent", 0, correlation="spearman") == []


@pytest.mark.parametrize("encoder", ["nothing moved", "same axes", "axes rescaled", "half shared", "unrelated", "rotated"])
@pytest.mark.parametrize("process", ["independent", "correlated", "heavy tails", "few rows"])
def test_nothing_is_said_where_the_headline_is_right_or_a_rotation_explains_it(process, encoder):
    assert said(process, encoder, 1) == []


def test_what_is_not_computed_is_not_held_against_anything():
    assert said("independent", "one direction repeated", 0, scores=("weak_mcc",)) == []
    two = stabaudit.compare({"a": [np.eye(30)[:, :2]], "b": [np.eye(30)[:, :2]]}, floor_draws=1)
    assert not [line for line in two.warnings if SHARED in line or BY_RANK in line]


@pytest.mark.slow
def test_false_alarms_are_rare():
    quiet = [
        "nothing moved",
        "same axes",
        "axes rescaled",
        "half shared",
        "unrelated",
        "rotated",
        "mixed linearly",
        "half collapsed",
    ]
    runs = [said(process, encoder, seed) for process in PROCESS for encoder in quiet for seed in range(2, 4)]
    assert sum(map(bool, runs)) <= 0.05 * len(runs)


def world(kind, seed=0, n=2000, where="everywhere", restarts=3):
    """Two axes with a little noise; of the first restart *bent* by a power, or with rows that stand out in all restarts."""
    rng = np.random.default_rng(seed)
    s = rng.normal(size=(n, 2))
    rows = {"everywhere": np.full(n, True), "fit": split_halves(np.arange(n)), "score": ~split_halves(np.arange(n))}[where]
    if kind == "rows that stand out":
        s[::100] *= 30
        return [s + 2.0 * rng.normal(size=s.shape) for _ in range(restarts)]
    latents = [s + 0.05 * rng.normal(size=s.shape) for _ in range(restarts)]
    for z in latents[1:]:
        z[rows] = np.sign(z[rows]) * np.abs(z[rows]) ** kind
    return latents


def lines(latents):
    return [line for line in stabaudit.compare({"run": latents}, floor_draws=1, rotations=1).warnings if BY_RANK in line]


@pytest.mark.parametrize(("power", "said"), [(1.0, 0), (1.5, 0), (3.0, 1), (5.0, 1)])
def test_ranks_that_agree_a_little_more_are_no_news(power, said):
    latents = world(power)
    held = ~split_halves(np.arange(2000))
    gap = np.mean(
        [
            spearmanr(latents[i][held, k], latents[j][held, k]).statistic
            - np.corrcoef(latents[i][held, k], latents[j][held, k])[0, 1]
            for i, j in ((0, 1), (0, 2), (1, 2))
            for k in range(2)
        ]
    )
    assert (gap > 0.1) if said else (gap < 0.045)
    assert gap > 0.01 or power == 1.0
    assert len(lines(latents)) == said


def test_it_is_the_scored_rows_that_are_looked_at():
    assert lines(world(5.0, where="fit")) == []
    assert len(lines(world(5.0, where="score"))) == 1


def test_a_few_rows_that_carry_the_agreement_are_said():
    (line,) = lines(world("rows that stand out"))
    assert "a few rows that stand out carry the agreement; see --correlation spearman" in line
    by_rank, by_value = (float(line.split(word)[0].split()[-1]) for word in (" by ranks", " by values"))
    assert by_value > by_rank + 0.1


def test_of_few_rows_nothing_is_said():
    assert lines(world(5.0, n=100)) == []
    assert len(lines(world(5.0, n=400))) == 1


def test_a_gap_that_other_restarts_may_not_have_is_not_said():
    rng = np.random.default_rng(0)
    s = rng.normal(size=(2000, 1))
    repeat = [np.tile(s, (1, 4)) + 0.1 * rng.normal(size=(2000, 4)) for _ in range(5)]
    other = [rng.normal(size=(2000, 4)) for _ in range(5)]

    def shared(latents):
        found = stabaudit.compare({"run": latents}, floor_draws=1, rotations=1)
        scores = {one.metric: one.mean for one in found.scores if one.sample == "out"}
        gap = scores["strong_mcc"] - scores["decorrelated_strong_mcc"]
        return gap, [line for line in found.warnings if SHARED in line]

    gap, said = shared([*repeat[:2], other[0]])
    assert gap > 0.1
    assert said == []
    gap, said = shared(repeat[:3])
    assert gap > 0.1
    assert len(said) == 1

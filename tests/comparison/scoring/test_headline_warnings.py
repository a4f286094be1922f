"""Lines that say when strong MCC is not what it seems, in worlds whose truth is known."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import stabaudit

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

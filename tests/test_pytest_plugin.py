"""The pytest fixture: what it gives, what it says when there is no such score, and what it costs those who do not use it."""

import copy
import os
import subprocess
import sys
import typing

import numpy as np
import pytest

from stabaudit.comparison.records import Score
from stabaudit.pytest_plugin import Value


@pytest.fixture
def scores(stability, make_run):
    latents = [np.random.default_rng(i).normal(size=(600, 4)) * [1, 1, 1, 0.01] for i in range(3)]
    return stability.compare(make_run("vae", latents=latents, log_var=-1.0), k=2, floor_draws=1)


def record(scores, metric, k, sample):
    (found,) = [s for s in scores.comparison.scores if (s.metric, s.k, s.sample) == (metric, k, sample)]
    return found


def test_what_the_readme_writes(stability, make_run):
    assert stability.compare(make_run("a", "aligned")).strong_mcc.out.ci_low > 0.6


def test_scores_are_those_of_the_comparison(scores):
    assert scores.strong_mcc.out.record == record(scores, "strong_mcc", None, "out")
    assert scores.strong_mcc.in_.mean == record(scores, "strong_mcc", None, "in").mean
    assert scores.weak_mcc.out.record == record(scores, "weak_mcc", 2, "out")
    assert scores.weak_mcc[2].in_.mean == record(scores, "weak_mcc", 2, "in").mean
    assert scores.weak_mcc["all"].out.mean == record(scores, "weak_mcc", None, "out").mean
    assert scores.strong_mcc.out.rotation_floor == record(scores, "strong_mcc", None, "out").rotation_floor
    assert scores.active_units.mean == 0.75
    assert scores.active_units.ci_low == 0.75


def test_names_that_are_not_there_list_those_that_are(scores):
    with pytest.raises(
        AttributeError, match=r"vae has no score 'strongmcc'; known: strong_mcc, decorrelated_strong_mcc, weak_mcc"
    ):
        _ = scores.strongmcc
    with pytest.raises(AttributeError, match=r"vae has no score 'kl'; known: .*active_units"):
        _ = scores.kl
    with pytest.raises(AttributeError, match=r"strong_mcc\.out has no 'ci_lo'; known: run_a, .*ci_low"):
        _ = scores.strong_mcc.out.ci_lo
    with pytest.raises(KeyError, match="weak_mcc was not computed with k = 3; known: 2, all"):
        _ = scores.weak_mcc[3]
    with pytest.raises(AttributeError, match=r"weak_mcc\.out has no rotation_floor"):
        _ = scores.weak_mcc.out.rotation_floor


def test_two_restarts_have_no_interval_to_assert_on(stability, make_run):
    two = stability.compare(make_run("two", restarts=2), floor_draws=1).strong_mcc.out
    assert two.mean > 0.5
    with pytest.raises(AttributeError, match=r"strong_mcc\.out has no ci_low: 2 restarts are too few; train three or more"):
        _ = two.ci_low


def test_what_is_asserted_can_be_copied_and_shown(scores):
    assert copy.copy(scores).strong_mcc.out.mean == copy.copy(scores.strong_mcc.out).mean
    assert repr(scores.strong_mcc.out).startswith("Score(run_a='vae'")


def test_the_numbers_of_a_score_are_typed():
    assert set(typing.get_type_hints(Value)) <= set(typing.get_type_hints(Score))


def test_scores_are_found_by_item_too(scores):
    assert scores["strong_mcc"].out.mean == scores.strong_mcc.out.mean


PLUGIN_LOADS = """
import json, sys

def test_nothing():
    heavy = {"numpy", "torch", "pandas", "scipy", "pyarrow", "pydantic", "typer", "rich"}
    loaded = {name.partition(".")[0] for name in sys.modules}
    assert "stabaudit.pytest_plugin" in sys.modules
    assert not loaded & heavy, loaded & heavy
    assert {name for name in sys.modules if name.startswith("stabaudit")} == {"stabaudit", "stabaudit.pytest_plugin"}
"""

USES = """
def test_typo(stability):
    stability.compare({folder!r}, floor_draws=1).strong_mc

def test_stable(stability):
    assert stability.compare({folder!r}, floor_draws=1).strong_mcc.out.ci_low > 0.99
"""


def run_pytest(folder, *options):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
def test_it_costs_nothing_where_it_is_not_used(tmp_path):
    (tmp_path / "test_other.py").write_text(PLUGIN_LOADS)
    # Other plugins of this environment may load what they like.
    others = ["-p", "no:hypothesispytest", "-p", "no:xdist"]
    done = run_pytest(tmp_path, *others)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_failures_show_the_score(tmp_path, make_run):
    (tmp_path / "test_mine.py").write_text(USES.format(folder=str(make_run("vae"))))
    done = run_pytest(tmp_path)
    assert "2 failed" in done.stdout
    assert "AttributeError: vae has no score 'strong_mc'; known: strong_mcc" in done.stdout
    assert "Score(run_a='vae'" in done.stdout

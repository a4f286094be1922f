"""Groups of restarts of a run: found, named, scored by themselves, and kept apart from a single group."""

import numpy as np
import pytest
from scipy.linalg import hadamard

import stabaudit
from stabaudit.metrics.mcc_strong import strong_mcc
from stabaudit.metrics.split import split_halves
from stabaudit.reports.formats.render import render
from stabaudit.reports.sections.comparison import comparison_report

N, D = 1200, 4


@pytest.fixture(scope="module")
def restarts():
    rng = np.random.default_rng(0)
    z, turn = rng.standard_normal((N, D)), hadamard(D) / 2  # every dimension correlates 0.5 with every other
    drawn = [(z if i % 2 else z @ turn) + 0.1 * rng.standard_normal(z.shape) for i in range(6)]
    return [z.astype(np.float32) for z in drawn]  # as latents are kept


@pytest.fixture(scope="module")
def found(restarts):
    return stabaudit.compare({"a": restarts}, floor_draws=2, rotations=19)


def test_groups_are_records_with_their_restarts_in_an_order_for_figures(found):
    assert [one.restarts for one in found.solutions] == [("a#0", "a#2", "a#4"), ("a#1", "a#3", "a#5")]
    assert all(set(one.order) == set(one.restarts) for one in found.solutions)
    assert all(one.within > 0.95 > one.across + 0.1 and one.p < 0.025 and one.unseen_share is None for one in found.solutions)


def test_scores_within_a_group_are_means_over_its_own_pairs(found, restarts):
    fit = split_halves(np.arange(N))
    own = [strong_mcc(restarts[i], restarts[j], fit) for i, j in ((0, 2), (0, 4), (2, 4))]
    score = next(one for one in found.group_scores if one.metric == "strong_mcc" and one.solution == 0)
    assert score.mean == pytest.approx(np.mean(own), abs=1e-12)
    assert (score.restarts, score.pairs) == (3, 3)
    assert score.ci_low <= score.mean <= score.ci_high <= 1
    assert "groups of restarts within a, out-of-sample" in render(comparison_report(found), "table")


def test_restarts_that_agree_are_one_group_without_scores_of_its_own(restarts):
    alike = stabaudit.compare({"a": [*restarts[::2], restarts[0] + 0.01]}, floor_draws=2, rotations=2)
    assert len(alike.solutions) == 1
    assert alike.solutions[0].unseen_share == pytest.approx(1 - 0.05 ** (1 / 4))
    assert alike.group_scores == ()

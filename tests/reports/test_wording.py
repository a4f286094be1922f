"""Whatever is said about a score, it is said with its interval and its floors."""

from dataclasses import replace

import pytest

from stabaudit.comparison.records import Comparison, RunSummary, Score
from stabaudit.reports.formats.render import render
from stabaudit.reports.sections.comparison import comparison_report, summary_report
from stabaudit.reports.wording import explain, explain_p

STRONG = Score(
    run_a="vade",
    run_b="vade",
    relation="within",
    metric="strong_mcc",
    k=None,
    sample="out",
    mean=0.63,
    sd=0.04,
    ci_low=0.60,
    ci_high=0.66,
    pairs=45,
    restarts=10,
    independence_floor=0.033,
    rotation_floor=0.34,
    adjusted=0.617,
    axis_alignment=0.439,
    p_rotation=1 / 21,
    dead_dimensions=(),
)
APART = replace(STRONG, metric="decorrelated_strong_mcc", mean=0.6, ci_low=0.57, ci_high=0.63, rotation_floor=0.33)
RUN = RunSummary("vade", "runs/vade", "vade", "mlp", "mnist", "f", "float32", 50, None, 10_000, 10, 10, ())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "strong MCC 0.63 [0.60, 0.66] lies above the rotation floor 0.34: the axes themselves are reproducible"),
        ({"rotation_floor": 0.61}, "whether it lies above the rotation floor 0.61 is not settled"),
        ({"rotation_floor": 0.71}, "lies above chance (0.03) but below the rotation floor 0.71"),
        ({"independence_floor": 0.61, "rotation_floor": 0.71}, "does not lie above chance (0.61): no common axes"),
        ({"ci_low": 0.02, "ci_high": 1.1}, "is not settled"),
        ({"ci_low": None, "ci_high": None}, "[no interval], rotation floor 0.34, chance (0.03): too few restarts"),
    ],
)
def test_what_a_strong_mcc_says(changes, said):
    assert said in explain(replace(STRONG, **changes), APART)


def test_axes_that_share_a_direction_are_not_called_reproducible():
    said = explain(STRONG, replace(APART, mean=0.33, ci_low=0.3, ci_high=0.36))
    assert "but decorrelated 0.33 [0.30, 0.36] is not shown to lie above 0.33: a direction that the axes share" in said


def test_the_least_p_that_the_draws_can_give_is_called_so():
    assert explain_p(STRONG, 20) == " p = 0.048 against 20 rotations, the least that so many can give."
    assert explain_p(replace(STRONG, p_rotation=0.005), 999) == " p = 0.005 against 999 rotations."


def test_a_comparison_at_eighty_columns():
    comparison = Comparison(
        (RUN,), (replace(STRONG, sample="in", mean=0.64), replace(APART, sample="in"), STRONG, APART), (), (), (), 20
    )
    assert render(comparison_report(comparison), "table", width=80) == (
        "within vade: 10 restarts, 45 pairs, 10,000 rows, d = 50\n"
        "score          out-of-sample [95%]    in  chance  rotation  adj.  axes\n"
        "──────────────────────────────────────────────────────────────────────\n"
        "strong MCC    0.630 [0.600, 0.660]  0.64    0.03      0.34  0.62  0.44\n"
        "decorrelated  0.600 [0.570, 0.630]  0.60    0.03      0.33  0.62  0.44\n"
        "  strong MCC 0.63 [0.60, 0.66] lies above the rotation floor 0.34: the axes\n"
        "  themselves are reproducible, not only their span. p = 0.048 against 20\n"
        "  rotations, the least that so many can give.\n"
    )


def test_a_summary_counts_the_restarts_that_are_lost():
    run = replace(RUN, restarts=9, lost=("restart 3 diverged",))
    text = render(summary_report(Comparison((run,), (STRONG, APART), (), (), (), 20)), "table")
    assert "vade  9/10  0.63 [0.60, 0.66]  0.03/0.34" in text

"""Whatever is said about a score, it is said with its interval and its floors."""

from dataclasses import replace

import pytest

from stabaudit.comparison.records import AnatomyRecord, Comparison, RunSummary, Score
from stabaudit.reports.formats.render import render
from stabaudit.reports.sections.comparison import comparison_report, summary_report
from stabaudit.reports.sections.families import families_report
from stabaudit.reports.verdict import axes_in_short, strong_sentence
from stabaudit.statistics.families import FamilyTests, Friedman

STRONG = Score(
    run_a="vade",
    run_b="vade",
    relation="within",
    metric="strong_mcc",
    k=None,
    sample="out",
    mean=0.63,
    sd=0.04,
    se=0.0133,
    df=9,
    scale="logit",
    ci_low=0.60,
    ci_high=0.66,
    pairs=45,
    restarts=10,
    independence_floor=0.033,
    rotation_floor=0.34,
    adjusted=0.617,
    axis_alignment=0.439,
    p_rotation=1 / 200,
    dead_dimensions=(),
)
APART = replace(STRONG, metric="decorrelated_strong_mcc", mean=0.6, ci_low=0.57, ci_high=0.63, rotation_floor=0.33)
RUN = RunSummary("vade", "runs/vade", "vade", "mlp", "mnist", "f", "float32", 50, None, 10_000, 10, 10, ())
LEAST = "p = 0.005, the smallest p that 199 rotations allow."


def dimension(number, verdict="axis", *, may_be_axis=False):
    return AnatomyRecord(
        run="vade",
        dimension=number,
        verdict=verdict,
        may_be_axis=may_be_axis or verdict == "axis",
        shared_information=0.9,
        shared_information_low=0.8,
        shared_information_high=0.95,
        shared_information_floor=-0.01,
        axis_agreement=0.9,
        axis_agreement_low=0.8,
        axis_agreement_high=0.95,
        correlation=0.95,
        purity=0.99,
        lowest_purity=0.95,
        purity_null=0.9,
        p=0.001,
        p_holm=0.002,
        active_restarts=10,
        restarts=10,
        block=number,
        central_restart=0,
        members=(number,) * 10,
        agreement_by_restart=(0.9,) * 10,
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, f"Strong MCC 0.63 [0.60, 0.66], chance 0.03, rotation floor 0.34: above what a rotation leaves; {LEAST}"),
        ({"p_rotation": 2 / 200}, "rotation floor 0.34: above what a rotation leaves; p = 0.010."),
        (
            {"rotation_floor": 0.61},
            "more than a rotation leaves is not settled, as the axis score [-0.03, 0.13] contains 0;",
        ),
        ({"rotation_floor": 0.63}, "no more than a rotation leaves, the axis score [-0.08, 0.08] lies below 0.1;"),
        ({"ci_low": 0.02, "ci_high": 0.99}, "is not settled"),
        ({"ci_low": None, "ci_high": None}, "[no interval], chance 0.03, rotation floor 0.34: not enough restarts"),
    ],
)
def test_what_a_strong_mcc_says(changes, said):
    assert said in strong_sentence(replace(STRONG, **changes), 199)


def test_the_smallest_p_that_the_rotations_allow_is_called_so():
    for rotations in (19, 199, 999):
        said = strong_sentence(replace(STRONG, p_rotation=1 / (1 + rotations)), rotations)
        assert said.endswith(f", the smallest p that {rotations} rotations allow.")
    assert "the smallest p" not in strong_sentence(replace(STRONG, p_rotation=0.005), 999)


def test_a_comparison_at_eighty_columns():
    scores = (replace(STRONG, sample="in", mean=0.64), replace(APART, sample="in"), STRONG, APART)
    comparison = Comparison((RUN,), scores, (), (), (), 20, rotations=199)
    assert render(comparison_report(comparison), "table", width=80) == (
        "within vade: 10 restarts, 45 pairs, 10,000 rows, d = 50\n"
        "score          out-of-sample [95%]     sd    in  chance  rotation  adj.  axis\n"
        "─────────────────────────────────────────────────────────────────────────────\n"
        "strong MCC    0.630 [0.600, 0.660]  0.040  0.64    0.03      0.34  0.62  0.44\n"
        "decorrelated  0.600 [0.570, 0.630]  0.040  0.60    0.03      0.33  0.62  0.44\n"
        "  Strong MCC 0.63 [0.60, 0.66], chance 0.03, rotation floor 0.34: above what a\n"
        "  rotation leaves; p = 0.005, the smallest p that 199 rotations allow.\n"
        "\n"
        "columns\n"
        "  chance: what unrelated latents score; rotation: what restarts score that agree\n"
        "  only up to a rotation; adj.: 0 at chance, 1 at perfect agreement (.adjusted in\n"
        "  --require); axis: 0 at the rotation floor, 1 at perfect agreement\n"
        "  (.axis_alignment in --require)\n"
    )


def test_a_summary_counts_the_restarts_that_are_lost():
    run = replace(RUN, restarts=9, lost=("restart 3 diverged",))
    text = render(summary_report(Comparison((run,), (STRONG, APART), (), (), (), 20)), "table")
    assert "vade  9/10     –  0.63 [0.60, 0.66]  0.03/0.34" in text


def test_a_summary_counts_the_dimensions_that_are_axes():
    anatomy = [*map(dimension, range(3)), *(dimension(k, "subspace", may_be_axis=k < 5) for k in range(3, 8))]
    for own, said in ((anatomy, "3–5 of 8"), (anatomy[:3], "3 of 3"), (anatomy[5:], "0 of 3"), ([], "–")):
        comparison = Comparison((RUN,), (STRONG, APART), (), (), (), 20, anatomy=tuple(own))
        assert axes_in_short(comparison, "vade") == said
        assert said in render(summary_report(comparison), "table")


@pytest.mark.parametrize(
    ("method", "said"), [("exact", "exact p = 0.0021."), ("chi-squared", "p = 0.0021 by the χ² distribution.")]
)
def test_friedmans_p_is_said_to_be_exact_or_not(method, said):
    friedman = Friedman(("a", "b", "c"), 24, 12.0, 0.0021, method)
    report = families_report(FamilyTests("mcc", friedman, (), ()))
    assert report.sections[0].words[0] == f"Friedman over 3 families and 24 configurations: χ² = 12.0, {said}"

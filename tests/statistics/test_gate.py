"""Gates: every side of every bound, and what is typed."""

import pytest

from stabaudit.errors import UsageError
from stabaudit.statistics.gate import (
    FamilyRequirement,
    ScoreKey,
    judge_absence,
    judge_regression,
    parse_requirement,
    parse_score,
    worst,
)


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        ((-0.019, 0.01), "pass"),
        ((-0.05, -0.021), "fail"),
        ((-0.05, 0.05), "inconclusive"),
        ((-0.02, 0.05), "inconclusive"),  # touching the margin is not above it
        ((-0.05, -0.02), "inconclusive"),
        (None, "inconclusive"),
    ],
)
def test_regression_against_a_margin_of_two_hundredths(difference, verdict):
    assert judge_regression(difference, 0.02) == verdict


@pytest.mark.parametrize(
    ("interval", "presence"),
    [
        ((-0.09, 0.09), "absent"),
        ((0.02, 0.08), "absent"),  # above 0, but by nothing that matters
        ((-0.1, 0.05), "unsettled"),  # touching the margin is not within it
        ((-0.05, 0.1), "unsettled"),
        ((0.05, 0.1), "present"),
        ((0.0, 0.5), "unsettled"),
        ((0.001, 0.5), "present"),
        ((-0.5, -0.2), "unsettled"),
        (None, "unsettled"),
    ],
)
def test_absence_needs_an_interval_around_zero(interval, presence):
    assert judge_absence(interval) == presence


def test_the_margin_of_absence_can_be_chosen():
    assert judge_absence((-0.15, 0.05), margin=0.2) == "absent"
    assert judge_absence((-0.05, 0.05), margin=0.01) == "unsettled"


@pytest.mark.parametrize(
    ("requirement", "interval", "verdict"),
    [
        ("strong_mcc>=0.6", (0.6, 0.7), "pass"),
        ("strong_mcc>0.6", (0.6, 0.7), "inconclusive"),
        ("strong_mcc >= 0.6", (0.5, 0.59), "fail"),
        ("strong_mcc<=0.6", (0.5, 0.6), "pass"),
        ("strong_mcc<0.6", (0.6, 0.7), "fail"),
        ("strong_mcc>=0.6", (0.5, 0.7), "inconclusive"),
        ("strong_mcc>=0.6", None, "inconclusive"),
    ],
)
def test_requirements(requirement, interval, verdict):
    assert parse_requirement(requirement, default="strong_mcc").judge(interval) == verdict


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("strong_mcc", ScoreKey("strong_mcc")),
        ("weak_mcc@all.in", ScoreKey("weak_mcc", "all", "in")),
        ("weak_mcc@20", ScoreKey("weak_mcc", 20)),
        ("strong_mcc.axis_alignment", ScoreKey("strong_mcc", reading="axis_alignment")),
        ("strong_mcc.in.adjusted", ScoreKey("strong_mcc", sample="in", reading="adjusted")),
    ],
)
def test_names_of_scores(text, key):
    assert parse_score(text) == key
    assert parse_score(str(key)) == key


@pytest.mark.parametrize(
    "text",
    [
        *("strong_mcc", "strong_mcc=0.6", ">=0.6", "strong_mcc>=", "strong_mcc>=0.6 or so", "weak_mcc@0>=1", ""),
        *("strong_mcc>=1e999", "strong_mcc>=nan", "wilcoxon", "wilcoxon(vade).p<0.05", "wilcoxon(vade,vae)<0.05"),
        *("wilcoxon(vade,vae).rank_biserial>0", "wilcoxon(vade,vae).p<1e999", "wilcoxon(vade,vae,ivae,x).p<0.05"),
    ],
)
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(UsageError, match="cannot read the requirement"):
        parse_requirement(text, default="strong_mcc")


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        ("wilcoxon(vade,vae).p_holm<0.05", FamilyRequirement("vade", "vae", ScoreKey("strong_mcc"), "p_holm", "<", 0.05)),
        (
            " wilcoxon( vae(prior=laplace, x=1) , vae ,weak_mcc@all.in).hodges_lehmann >= -0.02 ",
            FamilyRequirement("vae(prior=laplace, x=1)", "vae", ScoreKey("weak_mcc", "all", "in"), "hodges_lehmann", ">=", -0.02),
        ),
    ],
)
def test_bounds_on_tests_of_families(text, requirement):
    assert parse_requirement(text, default="strong_mcc") == requirement
    assert parse_requirement(str(requirement), default="strong_mcc") == requirement


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("wilcoxon(vade,vae).p>0.05", "a large p-value shows nothing"),
        ("wilcoxon(vade,vade).p<0.05", "tests vade against itself"),
        ("wilcoxon(vade,vae,strong).p<0.05x", "cannot read the requirement"),
        ("wilcoxon(vade,vae,weak_mcc@0).p<0.05", "cannot read the score"),
    ],
)
def test_tests_that_cannot_gate(text, said):
    with pytest.raises(UsageError, match=said):
        parse_requirement(text, default="strong_mcc")


@pytest.mark.parametrize(
    ("text", "p", "smallest", "verdict"),
    [
        ("wilcoxon(a,b).p<0.05", 0.03, 0.03, "pass"),
        ("wilcoxon(a,b).p<0.05", 0.2, 0.03, "fail"),
        ("wilcoxon(a,b).p<0.05", 0.2, 0.05, "inconclusive"),
        ("wilcoxon(a,b).p<=0.05", 0.2, 0.05, "fail"),
        ("wilcoxon(a,b).p<=0.05", 0.05, 0.05, "pass"),
    ],
)
def test_a_p_value_can_fail_only_if_it_could_have_passed(text, p, smallest, verdict):
    assert parse_requirement(text, default="strong_mcc").judge_p(p, smallest) == verdict


def test_one_failure_fails_all():
    assert worst(["pass", "inconclusive", "fail"]) == "fail"
    assert worst(["pass", "inconclusive"]) == "inconclusive"
    assert worst(["pass"]) == "pass"

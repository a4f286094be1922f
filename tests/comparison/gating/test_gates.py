"""Gates over scores of every kind, over several runs, and over tests of families."""

import json

import numpy as np
import pytest
from scipy.stats import wilcoxon

import stabaudit
from stabaudit.comparison.gating.gates import judge_requirement, only_run, survey_for_gates
from stabaudit.comparison.settings import Settings
from stabaudit.errors import BadRun, UsageError
from stabaudit.statistics.gate import parse_requirement

FEW = Settings(floor_draws=1)


def gates(folder, text):
    return judge_requirement(survey_for_gates(folder, FEW), parse_requirement(text, default="strong_mcc"))


def verdicts(folder, text):
    return {gate.run: gate.verdict for gate in gates(folder, text)}


@pytest.mark.parametrize(
    ("requirement", "verdict"),
    [
        ("active_units>=0.5", "pass"),
        ("active_units<0.5", "fail"),
        ("mutual_information>0", "pass"),
        ("strong_mcc.adjusted>=0.5", "pass"),
        ("strong_mcc.axis_alignment>=0.99", "fail"),
    ],
)
def test_scores_of_every_kind(make_run, requirement, verdict):
    assert verdicts(make_run("vae", log_var=-1.0), requirement) == {"vae": verdict}


def test_active_units_are_the_dimensions_that_vary(make_run):
    rng = np.random.default_rng(0)
    latents = [np.hstack([rng.normal(size=(600, 3)), 0.05 * rng.normal(size=(600, 1))]) for _ in range(4)]
    (gate,) = gates(make_run("vae", latents=latents, log_var=-1.0), "active_units>=0.9")
    assert (gate.value, gate.ci_low, gate.ci_high, gate.verdict) == (0.75, 0.75, 0.75, "fail")


def test_every_run_below_a_path_is_gated(make_run):
    folder = make_run("good", "aligned").parent
    make_run("bad", "unrelated")
    make_run("two", "aligned", 2)
    assert verdicts(folder, "strong_mcc>=0.5") == {"bad": "fail", "good": "pass", "two": "inconclusive"}


def test_no_run_is_left_out_unseen(make_run):
    folder = make_run("good", "aligned").parent
    make_run("lonely", restarts=1, lost=("NaN",))
    with pytest.raises(BadRun, match=r"lonely: 1 of 2 restarts is done, and a gate needs two; run its train command again"):
        survey_for_gates(folder, FEW)


def test_a_baseline_is_of_one_run(make_run):
    folder = make_run("a").parent
    make_run("b")
    found = survey_for_gates(folder, FEW)
    with pytest.raises(UsageError, match="holds 2 runs and a baseline is of one"):
        only_run(found.comparison, folder)


def families(make_run, count, worse=0.0):
    """Runs of two families over as many configurations; the axes of vade are kept, those of vae less so."""
    rng = np.random.default_rng(5)
    base = rng.laplace(size=(600, 3))
    for i in range(count):
        for family, noise in (("vade", 0.3), ("vae", 0.3 + worse)):
            latents = [base + (noise + 0.02 * i) * rng.normal(size=base.shape) for _ in range(3)]
            folder = make_run(f"{family}-{i}", latents=latents, d=3, family=family, steps=10 + i)
    return folder.parent


@pytest.mark.slow
def test_families_against_scipy(make_run):
    folder = families(make_run, 6, worse=0.4)
    (gate,) = gates(folder, "wilcoxon(vade,vae).p_holm<0.05")
    found = {gate.run: gate.value for gate in gates(folder, "strong_mcc>=0")}
    differences = [found[f"vade-{i}"] - found[f"vae-{i}"] for i in range(6)]
    assert gate.value == pytest.approx(wilcoxon(differences, method="exact").pvalue)
    assert (gate.value, gate.smallest, gate.configurations, gate.verdict) == (0.03125, 0.03125, 6, "pass")
    assert gate.score == "wilcoxon(vade,vae,strong_mcc.out).p_holm"
    assert (gate.restarts, gate.run) == (36, None)


@pytest.mark.slow
def test_the_shift_has_a_direction(make_run):
    folder = families(make_run, 6, worse=0.4)
    (there,) = gates(folder, "wilcoxon(vade,vae,weak_mcc).hodges_lehmann>0.01")
    (back,) = gates(folder, "wilcoxon(vae,vade,weak_mcc).hodges_lehmann>0.01")
    assert (there.verdict, back.verdict) == ("pass", "fail")
    assert (there.value, there.ci_low, there.ci_high) == (-back.value, -back.ci_high, -back.ci_low)
    assert there.ci_low < there.value < there.ci_high


@pytest.mark.slow
def test_what_so_few_configurations_cannot_show_is_inconclusive(make_run):
    folder = families(make_run, 5, worse=0.4)
    (gate,) = gates(folder, "wilcoxon(vade,vae).p<0.05")
    assert (gate.value, gate.smallest, gate.verdict) == (0.0625, 0.0625, "inconclusive")
    (within_reach,) = gates(folder, "wilcoxon(vade,vae).p<=0.0625")
    assert within_reach.verdict == "pass"
    (blocks,) = gates(folder, "wilcoxon(vade,vae).p_block<0.05")  # all five are of one architecture and dataset
    assert (blocks.smallest, blocks.verdict) == (1.0, "inconclusive")


@pytest.mark.slow
def test_of_three_families_holms_adjustment_decides_what_can_be_shown(make_run):
    """Six configurations allow p = 1/32 at the least; three tests together three times that."""
    folder = families(make_run, 6, worse=0.4)
    rng = np.random.default_rng(6)
    for i in range(6):
        make_run(f"ae-{i}", latents=[rng.normal(size=(600, 3)) for _ in range(3)], d=3, family="ae", steps=10 + i)
    (adjusted,) = gates(folder, "wilcoxon(vade,vae).p_holm<0.05")
    assert (adjusted.value, adjusted.smallest, adjusted.verdict) == (3 / 32, 3 / 32, "inconclusive")
    (alone,) = gates(folder, "wilcoxon(vade,vae).p<0.05")
    assert (alone.value, alone.verdict) == (1 / 32, "pass")
    assert (adjusted.restarts, adjusted.trained) == (36, 36)  # of the two families, not of the third


@pytest.mark.slow
def test_families_that_do_not_differ_fail(make_run):
    (gate,) = gates(families(make_run, 6), "wilcoxon(vade,vae).p_holm<0.05")
    assert gate.verdict == "fail"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("wilcoxon(vade,vea).p<0.05", "unknown family of these runs 'vea'; did you mean 'vae'"),
        ("wilcoxon(vade,vae,strong_mc).p<0.05", "unknown score of vade-0 'strong_mc'"),
    ],
)
def test_unknown_families_and_scores(make_run, text, said):
    with pytest.raises(UsageError, match=said):
        gates(families(make_run, 1), text)


def test_one_run_has_no_families_to_test(make_run):
    with pytest.raises(UsageError, match="needs runs of both families, here are runs of vae; give a folder that holds both"):
        gates(make_run("vae"), "wilcoxon(vade,vae).p<0.05")


@pytest.mark.slow
def test_the_library_gates_several_runs_too(make_run):
    folder = families(make_run, 6, worse=0.4)
    found = stabaudit.check(folder, require=["wilcoxon(vade,vae).p_holm<0.05", "strong_mcc>=0.9"], floor_draws=1)
    assert found.verdict == "fail"
    assert len(found.gates) == 13
    baseline = folder / "baseline.json"
    baseline.write_text(json.dumps(BASELINE))
    with pytest.raises(UsageError, match="a baseline is of one"):
        stabaudit.check(folder, baseline=baseline, floor_draws=1)


BASELINE = {
    "run": "a",
    "fingerprint": "f" * 16,
    "latent_dim": 4,
    "k": 20,
    "correlation": "pearson",
    "restarts": 4,
    "config": None,
    "scores": [],
}

"""The README's table of reproductions is what the stored results give."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from stabaudit.cli.main import _run
from stabaudit.published.reproductions import folders, reproduced
from stabaudit.published.reproductions import table as kept

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "fixtures" / "reproductions" / "willetts-mnist-50"
FAMILIES = ("vae", "vade", "ivae")


def table(family, name):
    with (RESULTS / family / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def score(family, metric, sample="out"):
    (found,) = [row for row in table(family, "scores") if (row["metric"], row["sample"], row["k"]) == (metric, sample, "")]
    return found


def interval_of(row):
    """A mean and its 95% interval, as tables write them."""
    return f"{float(row['mean']):.3f} [{float(row['ci_low']):.3f}, {float(row['ci_high']):.3f}]"


def row_of(family):
    """A line of the README's table, from the files."""
    strong, active = score(family, "strong_mcc"), score(family, "active_strong_mcc")
    floor = float(strong["rotation_floor"])
    with_themselves = (10 + 45 * float(score(family, "strong_mcc", "in")["mean"])) / 55
    (units,) = [float(row["mean"]) for row in table(family, "collapse") if row["score"] == "active_units"]
    axes = sum(row["verdict"] == "axis" for row in table(family, "anatomy"))
    cells = [
        f"`{family}`",
        f"{float(table(family, 'references')[0]['reference']):.3f}",
        interval_of(strong),
        f"{floor:.2f}",
        f"{with_themselves:.3f}",
        f"{float(active['mean']):.3f} / {float(active['rotation_floor']):.2f}",
        f"{50 * units:.1f}",
        f"{axes}",
    ]
    return "| " + " | ".join(cells) + " |"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_readme_says_what_the_files_hold(family):
    assert row_of(family) in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_result_is_of_ten_restarts_that_ended_and_says_how_it_came_about(family):
    restarts = table(family, "restarts")
    assert [row["state"] for row in restarts] == ["done"] * 10
    assert len({row["seed"] for row in restarts}) == 10
    assert {row["steps"] for row in restarts} == {str(200 * (60_000 // 64))}
    about = json.loads((RESULTS / family / "about.json").read_text())
    assert about["environment"]["torch"]
    assert about["seconds_of_training"] == pytest.approx(sum(float(row["seconds"]) for row in restarts), abs=1)
    assert len(table(family, "anatomy")) == 50


@pytest.mark.parametrize("name", folders())
def test_what_was_kept_agrees_with_itself(name):
    folder = folders()[name]
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    restarts = kept(folder, "restarts")
    assert {row["state"] for row in restarts} == {"done"}
    stacked = {(row.get("run"), row["seconds"]) for row in restarts}  # restarts of one step share its seconds
    assert about["seconds_of_training"] == pytest.approx(sum(float(seconds) for _, seconds in stacked), abs=1)
    assert about["command"].startswith("stabaudit audit ")
    for row in reproduced():
        if row.reproduction == name:
            assert row.ci_low <= row.mean <= row.ci_high
            assert row.restarts <= len(restarts)
            scored = next(one for one in kept(folder, "scores") if one["metric"] == "strong_mcc")
            assert int(scored["pairs"]) == math.comb(int(scored["restarts"]), 2)
    for row in kept(folder, "references"):  # an audit keeps what it held the paper's value against
        if "mean" in row:
            (ours,) = [one for one in reproduced() if (one.run, one.score) == (row["run"], row["score"])]
            assert ours.mean == pytest.approx(float(row["mean"]), rel=1e-12)
            assert ours.reference == float(row["reference"])


def line_of(row):
    """A line of the README's table of all other papers, from what was kept."""
    run = row.run.replace("data=fashion-mnist,", "").replace("family=", "").replace("posterior=", "").replace(",", ", ")
    cells = [
        row.reproduction.partition("/")[0],
        run,
        f"`{row.score}`",
        "–" if row.reference is None else f"{row.reference:g}",
        f"{row.mean:.3f} [{row.ci_low:.3f}, {row.ci_high:.3f}]",
        "–" if row.rotation_floor is None else f"{row.rotation_floor:.2f}",
        f"{row.axes} of {row.latent_dim}",
    ]
    return "| " + " | ".join(cells) + " |"


def test_the_readme_has_every_value_that_a_paper_gives():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    wanted = [row for row in reproduced() if row.reference is not None and not row.reproduction.startswith("willetts-mnist")]
    assert wanted
    missing = [line for row in wanted if (line := line_of(row)) not in lines]
    assert missing == []


def test_the_list_shows_papers_beside_ours(capfd):
    assert _run(["list", "reproductions"]) == 0
    lines = capfd.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("willetts-mnist-50/vade")]
    cells = line.split()
    assert cells[2:4] == ["strong_mcc.out", "0.636"]
    assert line.split("  ")[-1].strip() == "10"
    assert "0 of 50" in line


VARIED = {"all": "all four", "init": "initial weights", "order": "order of rows", "noise": "noise", "data": "rows"}


def varied(family, source):
    """A line of the README's table of sources of randomness, from the files."""
    folder, run = folders()[f"mnist-variance/{family}"], f"family={family},vary={source}"
    within = {row["metric"]: row for row in kept(folder, "scores") if (row["run_a"], row["sample"], row["k"]) == (run, "out", "")}
    strong, active = within["strong_mcc"], within["active_strong_mcc"]
    verdicts = [row["verdict"] for row in kept(folder, "anatomy") if row["run"] == run]
    units = [50 * float(row["mean"]) for row in kept(folder, "collapse") if (row["run"], row["score"]) == (run, "active_units")]
    cells = [
        f"`{family}`",
        VARIED[source],
        interval_of(strong),
        f"{float(strong['rotation_floor']):.2f}",
        interval_of(active),
        f"{float(active['rotation_floor']):.2f}",
        f"{units[0]:.1f}",
        str(verdicts.count("axis")),
    ]
    return "| " + " | ".join(cells) + " |"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_readme_says_what_each_source_of_randomness_costs(family):
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for source in VARIED if (line := varied(family, source)) not in lines] == []


def test_the_readme_says_what_noise_alone_gives_on_a_processor():
    folder = folders()["mnist-variance/vae-on-a-processor"]
    (strong,) = [row for row in kept(folder, "scores") if (row["metric"], row["sample"]) == ("strong_mcc", "out")]
    said = f"noise alone gives {interval_of(strong)} over four restarts"
    assert int(strong["restarts"]) == 4
    assert said in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


@pytest.mark.parametrize("family", FAMILIES)
def test_no_source_of_randomness_costs_less_than_all_four_beyond_its_interval(family):
    """The README's sentence: in none of twelve cases do the intervals of one source and of all four lie apart."""
    found = [row for row in kept(folders()[f"mnist-variance/{family}"], "sources_of_variance") if row["metric"] == "strong_mcc"]
    (together,) = [row for row in found if row["vary"] == "all"]
    for row in found:
        assert float(row["ci_low"]) <= float(together["ci_high"])
        assert float(together["ci_low"]) <= float(row["ci_high"])


def test_the_readme_says_what_averaging_rows_before_samples_gives():
    restarts = kept(folders()["wang-fashion-mnist/savae"], "restarts")
    ours, theirs = (np.mean([float(row[name]) for row in restarts]) for name in ("log_likelihood", "rows_first_log_likelihood"))
    said = f"{theirs:.1f} for the {ours:.1f} nats of the semi-amortised VAE on Fashion-MNIST".replace("-", "−", 1)
    assert said.replace("the -", "the −") in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


def as_published(run):
    """A line of the README's table of Khemakhem et al.'s own settings, from the files."""
    rows = [row for row in kept(folders()["ivae-repository"], "scores") if row["run_a"] == run and not row["k"]]
    means, batched = (
        next(row for row in rows if (row["metric"], row["sample"]) == wanted)
        for wanted in (("source_strong_mcc", "out"), ("batched_source_strong_mcc", "in"))
    )
    asked = run.removeprefix("family=").replace(",", ", ").replace("estimate=weighted, ", "")
    floors = [f"{float(row['independence_floor']):.2f}" for row in (means, batched)]
    return f"| {asked} | {interval_of(means)} | {floors[0]} | {interval_of(batched)} | {floors[1]} |"


def test_the_published_weights_help_by_what_the_readme_says():
    """With one matrix the intervals part; with three, and between one matrix and three, they overlap."""
    rows = [
        row
        for row in kept(folders()["ivae-repository"], "scores")
        if (row["metric"], row["sample"]) == ("source_strong_mcc", "out")
    ]
    found = {row["run_a"]: (float(row["ci_low"]), float(row["ci_high"])) for row in rows if not row["k"]}

    def ends(weights, one_matrix):
        return found[f"family=ivae,weights={weights},one_matrix={one_matrix}"]

    assert ends("published", True)[0] > ends("elbo", True)[1]
    assert ends("published", False)[0] <= ends("elbo", False)[1]
    for weights in ("published", "elbo"):
        assert ends(weights, True)[0] <= ends(weights, False)[1]
        assert ends(weights, False)[0] <= ends(weights, True)[1]


def test_the_readme_says_what_the_published_settings_give():
    runs = dict.fromkeys(row["run_a"] for row in kept(folders()["ivae-repository"], "scores"))
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert runs
    assert [line for run in runs if (line := as_published(run)) not in lines] == []


NETWORKS = {
    "centred=False": "none: the paper's networks",
    "centred=True": "one half taken from every pixel",
    "softplus=True": "variances by softplus",
    "varied_pixels=True": "444 pixels in the likelihood",
    "start_from_data=True": "first weights scaled by a batch",
    "centred=True,softplus=True,varied_pixels=True,start_from_data=True": "all four",
}


def weak_dimensions():
    """What every pair of restarts has in its informative dimensions and in the others."""
    rows = kept(folders()["willetts-networks"], "weak_dimensions")
    return [{name: cell if name == "run" else float(cell) for name, cell in row.items()} for row in rows]


def changed(run):
    """A line of the README's table of what the code's networks change, from the files."""
    folder = folders()["willetts-networks"]
    (strong,) = [
        row for row in kept(folder, "scores") if (row["run_a"], row["metric"], row["sample"]) == (run, "strong_mcc", "out")
    ]
    cells = [NETWORKS[run], interval_of(strong), f"{float(strong['rotation_floor']):.2f}"]
    for column in ("strong_mcc_informative", "strong_mcc_others"):
        values = [row[column] for row in weak_dimensions() if row["run"] == run]
        cells.append(f"{min(values):.2f} to {max(values):.2f}")
    return "| " + " | ".join(cells) + " |"


def test_the_readme_says_what_the_networks_of_the_code_give():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for run in NETWORKS if (line := changed(run)) not in lines] == []
    rows = [
        row for row in kept(folders()["willetts-networks"], "scores") if (row["metric"], row["sample"]) == ("strong_mcc", "out")
    ]
    assert {row["run_a"] for row in rows} == set(NETWORKS)
    (paper,) = [row for row in rows if row["run_a"] == "centred=False"]
    for row in rows:  # none is shown to raise or to lower it
        assert float(row["ci_low"]) <= float(paper["ci_high"])
        assert float(paper["ci_low"]) <= float(row["ci_high"])


def test_strong_mcc_of_fifty_dimensions_is_that_of_those_which_carry_nothing():
    """The README's sentences on informative dimensions and the others, over all pairs of the six runs."""
    rows, text = weak_dimensions(), " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    strong, informative, others = (
        np.array([row[name] for row in rows]) for name in ("strong_mcc", "strong_mcc_informative", "strong_mcc_others")
    )
    counts = np.array([row["informative"] for row in rows])
    np.testing.assert_allclose(counts * informative + (50 - counts) * others, 50 * strong, rtol=1e-9)
    for run in NETWORKS:
        (score,) = [
            row
            for row in kept(folders()["willetts-networks"], "scores")
            if (row["run_a"], row["metric"], row["sample"]) == (run, "strong_mcc", "out")
        ]
        assert np.mean([row["strong_mcc"] for row in rows if row["run"] == run]) == pytest.approx(float(score["mean"]), abs=1e-4)
    common = np.array([[row["in_common_a"], row["in_common_b"]] for row in rows])
    correlations = [spearmanr(strong, values).statistic for values in (informative, others)]
    assert f"{counts.min():.0f} to {counts.max():.0f} of 50" in text
    assert f"in all {len(rows)} pairs between {informative.min():.2f} and {informative.max():.2f}" in text
    assert f"the others between {others.min():.2f} and {others.max():.2f}" in text
    assert f"rank correlation with the strong MCC is {correlations[0]:.2f}, of the others {correlations[1]:.2f}" in text
    assert f"from {common.min():.2f} to {common.max():.2f}" in text
    assert f"among our pairs ({strong.min():.2f} to {strong.max():.2f})" in text


SIZES = (100, 200, 500, 1000, 2000)


def synthetic(family, rows):
    """A line of the README's table of synthetic sources, from the files."""
    folder, run = folders()[f"willetts-synthetic/{family}"], f"family={family},samples={rows}"
    scores = {row["metric"]: row for row in kept(folder, "scores") if (row["run_a"], row["sample"], row["k"]) == (run, "out", "")}
    cells = [f"`{family}`", f"{rows:,}"]
    for metric in ("strong_mcc", "source_strong_mcc"):
        cells += [interval_of(scores[metric]), f"{float(scores[metric]['rotation_floor']):.2f}"]
    verdicts = [row["verdict"] for row in kept(folder, "anatomy") if row["run"] == run]
    return "| " + " | ".join([*cells, str(verdicts.count("axis"))]) + " |"


@pytest.mark.parametrize("family", ["ivae", "vade", "gmm-flow"])
def test_the_readme_says_what_synthetic_sources_give(family):
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for rows in SIZES if (line := synthetic(family, rows)) not in lines] == []
    assert {row["state"] for row in kept(folders()[f"willetts-synthetic/{family}"], "restarts")} == {"done"}
    trained = {"ivae": 50, "vade": 50, "gmm-flow": 35}  # the flow ten times at two sizes, five times at three
    assert len(kept(folders()[f"willetts-synthetic/{family}"], "restarts")) == trained[family]


def of_source(folder, run, metric="source_strong_mcc"):
    """Mean and interval with the true sources, by means over held-out rows."""
    (row,) = [
        row
        for row in kept(folders()[folder], "scores")
        if (row["run_a"], row["metric"], row["sample"], row["k"]) == (run, metric, "out", "")
    ]
    return row


def losses(folder, run):
    """Smallest and largest evaluation loss of a run's restarts."""
    found = [float(row["evaluation_loss"]) for row in kept(folders()[folder], "restarts") if row["run"] == run]
    return min(found), max(found)


def test_the_readme_says_where_training_goes_that_starts_at_the_truth():
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    truth, usual = "ivae-sources/from-the-truth", "ivae-sources"
    start = of_source(truth, "posterior=gaussian,steps=1")
    assert f"{float(start['mean']):.2f} after one step" in text
    ends = {}
    for kind in ("full", "gaussian"):
        ours, random = f"posterior={kind},epochs=120", f"family=ivae,posterior={kind},sources=5,epochs=120"
        row = of_source(truth, ours)
        assert f"{interval_of(row)} with a {'full' if kind == 'full' else 'diagonal'} posterior" in text
        ends[kind] = losses(truth, ours), losses(usual, random)
        for low, high in ends[kind]:
            assert f"{low:.2f} to {high:.2f}" in text
    assert ends["full"][0][1] < ends["full"][1][0]  # all of them lower than any from random weights
    assert ends["gaussian"][0][1] > ends["gaussian"][1][0]


def test_no_family_finds_synthetic_sources_and_vade_agrees_with_itself_as_well_as_ivae():
    """The README's sentences under the table of synthetic sources."""
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    families = ("ivae", "vade", "gmm-flow")

    def row(family, rows, metric):
        found = of_source(f"willetts-synthetic/{family}", f"family={family},samples={rows}", metric)
        return {name: float(found[name]) for name in ("mean", "ci_low", "ci_high", "rotation_floor")}

    truth = [row(family, rows, "source_strong_mcc") for family in families for rows in SIZES]
    most = max(one["mean"] - one["rotation_floor"] for one in truth)
    assert f"at most {most:.2f} above what a rotation leaves" in text
    pairs = [(row("vade", rows, "strong_mcc"), row("ivae", rows, "strong_mcc")) for rows in SIZES]
    assert [rows for rows, (vade, ivae) in zip(SIZES, pairs, strict=True) if vade["mean"] < ivae["mean"]] == [1000]
    assert [rows for rows, (vade, ivae) in zip(SIZES, pairs, strict=True) if vade["ci_low"] > ivae["ci_high"]] == [200, 500]
    assert all(vade["ci_high"] >= ivae["ci_low"] for vade, ivae in pairs)

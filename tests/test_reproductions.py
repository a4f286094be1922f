"""The README's table of reproductions is what the stored results give."""

import json
import math
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from scipy.stats import t as student

from stabaudit.cli.main import _run
from stabaudit.published.reproductions import folders, reproduced
from stabaudit.published.reproductions import table as kept

ROOT = Path(__file__).parents[1]
MNIST = "willetts-mnist-50/"
FAMILIES = ("vae", "vade", "ivae")


def lines():
    return (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def text():
    """The README as one line."""
    return " ".join(" ".join(lines()).split())


def table(name, file, run=None):
    """Rows of a file of an experiment, of all its runs or of one."""
    rows = kept(folders()[name], file)
    return [row for row in rows if run is None or row.get("run", row.get("run_a")) == run]


def score(name, metric, sample="out", run=None):
    """The only row of a score over all dimensions."""
    (found,) = [row for row in table(name, "scores", run) if (row["metric"], row["sample"], row["k"]) == (metric, sample, "")]
    return found


def numbers(row, *names):
    return [float(row[name]) for name in names]


def active_units(name, run=None):
    """How many of 50 dimensions are active, mean over restarts."""
    (found,) = [50 * float(row["mean"]) for row in table(name, "collapse", run) if row["score"] == "active_units"]
    return found


def axes(name, run=None):
    return [row["verdict"] for row in table(name, "anatomy", run)].count("axis")


def floor(row, kind="rotation"):
    """As tables write it."""
    return "–" if row[f"{kind}_floor"] in {"", None} else f"{float(row[f'{kind}_floor']):.2f}"


def line(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def parted(one, other):
    """Whether the intervals of two rows have nothing in common."""
    (low, high), (other_low, other_high) = (numbers(row, "ci_low", "ci_high") for row in (one, other))
    return high < other_low or other_high < low


def interval_of(row):
    """A mean and its 95% interval, as tables write them."""
    return f"{float(row['mean']):.3f} [{float(row['ci_low']):.3f}, {float(row['ci_high']):.3f}]"


def row_of(family):
    """A line of the README's table, from the files."""
    name = MNIST + family
    strong, active = score(name, "strong_mcc"), score(name, "active_strong_mcc")
    with_themselves = (10 + 45 * float(score(name, "strong_mcc", "in")["mean"])) / 55
    return line(
        f"`{family}`",
        f"{float(table(name, 'references')[0]['reference']):.3f}",
        interval_of(strong),
        floor(strong),
        f"{with_themselves:.3f}",
        f"{float(active['mean']):.3f} / {floor(active)}",
        f"{active_units(name):.1f}",
        axes(name),
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_the_readme_says_what_the_files_hold(family):
    assert row_of(family) in lines()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_result_is_of_ten_restarts_that_ended_and_says_how_it_came_about(family):
    restarts = table(MNIST + family, "restarts")
    assert [row["state"] for row in restarts] == ["done"] * 10
    assert len({row["seed"] for row in restarts}) == 10
    assert {row["steps"] for row in restarts} == {str(200 * (60_000 // 64))}
    about = json.loads((folders()[MNIST + family] / "about.json").read_text(encoding="utf-8"))
    assert about["environment"]["torch"]
    assert about["seconds_of_training"] == pytest.approx(sum(float(row["seconds"]) for row in restarts), abs=1)
    assert len(table(MNIST + family, "anatomy")) == 50


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
            wanted = (name, row["run"], row["score"])
            (ours,) = [one for one in reproduced() if (one.reproduction, one.run, one.score) == wanted]
            assert ours.mean == pytest.approx(float(row["mean"]), rel=1e-12)
            assert ours.reference == float(row["reference"])


def line_of(row):
    """A line of the README's table of all other papers, from what was kept."""
    run = row.run.replace("data=fashion-mnist,", "").replace("family=", "").replace("posterior=", "").replace(",", ", ")
    of = asdict(row)
    return line(
        row.reproduction.partition("/")[0],
        run,
        f"`{row.score}`",
        f"{row.reference:g}",
        interval_of(of),
        floor(of, "independence"),
        floor(of),
        f"{row.axes} of {row.latent_dim}",
    )


def test_the_readme_has_every_value_that_a_paper_gives():
    wanted = [row for row in reproduced() if row.reference is not None and not row.reproduction.startswith("willetts-mnist")]
    assert wanted
    assert [one for row in wanted if (one := line_of(row)) not in lines()] == []


def test_the_list_shows_papers_beside_ours(capfd):
    assert _run(["list", "reproductions"]) == 0
    (found,) = [one for one in capfd.readouterr().out.splitlines() if one.startswith("willetts-mnist-50/vade")]
    assert found.split()[2:4] == ["strong_mcc.out", "0.636"]
    assert found.split("  ")[-1].strip() == "10"
    assert re.search(r"\] +0\.01 +0\.26 +0 of 50", found)  # chance, rotation, axes


VARIED = {"all": "all four", "init": "initial weights", "order": "order of rows", "noise": "noise", "data": "rows"}


def varied(family, source):
    """A line of the README's table of sources of randomness, from the files."""
    name, run = f"mnist-variance/{family}", f"family={family},vary={source}"
    strong, active = (score(name, metric, run=run) for metric in ("strong_mcc", "active_strong_mcc"))
    ours = (interval_of(strong), floor(strong), interval_of(active), floor(active))
    return line(f"`{family}`", VARIED[source], *ours, f"{active_units(name, run):.1f}", axes(name, run))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_readme_says_what_each_source_of_randomness_costs(family):
    assert [one for source in VARIED if (one := varied(family, source)) not in lines()] == []


def test_the_readme_says_what_noise_alone_gives_on_a_processor():
    strong = score("mnist-variance/vae-on-a-processor", "strong_mcc")
    assert int(strong["restarts"]) == 4
    assert f"noise alone gives {interval_of(strong)} (rotation floor {floor(strong)}) over four restarts" in text()


@pytest.mark.parametrize("family", FAMILIES)
def test_no_source_of_randomness_costs_less_than_all_four_beyond_its_interval(family):
    """The README's sentence: in none of twelve cases do the intervals of one source and of all four lie apart."""
    found = [row for row in table(f"mnist-variance/{family}", "sources_of_variance") if row["metric"] == "strong_mcc"]
    (together,) = [row for row in found if row["vary"] == "all"]
    assert not any(parted(row, together) for row in found)


def test_the_readme_says_how_close_the_initial_weights_of_vade_come():
    """Welch's difference by the standard errors over restarts; the least of twelve p-values, times twelve by Holm."""
    found = {}
    for family in FAMILIES:
        together, *single = (score(f"mnist-variance/{family}", "strong_mcc", run=f"family={family},vary={one}") for one in VARIED)
        for vary, row in zip(list(VARIED)[1:], single, strict=True):
            (mean, se, df), (base, base_se, base_df) = (numbers(one, "mean", "se", "df") for one in (row, together))
            parts = np.array([se**2, base_se**2])
            freedom = parts.sum() ** 2 / (parts**2 / [df, base_df]).sum()
            error = np.sqrt(parts.sum())
            p = 2 * student.sf(abs(mean - base) / error, freedom)
            found[family, vary] = (p, mean - base, student.ppf(0.975, freedom) * error)
    assert len(found) == 12
    p, difference, reach = found["vade", "init"]
    assert p == min(one[0] for one in found.values())
    said = f"{difference:.3f} [{difference - reach:.3f}, {difference + reach:.3f}] less than all four"
    assert f"{said} (Welch, p = {p:.3f}, {12 * p:.3f} by Holm over the twelve)" in text()


def test_the_readme_says_what_bounds_mutual_information():
    for family, most in (("beta-vae", True), ("savae", True), ("lagging", False)):
        (row,) = [one for one in table(f"wang-fashion-mnist/{family}", "collapse") if one["score"] == "mutual_information"]
        assert row["note"] == f"at most log n = {np.log(2000):.2f}"
        assert (float(row["mean"]) > np.log(2000) - 0.2) == most
    assert "found from 2,000 rows and so at most log 2,000 = 7.6" in text()


def test_the_readme_says_what_averaging_rows_before_samples_gives():
    restarts = table("wang-fashion-mnist/savae", "restarts")
    ours, theirs = (np.mean([float(row[name]) for row in restarts]) for name in ("log_likelihood", "rows_first_log_likelihood"))
    said = f"{theirs:.1f} for the {ours:.1f} nats of the semi-amortised VAE on Fashion-MNIST".replace("-", "−", 1)
    assert said.replace("the -", "the −") in text()


def as_published(run):
    """A line of the README's table of Khemakhem et al.'s own settings, from the files."""
    name = "ivae-repository"
    means, batched = score(name, "source_strong_mcc", run=run), score(name, "batched_source_strong_mcc", "in", run)
    asked = run.removeprefix("family=").replace(",", ", ").replace("estimate=weighted, ", "")
    ours = (interval_of(means), floor(means, "independence"), floor(means), interval_of(batched), floor(batched, "independence"))
    return line(asked, *ours, f"{axes(name, run)} of 5")


def test_the_published_weights_help_by_what_the_readme_says():
    """With one matrix the intervals part; with three, and between one matrix and three, they overlap."""

    def of(weights, one_matrix):
        return score("ivae-repository", "source_strong_mcc", run=f"family=ivae,weights={weights},one_matrix={one_matrix}")

    assert float(of("published", True)["mean"]) > float(of("elbo", True)["mean"])
    assert parted(of("published", True), of("elbo", True))
    assert not parted(of("published", False), of("elbo", False))
    assert not any(parted(of(weights, True), of(weights, False)) for weights in ("published", "elbo"))
    tcvae = {row["run_a"] for row in table("ivae-repository", "scores") if "beta-tcvae" in row["run_a"]}
    found = [
        numbers(score("ivae-repository", "source_strong_mcc", run=run), "ci_low", "rotation_floor", "ci_high") for run in tcvae
    ]
    assert len(found) == 3
    assert all(low < rotation < high for low, rotation, high in found)


def test_the_readme_says_what_the_published_settings_give():
    runs = dict.fromkeys(row["run_a"] for row in table("ivae-repository", "scores"))
    assert runs
    assert [one for run in runs if (one := as_published(run)) not in lines()] == []


NOISES = {  # by run: learning rate, pixels drawn anew in training and while encoding, dropout while encoding
    "lr=0.001": ("1e-3", "no", "no", "no"),
    "lr=0.0005": ("5e-4", "no", "no", "no"),
    "lr=0.0005,binarise=True,encode_binarised=False": ("5e-4", "yes", "no", "no"),
    "lr=0.0005,binarise=True,encode_binarised=True": ("5e-4", "yes", "yes", "no"),
    "lr=0.0005,binarise=True,encode_binarised=False,encode_dropout=True": ("5e-4", "yes", "no", "yes"),
    "lr=0.0005,binarise=True,encode_binarised=True,encode_dropout=True": ("5e-4", "yes", "yes", "yes"),
}
GREY, *_, BOTH = list(NOISES)[2:]


def noisy(run):
    """A line of the README's table of noise in training and while encoding, from the files."""
    strong = score("willetts-noise", "strong_mcc", run=run)
    return line(*NOISES[run], interval_of(strong), floor(strong), axes("willetts-noise", run))


def test_the_readme_says_what_noise_while_encoding_costs():
    """Encoding changes nothing of training, so runs that differ in it alone are of the same networks, pair by pair."""
    assert {row["run_a"] for row in table("willetts-noise", "scores")} == set(NOISES)
    assert [one for run in NOISES if (one := noisy(run)) not in lines()] == []
    pairs = {run: np.array([float(row["strong_mcc"]) for row in table("willetts-noise", "pairs", run)]) for run in NOISES}
    for run, values in pairs.items():
        assert values.mean() == pytest.approx(float(score("willetts-noise", "strong_mcc", run=run)["mean"]), abs=1e-4)
    change = pairs[BOTH] - pairs[GREY]
    assert f"lowers strong MCC by {-change.mean():.2f}, between {-change.max():.2f} and {-change.min():.2f} in a pair" in text()
    every = [score("willetts-noise", "strong_mcc", run=run) for run in NOISES]
    assert not any(parted(one, other) for one in every for other in every)


STARTS = {"xavier": "Xavier", "gmm": "mixtures fitted before training"}


def faceted(start, progressive):
    """A line of the README's table of MFCVAE as its code trains it, from the files."""
    name, run = "mfcvae-repository", f"start={start},progressive={progressive}"
    strong = score(name, "strong_mcc", run=run)
    of = {row["score"]: row for row in table(name, "collapse", run)}
    fit = "{:.1f} [{:.1f}, {:.1f}]".format(*numbers(of["log_likelihood"], "mean", "ci_low", "ci_high"))
    facets = "one after another" if progressive else "together"
    return line(STARTS[start], facets, interval_of(strong), floor(strong), fit, interval_of(of["cluster_nmi"]), axes(name, run))


def test_the_readme_says_what_the_training_of_mfcvae_gives():
    assert [one for start in STARTS for one in (faceted(start, False), faceted(start, True)) if one not in lines()] == []
    name, runs = "mfcvae-repository", [f"start={start},progressive={one}" for start in STARTS for one in (False, True)]
    assert {row["run_a"] for row in table(name, "scores")} == set(runs)
    every = [score(name, "strong_mcc", run=run) for run in runs]
    assert not any(parted(one, other) for one in every for other in every)
    assert all(float(row["ci_low"]) < float(row["rotation_floor"]) for row in every)
    of = {run: {row["score"]: row for row in table(name, "collapse", run)} for run in runs}
    assert numbers(of[runs[3]]["cluster_nmi"], "mean", "ci_low", "ci_high") == [0, 0, 0]  # one cluster, in every restart
    assert parted(of[runs[3]]["cluster_nmi"], of[runs[1]]["cluster_nmi"])
    together, after = ([float(of[run]["log_likelihood"]["mean"]) for run in pair] for pair in (runs[::2], runs[1::2]))
    gains = [b - a for a, b in zip(together, after, strict=True)]
    assert f"{min(gains):.1f} and {max(gains):.1f} nats" in text()
    for a, b in (runs[:2], runs[2:]):
        assert not parted(of[a]["log_likelihood"], of[b]["log_likelihood"])


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
    rows = table("willetts-networks", "weak_dimensions")
    return [{name: cell if name == "run" else float(cell) for name, cell in row.items()} for row in rows]


def changed(run):
    """A line of the README's table of what the code's networks change, from the files."""
    strong = score("willetts-networks", "strong_mcc", run=run)
    cells = [NETWORKS[run], interval_of(strong), floor(strong)]
    for column in ("strong_mcc_informative", "strong_mcc_others"):
        values = [row[column] for row in weak_dimensions() if row["run"] == run]
        cells.append(f"{min(values):.2f} to {max(values):.2f}")
    return line(*cells)


def test_the_readme_says_what_the_networks_of_the_code_give():
    assert {row["run_a"] for row in table("willetts-networks", "scores")} == set(NETWORKS)
    assert [one for run in NETWORKS if (one := changed(run)) not in lines()] == []
    paper, *rest = (score("willetts-networks", "strong_mcc", run=run) for run in NETWORKS)
    assert not any(parted(row, paper) for row in rest)  # none is shown to raise or to lower it


def test_strong_mcc_of_fifty_dimensions_is_that_of_those_which_carry_nothing():
    """The README's sentences on informative dimensions and the others, over all pairs of the six runs."""
    rows, said = weak_dimensions(), text()
    strong, informative, others = (
        np.array([row[name] for row in rows]) for name in ("strong_mcc", "strong_mcc_informative", "strong_mcc_others")
    )
    counts = np.array([row["informative"] for row in rows])
    np.testing.assert_allclose(counts * informative + (50 - counts) * others, 50 * strong, rtol=1e-9)
    for run in NETWORKS:
        mean = float(score("willetts-networks", "strong_mcc", run=run)["mean"])
        assert np.mean([row["strong_mcc"] for row in rows if row["run"] == run]) == pytest.approx(mean, abs=1e-4)
    common = np.array([[row["in_common_a"], row["in_common_b"]] for row in rows])
    correlations = [spearmanr(strong, values).statistic for values in (informative, others)]
    assert f"{counts.min():.0f} to {counts.max():.0f} of 50" in said
    assert f"in all {len(rows)} pairs between {informative.min():.2f} and {informative.max():.2f}" in said
    assert f"the others between {others.min():.2f} and {others.max():.2f}" in said
    assert f"rank correlation with the strong MCC is {correlations[0]:.2f}, of the others {correlations[1]:.2f}" in said
    by_run = [
        [
            spearmanr(*zip(*[(row["strong_mcc"], row[name]) for row in rows if row["run"] == run], strict=True)).statistic
            for run in NETWORKS
        ]
        for name in ("strong_mcc_informative", "strong_mcc_others")
    ]
    np.testing.assert_allclose(by_run[1][:4], 1.0)
    assert f"the informative ones ({by_run[0][4]:.2f}, {by_run[0][5]:.2f})" in said
    assert f"from {common.min():.2f} to {common.max():.2f}" in said
    assert f"among our pairs ({strong.min():.2f} to {strong.max():.2f})" in said


SIZES = (100, 200, 500, 1000, 2000)


def synthetic(family, rows):
    """A line of the README's table of synthetic sources, from the files."""
    name, run = f"willetts-synthetic/{family}", f"family={family},samples={rows}"
    found = [score(name, metric, run=run) for metric in ("strong_mcc", "source_strong_mcc")]
    return line(f"`{family}`", f"{rows:,}", *(cell for row in found for cell in (interval_of(row), floor(row))), axes(name, run))


@pytest.mark.parametrize("family", ["ivae", "vade", "gmm-flow"])
def test_the_readme_says_what_synthetic_sources_give(family):
    assert [one for rows in SIZES if (one := synthetic(family, rows)) not in lines()] == []
    trained = {"ivae": 50, "vade": 50, "gmm-flow": 35}  # the flow ten times at two sizes, five times at three
    assert len(table(f"willetts-synthetic/{family}", "restarts")) == trained[family]


def losses(name, run):
    """Smallest and largest evaluation loss of a run's restarts."""
    found = [float(row["evaluation_loss"]) for row in table(name, "restarts", run)]
    return min(found), max(found)


def test_the_readme_says_where_training_goes_that_starts_at_the_truth():
    said, truth, usual = text(), "ivae-sources/from-the-truth", "ivae-sources"
    start = score(truth, "source_strong_mcc", run="posterior=gaussian,steps=1")
    assert f"{float(start['mean']):.2f} after one step" in said
    ends = {}
    for kind, called in (("full", "full"), ("gaussian", "diagonal")):
        ours, random = f"posterior={kind},epochs=120", f"family=ivae,posterior={kind},sources=5,epochs=120"
        row = score(truth, "source_strong_mcc", run=ours)
        assert f"{interval_of(row)} with a {called} posterior" in said
        ends[kind] = losses(truth, ours), losses(usual, random)
        for low, high in ends[kind]:
            assert f"{low:.2f} to {high:.2f}" in said
    assert ends["full"][0][1] < ends["full"][1][0]  # all of them lower than any from random weights
    assert ends["gaussian"][0][1] > ends["gaussian"][1][0]


def test_the_readme_says_how_far_the_best_restart_is_from_the_mean_and_from_what_its_space_allows():
    """Trained again to keep every restart, the run has the mean that `ivae-sources` keeps."""
    again, run, said = "ivae-sources/restart-by-restart", "family=ivae,posterior=full,sources=5,epochs=120", text()
    first, second = (score(name, "source_strong_mcc", run=run) for name in ("ivae-sources", again))
    assert float(first["mean"]) == pytest.approx(float(second["mean"]), abs=1e-3)
    found = {row["index"]: numbers(row, "evaluation_loss", "source_strong_mcc") for row in table(again, "restarts")}
    values = [value for _, value in found.values()]
    assert np.mean(values) == pytest.approx(float(second["mean"]))
    assert f"Its five restarts have {min(values):.2f} to {max(values):.2f}" in said
    assert max(values) == min(found.values())[1]  # the least loss has the best restart
    space = float(score("ivae-sources", "source_weak_mcc", run=run)["mean"])
    assert f"no linear map of the latents does better than {space:.2f}" in said


def test_no_family_finds_synthetic_sources_and_vade_agrees_with_itself_as_well_as_ivae():
    """The README's sentences under the table of synthetic sources."""

    def found(metric, *families):
        return [
            [score(f"willetts-synthetic/{family}", metric, run=f"family={family},samples={rows}") for rows in SIZES]
            for family in families
        ]

    truth = [row for rows in found("source_strong_mcc", "ivae", "vade", "gmm-flow") for row in rows]
    most = max(float(row["mean"]) - float(row["rotation_floor"]) for row in truth)
    assert f"at most {most:.2f} above what a rotation leaves" in text()
    vade, ivae = found("strong_mcc", "vade", "ivae")
    higher = [float(one["mean"]) > float(other["mean"]) for one, other in zip(vade, ivae, strict=True)]
    assert higher == [True, True, True, False, True]
    assert [parted(one, other) for one, other in zip(vade, ivae, strict=True)] == [False, True, True, False, False]

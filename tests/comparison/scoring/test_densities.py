"""Affine density distances of runs: learned priors and fitted mixtures, their records, their table, and what has none."""

import json
import os
from itertools import permutations

import numpy as np
import pytest

from stabaudit.cli.main import main
from stabaudit.comparison.compare import compare
from stabaudit.comparison.reading.selectors import read_groups
from stabaudit.comparison.settings import Settings
from stabaudit.comparison.surveys.survey import survey
from stabaudit.errors import BadData
from stabaudit.metrics.density_distance import affine_density_distance
from stabaudit.metrics.mixtures import GaussianMixture, unimodal
from stabaudit.reports.formats.render import render
from stabaudit.reports.sections.comparison import comparison_report
from stabaudit.statistics import jackknife
from stabaudit.store.run.run_folder import Run

pytestmark = pytest.mark.slow

TRIANGLE = np.array([[0.0, 3.0], [-3.0, -1.0], [2.0, -2.0]])


@pytest.fixture
def with_priors(make_run):
    """A run whose restarts have the given priors: weight, mean and log-variance of each."""

    def make(name, priors, d=2, seeds_from=0, **options):
        folder = make_run(name, d=d, restarts=len(priors), **options)
        run = Run.open(folder)
        with Run.prepare(folder, run.manifest) as run:
            for i, (weight, mean, log_var) in enumerate(priors):
                columns = {"weight": weight} | {f"mean{k}": mean[:, k] for k in range(mean.shape[1])}
                run.save_prior(i, columns | {f"log_var{k}": log_var[:, k] for k in range(mean.shape[1])})
                run.record(replace_seed(run.restart(i), i + seeds_from))
        return folder

    return make


def replace_seed(restart, seed):
    return restart.model_copy(update={"seed": seed})


def triangles(count, noise, seed=0, means=TRIANGLE):
    """Priors with the same clusters up to a scale along each axis, a shift and their order, but for some noise."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        order, scale = rng.permutation(len(means)), rng.choice([-1, 1], 2) * rng.uniform(0.5, 2, 2)
        mean = (means + noise * rng.normal(size=means.shape))[order] * scale + rng.normal(size=2)
        weight = np.array([0.5, 0.3, 0.2])[order]
        found.append((weight, mean, np.tile(np.log(scale**2), (len(means), 1))))
    return found


def compared(*folders, **settings):
    return compare(read_groups([str(folder) for folder in folders]), Settings(floor_draws=1, **settings))


def by_metric(comparison, relation="within"):
    return {score.metric: score for score in comparison.densities if score.relation == relation}


def test_priors_that_are_affine_images_of_each_other_are_at_distance_zero(with_priors):
    found = by_metric(compared(with_priors("a", triangles(4, noise=0.0))))
    assert set(found) == {"density_distance", "relative_density_distance"}
    for score in found.values():
        assert score.mean < 1e-4
        assert score.chance > 0.05
        assert (score.pairs, score.restarts, score.source) == (6, 4, "learned prior")


def test_a_score_is_the_mean_over_both_ways_of_every_pair_with_the_jackknifes_interval(with_priors):
    priors = triangles(4, noise=0.4)
    mixtures = [GaussianMixture.diagonal(*prior) for prior in priors]
    table, chance = np.zeros((4, 4)), []
    for i, j in permutations(range(4), 2):
        table[i, j] = affine_density_distance(mixtures[i], mixtures[j], rng=np.random.default_rng(9)).distance
    chance = [affine_density_distance(unimodal(2), q, rng=np.random.default_rng(9)).distance for q in mixtures]
    expected = jackknife.within((table + table.T) / 2, scale="log")
    score = by_metric(compared(with_priors("a", priors)))["density_distance"]
    assert (score.mean, score.sd) == pytest.approx((expected.mean, expected.sd), rel=1e-4)
    assert (score.ci_low, score.ci_high) == pytest.approx(expected.interval(), rel=1e-4)
    assert score.chance == pytest.approx(np.mean(chance), rel=1e-4)
    assert 0 <= score.spread < 1


@pytest.mark.slow
def test_between_runs_either_way_has_a_score_and_pairs_of_one_seed_are_left_out(with_priors):
    two = with_priors("two", [(w[:2] / w[:2].sum(), m[:2], v[:2]) for w, m, v in triangles(2, noise=0.2)])
    three = with_priors("three", triangles(3, noise=0.2, seed=1))
    found = by_metric(compared(two, three), "between")
    assert set(found) == {f"{kind}density_distance{way}" for kind in ("", "relative_") for way in ("", "_reverse")}
    there, back = found["relative_density_distance"], found["relative_density_distance_reverse"]
    assert there.pairs == back.pairs == 4  # six, of which two have one seed
    assert (there.run_a, there.run_b, there.restarts) == ("two", "three", 5)
    swapped = by_metric(compared(three, two), "between")
    assert swapped["relative_density_distance"].mean == pytest.approx(back.mean, rel=1e-4)
    assert swapped["relative_density_distance_reverse"].mean == pytest.approx(there.mean, rel=1e-4)
    assert abs(there.mean - back.mean) > 0.01
    assert swapped["density_distance"].chance == pytest.approx(found["density_distance_reverse"].chance, rel=1e-4)


def test_one_restart_of_a_run_has_its_prior_too(with_priors):
    folder = with_priors("a", triangles(3, noise=0.0))
    comparison = compare(read_groups([f"{folder}#0", f"{folder}#2"]), Settings(floor_draws=1))
    assert by_metric(comparison, "between")["density_distance"].mean < 1e-4


def test_learned_priors_are_compared_unasked_and_mixtures_fitted_when_asked(make_run):
    rng = np.random.default_rng(0)
    clusters = np.concatenate([center + rng.normal(size=(200, 2)) for center in 2 * TRIANGLE])
    latents = [clusters @ rng.normal(size=(2, 2)) + rng.normal(size=2) for _ in range(3)]
    folder = make_run("vae", d=2, latents=latents)
    assert compared(folder).densities == ()
    score = by_metric(compared(folder, densities=True))["relative_density_distance"]
    assert score.source == "fitted mixture"
    assert score.mean < 0.5 * score.chance
    assert score.ci_low <= score.mean <= score.ci_high


@pytest.mark.slow
def test_a_run_with_priors_and_one_without_say_so(make_run, with_priors):
    comparison = compared(with_priors("a", triangles(3, noise=0.1)), make_run("b", d=2, restarts=3), densities=True)
    assert by_metric(comparison, "between")["density_distance"].source == "learned prior, fitted mixture"
    assert [score.run_a for score in comparison.densities if score.relation == "within"] == ["a", "a", "b", "b"]


def test_no_distance_beyond_ten_dimensions(with_priors):
    prior = np.full(2, 0.5), np.arange(22.0).reshape(2, 11), np.zeros((2, 11))
    folder = with_priors("wide", [prior, prior], d=11)
    assert compared(folder).densities == ()
    asked = compared(folder, densities=True)
    assert asked.densities == ()
    assert "wide: no density distance, which is sensible for d ≤ 10; here d = 11" in asked.warnings


def test_what_does_not_vary_has_no_distance_and_the_other_scores_stand(make_run):
    rng = np.random.default_rng(0)
    dead = [np.column_stack([rng.normal(size=600), np.zeros(600)]) for _ in range(3)]
    comparison = compared(make_run("dead", d=2, latents=dead), densities=True)
    assert comparison.densities == ()
    assert any(warning.startswith("dead: no density distance: z1 does not vary") for warning in comparison.warnings)
    assert comparison.scores


def test_what_would_take_long_is_left_out_unless_asked_for(with_priors, monkeypatch):
    folder = with_priors("a", triangles(3, noise=0.0))
    monkeypatch.setattr("stabaudit.comparison.scoring.densities._MOST_WORK", 2_000)
    comparison = compared(folder)
    assert comparison.densities == ()
    assert "a: the density distance would take long and is left out; --densities asks for it" in comparison.warnings
    assert len(compared(folder, densities=True).densities) == 2


def test_a_prior_that_is_no_mixture_is_refused(with_priors):
    ((weight, mean, log_var), other) = triangles(2, noise=0.0)
    folder = with_priors("a", [(weight - weight, mean, log_var), other])
    with pytest.raises(BadData, match=r"prior/restart-000\.parquet"):
        read_groups([str(folder)])
    run = Run.open(with_priors("b", [other, other]))
    with Run.prepare(run.folder, run.manifest) as run:
        run.save_prior(1, {"weight": weight, "mean0": mean[:, 0]})
        run.record(run.restart(1))
    with pytest.raises(BadData, match=r"prior/restart-001\.parquet has columns weight, mean0, expected weight, mean0…"):
        read_groups([str(run.folder)])


@pytest.mark.slow
def test_the_table_says_whose_definition_it_is_and_json_holds_every_score(with_priors):
    comparison = compared(with_priors("a", triangles(3, noise=0.0)), with_priors("b", triangles(3, noise=0.3, seed=2)))
    report = comparison_report(comparison)
    titles = [section.title for section in report.sections if "density" in section.title]
    assert titles == [
        "affine density distance within a: learned prior, 3 restarts, 3 pairs, both ways averaged",
        "affine density distance within b: learned prior, 3 restarts, 3 pairs, both ways averaged",
        "affine density distance between a and b: learned prior, 6 restarts, 6 pairs",
    ]
    table = render(report, "table")
    assert table.count("our definition") == 3
    assert "lies below that of a single Gaussian" in table
    assert table.count("an affine map takes nearly any 3 means to any others in 2 dimensions") == 3
    records = json.loads(render(report, "json"))["densities"]
    assert len(records) == 2 + 2 + 4
    assert records[0]["metric"] == "density_distance"
    assert records[0]["mean"] == comparison.densities[0].mean


def test_a_single_gaussian_does_as_well_where_clusters_do_not_agree(with_priors):
    weight, spread = np.full(6, 1 / 6), np.zeros((6, 2))
    one_cluster, six = np.zeros((6, 2)), 9 * np.random.default_rng(4).normal(size=(6, 2))
    comparison = compared(with_priors("a", [(weight, mean, spread) for mean in (one_cluster, six, one_cluster)]))
    score = by_metric(comparison)["relative_density_distance"]
    assert score.mean > score.chance > 0.1
    words = next(s for s in comparison_report(comparison).sections if "density" in s.title).words
    assert any("is not shown to lie below that of a single Gaussian" in line for line in words)
    assert not any("nearly any" in line for line in words)


def test_the_option_asks_for_fitted_mixtures(make_run, monkeypatch, capsys):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    folder = make_run("vae", d=2, restarts=3)
    found = []
    for option in ([], ["--densities"]):
        with pytest.raises(SystemExit) as stop:
            main(["compare", str(folder), "--floor-draws", "1", "--format", "json", *option])
        assert stop.value.code == 0
        found.append(json.loads(capsys.readouterr().out)["densities"])
    assert found[0] == []
    assert {record["source"] for record in found[1]} == {"fitted mixture"}


def test_a_survey_keeps_the_distances_of_every_run(with_priors):
    folder = with_priors("a", triangles(3, noise=0.1))
    with_priors("b", triangles(3, noise=0.1))
    found = survey([folder.parent], Settings(floor_draws=1)).comparison.densities
    assert sorted({score.run_a for score in found}) == ["a", "b"]

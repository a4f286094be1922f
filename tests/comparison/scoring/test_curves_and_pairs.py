"""What figures are drawn from: curves with bands, scores pair by pair, and the matched dimensions of a typical pair."""

import json
from itertools import combinations

import numpy as np
import pytest

from stabaudit.comparison.compare import compare
from stabaudit.comparison.reading.selectors import read_groups
from stabaudit.comparison.settings import Settings
from stabaudit.comparison.views.run_origins import read_origins
from stabaudit.metrics.mcc_strong import strong_mcc
from stabaudit.metrics.mcc_weak import weak_mcc
from stabaudit.metrics.split import split_halves
from stabaudit.reports.formats.render import render
from stabaudit.reports.sections.comparison import comparison_report
from stabaudit.statistics import jackknife
from stabaudit.store.run.run_folder import Run

SETTINGS = Settings(floor_draws=1, k=2)


def scored(*folders, settings=SETTINGS):
    return compare(read_groups([str(folder) for folder in folders]), settings)


def test_a_curve_ends_at_the_score_and_its_band_at_the_interval_of_the_score(make_run):
    comparison = scored(make_run("a", restarts=5), make_run("b", "rotated", 4))
    scores = {(s.run_a, s.run_b, s.metric, s.k, s.sample): s for s in comparison.scores}
    assert len(comparison.curves) == 3 * 4  # within either run and between them; strong and weak, in and out
    for curve in comparison.curves:
        score = scores[curve.run_a, curve.run_b, curve.metric, None, curve.sample]
        ends = (curve.values[-1], curve.ci_low[-1], curve.ci_high[-1], curve.sd[-1])
        assert ends == pytest.approx((score.mean, score.ci_low, score.ci_high, score.sd))
        assert len(curve.values) == len(curve.sd) == len(curve.ci_low) == 4


def test_the_weak_curve_holds_weak_mcc_at_every_k(make_run):
    folder = make_run("a", restarts=3)
    for k in (1, 2, 3):
        comparison = scored(folder, settings=Settings(floor_draws=1, k=k))
        score = next(s for s in comparison.scores if (s.metric, s.k, s.sample) == ("weak_mcc", k, "out"))
        curve = next(c for c in comparison.curves if (c.metric, c.sample) == ("weak_mcc", "out"))
        assert curve.values[k - 1] == pytest.approx(score.mean)


def test_two_restarts_make_a_curve_without_a_band(make_run):
    curve = scored(make_run("a", restarts=2)).curves[0]
    assert curve.values
    assert curve.sd == curve.ci_low == curve.ci_high == ()


def test_scores_pair_by_pair_are_those_of_the_pairs_alone(make_run):
    folder = make_run("a", restarts=4)
    comparison = scored(folder)
    run = Run.open(folder)
    z = [run.latents(i).mean for i in range(4)]
    fit = split_halves(np.arange(len(z[0])))
    tables = {(table.metric, table.k): table for table in comparison.pairs}
    for i, j in combinations(range(4), 2):
        assert tables["strong_mcc", None].values[i, j] == pytest.approx(strong_mcc(z[i], z[j], fit))
        assert tables["weak_mcc", 2].values[j, i] == pytest.approx(weak_mcc(z[i], z[j], fit, k=2))
    for table in tables.values():
        assert np.isnan(table.values.diagonal()).all()
        assert table.restarts_a == table.restarts_b == ("a#0", "a#1", "a#2", "a#3")
        score = next(s for s in comparison.scores if (s.metric, s.k, s.sample) == (table.metric, table.k, "out"))
        assert np.nanmean(table.values) == pytest.approx(score.mean)


def test_pairs_between_runs_leave_out_those_of_one_seed(make_run):
    comparison = scored(make_run("a", restarts=3), make_run("b", restarts=4))
    table = next(t for t in comparison.pairs if (t.run_a, t.run_b, t.metric) == ("a", "b", "strong_mcc"))
    assert table.values.shape == (3, 4)
    assert np.isnan(table.values.diagonal()).all()  # both runs have the seeds 0, 1, …
    assert np.isfinite(table.values).sum() == 9


def test_restarts_against_true_sources_one_by_one(make_run):
    comparison = scored(make_run("a", restarts=3, sources=True))
    table = next(t for t in comparison.pairs if t.metric == "source_strong_mcc")
    score = next(s for s in comparison.scores if (s.metric, s.sample) == ("source_strong_mcc", "out"))
    assert table.run_b == "sources"
    assert jackknife.over_restarts(table.values[:, 0], scale="logit").interval() == pytest.approx((score.ci_low, score.ci_high))


def test_json_lists_every_pair_once(make_run):
    report = comparison_report(scored(make_run("a", restarts=3), make_run("b", restarts=3)))
    records = json.loads(render(report, "json"))["pairs"]
    strong = [r for r in records if r["metric"] == "strong_mcc"]
    assert len(strong) == 3 + 3 + 6
    assert list(strong[0]) == ["run_a", "run_b", "restart_a", "restart_b", "metric", "k", "sample", "value"]
    assert len({(r["restart_a"], r["restart_b"]) for r in strong}) == len(strong)


def test_a_typical_pair_is_the_median_and_shows_rows_that_nothing_was_fitted_to(make_run):
    rng = np.random.default_rng(0)
    base = rng.normal(size=(600, 3))
    noise = np.array([0.01, 0.5, 2.0])  # of the best, the middle and the worst dimension
    folder = make_run("a", latents=[base + noise * rng.normal(size=base.shape) for _ in range(3)], d=3)
    comparison = scored(folder)
    (match,) = comparison.matches
    table = next(t for t in comparison.pairs if t.metric == "strong_mcc")
    assert match.score == np.median(table.values[np.triu_indices(3, 1)])
    assert [(d.a, d.b) for d in match.dimensions] == [(0, 0), (1, 1), (2, 2)]
    outside = [d.outside for d in match.dimensions]
    assert outside == sorted(outside, reverse=True)
    z = Run.open(folder).latents(int(match.restart_a.partition("#")[2])).mean
    on_score = z[~split_halves(np.arange(600)), 1]
    assert set(match.dimensions[1].rows[:, 0].tolist()) <= set(on_score.tolist())


def test_a_single_dimension_is_shown_once(make_run):
    comparison = scored(make_run("a", d=1))
    assert len(comparison.matches[0].dimensions) == 1


def test_origins_say_what_each_restart_reached(make_run, tmp_path):
    folder = make_run("a", restarts=3, losses=[1.5, 2.5, -0.5], lost=("NaN",))
    np.save(tmp_path / "z.npy", np.ones((3, 2)))
    runs = scored(folder).runs
    (origin,) = read_origins(runs)
    assert [r.objective for r in origin.restarts] == [-1.5, -2.5, 0.5, None]
    assert [r.name for r in origin.restarts] == ["a#0", "a#1", "a#2", "a#3"]
    assert origin.restarts[3].state == "diverged"
    assert origin.command == "stabaudit train"


def test_the_middle_of_four_matched_dimensions_is_the_lower_of_two(make_run):
    rng = np.random.default_rng(0)
    base = rng.normal(size=(600, 4))
    noise = np.array([0.01, 0.3, 0.8, 2.0])
    folder = make_run("a", latents=[base + noise * rng.normal(size=base.shape) for _ in range(3)], d=4)
    (match,) = scored(folder).matches
    assert [d.a for d in match.dimensions] == [0, 1, 3]

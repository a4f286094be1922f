"""Agreement of stored distances: against scipy and the jackknife, floors, between runs, gates, and what has none."""

import json
from itertools import combinations

import jsonschema
import numpy as np
import pytest
from scipy.stats import pearsonr

from stabaudit.cli.main import main
from stabaudit.comparison.compare import compare
from stabaudit.comparison.reading.selectors import read_groups
from stabaudit.comparison.settings import Settings
from stabaudit.errors import BadData
from stabaudit.json_schema.schema import json_schema
from stabaudit.metrics.stored_geometry import distance_agreement, varies
from stabaudit.statistics import jackknife
from stabaudit.store.run.run_folder import Run

PAIRS = 120
NAMES = ("geodesic_correlation", "euclidean_correlation")


def distances(restarts, noise, seed=0):
    """Of restarts that share them up to a unit and noise."""
    rng = np.random.default_rng(seed)
    base = rng.gamma(3, size=PAIRS)
    return [rng.uniform(0.5, 5) * np.abs(base + noise * rng.normal(size=PAIRS)) for _ in range(restarts)]


@pytest.fixture
def with_geometry(make_run):
    def make(name, geodesic, euclidean=None, rows=None, **options):
        folder = make_run(name, restarts=len(geodesic), **options)
        rows = np.random.default_rng(1).integers(0, 600, (PAIRS, 2)) if rows is None else rows
        with Run.prepare(folder, Run.open(folder).manifest) as run:
            for i, found in enumerate(geodesic):
                other = found if euclidean is None else euclidean[i]
                columns = {"row_a": rows[:, 0], "row_b": rows[:, 1], "euclidean": other, "straight": found, "geodesic": found}
                run.save_geometry(i, columns)
                run.record(run.restart(i))
        return folder

    return make


def compared(*folders, **settings):
    wanted = {"floor_draws": 3, "rotations": 19} | settings
    return compare(read_groups([str(folder) for folder in folders]), Settings(**wanted))


def own(found, name, run=None):
    return next(one for one in found.scores if one.metric == name and one.relation == "within" and run in {None, one.run_a})


def test_scores_are_correlations_with_an_interval_over_restarts(with_geometry):
    geodesic, euclidean = distances(5, 0.3), distances(5, 2.0, seed=1)
    found = compared(with_geometry("a", geodesic, euclidean))
    for name, values in zip(NAMES, (geodesic, euclidean), strict=True):
        table = np.zeros((5, 5))
        for i, j in combinations(range(5), 2):
            table[i, j] = table[j, i] = pearsonr(values[i], values[j]).statistic
        expected, score = jackknife.within(table, scale="atanh"), own(found, name)
        assert score.mean == pytest.approx(expected.mean, abs=1e-12)
        assert (score.ci_low, score.ci_high) == pytest.approx(expected.interval())
        assert (score.sample, score.pairs, score.restarts) == ("out", 10, 5)
    assert own(found, NAMES[0]).mean > own(found, NAMES[1]).mean + 0.2


def test_the_floor_is_that_of_unrelated_distances(with_geometry):
    found = compared(with_geometry("a", distances(4, 0.1)), floor_draws=60)
    assert own(found, NAMES[0]).independence_floor == pytest.approx(0, abs=4 / np.sqrt(60 * PAIRS))
    unrelated = [distances(1, 0.0, seed)[0] for seed in range(6)]
    score = own(compared(with_geometry("b", unrelated)), NAMES[0])
    assert abs(score.mean) < 4 / np.sqrt(PAIRS)
    assert score.rotation_floor is None


def test_two_runs_are_held_against_each_other(with_geometry):
    base = distances(6, 0.2)
    found = compared(with_geometry("a", base[:3]), with_geometry("b", base[3:]))
    score = next(one for one in found.scores if one.metric == NAMES[0] and one.relation == "between")
    pairs = [pearsonr(base[i], base[j]).statistic for i in range(3) for j in range(3, 6) if i != j - 3]
    assert score.mean == pytest.approx(np.mean(pairs), abs=1e-12)
    difference = next(one for one in found.differences if one.metric == NAMES[0])
    assert difference.difference == pytest.approx(own(found, NAMES[0], "a").mean - own(found, NAMES[0], "b").mean)


def test_other_pairs_of_rows_are_left_out_and_that_is_said(with_geometry):
    others = np.random.default_rng(5).integers(0, 600, (PAIRS, 2))
    found = compared(with_geometry("a", distances(3, 0.2)), with_geometry("b", distances(3, 0.2), rows=others))
    assert {one.run_a for one in found.scores if one.metric in NAMES} == {"a"}
    assert any(said.startswith("b: its geodesic distances are of other pairs of rows than those of a") for said in found.warnings)


def test_a_decoder_that_says_nothing_agrees_with_none_and_that_is_said(with_geometry):
    geodesic = distances(3, 0.1)
    geodesic[1] = np.zeros(PAIRS)
    found = compared(with_geometry("a", geodesic, distances(3, 0.1)))
    assert own(found, NAMES[0]).mean == pytest.approx(pearsonr(geodesic[0], geodesic[2]).statistic / 3)
    assert any(said.endswith("correlations count as 0: a#1 geodesic") for said in found.warnings)


@pytest.mark.parametrize("unit", [1e-200, 1e-30, 1.0, 1e30, 1e200])
def test_the_unit_of_distances_does_not_matter(unit):
    a, b = distances(2, 0.5)
    expected = pearsonr(a, b).statistic
    assert distance_agreement(unit * a, b) == pytest.approx(expected, abs=1e-12)
    assert distance_agreement(np.float32(a), np.float32(b)) == pytest.approx(expected, abs=1e-6)


def test_runs_without_distances_or_with_some_missing_have_no_such_scores(make_run, with_geometry):
    plain = compared(make_run("plain", restarts=3))
    folder = with_geometry("a", distances(3, 0.1))
    with Run.prepare(folder, Run.open(folder).manifest) as run:
        (folder / "geometry" / "restart-001.parquet").unlink()
        run.record(run.restart(1))
    for found in (plain, compared(folder)):
        assert not {one.metric for one in found.scores} & set(NAMES)


def test_a_damaged_file_is_named(with_geometry):
    folder = with_geometry("a", distances(3, 0.1))
    path = folder / "geometry" / "restart-002.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadData, match=r"geometry/restart-002\.parquet"):
        compared(folder)
    with Run.prepare(folder, Run.open(folder).manifest) as run:
        run.save_geometry(2, {"row_a": np.arange(3), "row_b": np.arange(3), "euclidean": np.ones(3)})
        run.record(run.restart(2))
    with pytest.raises(BadData, match="has no column geodesic, expected row_a"):
        compared(folder)


def invoke(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return stop.value.code, out, err


@pytest.mark.slow
def test_tables_json_and_gates_follow(with_geometry, make_run, capsys):
    folder, few = with_geometry("a", distances(4, 0.1)), ("--floor-draws", "3", "--scores", "cka")
    code, out, _ = invoke(capsys, "compare", folder, *few)
    assert code == 0
    assert "geodesic distances" in out
    assert "Euclidean distances" in out
    code, out, _ = invoke(capsys, "compare", folder, *few, "--format", "json")
    document = json.loads(out)
    jsonschema.validate(document, json_schema())
    assert {one["metric"] for one in document["scores"]} >= set(NAMES)
    assert invoke(capsys, "check", folder, "--require", "geodesic_correlation>=0.9", *few)[0] == 0
    assert invoke(capsys, "check", folder, "--require", "geodesic_correlation<=0.1", *few)[0] != 0
    code, _, err = invoke(capsys, "check", make_run("plain", restarts=3), "--require", "geodesic_correlation>=0.9", *few)
    assert code == 2
    assert "train --geometry asks for it" in err
    code, _, err = invoke(capsys, "compare", folder, "--scores", "geodesic_correlation")
    assert code == 2
    assert "comes with train --geometry" in err
    code, _, err = invoke(capsys, "train", "vae", "--until", "geodesic_correlation±0.1")
    assert code == 2
    assert "comes with train --geometry, without which the run has none" in err  # before anything is trained


def test_both_kinds_of_distances_have_the_floor_of_shuffled_pairs_of_rows(with_geometry):
    found = compared(with_geometry("a", distances(4, 0.1), distances(4, 0.1, seed=1)), floor_draws=60)
    for name in NAMES:
        score = own(found, name)
        assert score.independence_floor == pytest.approx(0, abs=4 / np.sqrt(60 * PAIRS))
        assert score.mean > 0.8
        assert score.adjusted == pytest.approx((score.mean - score.independence_floor) / (1 - score.independence_floor))


def test_two_restarts_have_a_score_without_an_interval(with_geometry):
    two = distances(2, 0.2)
    score = own(compared(with_geometry("two", two)), NAMES[0])
    assert score.mean == pytest.approx(pearsonr(*two).statistic, abs=1e-12)
    assert (score.pairs, score.ci_low) == (1, None)


@pytest.mark.parametrize(("spread", "expected"), [(0.0, False), (1.2e-7, False), (1e-5, True), (1.0, True)])
@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e30])
def test_distances_that_only_the_last_bit_of_float32_varies_are_constant(spread, expected, unit):
    values = unit * (1.0 + spread * np.random.default_rng(0).uniform(size=PAIRS))
    assert varies(values) is expected
    assert (distance_agreement(values, values) > 0) is expected
    assert distance_agreement(values, distances(1, 0.0)[0]) == 0.0 or expected

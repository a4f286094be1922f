"""Comparisons of run folders against numpy, known relations, and files that cannot be compared."""

from itertools import accumulate, combinations, pairwise
from math import comb

import numpy as np
import pytest
from scipy.special import expit, logit

from stabaudit.comparison.compare import compare
from stabaudit.comparison.gating.baseline import as_baseline, read_baseline, require_comparable, write_baseline
from stabaudit.comparison.gating.find_score import find_score
from stabaudit.comparison.reading.selectors import read_groups
from stabaudit.comparison.scoring import floors
from stabaudit.comparison.scoring.members import Member
from stabaudit.comparison.settings import Settings
from stabaudit.comparison.surveys.configurations import table_of_runs
from stabaudit.comparison.surveys.score_table import read_score_table
from stabaudit.comparison.surveys.survey import survey
from stabaudit.errors import BadData, UsageError
from stabaudit.metrics.mcc_strong import strong_mcc
from stabaudit.metrics.split import split_halves
from stabaudit.reports.sections.comparison import comparison_report
from stabaudit.statistics.gate import parse_score
from stabaudit.statistics.power import detectable_loss
from stabaudit.store.run.run_folder import Run

FEW = Settings(floor_draws=1, rotations=1)


def score(comparison, run, name):
    return find_score(comparison.scores, run, parse_score(name))


def test_means_over_pairs_and_floors_are_those_of_the_pairs(make_run):
    folder = make_run("vae", "aligned", 4)
    comparison = compare(read_groups([str(folder)]))
    latents = [Run.open(folder).latents(i).mean for i in range(4)]
    fit = split_halves(np.arange(len(latents[0])))
    strong = score(comparison, "vae", "strong_mcc")
    alone = [strong_mcc(a, b, fit) for a, b in combinations(latents, 2)]
    assert strong.mean == pytest.approx(np.mean(alone))
    assert strong.sd == pytest.approx(np.std(alone, ddof=1))
    assert (strong.pairs, strong.restarts) == (6, 4)
    assert strong.ci_low < strong.mean < strong.ci_high
    assert strong.adjusted == pytest.approx((strong.mean - strong.independence_floor) / (1 - strong.independence_floor))
    assert strong.axis_alignment == pytest.approx((strong.mean - strong.rotation_floor) / (1 - strong.rotation_floor))


@pytest.mark.slow
def test_known_relations_are_told_apart(make_run):
    groups = read_groups([str(make_run(kind, kind, 4)) for kind in ("aligned", "rotated", "unrelated")])
    comparison = compare(groups)
    aligned, rotated, unrelated = (score(comparison, kind, "strong_mcc") for kind in ("aligned", "rotated", "unrelated"))
    assert aligned.mean == pytest.approx(2 / 2.25, abs=0.02)  # Laplace variance 2, noise variance 0.25
    assert aligned.ci_low > aligned.rotation_floor
    assert aligned.p_rotation == pytest.approx(1 / 200)  # of 199 rotations none does as well
    assert rotated.p_rotation > 0.1
    assert score(comparison, "rotated", "weak_mcc").mean > 0.98
    assert unrelated.adjusted == pytest.approx(0, abs=0.05)
    across = {
        (s.run_a, s.run_b): s
        for s in comparison.scores
        if s.relation == "between" and (s.metric, s.sample) == ("weak_mcc", "out")
    }
    assert across["aligned", "rotated"].mean > 0.9
    assert across["aligned", "unrelated"].mean < 0.15
    assert (across["aligned", "rotated"].pairs, across["aligned", "rotated"].restarts) == (12, 8)  # of 16, four share a seed
    assert "between aligned and rotated: 4 pairs of one seed are left out" in " ".join(comparison.warnings)


def test_differences_between_runs(make_run):
    comparison = compare(read_groups([str(make_run("a", "aligned", 5)), str(make_run("b", "unrelated", 5))]))
    (strong,) = (d for d in comparison.differences if d.metric == "strong_mcc")
    assert strong.difference == pytest.approx(
        score(comparison, "a", "strong_mcc").mean - score(comparison, "b", "strong_mcc").mean
    )
    assert strong.ci_low > 0.5
    assert strong.p_welch < 1e-4
    assert strong.p_permutation == pytest.approx(2 / 252)  # either way round, of all 252 deals


def test_a_run_against_a_copy_of_its_own_restarts_is_perfect(make_run):
    rng = np.random.default_rng(0)
    z = [rng.normal(size=(600, 3)) for _ in range(3)]
    copies = [2.0 - 3.0 * latents[:, [1, 2, 0]] for latents in z]
    a, b = make_run("a", latents=z, d=3), make_run("b", latents=copies, d=3)
    comparison = compare(read_groups([f"{a}#1", f"{b}#1"]))
    between = {(s.metric, s.sample, s.k): s.mean for s in comparison.scores}
    assert all(mean == pytest.approx(1, abs=1e-5) for mean in between.values())
    assert {s.ci_low for s in comparison.scores} == {None}  # one pair


def test_rows_are_joined_on_their_ids(make_run, tmp_path):
    rng = np.random.default_rng(1)
    order = rng.permutation(600)
    z = rng.normal(size=(600, 3))
    make_run("a", latents=[z, z + 0.1 * rng.normal(size=z.shape)], d=3)
    make_run("b", latents=[z[order], z[order] + 0.1 * rng.normal(size=z.shape)], ids=order, d=3)
    comparison = compare(read_groups([str(tmp_path / "a"), str(tmp_path / "b")]))
    assert all(s.mean > 0.98 for s in comparison.scores if s.relation == "between" and s.metric == "strong_mcc")


def test_against_true_sources_the_restart_is_the_unit(make_run):
    comparison = compare(read_groups([str(make_run("tcl", "aligned", 5, sources=True))]))
    source = score(comparison, "tcl", "source_strong_mcc")
    assert (source.pairs, source.restarts) == (5, 5)
    assert source.mean == pytest.approx(np.sqrt(2 / 2.25), abs=0.02)
    assert source.rotation_floor < source.ci_low


@pytest.mark.slow
def test_posterior_samples_are_scored_against_sources_beside_means(make_run):
    """Of a source with variance v, a mean with noise 0.25 and posterior variance e^0.5: correlation √(v/(v + 0.25 + 1.65))."""
    sources = np.random.default_rng(9).laplace(size=(600, 4))  # those that `make_run` starts from
    v = sources[~split_halves(np.arange(600))].var(axis=0)
    comparison = compare(read_groups([str(make_run("tcl", "aligned", 5, sources=sources, log_var=0.5))]))
    for name, noise in (("source_strong_mcc", 0.25), ("sampled_source_strong_mcc", 0.25 + np.exp(0.5))):
        assert score(comparison, "tcl", name).mean == pytest.approx(np.sqrt(v / (v + noise)).mean(), abs=0.02)
    batched = score(comparison, "tcl", "batched_source_strong_mcc.in")
    assert batched.mean == pytest.approx(score(comparison, "tcl", "sampled_source_strong_mcc").mean, abs=0.04)
    assert batched.independence_floor == pytest.approx(0.16, abs=0.02)  # what 64 rows of unrelated latents give
    other = compare(
        read_groups([str(make_run("other", "aligned", 5, sources=sources, log_var=0.5))]), Settings(scores=("affine_r2",))
    )
    assert not any(found.metric.startswith("batched") for found in other.scores)
    alone = compare(read_groups([str(make_run("without", "aligned", 5, sources=True))]))
    assert not any(found.metric.startswith("sampled") for found in alone.scores)


def test_scores_against_sources_do_not_depend_on_what_is_compared_beside(make_run):
    folders = [str(make_run(name, kind, 3, sources=True)) for name, kind in (("a", "unrelated"), ("b", "aligned"))]
    alone, beside = compare(read_groups(folders[1:])), compare(read_groups(folders))
    own = [[s for s in found.scores if s.run_a == "b" and s.metric.startswith("source")] for found in (alone, beside)]
    assert own[0] == own[1]


def test_other_than_as_many_dimensions_as_sources_is_said(make_run):
    sources = np.random.default_rng(9).laplace(size=(600, 3))
    comparison = compare(read_groups([str(make_run("tcl", d=2, sources=sources))]))
    assert "tcl: 2 dimensions, 3 sources; scores against sources are means over 2 matched" in comparison.warnings


def test_two_restarts_of_one_seed_alone_are_compared_and_said_to_be_alike(make_run):
    a, b = make_run("a", "aligned", 3), make_run("b", "unrelated", 4)
    comparison = compare(read_groups([f"{a}#1", f"{b}#1"]))
    assert {found.pairs for found in comparison.scores} == {1}
    assert "a#1 and b#1 were trained from the same seed, so they agree more than other pairs" in comparison.warnings


def test_pseudo_values_are_permuted_between_runs_of_three_restarts_or_more(make_run):
    runs = [str(make_run(name, "aligned", count)) for name, count in (("a", 4), ("b", 3), ("c", 5), ("two", 2))]
    comparison = compare(read_groups(runs), FEW)
    smallest = {(d.run_a, d.run_b): d.p_smallest for d in comparison.differences if d.p_permutation is not None}
    assert smallest == {  # one of all deals; of equal numbers two, either way round
        ("a", "b"): pytest.approx(1 / 35),
        ("a", "c"): pytest.approx(1 / 126),
        ("b", "c"): pytest.approx(1 / 56),
    }
    for d in comparison.differences:
        assert (d.p_welch is None) == (d.p_permutation is None) == ("two" in {d.run_a, d.run_b})
        assert d.p_permutation is None or d.p_smallest <= d.p_permutation <= 1


def test_p_values_of_differences_are_adjusted_over_all_of_them(make_run):
    """Holm 1979 by its definition: reject while the i-th smallest of m p-values is at most α/(m − i + 1)."""
    kinds = (("a", "aligned", 4), ("b", "rotated", 3), ("c", "unrelated", 5), ("two", "aligned", 2))
    comparison = compare(read_groups([str(make_run(*kind)) for kind in kinds]), FEW)
    tested = [d for d in comparison.differences if d.p_welch is not None]
    assert [d.p_holm for d in comparison.differences if d.p_welch is None] == [None] * (len(comparison.differences) - len(tested))
    assert len(tested) > len({d.metric for d in tested}) > 1  # over scores and over pairs of runs

    def rejected(alpha):
        """Positions that Holm's procedure rejects at a level."""
        found = set()
        for i, position in enumerate(sorted(range(len(tested)), key=lambda at: tested[at].p_welch)):
            if tested[position].p_welch > alpha / (len(tested) - i):
                break
            found.add(position)
        return found

    for position, d in enumerate(tested):
        assert d.p_welch <= d.p_holm <= 1
        assert position not in rejected(d.p_holm - 1e-9)
        assert position in rejected(d.p_holm + 1e-9) or d.p_holm == 1


def test_three_restarts_against_three_cannot_reach_five_percent_and_it_is_said(make_run):
    """Of twenty deals the best two are the same either way round: p ≥ 0.1."""
    for count, note in ((3, "The smallest p that permuting these restarts allows is 0.1."), (4, None)):
        kinds = {"good": "aligned", "bad": "unrelated"}
        comparison = compare(read_groups([str(make_run(f"{name}{count}", kind, count)) for name, kind in kinds.items()]), FEW)
        (strong,) = (d for d in comparison.differences if d.metric == "strong_mcc")
        assert strong.p_permutation == strong.p_smallest == pytest.approx(2 / comb(2 * count, count))
        words = comparison_report(comparison).sections[-1].words
        assert [word for word in words if "permuting" in word] == ([note] if note else [])


def test_two_restarts_have_a_score_but_no_interval(make_run):
    comparison = compare(read_groups([str(make_run("vae", "aligned", 2))]))
    strong = score(comparison, "vae", "strong_mcc")
    assert (strong.pairs, strong.sd, strong.ci_low, strong.ci_high) == (1, None, None, None)
    assert any("one pair" in warning for warning in comparison.warnings)


def test_what_is_lost_dead_or_double_is_said(make_run):
    rng = np.random.default_rng(2)
    z = [rng.normal(size=(600, 3)) for _ in range(3)]
    z[1][:, 2] = 0.5
    z.append(z[0])
    comparison = compare(read_groups([str(make_run("vae", latents=z, d=3, lost=["loss is NaN at step 7"]))]))
    assert comparison.warnings == (
        "vae: 4 of 5 restarts; restart 4 diverged (loss is NaN at step 7)",
        "vae#1:z2: constant on the rows fitted to: their correlations count as 0",
        "vae#0 and vae#3 hold the same latents; were they trained from the same seed?",
    )
    assert score(comparison, "vae", "strong_mcc").dead_dimensions == ("vae#1:z2",)


def test_curves_end_at_the_score_and_fall(make_run):
    comparison = compare(read_groups([str(make_run("vae", "rotated", 4))]))
    curve = next(c for c in comparison.curves if c.sample == "out")
    assert curve.values[-1] == pytest.approx(score(comparison, "vae", "strong_mcc").mean)
    assert np.all(np.diff(curve.values) <= 0)


def test_same_seed_same_floors(make_run):
    groups = read_groups([str(make_run("vae", "aligned", 3))])
    assert compare(groups, Settings(seed=1)) == compare(groups, Settings(seed=1))
    assert compare(groups, Settings(seed=1)).scores != compare(groups, Settings(seed=2)).scores


@pytest.mark.slow
def test_the_error_of_floors_is_stated_and_falls_with_the_draws(make_run):
    groups = read_groups([str(make_run("vae", "aligned", 6))])
    one, few, many = (
        score(compare(groups, Settings(floor_draws=draws, rotations=draws)), "vae", "strong_mcc") for draws in (1, 80, 320)
    )
    for floor in ("independence_floor", "rotation_floor"):
        value, error = (
            (lambda found, floor=floor: getattr(found, floor)),
            (lambda found, floor=floor: getattr(found, f"{floor}_se")),
        )
        assert error(one) is None
        assert error(few) / error(many) == pytest.approx(2, rel=0.3)
        assert abs(value(few) - value(many)) < 4 * np.hypot(error(few), error(many))
        assert error(few) < 0.02
    weak = score(compare(groups, Settings(floor_draws=2)), "vae", "weak_mcc")
    assert weak.rotation_floor_se is None
    assert weak.independence_floor_se > 0


@pytest.mark.slow
def test_floors_of_many_pairs_are_drawn_for_some_evenly(make_run, monkeypatch):
    folder = str(make_run("vae", "aligned", 8))
    every = compare(read_groups([folder]))
    monkeypatch.setattr(floors, "FLOOR_PAIRS", 10)
    some = compare(read_groups([folder]))
    assert "the floors are means over 16 of 28 pairs, evenly over the restarts" in some.warnings
    assert not any("of 28 pairs" in warning for warning in every.warnings)
    for one, other in zip(some.scores, every.scores, strict=True):
        assert one.mean == other.mean
        for floor in ("independence_floor", "rotation_floor"):
            assert getattr(one, floor) == pytest.approx(getattr(other, floor), abs=0.01), floor
        assert one.p_rotation == other.p_rotation


@pytest.mark.parametrize("sizes", [(30,), (2, 40), (25, 9, 30)])
def test_pairs_for_floors_take_every_restart_as_often(sizes):
    ends = list(accumulate(sizes, initial=0))
    members = [Member(str(start), *[tuple(range(start, stop))] * 2) for start, stop in pairwise(ends)]
    chosen = [pair for group in floors.floor_groups(members) for pair in group]
    assert len(set(chosen)) == len(chosen)
    assert all(a < b for a, b in chosen)
    relations = [(m, m) for m in members] + list(combinations(members, 2))
    for a, b in relations:
        own = [(x, y) for x, y in chosen if x in a.positions and y in b.positions]
        possible = len(a.positions) * (len(a.positions) - 1) // 2 if a is b else len(a.positions) * len(b.positions)
        assert min(possible, floors.FLOOR_PAIRS) <= len(own) < floors.FLOOR_PAIRS + max(sizes)
        for member in {a, b}:
            counts = [sum(position in pair for pair in own) for position in member.positions]
            assert max(counts) <= 2 * min(counts)


def test_different_samples_are_refused_with_counts(make_run):
    a, b = make_run("a"), make_run("b", ids=np.arange(600) + 100)
    with pytest.raises(BadData, match="500 sample ids are in both, 100 only in a#0, 100 only in b#0"):
        read_groups([str(a), str(b)])


def test_ids_of_different_kinds_are_refused(make_run):
    a, b = make_run("a"), make_run("b", ids=np.array([f"row{i}" for i in range(600)]))
    with pytest.raises(BadData, match="name their rows differently"):
        read_groups([str(a), str(b)])


def test_one_restart_is_nothing_to_compare(make_run):
    folder = make_run("a")
    for selector in (str(make_run("one", restarts=1)), f"{folder}#2"):
        with pytest.raises(BadData, match="one restart, nothing to compare"):
            read_groups([selector])


@pytest.mark.parametrize("second", ["", "#1", "/"])
def test_a_restart_is_never_compared_with_itself(make_run, second):
    folder = make_run("a")
    with pytest.raises(UsageError, match="given twice"):
        read_groups([str(folder), f"{folder}{second}"])


def test_files_without_ids_are_not_matched_by_position(tmp_path):
    rng = np.random.default_rng(3)
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", rng.normal(size=(50, 3)))
    with pytest.raises(BadData, match="names no rows"):
        read_groups([str(tmp_path / "a.npy"), str(tmp_path / "b.npy")])


def test_files_with_ids_are_compared(tmp_path):
    rng = np.random.default_rng(4)
    z, ids = rng.normal(size=(80, 3)), np.arange(80)
    for name, order in (("a", ids), ("b", ids[::-1])):
        np.savez(tmp_path / f"{name}.npz", z=z[order], sample_id=order)
    comparison = compare(read_groups([str(tmp_path / "a.npz"), str(tmp_path / "b.npz")]))
    assert {s.relation for s in comparison.scores} == {"between"}
    assert all(s.mean == pytest.approx(1) for s in comparison.scores)


def test_unequal_dimensions_need_leave(make_run):
    groups = read_groups([str(make_run("a", d=3)), str(make_run("b", d=4))])
    with pytest.raises(BadData, match="a#0 and b#0 have 3 and 4 dimensions"):
        compare(groups)
    curve = compare(groups, Settings(allow_unequal=True)).curves[-1]
    assert len(curve.values) == 3


def test_a_baseline_survives_its_file(make_run, tmp_path):
    comparison = compare(read_groups([str(make_run("vae", "aligned", 5))]))
    baseline = as_baseline(comparison, Settings(), None, 0.02)
    write_baseline(tmp_path / "b.json", baseline)
    assert read_baseline(tmp_path / "b.json") == baseline
    strong = score(comparison, "vae", "strong_mcc")
    change = baseline.difference(strong)
    assert change.mean == 0
    assert change.df == pytest.approx(8)  # 4 on either side, equal variances
    assert change.se == pytest.approx(np.sqrt(2) * strong.se)
    logits = logit([strong.ci_low, strong.ci_high])
    slope = 1 / (strong.mean * (1 - strong.mean))  # of the logit
    assert logits == pytest.approx(logit(strong.mean) + np.array([-1, 1]) * 2.7764451 * strong.se * slope)  # t₀.₉₇₅, 4 degrees
    kept = next(one for one in baseline.scores if (one.metric, one.sample) == ("strong_mcc", "out"))
    assert (kept.se, kept.df, kept.scale) == (strong.se, 4, "logit")
    assert kept.detectable_loss == detectable_loss(change, 0.02) > 0.02


def test_a_baseline_of_another_dataset_is_refused(make_run, tmp_path):
    old, new = (
        as_baseline(compare(read_groups([str(make_run(name, fingerprint=name * 16))])), Settings(), None, 0.02)
        for name in ("a", "b")
    )
    with pytest.raises(UsageError, match=r"its dataset fingerprint is a{16}, here b{16}"):
        require_comparable(old, new, tmp_path / "old.json")


@pytest.mark.slow
def test_runs_are_matched_by_configuration(make_run, tmp_path):
    for d in (3, 4):
        make_run(f"vae-{d}", d=d, family="vae", options={"prior": "gaussian"})
        make_run(f"laplace-{d}", d=d, family="vae", options={"prior": "laplace"})
    make_run("ivae-long", d=3, family="ivae", steps=20)
    found = survey([tmp_path], Settings(floor_draws=1))
    table = table_of_runs(found, parse_score("strong_mcc"))
    assert {str(configuration): set(values) for configuration, values in table.items()} == {
        "mlp synthetic d=3 training.steps=10": {"vae(prior=gaussian)", "vae(prior=laplace)"},
        "mlp synthetic d=4 training.steps=10": {"vae(prior=gaussian)", "vae(prior=laplace)"},
        "mlp synthetic d=3 training.steps=20": {"ivae"},
    }


def test_two_contents_of_one_name_are_two_configurations(make_run, tmp_path):
    for family, fingerprint in (("vae", "a" * 16), ("ivae", "b" * 16)):
        make_run(family, family=family, fingerprint=fingerprint)
    table = table_of_runs(survey([tmp_path], Settings(floor_draws=1)), parse_score("strong_mcc"))
    assert {str(configuration): set(values) for configuration, values in table.items()} == {
        f"mlp synthetic d=4 dataset.fingerprint={'a' * 16}": {"vae"},
        f"mlp synthetic d=4 dataset.fingerprint={'b' * 16}": {"ivae"},
    }


def test_a_run_that_cannot_be_scored_is_named(make_run, tmp_path):
    make_run("vae")
    make_run("one", restarts=1, lost=["loss is NaN at step 7"])
    found = survey([tmp_path], Settings(floor_draws=1))
    comparison, configs = found.comparison, found.configs
    assert list(configs) == ["vae"]
    assert any("one is left out: 1 of 2 restarts (restart 1 diverged (loss is NaN at step 7))" in w for w in comparison.warnings)


HEADER = "architecture,dataset,latent_dim,family,mcc\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no rows"),
        ("architecture,dataset,family,mcc\nmlp,mnist,vae,0.5\n", "no column 'latent_dim'"),
        (HEADER + "mlp,mnist,50,vae,nan\n", "row 1: mcc is 'nan', expected a finite number"),
        (HEADER + "mlp,mnist,5.5,vae,0.5\n", "latent_dim is '5.5', expected a whole number"),
        (HEADER + "mlp,mnist,50,vae\n", "another number of fields"),
        (HEADER + "mlp,mnist,50,vae,0.5\nmlp,mnist,50,vae,0.6\n", "row 2: vae on mlp mnist d=50 a second time"),
        (HEADER + 'mlp,"mnist,50,vae,0.5\n', "not a comma-separated table"),
    ],
)
def test_malformed_tables_of_scores(tmp_path, text, problem):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(BadData, match=problem):
        read_score_table(tmp_path / "t.csv")


def test_which_column_is_the_score(tmp_path):
    (tmp_path / "t.csv").write_text("architecture,dataset,latent_dim,family,strong,weak\nmlp,mnist,50,vae,0.5,0.9\n")
    with pytest.raises(UsageError, match="--score strong or weak"):
        read_score_table(tmp_path / "t.csv")
    table, name, _ = read_score_table(tmp_path / "t.csv", "weak")
    assert name == "weak"
    assert [dict(values) for values in table.values()] == [{"vae": 0.9}]


def test_collapse_stands_beside_stability(make_run):
    """Two of four dimensions hardly vary; a posterior as narrow as these says nearly all of which row it is."""
    rng = np.random.default_rng(0)
    z = [rng.normal(size=(600, 4)) * [1, 0.05, 2, 0.09] for _ in range(3)]
    z[2][:, 1] *= 10
    comparison = compare(read_groups([str(make_run("vae", latents=z, log_var=-3.0))]))
    found = {one.score: one for one in comparison.collapse}
    assert set(found) == {"active_units", "mutual_information"}  # nothing was measured after training
    units = found["active_units"]
    assert (units.mean, units.restarts, units.note) == (pytest.approx(np.mean([0.5, 0.5, 0.75])), 3, "fraction of 4 dimensions")
    half = np.std([0.5, 0.5, 0.75], ddof=1) / np.sqrt(3) * 4.302653 / (units.mean * (1 - units.mean))  # t of 2 degrees, on logits
    assert (units.ci_low, units.ci_high) == pytest.approx(expit(logit(units.mean) + np.array([-half, half])))
    information = found["mutual_information"]
    assert information.note == f"at most log n = {np.log(600):.2f}"
    assert 0.5 * np.log1p([1 / np.exp(-3), 4 / np.exp(-3)]).sum() * 0.7 < information.mean < np.log(600)
    assert [(d.restart, d.dimension) for d in comparison.dimensions if not d.active] == [
        ("vae#0", 1),
        ("vae#0", 3),
        ("vae#1", 1),
        ("vae#1", 3),
        ("vae#2", 3),
    ]
    (warning,) = (w for w in comparison.warnings if "inactive" in w)
    assert warning.startswith("vae: inactive dimensions, which carry no information about x")
    assert warning.endswith("yet count in every mean: vae#0 z1, z3 (2); vae#1 z1, z3 (2); vae#2 z3 (1)")


def test_what_was_measured_after_training_is_averaged_and_warned_of(make_run):
    stored = {
        "evaluation_kl": 2.0,
        "log_likelihood": -80.0,
        "log_likelihood_samples": 100.0,
        "log_likelihood_rows": 500.0,
        "clusters": 40.0,
        "dead_clusters": 3.0,
        "cluster_accuracy": 0.5,
        "cluster_nmi": 0.4,
        "prior_rank": 7.0,
        "prior_full_rank": 8.0,
        "prior_condition": np.inf,
    }
    folder = make_run("vade", restarts=3)
    run = Run.open(folder)
    with Run.prepare(folder, run.manifest) as writable:
        for restart in run.manifest.restarts:
            changed = {name: value + restart.index for name, value in stored.items()} if restart.index < 2 else stored
            writable.record(restart.model_copy(update={"scores": changed}))
    comparison = compare(read_groups([str(folder)]))
    found = {one.score: (one.mean, one.note) for one in comparison.collapse}
    assert found["kl"] == (pytest.approx(7 / 3), "")
    assert found["log_likelihood"] == (pytest.approx(-239 / 3), "K = 100, 500 rows")
    assert found["cluster_accuracy"] == (pytest.approx(2.5 / 3), "of 40")
    assert found["prior_rank"] == (pytest.approx(22 / 3), "of 8, condition inf to inf")
    assert any(
        "dead clusters, which no evaluation row belongs to: vade#0 3 of 40, vade#1 4 of 41" in w for w in comparison.warnings
    )
    assert any("matrix L is too small for identifiability: vade#0 7 of 8, vade#1 8 of 9" in w for w in comparison.warnings)


@pytest.mark.parametrize("stored", [{}, {"log_likelihood_samples": np.nan, "clusters": np.nan, "prior_full_rank": np.inf}])
def test_scores_without_what_belongs_to_them_are_averaged_all_the_same(make_run, stored):
    folder = make_run("vade", restarts=3)
    run = Run.open(folder)
    measured = {
        "log_likelihood": -80.0,
        "cluster_accuracy": 0.5,
        "dead_clusters": 2.0,
        "prior_rank": 7.0,
        "evaluation_kl": np.nan,
    }
    with Run.prepare(folder, run.manifest) as writable:
        for restart in run.manifest.restarts:
            writable.record(restart.model_copy(update={"scores": measured | stored}))
    found = {one.score: (one.mean, one.note) for one in compare(read_groups([str(folder)]), FEW).collapse}
    assert (found["log_likelihood"], found["prior_rank"]) == ((-80, ""), (7, ""))
    assert found["cluster_accuracy"] == (0.5, "")
    assert "kl" not in found


def test_what_monte_carlo_estimates_below_zero_counts_as_zero(make_run):
    """Neither divergence nor mutual information is negative; their estimates may be, where the posterior is the prior."""
    folder = make_run(
        "vae",
        latents=[np.zeros((600, 2)) + 1e-3 * np.random.default_rng(i).normal(size=(600, 2)) for i in range(3)],
        d=2,
        log_var=0.0,
    )
    run = Run.open(folder)
    with Run.prepare(folder, run.manifest) as writable:
        for restart in run.manifest.restarts:
            writable.record(restart.model_copy(update={"scores": {"evaluation_kl": -0.001}}))
    found = {one.score: (one.mean, one.ci_low) for one in compare(read_groups([str(folder)]), FEW).collapse}
    assert found["kl"] == (0, 0)
    assert 0 <= found["mutual_information"][0] < 0.01


def test_a_counted_score_over_as_many_parts_as_there_are_dimensions_is_not_printed_twice(make_run):
    """The mean of the first d of d canonical correlations is the one over all."""
    folder = make_run("a", d=4)
    for k, printed in ((3, ["weak MCC@3", "weak MCC@all"]), (4, ["weak MCC@all"])):
        comparison = compare(read_groups([str(folder)]), Settings(k=k, floor_draws=1))
        rows = comparison_report(comparison).sections[0].rows
        assert [row[0] for row in rows if row[0].startswith("weak")] == printed

"""What compare, report, check and list print, where, and with which exit status."""

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest

from stabaudit.cli.main import main
from stabaudit.metrics.split import split_halves

WILLETTS = Path(__file__).parents[2] / "fixtures" / "willetts2021-mcc.csv"

SCORE_FIELDS = [
    *("run_a", "run_b", "relation", "metric", "k", "sample", "mean", "sd", "se", "df", "scale", "ci_low", "ci_high"),
    *("pairs", "restarts"),
    *("independence_floor", "rotation_floor", "adjusted", "axis_alignment", "p_rotation", "dead_dimensions"),
    *("independence_floor_se", "rotation_floor_se"),
]


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))

    def invoke(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return invoke


def strict(text):
    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def test_willetts_as_a_table(run):
    code, out, err = run("report", "--wilcoxon", WILLETTS)
    assert (code, err) == (0, "")
    assert out.splitlines()[:6] == [
        "mcc of families over configurations: exact Wilcoxon signed-rank",
        "families    n    T      p  Holm p  effect r    shift                 95%",
        "────────────────────────────────────────────────────────────────────────",
        "ivae–vae   24   74  0.029   0.087     0.507   0.0155    [0.0022, 0.0256]",
        "ivae–vade  24  121  0.422   0.422     0.193   0.0076   [-0.0118, 0.0202]",
        "vae–vade   24   78  0.039   0.087    -0.480  -0.0152  [-0.0333, -0.0002]",
    ]
    assert "Friedman over 3 families and 24 configurations: χ² = 12.0, exact p = 0.0021." in out


def test_willetts_as_json(run):
    document = strict(run("report", "--wilcoxon", WILLETTS, "--format", "json")[1])
    assert document["schema_version"] == 1
    assert {(f["family_a"], f["family_b"]): f["statistic"] for f in document["families"]} == {
        ("ivae", "vae"): 74,
        ("ivae", "vade"): 121,
        ("vae", "vade"): 78,
    }
    wanted = {"family_a", "family_b", "n", "statistic", "p", "p_holm", "min_p", "rank_biserial", "hodges_lehmann", "method"}
    assert all(wanted <= f.keys() for f in document["families"])


def test_few_configurations_cannot_reach_five_percent(run, tmp_path):
    rows = [
        f"mlp,mnist,{d},{family},{value}" for d in (1, 2, 3, 4, 5) for family, value in (("vae", 0.5), ("ivae", 0.5 + d / 100))
    ]
    (tmp_path / "t.csv").write_text(
        "\n".join(["architecture,dataset,latent_dim,family,mcc", *rows, "conv,mnist,1,vae,0.4"]) + "\n"
    )
    _, out, _ = run("report", "--wilcoxon", tmp_path / "t.csv")
    assert "with 5 matched configurations the smallest attainable p is 0.0625, so p = 0.05 is out of reach" in out
    assert "conv mnist d=1  ivae" in out  # unmatched, but named


def test_compare_prints_scores_with_intervals_and_floors(run, make_run):
    code, out, err = run("compare", make_run("vae", "aligned", 4, lost=["loss is NaN at step 7"]))
    assert code == 0
    assert err == "stabaudit: vae: 4 of 5 restarts; restart 4 diverged (loss is NaN at step 7)\n"
    assert out.startswith("within vae: 4 restarts, 6 pairs, 600 rows, d = 4\n")
    assert out.splitlines()[1].split() == [
        "score",
        "out-of-sample",
        "[95%]",
        "sd",
        "in",
        "chance",
        "rotation",
        "adj.",
        "axis",
    ]
    words = " ".join(out.split())
    assert "All 4 dimensions are the same axes in every restart." in words
    assert "the space is the same up to a linear map" not in words  # noise leaves less than nine tenths of the variance
    assert "The space is shared in part up to a linear map (affine R² 0." in words
    assert "above what a rotation leaves; p = 0.005, the smallest p that 199 rotations allow." in words


def test_compare_as_json_has_exactly_the_promised_fields(run, make_run):
    code, out, _ = run("compare", make_run("a"), make_run("b", "unrelated"), "--format", "json", "--floor-draws", "2")
    assert code == 0
    document = strict(out)
    assert all(list(score) == SCORE_FIELDS for score in document["scores"])
    found = {(s["relation"], s["metric"], s["sample"]) for s in document["scores"]}
    for sample in ("in", "out"):
        for metric in ("strong_mcc", "weak_mcc", "affine_r2"):
            assert {("within", metric, sample), ("between", metric, sample)} <= found
        assert ("between", "affine_r2_reverse", sample) in found
    assert {s["k"] for s in document["scores"] if s["metric"] == "weak_mcc"} == {20, None}


def test_compare_as_csv_is_the_list_of_scores(run, make_run):
    rows = list(csv.DictReader(io.StringIO(run("compare", make_run("a"), "--format", "csv", "--floor-draws", "1")[1])))
    assert list(rows[0]) == SCORE_FIELDS
    assert {row["metric"] for row in rows} == {
        "strong_mcc",
        "decorrelated_strong_mcc",
        "weak_mcc",
        "affine_r2",
        "affine_r2_unweighted",
    }


def test_ranks_are_the_same_after_any_increasing_map(run, make_run):
    """`--correlation spearman` replaces values by ranks before any score, floor and anatomy."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(600, 3))
    latents = [base + 0.3 * rng.normal(size=base.shape) for _ in range(3)]
    plain, warped = make_run("a", d=3, latents=latents), make_run("b", d=3, latents=[z**3 for z in latents])
    few = ("--format", "json", "--floor-draws", "1")

    def found(folder, correlation):
        document = strict(run("compare", folder, "--correlation", correlation, *few)[1])
        return document, {(s["metric"], s["k"], s["sample"]): s["mean"] for s in document["scores"]}

    (ranked, scores), (ranked_too, same) = (found(folder, "spearman") for folder in (plain, warped))
    assert {metric for metric, _, _ in scores} >= {"strong_mcc", "weak_mcc", "affine_r2", "decorrelated_strong_mcc"}
    assert scores == pytest.approx(same)
    assert [one["verdict"] for one in ranked["anatomy"]] == [one["verdict"] for one in ranked_too["anatomy"]] == ["axis"] * 3
    assert [one["purity"] for one in ranked["anatomy"]] == pytest.approx([one["purity"] for one in ranked_too["anatomy"]])
    by_value = [found(folder, "pearson")[1] for folder in (plain, warped)]
    assert all(abs(by_value[0][name] - by_value[1][name]) > 0.01 for name in scores)


def test_weak_mcc_needs_two_rows_to_fit_on_for_each_dimension(run, make_run):
    rng = np.random.default_rng(0)
    for rows, left_out in ((46, False), (44, True)):
        fit = int(split_halves(np.arange(rows)).sum())
        d = fit // 2 + left_out  # 2d rows are there to fit on, or one dimension too many is
        latents = [rng.normal(size=(rows, d)) for _ in range(3)]
        folder = make_run(f"rows-{rows}", d=d, ids=np.arange(rows), latents=latents)
        code, out, err = run("compare", folder, "--format", "json", "--floor-draws", "1", "--rotations", "1")
        assert code == 0
        metrics = {score["metric"] for score in strict(out)["scores"]}
        assert ("weak_mcc" not in metrics, "strong_mcc" in metrics) == (left_out, True)
        said = f"weak_mcc: left out, since {fit} rows to fit on for {d} dimensions leave it arbitrary; {2 * d} are needed"
        assert (said in err) == left_out


def test_curves_are_printed_on_request(run, make_run):
    folder = make_run("a")
    assert "cumulative" not in run("compare", folder, "--floor-draws", "1")[1]
    assert "cumulative strong MCC, out-of-sample, within a" in run("compare", folder, "--floor-draws", "1", "--curve")[1]


def test_output_goes_to_a_file_and_nowhere_else(run, make_run, tmp_path):
    code, out, err = run("compare", make_run("a"), "--format", "json", "--output", tmp_path / "r.json", "--floor-draws", "1")
    assert (code, out, err) == (0, "", "")
    assert strict((tmp_path / "r.json").read_text())["runs"][0]["name"] == "a"


def test_output_into_no_folder_is_refused_before_any_work(run, tmp_path):
    code, out, err = run("compare", tmp_path / "no-run", "--output", tmp_path / "no-folder" / "r.json")
    assert (code, out) == (2, "")
    assert "no folder" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [["compare", "no-such-run"], ["report", "no-such-folder"], ["check", "no-run", "--require", "a>=1"]]
)
def test_what_is_not_there_is_one_line(run, arguments):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("stabaudit: error: ")
    assert err.count("\n") == 1


def test_report_of_runs_and_their_families(run, make_run, tmp_path):
    for d in (2, 3):
        make_run(f"vae-d{d}", "unrelated", 3, d=d, family="vae")
        make_run(f"ivae-d{d}", "aligned", 3, d=d, family="ivae", log_var=-1.0)
    make_run("lonely", restarts=1)
    code, out, err = run("report", tmp_path, "--wilcoxon", "--floor-draws", "2")
    assert code == 0
    assert "lonely is left out: 1 of 1 restart (" in err
    stability, collapse, *_ = out.split("\n\n")
    rows = [line.split()[:2] for line in stability.splitlines() if line.startswith(("vae-d", "ivae-d"))]
    assert stability.splitlines()[1].split()[:3] == ["run", "N", "axes"]
    assert "ivae-d2   1.00 [1.00, 1.00]" in collapse  # all units active
    assert "vae-d2" not in collapse.replace("ivae-d2", "")  # no posterior tells which of these are
    assert rows == [["ivae-d2", "3"], ["ivae-d3", "3"], ["vae-d2", "3"], ["vae-d3", "3"]]
    assert "ivae–vae  2  0  0.500   0.500     1.000" in out


@pytest.mark.parametrize(
    ("requirements", "code", "verdict"),
    [
        (["strong_mcc>=0.8"], 0, "pass"),
        (["strong_mcc.in>0.8", "weak_mcc@all >= 0.8"], 0, "pass"),
        (["strong_mcc>=0.99"], 1, "fail"),
        (["strong_mcc.axis_alignment<0.2"], 1, "fail"),
        (["strong_mcc>=0.99", "weak_mcc>0.5"], 1, "fail"),
    ],
)
def test_requirements(run, make_run, requirements, code, verdict):
    options = [option for requirement in requirements for option in ("--require", requirement)]
    status, out, _ = run("check", make_run("vae"), *options, "--format", "json")
    assert status == code
    assert strict(out)["verdicts"] == [{"run": "vae", "verdict": verdict}]


def test_a_gate_says_how_many_restarts_it_has_seen(run, make_run):
    folder = make_run("vae", restarts=3, lost=("NaN at step 7",))
    gate = ["check", folder, "--require", "strong_mcc>=0.8"]
    status, out, _ = run(*gate, "--format", "json")
    assert status == 0
    assert [(found["restarts"], found["trained"]) for found in strict(out)["gates"]] == [(3, 4)]
    assert "3 of 4 restarts; restart 3 diverged (NaN at step 7)" in strict(out)["warnings"][0]["warning"]
    assert "gates on vae: 3 of 4 restarts" in run(*gate)[1]


def test_an_inconclusive_gate_says_so_and_can_be_mapped(run, make_run):
    folder = make_run("vae", restarts=2)  # one pair, no interval
    gate = ["check", folder, "--require", "strong_mcc>=0.5", "--floor-draws", "1"]
    assert [run(*gate, *option)[0] for option in ([], ["--inconclusive=pass"], ["--inconclusive=fail"])] == [3, 0, 1]
    assert "inconclusive, there is no interval; train three restarts or more" in run(*gate)[1]


@pytest.mark.parametrize(
    "options", [[], ["--update-baseline"], ["--require", "strong_mc>=0.5"], ["--require", "strong"], ["--margin", "-1"]]
)
def test_gates_that_make_no_sense_are_bad_usage(run, make_run, options):
    code, out, err = run("check", make_run("vae"), *options)
    assert (code, out) == (2, "")
    assert err.startswith("stabaudit: error: ")


def test_a_missing_or_broken_baseline_is_bad_usage(run, make_run, tmp_path):
    folder = make_run("vae")
    missing = tmp_path / "none.json"
    assert run("check", folder, "--baseline", missing)[0] == 2
    missing.write_text("{}")
    code, _, err = run("check", folder, "--baseline", missing)
    assert code == 2
    assert "is not a baseline" in err


@pytest.mark.slow
def test_a_baseline_tells_loss_from_no_loss(run, make_run, tmp_path):
    baseline = tmp_path / "baseline.json"
    good, bad = make_run("good", "aligned", 5), make_run("bad", "unrelated", 5)
    assert run("check", good, "--baseline", baseline, "--update-baseline")[:2] == (0, "")
    assert run("check", good, "--baseline", baseline, "--margin", "0.1")[0] == 0
    assert run("check", good, "--baseline", baseline, "--margin", "0")[0] == 3  # no change, but nothing proves it
    code, out, _ = run("check", bad, "--baseline", baseline)
    assert code == 1
    assert "bad: fail." in out


def test_a_run_that_fails_its_requirements_makes_no_baseline(run, make_run, tmp_path):
    baseline = tmp_path / "baseline.json"
    code, _, err = run("check", make_run("vae"), "--require", "strong_mcc>0.99", "--baseline", baseline, "--update-baseline")
    assert code == 1
    assert "no baseline was written" in err
    assert not baseline.exists()


@pytest.mark.parametrize(
    ("what", "name"), [("families", "ivae"), ("datasets", "digits"), ("architectures", "mlp"), ("plans", "quickstart")]
)
def test_list(run, what, name):
    code, out, _ = run("list", what, "--format", "csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {row["kind"] for row in rows} == {what}
    assert next(row["summary"] for row in rows if row["name"] == name)


@pytest.mark.parametrize(
    ("name", "begins"),
    [("x.html", "<!doctype html>"), ("x.json", "{"), ("x.md", "## within"), ("x.csv", "run_a,"), ("x", "within")],
)
def test_the_ending_of_a_file_chooses_its_format(run, make_run, tmp_path, name, begins):
    assert run("compare", make_run("a"), "--floor-draws", "1", "--rotations", "1", "-o", tmp_path / name)[0] == 0
    assert (tmp_path / name).read_text("utf-8").startswith(begins)


def test_a_format_that_is_typed_wins_over_the_ending(run, make_run, tmp_path):
    folder = make_run("a")
    few = ("--floor-draws", "1", "--rotations", "1")
    assert run("compare", folder, *few, "--format", "json", "-o", tmp_path / "x.csv")[0] == 0
    assert (tmp_path / "x.csv").read_text("utf-8").startswith("{")
    code, _, err = run("show", folder, "-o", tmp_path / "x.html")
    assert code == 2
    assert "cannot be written as html; use --format table|json|csv|markdown" in err


def test_csv_has_no_score_of_all_parts_twice(run, make_run):
    rows = list(csv.DictReader(io.StringIO(run("compare", make_run("a"), "--format", "csv", "--floor-draws", "1")[1])))
    assert [row["k"] for row in rows if row["metric"] == "weak_mcc"] == ["", ""]  # in and out; the first 20 of 4 are all 4


def test_a_requirement_takes_the_names_of_tables(run, make_run):
    folder = make_run("a", restarts=4)
    outs = [
        run("check", folder, "--require", f"{name}>=0.1", "--floor-draws", "1", "--rotations", "1")[1]
        for name in ("strong MCC", "strong_mcc")
    ]
    assert outs[0] == outs[1]


def test_a_renamed_run_is_called_by_its_new_name(run, make_run, tmp_path):
    moved = make_run("a").rename(tmp_path / "moved")
    assert run("compare", moved, "--floor-draws", "1")[1].startswith("within moved: ")
    assert "moved" in run("report", moved, "--floor-draws", "1")[1].splitlines()[3]


def test_published_tables_have_names(run):
    named, by_path = (run("report", "--wilcoxon", one) for one in ("willetts2021", WILLETTS))
    assert named == by_path
    assert named[0] == 0


def test_csv_holds_every_list(run, make_run, tmp_path):
    """As JSON does: the main one where it always was, the others beside it."""
    words = ("compare", make_run("a"), "--floor-draws", "1")
    code, out, err = run(*words, "--format", "csv")
    document = json.loads(run(*words, "--format", "json")[1])
    lists = {name: found for name, found in document.items() if isinstance(found, list) and found and name != "scores"}
    assert code == 0
    assert all(name in err for name in lists)
    code, nothing, err = run(*words, "--output", tmp_path / "x.csv")
    assert (code, nothing) == (0, "")
    assert (tmp_path / "x.csv").read_text("utf-8") == out
    assert {path.name for path in tmp_path.glob("x.*.csv")} == {f"x.{name}.csv" for name in lists}
    for name, records in lists.items():
        rows = list(csv.DictReader(io.StringIO((tmp_path / f"x.{name}.csv").read_text("utf-8"))))
        assert len(rows) == len(records)
        assert set(rows[0]) == set().union(*records)
        assert f"x.{name}.csv" in err

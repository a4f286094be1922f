"""A baseline that is missing, damaged, newer or of something else is bad usage, never a pass."""

import json

import numpy as np
import pytest

from stabaudit.cli.main import main


@pytest.fixture
def check(capsys):
    def invoke(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["check", *map(str, arguments), "--floor-draws", "1"])
        return stop.value.code, *capsys.readouterr()

    return invoke


@pytest.fixture(scope="module")
def written(make_lasting_run):
    """A baseline as it is written; each test has a copy of its own."""
    run = make_lasting_run("good")
    path = run.parent / "baseline.json"
    with pytest.raises(SystemExit) as stop:
        main(["check", str(run), "--baseline", str(path), "--update-baseline", "--floor-draws", "1"])
    assert stop.value.code == 0
    return path.read_bytes()


@pytest.fixture
def baseline(written, tmp_path):
    path = tmp_path / "baseline.json"
    path.write_bytes(written)
    return path


def assert_refused(result, said):
    code, out, err = result
    assert (code, out) == (2, "")
    assert err.startswith("stabaudit: error: ")
    assert err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a baseline"),
        (b"not json", "is not a baseline"),
        (b"\xff\xfe\x00", "is not a baseline"),
        (b"[]", "is not a baseline"),
        (b"{}", "is not a baseline"),
        (b"null", "is not a baseline"),
    ],
)
def test_what_is_no_baseline(make_run, check, tmp_path, content, said):
    path = tmp_path / "baseline.json"
    path.write_bytes(content)
    assert_refused(check(make_run("vae"), "--baseline", path), said)


def test_a_missing_one_and_a_folder(make_run, check, tmp_path):
    folder = make_run("vae")
    assert_refused(check(folder, "--baseline", tmp_path / "none.json"), "no such file or folder")
    assert_refused(check(folder, "--baseline", tmp_path), "is a directory")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": 4}, "has schema version 4, this stabaudit reads up to 3"),
        ({"schema_version": 4, "scores": {"another": "form"}, "extra": 1}, "has schema version 4, this stabaudit reads up to 3"),
        ({"schema_version": "1.0.0"}, "is not a baseline"),
        ({"fingerprint": "e" * 16}, f"its dataset fingerprint is {'e' * 16}, here {'f' * 16}"),
        ({"fingerprint": None}, "its dataset fingerprint is None"),
        ({"latent_dim": 5}, "its latent dimension is 5, here 4"),
        ({"grid": [2, 2, 4]}, "its grid of latents is (2, 2, 4), here None"),
        ({"k": 3}, "its k is 3, here 20"),
        ({"correlation": "spearman"}, "its correlation is spearman, here pearson"),
        ({"scores": []}, "the baseline has no strong_mcc"),
        ({"restarts": "many"}, "is not a baseline"),
    ],
)
def test_one_of_something_else(make_run, check, baseline, change, said):
    baseline.write_text(json.dumps(json.loads(baseline.read_text()) | change))
    before = baseline.read_bytes()
    assert_refused(check(make_run("vae"), "--baseline", baseline), said)
    assert baseline.read_bytes() == before


def as_version_1(path, **changed):
    """Make a baseline one of version 1, which had standard errors but not their degrees of freedom and scale."""
    content = json.loads(path.read_text())
    newer = ("df", "scale", "detectable_loss")
    scores = [{key: value for key, value in score.items() if key not in newer} | changed for score in content["scores"]]
    old = {key: value for key, value in content.items() if key not in {"schema_version", "margin"}}
    path.write_text(json.dumps({"schema_version": 1} | old | {"scores": scores}))


@pytest.mark.slow
def test_a_baseline_of_version_1_is_read_and_held_against(make_run, check, tmp_path):
    baseline = tmp_path / "baseline.json"
    good, bad = make_run("good", restarts=5), make_run("bad", "unrelated", 5)
    assert check(good, "--baseline", baseline, "--update-baseline")[0] == 0
    assert json.loads(baseline.read_text())["schema_version"] == 3

    def gates(folder, margin):
        code, out, _ = check(folder, "--baseline", baseline, "--margin", margin, "--format", "json")
        return code, json.loads(out)["gates"]

    newer = [gates(good, margin) for margin in (0.1, 0)] + [gates(bad, 0.1)]
    as_version_1(baseline)
    before = baseline.read_bytes()
    older = [gates(good, margin) for margin in (0.1, 0)] + [gates(bad, 0.1)]
    assert [code for code, _ in older] == [code for code, _ in newer] == [0, 3, 1]
    for (_, new), (_, old) in zip(newer, older, strict=True):
        for one, other in zip(new, old, strict=True):
            assert other["verdict"] == one["verdict"]
            assert other["change"] == one["change"]
            assert other["change_low"] == pytest.approx(one["change_low"])
            assert other["change_high"] == pytest.approx(one["change_high"])
            assert other["detectable_loss"] == pytest.approx(one["detectable_loss"])
    assert baseline.read_bytes() == before


def test_a_baseline_without_standard_errors_gives_no_verdict(make_run, check, baseline):
    as_version_1(baseline, se=None)
    assert check(make_run("vae"), "--baseline", baseline)[0] == 3


def test_numbers_that_are_none_make_no_baseline(make_run, check, baseline):
    content = json.loads(baseline.read_text())
    for score in content["scores"]:
        score["mean"] = float("nan")
    baseline.write_text(json.dumps(content))  # Python writes NaN, which is no JSON
    assert_refused(check(make_run("vae"), "--baseline", baseline), "is not a baseline")


def test_one_baseline_is_not_for_several_runs(make_run, check, baseline):
    make_run("one")
    folder = make_run("other").parent
    assert_refused(check(folder, "--baseline", baseline), "holds 2 runs and a baseline is of one")
    assert_refused(check(folder, "--baseline", baseline, "--update-baseline"), "holds 2 runs and a baseline is of one")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mean": 5}, "the mean of strong_mcc.out is 5, and the score lies in [0, 1]"),
        ({"mean": -1}, "the mean of strong_mcc.out is -1"),
        ({"se": 0}, "the standard error of strong_mcc.out is 0"),
        ({"se": 1e308}, "the standard error of strong_mcc.out is 1e+308"),
        ({"restarts": 1}, "restarts Input should be greater than or equal to 2"),
        ({"df": 0}, "strong_mcc.out has a standard error without degrees of freedom"),
        ({"mean": "NaN"}, "mean Input should be a finite number"),
    ],
)
def test_numbers_that_no_run_can_have_are_refused_by_name(make_run, check, baseline, change, said):
    content = json.loads(baseline.read_text())
    for score in content["scores"]:
        if (score["metric"], score["sample"]) == ("strong_mcc", "out"):
            score.update(change)
    baseline.write_text(json.dumps(content))
    assert_refused(check(make_run("vae"), "--baseline", baseline), said)


def test_two_scores_of_one_name_are_refused(make_run, check, baseline):
    content = json.loads(baseline.read_text())
    lower = next(score for score in content["scores"] if (score["metric"], score["sample"]) == ("strong_mcc", "out"))
    content["scores"].insert(0, lower | {"mean": 0.01})
    baseline.write_text(json.dumps(content))
    assert_refused(check(make_run("vae"), "--baseline", baseline), "strong_mcc.out is there 2 times")


@pytest.mark.parametrize("change", ["\ufeff", "<<<<<<< HEAD\n", "// good\n"])
def test_what_editors_and_merges_put_before_it_is_refused(make_run, check, baseline, change):
    baseline.write_text(change + baseline.read_text(), encoding="utf-8")
    assert_refused(check(make_run("vae"), "--baseline", baseline), "is not a baseline")


def test_restarts_that_agree_in_all_make_a_baseline(make_run, check, tmp_path):
    latents = [np.random.default_rng(0).normal(size=(60, 4))] * 4
    path, folder = tmp_path / "perfect.json", make_run("perfect", latents=latents, ids=np.arange(60))
    assert check(folder, "--baseline", path, "--update-baseline")[0] == 0
    assert check(folder, "--baseline", path)[0] == 0


def test_the_margin_of_a_baseline_is_its_own(make_run, check, baseline):
    folder = make_run("vae")

    def bounds(*options):
        _, out, _ = check(folder, "--baseline", baseline, *options, "--format", "json")
        return {gate["bound"] for gate in json.loads(out)["gates"]}

    assert bounds() == {-0.02}
    assert check(folder, "--baseline", baseline, "--margin", "0.3", "--update-baseline")[0] == 0
    assert (bounds(), bounds("--margin", "0.1")) == ({-0.3}, {-0.1})

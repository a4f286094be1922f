"""Two versions of one embedding, in worlds whose truth is known."""

import json

import jsonschema
import numpy as np
import pandas as pd
import pytest

import stabaudit
from stabaudit.cli.main import _run
from stabaudit.errors import BadData, UsageError
from stabaudit.json_schema.schema import json_schema
from stabaudit.metrics import affine_r2, cka, knn_overlap, mean_cosine
from stabaudit.metrics.split import split_halves
from stabaudit.reports.sections.drift import drift_sentences

N, D = 600, 4


def versions(kind, seed=0, n=N):
    """An old and a new version."""
    rng = np.random.default_rng(seed)
    old = rng.normal(size=(n, D))
    turn = np.linalg.qr(rng.normal(size=(D, D)))[0]
    return old, {
        "same": old.copy,
        "rotated": lambda: old @ turn,
        "mixed": lambda: old @ rng.normal(size=(D, 6)) + 3.0,
        "noisy": lambda: old + 0.5 * rng.normal(size=old.shape),
        "unrelated": lambda: rng.normal(size=(n, 3)),
    }[kind]()


def found(kind, seed=0, n=N, **options):
    return stabaudit.drift(*versions(kind, seed, n), **({"half_samples": 10, "floor_draws": 3} | options))


def test_values_are_those_of_the_scores_themselves():
    old, new = versions("noisy")
    fit = split_halves(np.arange(N))
    values = {one.metric: one.value for one in found("noisy").scores}
    assert values["affine_r2"] == pytest.approx(affine_r2(old, new, fit), abs=1e-8)
    assert values["cka"] == pytest.approx(cka(old[~fit], new[~fit]), abs=1e-8)
    assert values["knn_overlap"] == pytest.approx(knn_overlap(old[~fit], new[~fit]), abs=1e-8)
    assert values["mean_cosine"] == pytest.approx(mean_cosine(old[~fit], new[~fit]), abs=1e-8)


SAME_NUMBERS, KEPT = "the numbers themselves are the same", "istances and neighbours are kept"
SAME_SPACE = "the space is the same up to a linear map"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("kind", "said", "not_said"),
    [
        ("same", [SAME_NUMBERS, KEPT, SAME_SPACE], ["changed"]),
        ("rotated", ["numbers themselves changed", KEPT, SAME_SPACE], [SAME_NUMBERS]),
        ("mixed", ["istances or neighbours changed", SAME_SPACE], [KEPT, "numbers"]),
        ("noisy", ["numbers themselves changed", "or neighbours changed", "space changed"], [SAME_NUMBERS, KEPT, SAME_SPACE]),
        ("unrelated", ["istances or neighbours changed", "the space changed beyond a linear map"], [SAME_SPACE, KEPT]),
    ],
)
def test_sentences_are_right(kind, said, not_said, seed):
    (sentence,) = drift_sentences(found(kind, seed))
    assert all(phrase.lower() in sentence.lower() for phrase in said)
    assert not any(phrase.lower() in sentence.lower() for phrase in not_said)


def test_scores_of_unequal_dimensions_are_left_out_and_said():
    mixed = found("mixed")
    assert not {"mean_cosine", "identity_r2"} & {one.metric for one in mixed.scores}
    assert any("mean_cosine, identity_r2: left out" in line for line in mixed.warnings)


def test_rows_that_were_exchanged_are_those_that_moved_most():
    old, new = versions("rotated", seed=4)
    new = new + 0.01 * np.random.default_rng(5).normal(size=new.shape)
    far = int(np.argmax(np.linalg.norm(old - old[10], axis=1)))
    new[[10, far]] = new[[far, 10]]
    moved = stabaudit.drift(old, new, half_samples=10, floor_draws=1, moved=3).moved
    assert {one.sample_id for one in moved[:2]} == {10, far}
    assert moved[0].displacement > 20 * moved[2].displacement
    assert moved[0].neighbours_kept == 0
    assert moved[2].neighbours_kept > 5
    assert len(moved) == 3


@pytest.mark.slow
def test_intervals_over_rows_hold_what_many_rows_give():
    held: dict[str, list[bool]] = {}
    truth = {one.metric: [] for one in found("noisy").scores}
    for seed in range(20):  # of as many rows: neighbours change with their density
        for one in found("noisy", 1000 + seed).scores:
            truth[one.metric].append(one.value)
    for seed in range(30):
        for one in found("noisy", seed, half_samples=20).scores:
            held.setdefault(one.metric, []).append(one.ci_low <= np.mean(truth[one.metric]) <= one.ci_high)
    for metric, inside in held.items():
        assert np.mean(inside) >= 0.85, metric
    assert 0.9 <= np.mean([np.mean(inside) for inside in held.values()]) <= 0.995


@pytest.fixture
def files(tmp_path):
    def write(kind, seed=0):
        paths = []
        for name, z in zip(("old", "new"), versions(kind, seed), strict=True):
            columns = {f"z{k}": z[:, k].astype(np.float32) for k in range(z.shape[1])}
            paths.append(tmp_path / f"{name}.parquet")
            pd.DataFrame({"sample_id": [f"doc{row}" for row in range(N)], **columns}).to_parquet(paths[-1])
        return [str(path) for path in paths]

    return write


def test_the_command_prints_scores_and_rows_and_says_what_the_interval_is_of(files, capsys):
    assert _run(["compare", *files("noisy"), "--drift", "--half-samples", "10", "--moved", "2"]) == 0
    out = capsys.readouterr().out
    assert "drift from old to new: 600 rows, 4 and 4 dimensions" in out
    assert "value [95% over rows]" in out
    assert "They say nothing of what another training would give" in " ".join(out.split())
    assert out.count(" of 10\n") == 2


@pytest.mark.slow
def test_json_keeps_its_schema_and_names_rows(files, capsys):
    assert _run(["compare", *files("mixed"), "--drift", "--half-samples", "10", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, json_schema())
    assert {one["metric"] for one in document["drift"]} >= {"cka", "knn_overlap", "affine_r2"}
    assert document["moved"][0]["sample_id"].startswith("doc")


@pytest.mark.parametrize(
    ("kind", "bound", "code"),
    [
        ("same", "identity_r2>=0.99", 0),
        ("rotated", "identity_r2>=0.99", 1),
        ("rotated", "knn_overlap.adjusted>=0.9", 0),
        ("noisy", "knn_overlap>=0.9", 1),
        ("noisy", "rsa_pearson>=0.5", 0),
    ],
)
def test_the_gate(files, kind, bound, code, capsys):
    old, new = files(kind)
    assert _run(["check", new, "--drift-from", old, "--require", bound, "--half-samples", "10", "--floor-draws", "2"]) == code
    assert "gates on the drift to new: 600 rows, intervals over rows" in capsys.readouterr().out


@pytest.mark.slow
def test_a_gate_whose_interval_holds_the_bound_is_inconclusive(files, capsys):
    old, new = files("noisy")
    value = next(one.value for one in stabaudit.drift(old, new, half_samples=10).scores if one.metric == "knn_overlap")
    command = ["check", new, "--drift-from", old, "--require", f"knn_overlap>={value:.4f}", "--half-samples", "10"]
    assert _run(command) == 3
    assert "add rows" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare", "OLD", "--drift"], "give two, not 1"),
        (["compare", "OLD", "NEW", "--drift", "--scores", "mig"], "mig: a score against known factors"),
        (["compare", "OLD", "NEW", "--drift", "--clusters", "3", "--curve"], "--clusters, --curve: of several restarts"),
        (["compare", "OLD", "NEW", "--half-samples", "20"], "belong to --drift"),
        (["compare", "OLD", "NEW", "--cluster-by", "gmm"], "say how many clusters"),
        (["check", "NEW", "--half-samples", "20", "--require", "cka>=0.5"], "belongs to --drift-from"),
        (["compare", "OLD", "NEW", "--drift", "--format", "html"], "--drift has no page"),
        (["compare", "OLD", "NEW", "--drift", "--memory", "1kB"], "raise --memory"),
        (["check", "NEW", "--drift-from", "OLD"], "nothing to check"),
        (["check", "NEW", "--drift-from", "OLD", "--require", "wilcoxon(a,b).p<0.05"], "a bound is on a score"),
        (["check", "NEW", "--drift-from", "OLD", "--require", "strong_mcc.axis_alignment>=0.5"], "has no axis_alignment"),
        (["check", "NEW", "--drift-from", "OLD", "--require", "kl<5"], "score"),
        (["check", "NEW", "--drift-from", "OLD", "--baseline", "b.json"], "give one of them"),
        (["check", "NEW", "--ids-by-position", "--require", "cka>=0.5"], "with --drift-from"),
    ],
)
def test_wrong_use_is_one_line(files, arguments, said, capsys):
    old, new = files("same")
    assert _run([{"OLD": old, "NEW": new}.get(one, one) for one in arguments]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "internal error" not in err


def test_paths_and_arrays_are_not_mixed():
    with pytest.raises(UsageError, match="two paths, or two arrays"):
        stabaudit.drift("old.npy", np.zeros((3, 2)))


def test_displacement_is_out_of_sample_and_in_units_of_the_new_version():
    old, new = versions("noisy", seed=6, n=100)
    new = 5.0 * new.astype(np.float32)
    fit = split_halves(np.arange(100))
    a, b = np.column_stack([np.ones(100), old.astype(np.float32)]), new.astype(np.float64)
    expected = np.empty(100)
    for half in (fit, ~fit):
        slopes = np.linalg.lstsq(a[~half], b[~half], rcond=None)[0]
        expected[half] = np.linalg.norm(b[half] - a[half] @ slopes, axis=1)
    expected /= np.sqrt(b.var(axis=0).sum())
    found = stabaudit.drift(old, new, half_samples=10, floor_draws=1, moved=5)
    assert [one.sample_id for one in found.moved] == np.argsort(-expected)[:5].tolist()
    assert [one.displacement for one in found.moved] == pytest.approx(np.sort(expected)[::-1][:5], rel=1e-5)
    assert found.typical == pytest.approx(np.median(expected), rel=1e-5)


def test_the_floor_is_the_mean_over_draws():
    floors = [found("noisy", floor_draws=draws, scores=("cka",)).scores[0].independence_floor for draws in (1, 40)]
    assert abs(floors[1]) < 0.004  # debiased: 0 on average, while the largest of forty lies above


def test_few_rows_few_halves_and_a_version_that_does_not_vary_are_refused():
    old, new = versions("noisy")
    for rows in (5, 12, 79):
        with pytest.raises(BadData, match=f"{rows} rows, expected at least 80"):
            stabaudit.drift(old[:rows], new[:rows], half_samples=10)
    with pytest.raises(UsageError, match="expected at least 10"):
        stabaudit.drift(old, new, half_samples=9)
    with pytest.raises(BadData, match="the new version does not vary"):
        stabaudit.drift(old, np.ones_like(new), half_samples=10)
    with pytest.raises(BadData, match="the old version does not vary"):
        stabaudit.drift(np.ones_like(old), new, half_samples=10)


@pytest.mark.parametrize("rows", [5, 6, 7])
def test_scores_of_so_few_rows_are_left_out_of_a_comparison_and_said(rows):
    rng = np.random.default_rng(0)
    latents = [rng.normal(size=(rows, 1)) for _ in range(3)]
    compared = stabaudit.compare({"run": latents}, scores=("strong_mcc", "cka", "cka_rbf", "rsa_spearman", "knn_overlap"))
    assert any("cka, cka_rbf" in line and "4 are needed" in line for line in compared.warnings)
    assert "strong_mcc" in {one.metric for one in compared.scores}

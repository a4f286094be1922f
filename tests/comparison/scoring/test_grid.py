"""Comparisons of latents on grids: against the same scores taken position by position, and what cannot be compared."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from stabaudit.cli.main import _run
from stabaudit.comparison.compare import compare
from stabaudit.comparison.gating.find_score import find_score
from stabaudit.comparison.reading.selectors import read_groups
from stabaudit.comparison.scoring.grid import evidence_at, score_positions, together
from stabaudit.comparison.settings import Settings
from stabaudit.errors import BadData
from stabaudit.metrics.pair_scores import ScoreName
from stabaudit.metrics.score_pairs import score
from stabaudit.metrics.scores import measure
from stabaudit.statistics.gate import parse_score
from stabaudit.store.files.parquet import read_table
from stabaudit.store.run.latents import Latents, LatentsMetadata, write_latents
from stabaudit.store.run.manifest import Restart
from stabaudit.store.run.run_folder import Run

pytestmark = pytest.mark.slow

H, W, D, ROWS = 2, 3, 3, 400


@pytest.fixture
def grid_run(tmp_path, make_run):
    """Write a run of grid latents of shape (n, h, w, d) each."""

    def make(name, restarts):
        n, h, w, d = restarts[0].shape
        template = Run.open(make_run(f"{name}-template", restarts=2)).manifest
        config = template.config.model_copy(update={"latent_dim": d, "restarts": len(restarts)})
        manifest = template.model_copy(
            update={
                "name": name,
                "config": config,
                "grid": (h, w, d),
                "dataset": template.dataset.model_copy(update={"evaluation_rows": n}),
                "restarts": [Restart(index=i, seed=i) for i in range(len(restarts))],
                "shards": [list(range(len(restarts)))],
                "files": {},
            }
        )
        with Run.prepare(tmp_path / name, manifest) as run:
            for i, z in enumerate(restarts):
                run.save_latents(i, Latents(np.arange(n), np.float32(z.reshape(n, -1))))
                run.record(Restart(index=i, seed=i, state="done"))
        return str(tmp_path / name)

    return make


def noisy(count, noise, *, h=H, w=W, d=D, n=ROWS):
    """Restarts that share their axes at every position, less so from position to position: strong MCC falls with the noise."""
    base = np.random.default_rng(1).laplace(size=(n, h, w, d))
    rng = np.random.default_rng(2)
    return [base + noise.reshape(h, w, 1) * rng.normal(size=base.shape) for _ in range(count)]


NOISE = np.linspace(0.2, 2, H * W)


def strong(comparison, run):
    return find_score(comparison.scores, run, parse_score("strong_mcc"))


def test_scores_of_a_grid_are_means_over_its_positions(grid_run, tmp_path):
    latents = noisy(4, NOISE)
    comparison = compare(read_groups([grid_run("ae", latents)]))
    alone = []
    for position in range(H * W):
        files = []
        for i, z in enumerate(latents):
            path = tmp_path / f"{position}-{i}.parquet"
            write_latents(path, Latents(np.arange(ROWS), np.float32(z.reshape(ROWS, H * W, D)[:, position])))
            files.append(str(path))
        single = compare(read_groups(files))
        alone.append({(s.metric, s.k, s.sample): [] for s in single.scores})
        for s in single.scores:
            alone[-1][s.metric, s.k, s.sample].append(s.mean)
    for found in comparison.scores:
        if measure(found.metric).directed:
            continue  # between files one way, within a run both
        every = [np.mean(at[found.metric, found.k, found.sample]) for at in alone]
        assert found.mean == pytest.approx(np.mean(every), abs=1e-6)
        mine = [p.mean for p in comparison.positions if (p.metric, p.k, p.sample) == (found.metric, found.k, found.sample)]
        np.testing.assert_allclose(mine, every, atol=1e-6)
    expected = np.mean(2 / (2 + NOISE**2))  # of Laplace variance 2
    assert strong(comparison, "ae").mean == pytest.approx(expected, abs=0.03)
    assert (strong(comparison, "ae").pairs, strong(comparison, "ae").restarts) == (6, 4)


def test_positions_that_all_say_the_same_say_it_once(grid_run):
    """The restart is the unit: six copies of one position change no interval, no floor and no p-value."""
    latents = noisy(4, np.full(1, 0.5), h=1, w=1)
    once = compare(read_groups([grid_run("once", latents)]))
    often = compare(read_groups([grid_run("often", [np.tile(z, (1, H, W, 1)) for z in latents])]))
    for one, many in zip(once.scores, often.scores, strict=True):
        for name in ("mean", "ci_low", "ci_high", "independence_floor", "rotation_floor", "p_rotation"):
            assert getattr(many, name) == (None if getattr(one, name) is None else pytest.approx(getattr(one, name), abs=1e-9))


def test_floors_of_a_grid_are_those_of_its_positions(grid_run, tmp_path):
    latents = noisy(4, np.full(H * W, 0.5))
    whole = strong(compare(read_groups([grid_run("ae", latents)]), Settings(floor_draws=60)), "ae")
    vectors = [grid_run(f"at-{row}", [z[:, row : row + 1, :1] for z in latents]) for row in range(H)]
    apart = [strong(compare(read_groups([folder]), Settings(floor_draws=60)), folder.rpartition("/")[2]) for folder in vectors]
    assert whole.independence_floor == pytest.approx(np.mean([s.independence_floor for s in apart]), abs=0.01)
    assert whole.rotation_floor == pytest.approx(np.mean([s.rotation_floor for s in apart]), abs=0.03)
    assert whole.p_rotation == pytest.approx(1 / 200)


def test_the_same_turn_at_every_position_is_no_evidence_of_axes(grid_run):
    base = np.random.default_rng(1).laplace(size=(ROWS, H, W, D))
    rng = np.random.default_rng(2)
    turned = [base @ np.linalg.qr(rng.normal(size=(D, D)))[0] for _ in range(4)]
    comparison = compare(read_groups([grid_run("ae", turned)]))
    assert strong(comparison, "ae").p_rotation > 0.1
    assert find_score(comparison.scores, "ae", parse_score("weak_mcc@all")).mean > 0.999


def test_a_restart_is_turned_as_a_whole():
    """Draws of the mean over six positions spread as far as those at one; were each turned by itself, 1/√6 as far."""
    base = np.random.default_rng(1).normal(size=(ROWS, H * W * D))
    latents = [base, base + 0.1 * np.random.default_rng(2).normal(size=base.shape)]
    at = list(evidence_at(latents, (H, W), np.arange(ROWS), "pearson", ["a", "b"]))
    assert len({tuple(one.seeds) for one in at}) == 1
    assert at[0].seeds[0] != at[0].seeds[1]

    def draws(evidence, rng):
        return score(evidence, measures=[measure("strong_mcc")], floor_draws=1, rotations=200, rng=rng)

    positions = score_positions(at, draws, np.random.default_rng(3))
    name = ScoreName("strong_mcc", None, "out")
    alone = np.mean([one.pairs[0].rotation[name].std() for one in positions])
    assert together(positions, [D, D]).pairs[0].rotation[name].std() == pytest.approx(alone, rel=0.1)


def test_dead_dimensions_are_named_by_their_position(grid_run):
    latents = noisy(3, NOISE)
    latents[1][:, 1, 2, 0] = 7
    comparison = compare(read_groups([grid_run("ae", latents)]))
    assert strong(comparison, "ae").dead_dimensions == ("ae#1:z1_2_0",)


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_comparison_of_grids_says_what_lies_where(form, grid_run, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    a, b = grid_run("ae", noisy(3, NOISE)), grid_run("rvqvae", noisy(4, NOISE[::-1]))
    assert _run(["compare", a, b, "--format", form]) == 0
    out, _ = capfd.readouterr()
    if form == "table":
        assert "within ae: 3 restarts, 3 pairs, 400 rows, d = 3 at each of 2×3 positions" in out
        assert "between ae and rvqvae: 7 restarts, 9 pairs, 400 rows, d = 3 at each of 2×3 positions" in out
        assert "ae, over positions, out-of-sample" in out
        words = " ".join(out.split())
        assert re.search(r"by position: lowest 0\.\d\d in row 1, column 2, highest 0\.9\d in row 0, column 0", words)
        return
    found = json.loads(out)
    assert [run["grid"] for run in found["runs"]] == [[H, W, D]] * 2
    (score,) = (
        s for s in found["scores"] if (s["run_a"], s["run_b"], s["metric"], s["sample"]) == ("ae", "rvqvae", "strong_mcc", "out")
    )
    at = [p for p in found["positions"] if all(p[key] == score[key] for key in ("run_a", "run_b", "metric", "k", "sample"))]
    assert [(p["row"], p["column"]) for p in at] == [(row, column) for row in range(H) for column in range(W)]
    assert np.mean([p["mean"] for p in at]) == pytest.approx(score["mean"])
    assert np.mean([p["rotation_floor"] for p in at]) == pytest.approx(score["rotation_floor"])


@pytest.mark.slow
@pytest.mark.parametrize("family", ["ae", "rvqvae"])
def test_a_grid_is_trained_stored_and_compared_from_the_command_line(family, tmp_path, capfd):
    asked = [
        "-d",
        "2",
        "-n",
        "2",
        "--steps",
        "4",
        "--set",
        "channels=4",
        "--workers",
        "1",
        "--quiet",
        "--out",
        str(tmp_path / "run"),
    ]
    asked += ["--set", "codes=8"] if family == "rvqvae" else []
    assert _run(["train", family, *asked]) == 0
    run = Run.open(tmp_path / "run")
    assert run.manifest.grid == (4, 4, 2)  # of 8×8 pixels
    names = read_table(run.latents_path(0)).column_names
    assert {"z0_0_0", "z3_3_1", "log_var3_3_1"} < set(names)
    capfd.readouterr()
    assert _run(["compare", str(tmp_path / "run"), "--format", "json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["runs"][0]["latent_dim"] == 2
    assert {(p["row"], p["column"]) for p in found["positions"]} == {(row, column) for row in range(4) for column in range(4)}


def test_a_run_on_a_grid_says_so(grid_run, capfd):
    assert _run(["show", grid_run("ae", noisy(2, NOISE))]) == 0
    assert "2×3 positions of 3 dimensions" in capfd.readouterr().out


def test_only_grids_of_one_shape_are_compared(grid_run, make_run, capfd):
    ae, vae = grid_run("ae", noisy(3, NOISE, n=600)), str(make_run("vae", restarts=3))
    other = grid_run("other", noisy(3, NOISE, h=W, w=H, n=600))
    for a, b, said in (
        (ae, vae, "ae has a 2×3 grid of 3 dimensions and vae vectors of 4 dimensions"),
        (vae, ae, "vae has vectors of 4 dimensions and ae a 2×3 grid of 3 dimensions"),
        (ae, other, "ae has a 2×3 grid of 3 dimensions and other a 3×2 grid of 3 dimensions"),
    ):
        for more in ([], ["--allow-unequal"]):
            assert _run(["compare", a, b, *more]) == 2
            out, err = capfd.readouterr()
            assert (out, err.count("\n")) == ("", 1)
            assert err.startswith(f"stabaudit: error: {said}: ")
            assert "compare runs whose latents have one shape" in err


def test_unequal_dimensions_at_the_same_positions_can_be_allowed(grid_run):
    a, b = grid_run("a", noisy(3, NOISE)), grid_run("b", [z[..., :2] for z in noisy(3, NOISE)])
    with pytest.raises(BadData, match="3 and 2 dimensions; --allow-unequal"):
        compare(read_groups([a, b]))
    between = [s for s in compare(read_groups([a, b]), Settings(allow_unequal=True)).scores if s.relation == "between"]
    assert {s.metric for s in between} >= {"strong_mcc", "weak_mcc"}


def test_rows_are_counted_against_the_dimensions_of_one_position(grid_run):
    few = compare(read_groups([grid_run("few", [z[:30] for z in noisy(3, NOISE)])]))  # 18 numbers a row, 15 rows to fit on
    assert not any("rows to fit on" in warning for warning in few.warnings)
    fewer = compare(read_groups([grid_run("fewer", [z[:8] for z in noisy(3, NOISE)])]))
    assert [w for w in fewer.warnings if "rows to fit on" in w] == [
        "only 4 rows to fit on for 3 dimensions: in-sample scores are mostly chance below 6, at 6 of 6 positions",
        "weak_mcc: left out, since 4 rows to fit on for 3 dimensions leave it arbitrary; 6 are needed, at 6 of 6 positions",
    ]
    assert "weak_mcc" not in {score.metric for score in fewer.scores}
    with pytest.raises(BadData, match="3 rows to fit on for 3 dimensions"):
        compare(read_groups([grid_run("none", [z[:6] for z in noisy(3, NOISE)])]))


def test_a_baseline_of_a_vector_is_not_held_against_a_grid(grid_run, make_run, tmp_path, capfd):
    baseline = str(tmp_path / "baseline.json")
    vectors = str(make_run("vae", restarts=3, d=D))
    assert _run(["check", vectors, "--baseline", baseline, "--update-baseline"]) == 0
    assert _run(["check", grid_run("ae", noisy(3, NOISE, n=600)), "--baseline", baseline]) == 2
    assert "its grid of latents is None, here (2, 3, 3)" in capfd.readouterr().err


def test_files_from_elsewhere_with_a_grid_in_their_metadata(tmp_path):
    files = []
    for i, z in enumerate(noisy(2, NOISE)):
        latents = Latents(np.arange(ROWS), np.float32(z.reshape(ROWS, -1)))
        files.append(str(tmp_path / f"{i}.parquet"))
        write_latents(tmp_path / f"{i}.parquet", replace(latents, metadata=LatentsMetadata(grid=(H, W, D))))
    comparison = compare(read_groups(files))
    assert [run.grid for run in comparison.runs] == [(H, W, D)] * 2
    assert len({(p.row, p.column) for p in comparison.positions}) == H * W

"""`stabaudit align`: files that are written, what is said, and that aligned latents can be imported again."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import stabaudit
from stabaudit.cli.main import _run
from stabaudit.store.run.run_folder import Run

N, D = 240, 3


@pytest.fixture(autouse=True)
def _there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def align(capsys):
    def command(*arguments, status=0):
        assert _run(["align", *arguments]) == status
        return capsys.readouterr()

    return command


def base():
    return np.random.default_rng(0).laplace(size=(N, D))


def restarts(count, base, noise=0.0):
    rng = np.random.default_rng(1)
    turned = [base[:, rng.permutation(D)] * rng.choice([-2.0, 0.5, 3.0], D) for _ in range(count)]
    return [z + noise * rng.normal(size=z.shape) for z in turned]


def test_copies_are_written_with_each_dimension_in_its_place(make_run, align):
    ids = [f"cell {i}" for i in range(N)]
    run = make_run("run", d=D, ids=ids, latents=restarts(4, base()), labels=np.arange(N) % 3)
    out, err = align(str(run), "--out", "aligned", "--to", "2", "--format", "json")
    document = json.loads(out)
    assert {(one["reference"], one["group"]) for one in document["alignment"]} == {("run#2", 0)}
    assert all(one["agreement"] == pytest.approx(1.0, abs=1e-6) for one in document["alignment"])
    expected = pd.read_parquet(run / "latents" / "restart-002.parquet").sort_values("sample_id")
    dimensions = [f"z{k}" for k in range(D)]
    for index in range(4):
        found = pd.read_parquet(f"aligned/latents/restart-{index:03d}.parquet")
        assert found["sample_id"].tolist() == expected["sample_id"].tolist()
        np.testing.assert_allclose(found[dimensions], expected[dimensions], atol=1e-5)
    consensus = pd.read_parquet("aligned/consensus.parquet")
    np.testing.assert_allclose(consensus[dimensions], expected[dimensions], atol=1e-5)
    assert (consensus[[f"spread{k}" for k in range(D)]] < 1e-5).all(axis=None)
    assert {"label", "displacement"} <= set(consensus.columns)
    written = json.loads(Path("aligned/alignment.json").read_text())
    assert (written["run"], written["to"], written["by"], written["groups"]) == (
        "run",
        "2",
        "permutation",
        [[f"run#{i}" for i in range(4)]],
    )
    for one in written["restarts"]:
        file = run / "latents" / f"restart-00{one['restart'][-1]}.parquet"
        z = pd.read_parquet(file).sort_values("sample_id")[dimensions]
        np.testing.assert_allclose(z.to_numpy() @ one["matrix"] + one["offset"], expected[dimensions], atol=1e-5)
        assert np.array(one["matrix"])[one["matching"], range(D)] == pytest.approx(one["scale"])
    assert "stabaudit import aligned/latents --out NEW_RUN" in err


def test_agreement_stands_beside_chance_and_what_a_rotation_gives(make_run, align):
    """A turned copy lies where the rotation floor is, a permuted one far above; both far above chance."""
    turned = base() @ np.linalg.qr(np.random.default_rng(4).normal(size=(D, D)))[0]
    run = make_run("run", d=D, ids=np.arange(N), latents=[base(), base()[:, ::-1], turned])
    out, _ = align(str(run), "--out", "aligned", "--to", "0")
    assert re.search(r"restart +aligned to +agreement +chance +rotation +least +R² +chance", out)
    out, _ = align(str(run), "--out", "again", "--to", "0", "--format", "json")
    of = {(one["restart"], one["dimension"]): one for one in json.loads(out)["alignment"]}
    assert all(of["run#0", k][floor] is None for k in range(D) for floor in ("agreement_floor", "r2_floor", "rotation_floor"))
    for k in range(D):
        copy, rotated = of["run#1", k], of["run#2", k]
        assert copy["agreement"] - copy["rotation_floor"] > 0.1
        assert abs(copy["agreement_floor"]) < 0.15
        assert rotated["rotation_floor"] - rotated["agreement_floor"] > 0.5
        assert copy["rotation_floor"] != rotated["rotation_floor"]  # drawn for each restart by itself
    assert np.mean([of["run#2", k]["agreement"] for k in range(D)]) == pytest.approx(of["run#2", 0]["rotation_floor"], abs=0.15)
    written = {one["restart"]: one["floors"] for one in json.loads(Path("again/alignment.json").read_text())["restarts"]}
    assert written["run#0"] is None
    assert written["run#2"]["rotation"] == of["run#2", 0]["rotation_floor"]
    assert written["run#2"]["agreement"] == [of["run#2", k]["agreement_floor"] for k in range(D)]
    out, _ = align(str(run), "--out", "turned", "--to", "0", "--by", "affine")
    assert "rotation" not in out


def test_aligned_latents_compared_again_agree_dimension_by_dimension_in_place(make_run, align):
    run = make_run("run", d=D, ids=np.arange(N), latents=restarts(4, base(), noise=0.3))
    align(str(run), "--out", "aligned")
    assert _run(["import", "aligned/latents", "--out", "again"]) == 0
    before, after = stabaudit.compare(run, floor_draws=2, rotations=9), stabaudit.compare("again", floor_draws=2, rotations=9)
    strong = [next(s.mean for s in found.scores if (s.metric, s.sample) == ("strong_mcc", "out")) for found in (before, after)]
    assert strong[1] == pytest.approx(strong[0], abs=1e-5)
    document = json.loads(Path("aligned/alignment.json").read_text())
    again = Run.open(Path("again"))
    central = int(document["central"].rpartition("#")[2])
    from stabaudit.metrics.split import split_halves

    target = again.latents(central)
    score = ~split_halves(target.sample_id)
    for one in document["restarts"]:
        z = again.latents(int(one["restart"].rpartition("#")[2]))
        in_place = [np.corrcoef(z.mean[score, k], target.mean[score, k])[0, 1] for k in range(D)]
        np.testing.assert_allclose(one["agreement"], in_place, atol=1e-4)


def test_a_map_that_aligns_in_part_is_told_from_one_that_does_and_from_none(make_run, align):
    rng = np.random.default_rng(3)
    turned = [base() @ np.linalg.qr(rng.normal(size=(D, D)))[0] for _ in range(4)]
    run = str(make_run("turned", d=D, ids=np.arange(N), latents=turned))
    out, _ = align(run, "--out", "one")
    assert "This aligns in part only, R² 0." in out
    assert "where an affine map reaches 1.00: dimensions turn among each other; use --by orthogonal or --by affine." in out
    out, _ = align(run, "--out", "two", "--by", "orthogonal")
    assert "in part only" not in out
    out, _ = align(
        str(make_run("noise", d=D, ids=np.arange(N), latents=[rng.normal(size=(N, D)) for _ in range(4)])), "--out", "three"
    )
    assert "Restarts share little: no linear map explains more than R² " in out
    out, _ = align(str(make_run("same", d=D, ids=np.arange(N), latents=restarts(4, base()))), "--out", "four")
    assert "in part" not in out
    assert "share little" not in out


def test_groups_have_no_common_frame_and_are_aligned_within(make_run, align):
    rng = np.random.default_rng(5)
    latents = restarts(4, base(), noise=0.1) + restarts(3, rng.laplace(size=(N, D)), noise=0.1)
    run = make_run("run", d=D, ids=np.arange(N), latents=latents)
    out, _ = align(str(run), "--out", "aligned")
    assert "No common frame exists: the restarts fall into groups (run#0, run#1, run#2, run#3; run#4, run#5, run#6)" in out
    document = json.loads(Path("aligned/alignment.json").read_text())
    assert out.count("by k-means, group") == 0
    for one in document["restarts"]:
        assert (int(one["reference"][-1]) < 4) == (int(one["restart"][-1]) < 4)
        assert min(one["agreement"]) > 0.9
    assert sorted(path.name for path in Path("aligned").iterdir()) == [
        *("alignment.json", "consensus-group-0.parquet", "consensus-group-1.parquet", "latents")
    ]
    out, _ = align(str(run), "--out", "forced", "--to", "0")
    assert "so one frame does not fit all" in out


def test_the_true_sources_can_be_the_frame(make_run, align):
    truth = base()
    run = make_run("run", d=D, ids=np.arange(N), latents=restarts(3, truth, noise=0.05), sources=truth)
    align(str(run), "--out", "aligned", "--to", "sources", "--by", "affine")
    found = pd.read_parquet("aligned/latents/restart-001.parquet")[[f"z{k}" for k in range(D)]].to_numpy()
    assert np.corrcoef(found[:, 1], truth[:, 1])[0, 1] > 0.95


def test_the_sample_that_moves_most_is_named(make_run, align):
    latents = restarts(3, base())
    latents[1][17] += 40.0
    run = make_run("run", d=D, ids=[f"cell {i}" for i in range(N)], latents=latents)
    out, _ = align(str(run), "--out", "aligned", "--to", "0", "--format", "json")
    assert json.loads(out)["moved"][0]["sample_id"] == "cell 17"


def test_a_page_holds_the_tables_and_the_consensus(make_run, align):
    run = make_run(
        "run", d=D, ids=[f"cell {i}" for i in range(N)], latents=restarts(3, base(), noise=0.3), labels=np.arange(N) % 2
    )
    out, _ = align(str(run), "--out", "aligned", "--to", "0", "--format", "html")
    assert out.startswith("<!doctype html>")
    for words in (
        '<figure id="consensus"',
        "samples that restarts place most differently",
        "clusters (2 by k-means)",
        "the one to",
    ):
        assert words in out
    assert "stabaudit train" in out  # how the run was made
    assert "<b>Chance</b>" not in out


def blobs(count, noise):
    """Restarts in which three clusters lie apart, each with its own order and signs; and which cluster a row is of."""
    rng = np.random.default_rng(7)
    of = np.arange(N) % 3
    common = 4.0 * np.eye(D)[of] + noise * rng.normal(size=(N, D))
    return restarts(count, common, noise=noise), of


def test_clusters_are_as_many_as_classes_of_labels_and_the_same_in_copies(make_run, align):
    latents, of = blobs(4, 0.05)
    run = make_run("run", d=D, ids=np.arange(N), latents=latents, labels=np.array(["a", "b", "c"])[of])
    document = json.loads(align(str(run), "--out", "aligned", "--format", "json")[0])
    assert [one["restart"] for one in document["clusters"]] == [None, *(f"run#{i}" for i in range(4))]
    for one in document["clusters"]:
        assert (one["by"], one["clusters"], one["with_restarts"], one["with_labels"], one["repeated"]) == ("k-means", 3, 1, 1, 1)
    assert [one["with_consensus"] for one in document["clusters"]] == [None, 1, 1, 1, 1]
    (stable,) = document["cluster_stability"]
    assert (stable["mean"], stable["ci_low"], stable["ci_high"], stable["pairs"], stable["restarts"]) == (1, 1, 1, 6, 4)
    written = pd.read_parquet("aligned/consensus.parquet")
    assert adjusted_rand_score(written["cluster"], written["label"]) == 1.0


def test_agreement_of_clusters_is_that_of_scikit_learn(make_run, align):
    latents = restarts(3, base(), noise=0.4)
    run = make_run("run", d=D, ids=np.arange(N), latents=latents)
    assert json.loads(align(str(run), "--out", "no", "--format", "json")[0])["clusters"] == []  # no labels, no number
    assert "cluster" not in pd.read_parquet("no/consensus.parquet")
    document = json.loads(align(str(run), "--out", "aligned", "--clusters", "4", "--format", "json")[0])
    own = [KMeans(4, n_init=10, random_state=0).fit_predict(np.float32(z).astype(float)) for z in latents]
    consensus = pd.read_parquet("aligned/consensus.parquet")["cluster"]
    found = document["clusters"][1:]
    assert [one["with_consensus"] for one in found] == pytest.approx([adjusted_rand_score(consensus, one) for one in own])
    others = [np.mean([adjusted_rand_score(own[i], own[j]) for j in range(3) if j != i]) for i in range(3)]
    assert [one["with_restarts"] for one in found] == pytest.approx(others)
    assert document["cluster_stability"][0]["mean"] == pytest.approx(np.mean(others))
    assert document["clusters"][0]["with_restarts"] == pytest.approx(np.mean([one["with_consensus"] for one in found]))
    assert {one["with_labels"] for one in document["clusters"]} == {None}


def test_components_of_learned_priors_are_clusters(make_run, align):
    rng = np.random.default_rng(3)
    of = np.arange(N) % 2
    latents = [np.where(of, 2.0, -2.0)[:, None] * [1, sign, 1] + 0.1 * rng.normal(size=(N, D)) for sign in (1, -1, 1)]
    folder = make_run("run", d=D, ids=np.arange(N), latents=latents)
    _, err = align(str(folder), "--out", "aligned", "--clusters", "prior", status=2)
    assert "clusters prior: no learned mixture prior over its 3 dimensions is stored with run#0; give a number" in err
    assert not Path("aligned").exists()
    with Run.prepare(folder, Run.open(folder).manifest) as run:
        for index, sign in enumerate((1, -1, 1)):
            columns = {f"mean{k}": np.array([-2.0, 2.0]) * (sign if k == 1 else 1) for k in range(D)}
            run.save_prior(index, {"weight": np.full(2, 0.5)} | columns | {f"log_var{k}": np.zeros(2) for k in range(D)})
            run.record(run.restart(index))
    out, _ = align(str(folder), "--out", "aligned", "--clusters", "prior")
    assert "clusters (2 components of the learned prior), adjusted Rand index" in out
    assert "adjusted Rand index of 1.000 [1.000, 1.000]" in out
    assert adjusted_rand_score(pd.read_parquet("aligned/consensus.parquet")["cluster"], of) == 1.0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--to", "9"], "--to 9: expected central, sources or one of the restarts 0, 1, 2"),
        (["--to", "sources"], "run has no true sources; align to 'central' or to a restart"),
        (["--clusters", "1"], "--clusters '1': expected a number of clusters from 2, or prior"),
        (["--clusters", "240"], "clusters: 240 of 240 rows; expected from 2 to 239"),
        (["--out", "run"], "--out run: is there already; name a folder that is not"),
        (["--out", "no/where"], "--out no/where: no folder no; make it first"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_nothing_is_written(make_run, align, more, message):
    run = make_run("run", d=D, ids=np.arange(N), latents=restarts(3, base()))
    before = sorted(Path().rglob("*"))
    more = [str(run) if word == "run" else word for word in more]
    _, err = align(str(run), *([] if "--out" in more else ["--out", "aligned"]), *more, status=2)
    assert message.replace("--out run", f"--out {run}") in err
    assert err.count("\n") == 1
    assert sorted(Path().rglob("*")) == before

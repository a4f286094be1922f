"""`stabaudit align`: files that are written, what is said, and that aligned latents can be imported again."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

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


def test_groups_have_no_common_frame_and_are_aligned_within(make_run, align):
    rng = np.random.default_rng(5)
    latents = restarts(4, base(), noise=0.1) + restarts(3, rng.laplace(size=(N, D)), noise=0.1)
    run = make_run("run", d=D, ids=np.arange(N), latents=latents)
    out, _ = align(str(run), "--out", "aligned")
    assert "No common frame exists: the restarts fall into groups (run#0, run#1, run#2, run#3; run#4, run#5, run#6)" in out
    document = json.loads(Path("aligned/alignment.json").read_text())
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


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--to", "9"], "--to 9: expected central, sources or one of the restarts 0, 1, 2"),
        (["--to", "sources"], "run has no true sources; align to 'central' or to a restart"),
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

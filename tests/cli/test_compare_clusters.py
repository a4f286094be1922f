"""Clusters on the command line: columns of files, runs that keep them, learned priors, gates."""

import csv
import gzip
import io
import json
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from stabaudit.cli.main import main
from stabaudit.store.run.run_folder import Run

pytestmark = pytest.mark.slow

FEW = ("--floor-draws", "3", "--scores", "cka")
ROWS = 300


@pytest.fixture
def run(capsys):
    def invoke(*arguments, status=0):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert stop.value.code == status, err
        return out if status in {0, 1, 3} else err

    return invoke


@pytest.fixture
def assigned():
    rng = np.random.default_rng(0)
    of = rng.integers(0, 4, ROWS)
    return [np.where(rng.random(ROWS) < 0.1, rng.integers(0, 4, ROWS), of) for _ in range(3)]


@pytest.fixture
def files(tmp_path, assigned):
    """A CSV file of each restart with its own clusters, rows in another order in each."""
    rng = np.random.default_rng(1)
    base = rng.normal(size=(ROWS, 3))
    paths = []
    for seed, of in enumerate(assigned):
        table = pd.DataFrame(base + 0.1 * rng.normal(size=base.shape), columns=["z0", "z1", "z2"])
        table = table.assign(cell=[f"c{i}" for i in range(ROWS)], leiden=np.array(list("wxyz"))[of], label=assigned[0])
        paths.append(tmp_path / f"seed{seed}.csv")
        table.sample(frac=1, random_state=seed).to_csv(paths[-1], index=False)
    return paths


def mean_rand(assigned):
    return np.mean([adjusted_rand_score(assigned[i], assigned[j]) for i, j in ((0, 1), (0, 2), (1, 2))])


def scores_of(document):
    return {one["metric"]: one for one in document["scores"] if one["sample"] == "out" and one["relation"] == "within"}


def test_a_column_of_files_and_the_run_that_keeps_it(run, files, assigned, tmp_path):
    column = ("--id-column", "cell", "--cluster-column", "leiden")
    from_files = json.loads(run("compare", *files, *column, *FEW, "--format", "json"))
    run("import", *files, *column, "--out", tmp_path / "run")
    from_run = json.loads(run("compare", tmp_path / "run", *FEW, "--format", "json"))
    jsonschema.validate(from_run, json.loads(run("schema")))
    for document in (from_files, from_run):
        assert scores_of(document)["clusters_ari"]["mean"] == pytest.approx(mean_rand(assigned), abs=1e-12)
        assert {one["cluster"] for one in document["clusters"]} == set("wxyz")
        assert {one["label"] for one in document["clusters"]} == set("0123")
        assert document["clusterings"][0]["by"] == "column"
    text = run("compare", tmp_path / "run", *FEW)
    assert "clusters, ARI" in text
    assert "4 named in its file, 300 rows" in text
    assert "4 named in its file, 300 rows" in run("compare", tmp_path / "run", *FEW, "--format", "markdown")
    assert "4 named in its file, 300 rows" in run("compare", tmp_path / "run", *FEW, "--format", "html")
    rows = csv.DictReader(io.StringIO(run("compare", tmp_path / "run", *FEW, "--format", "csv")))
    assert {"clusters_ari", "clusters_ami", "clusters_nmi"} <= {row["metric"] for row in rows}
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    assert manifest["external"]["cluster_column"] == "leiden"
    asked = json.loads(run("compare", tmp_path / "run", "--clusters", "5", *FEW, "--format", "json"))
    assert (asked["clusterings"][0]["by"], asked["clusterings"][0]["asked"]) == ("k-means", 5)


def test_arrays_beside_latents_and_columns_of_obs(run, assigned, tmp_path):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"r{i}.npz" for i in range(3)]
    for path, of in zip(paths, assigned, strict=True):
        np.savez(path, z=rng.normal(size=(ROWS, 2)), sample_id=np.arange(ROWS), louvain=of)
    found = json.loads(run("compare", *paths, "--cluster-column", "louvain", *FEW, "--format", "json"))
    assert scores_of(found)["clusters_ari"]["mean"] == pytest.approx(mean_rand(assigned), abs=1e-12)
    assert "unknown array" in run("compare", *paths, "--cluster-column", "leiden", *FEW, status=2)
    bare = [tmp_path / f"b{i}.npy" for i in range(2)]
    for path in bare:
        np.save(path, rng.normal(size=(ROWS, 2)))
    said = run("compare", *bare, "--ids-by-position", "--cluster-column", "leiden", *FEW, status=2)
    assert "save it in an .npz file" in said
    pytest.importorskip("h5py")
    written = Path(__file__).parents[1] / "store" / "files" / "anndata-0.12.19.h5ad.gz"
    cells = [tmp_path / f"cells{i}.h5ad" for i in range(3)]
    for path in cells:
        path.write_bytes(gzip.decompress(written.read_bytes()))
    obs = json.loads(run("compare", *cells, "--obsm", "X_scVI", "--cluster-column", "batch", *FEW, "--format", "json"))
    assert scores_of(obs)["clusters_ari"]["mean"] == 1.0
    assert {(one["cluster"], one["rows"]) for one in obs["clusters"]} == {("a", 6), ("b", 6)}


def with_priors(make_run, rows):
    """A run whose restarts have a learned mixture prior of three components over 12 dimensions."""
    rng = np.random.default_rng(0)
    of = rng.integers(0, 3, rows)
    centres = 5.0 * np.eye(3, 12)
    latents = [centres[of] + 0.3 * rng.normal(size=(rows, 12)) for _ in range(3)]
    folder = make_run("vade", d=12, ids=np.arange(rows), latents=latents, labels=np.array(["a", "b", "c"])[of], family="vade")
    with Run.prepare(folder, Run.open(folder).manifest) as run:
        for index in range(3):
            columns = {"weight": np.ones(3) / 3} | {f"mean{k}": centres[:, k] for k in range(12)}
            run.save_prior(index, columns | {f"log_var{k}": np.zeros(3) for k in range(12)})
            run.record(run.restart(index))
    return folder


def test_components_of_learned_priors_need_no_asking(run, make_run):
    learned = with_priors(make_run, ROWS)
    for more in ((), ("--clusters", "prior")):
        found = json.loads(run("compare", learned, *more, *FEW, "--format", "json"))
        assert found["clusterings"][0]["by"] == "prior"
        assert scores_of(found)["clusters_ari"]["mean"] == 1.0
        assert {one["label"] for one in found["clusters"]} == {"a", "b", "c"}
    assert "3 of its learned prior" in run("compare", learned, *FEW)
    assert "clusters, ARI [95%]" in run("report", learned, *FEW)
    assert "clusters, NMI [95%]" not in run("report", learned, *FEW)
    run("check", learned, "--require", "clusters_ari>=0.9", *FEW)


def test_gates_and_what_they_ask_for(run, make_run):
    rng = np.random.default_rng(0)
    base = 6.0 * np.eye(3)[rng.integers(0, 3, ROWS)]
    folder = make_run("vae", d=3, ids=np.arange(ROWS), latents=[base + 0.4 * rng.normal(size=base.shape) for _ in range(3)])
    gate = ("check", folder, "--require", "clusters_ari>=0.9", *FEW)
    assert "clusters_ari.out >= 0.9" in run(*gate, "--clusters", "3")
    run("check", folder, "--require", "clusters, AMI >= 0.9", "--clusters", "3", "--cluster-by", "gmm", *FEW)
    run("check", folder, "--require", "clusters_nmi.adjusted<0.5", "--clusters", "3", *FEW, status=1)
    assert "vae has none; --clusters K asks for it" in run(*gate, status=2)
    assert "lies between -0.5 and 1" in run("check", folder, "--require", "clusters_ari>=2", "--clusters", "3", *FEW, status=2)
    assert "comes with --clusters K" in run("compare", folder, "--scores", "clusters_ari", status=2)
    assert "clusters, ARI [95%]" in run("report", folder, "--clusters", "3", *FEW)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--clusters", "0"), "expected a number of clusters from 2, or prior"),
        (("--clusters", "leiden"), "expected a number of clusters from 2, or prior"),
        (("--clusters", "3", "--cluster-column", "leiden"), "give one of them"),
        (("--cluster-column", "cell"), "it names the rows"),
        (("--cluster-column", "leidn"), "unknown column"),
    ],
)
def test_what_is_asked_for_wrongly_is_refused_in_one_line(run, files, options, said):
    refused = run("compare", *files, "--id-column", "cell", *options, *FEW, status=2)
    assert said in refused
    assert len([line for line in refused.splitlines() if "error" in line]) == 1


def test_a_run_without_clusters_says_how_it_gets_some(run, make_run):
    assert "is a run, whose latents hold no clusters" in run("compare", make_run("vae"), "--cluster-column", "x", *FEW, status=2)


@pytest.mark.parametrize("asked", [True, False])
def test_streamed_latents_say_that_clusters_are_left_out(make_run, capsys, asked):
    if asked:
        latents = np.random.default_rng(0).normal(size=(3, 6000, 12))
        folder, more = make_run("vae", d=12, ids=np.arange(6000), latents=latents), ("--clusters", "4")
    else:
        folder, more = with_priors(make_run, 6000), ()
    with pytest.raises(SystemExit) as stop:
        main(["compare", str(folder), *more, *("--floor-draws", "3"), "--memory", "1.2MB", "--format", "json"])
    out, err = capsys.readouterr()
    assert stop.value.code == 0, err
    assert f"{folder.name}: clusters are left out, since latents are streamed and they need all rows; raise --memory" in err
    document = json.loads(out)
    assert document["scores"]
    assert "clusters_ari" not in {score["metric"] for score in document["scores"]}


def test_latents_on_a_grid_are_not_clustered_but_may_come_with_clusters(tmp_path, assigned, capsys):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{name}.parquet" for name in "abc"]
    for path, of in zip(paths, assigned, strict=True):
        names = [f"z{row}_0_{k}" for row in range(2) for k in range(2)]
        pd.DataFrame(rng.normal(size=(ROWS, 4)), columns=names).assign(sample_id=range(ROWS), leiden=of).to_parquet(path)
    for more, there in ((("--clusters", "4"), False), (("--cluster-column", "leiden"), True)):
        with pytest.raises(SystemExit) as stop:
            main(["compare", *map(str, paths), *more, *FEW, "--format", "json"])
        out, err = capsys.readouterr()
        assert stop.value.code == 0, err
        assert ("latents on a grid are not clustered" in err) != there
        assert ("clusters_ari" in {one["metric"] for one in json.loads(out)["scores"]}) == there

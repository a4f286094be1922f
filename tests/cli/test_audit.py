"""`stabaudit audit`: a small plan from end to end."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from stabaudit.audit.run import check_score
from stabaudit.cli.main import _run
from stabaudit.comparison.records import CollapseScore, Comparison
from stabaudit.comparison.surveys.references import Reference, hold
from stabaudit.metrics.scores import default_scores

pytestmark = pytest.mark.slow

PLAN = """
summary = "Which of two?"
[defaults]
data = "sources.npz"
restarts = 3
steps = 16
batch_size = 32
settings.widths = [8]
settings.scale = "none"
[grid]
family = ["vae", "vade"]
latent_dim = [2, 3]
[[adjust]]
when = { family = "vade" }
set = { settings.components = 2 }
"""
CELLS = [f"family={family},latent_dim={d}" for family in ("vae", "vade") for d in (2, 3)]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """Mixed sources, which are known."""
    folder = tmp_path_factory.mktemp("audit")
    rng = np.random.default_rng(0)
    sources = rng.laplace(size=(480, 3))  # 96 of them to evaluate on, more than a batch of 64
    np.savez(folder / "sources.npz", x=sources @ rng.normal(size=(3, 5)), sources=sources)
    (folder / "small.toml").write_text(PLAN)
    return folder


@pytest.fixture(autouse=True)
def _there(workplace, monkeypatch):
    monkeypatch.chdir(workplace)


@pytest.fixture
def audit(capfd):
    def command(*arguments):
        status = _run(["audit", *arguments])
        out, err = capfd.readouterr()
        return status, out, err.splitlines()

    return command


def strict(text):
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def table(name):
    return list(csv.DictReader(Path(f"audits/small/{name}.csv").read_text().splitlines()))


@pytest.fixture(scope="module")
def first(workplace):
    """The first audit, trained: its status, and its results as JSON."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workplace)
        status = _run(["audit", "small.toml", "--format", "json", "--output", "first.json", "--floor-draws", "5", "--quiet"])
    return status, strict((workplace / "first.json").read_text())


@pytest.mark.parametrize("key", ["data", "family", "arch"])
def test_a_dry_run_imports_nothing_that_a_plan_names(audit, key):
    Path("planted.py").write_text("open('ran', 'w').close()\n")
    Path("foreign.toml").write_text(f'[defaults]\ndata = "digits"\nfamily = "vae"\n[grid]\n{key} = ["planted:run"]\n')
    status, out, err = audit("foreign.toml", "--dry-run")
    kind = {"data": "dataset", "arch": "architecture"}.get(key, key)
    assert (status, err) == (0, ["stabaudit: foreign: 1 run, 10 restarts, in audits/foreign"])
    assert f"a dry run imports nothing that a plan names ({kind} planted:run)" in out
    assert not Path("ran").exists()


def test_a_dry_run_says_what_would_be_trained_and_writes_nothing(audit, monkeypatch):
    monkeypatch.setattr("stabaudit.engines.local.warm_up", lambda: pytest.fail("no process is needed"))
    status, out, err = audit("small.toml", "--dry-run", "--out", "dry")
    assert status == 0
    assert [line.split()[1] for line in out.splitlines() if line.startswith("folder")] == [f"dry/{cell}" for cell in CELLS]
    assert "stabaudit: small: 4 runs, 12 restarts, in dry" in err
    assert not Path("dry").exists()


def test_every_run_is_trained_and_compared(first):
    status, document = first
    assert status == 0
    assert sorted(path.name for path in Path("audits/small").iterdir()) == sorted([*CELLS, "restarts.csv", "scores.csv"])
    assert all(
        (Path("audits/small") / cell / "latents" / f"restart-{i:03d}.parquet").exists() for cell in CELLS for i in range(3)
    )
    assert document["schema_version"] == 1
    assert {(score["run_a"], score["run_b"], score["relation"]) for score in document["scores"]} == {
        (c, c, "within") for c in CELLS
    }
    strong = [score for score in document["scores"] if score["metric"] == "strong_mcc" and score["sample"] == "out"]
    assert [(score["pairs"], score["restarts"]) for score in strong] == [(3, 3)] * 4
    restarts = table("restarts")
    assert [row["restart"] for row in restarts] == [f"{cell}#{i}" for cell in sorted(CELLS) for i in range(3)]
    assert all(float(row["objective"]) < 0 < float(row["source_strong_mcc"]) < 1 for row in restarts)
    assert len(table("scores")) == len(document["scores"])
    (families,) = document["families"]
    assert {families["family_a"], families["family_b"]} == {"vae", "vade"}
    assert families["n"] == 2
    assert families["min_p"] == pytest.approx(0.5)  # 2/2²: two configurations cannot show more


def test_report_has_runs_and_families_in_the_same_order(first):
    asked = ["report", "audits/small", "--wilcoxon", "--floor-draws", "5", "--output", "again.json"]
    assert _run(asked) == 0
    again = strict(Path("again.json").read_text())
    assert [run["name"] for run in again["runs"]] == [run["name"] for run in first[1]["runs"]]
    assert again["families"] == first[1]["families"]


def test_the_scores_that_can_be_tested_are_those_that_runs_have(first):
    found = {score["metric"] for score in first[1]["scores"]}
    mccs = {"strong_mcc", "weak_mcc"}
    against_sources = {f"{against}{mcc}" for against in ("source_", "sampled_source_") for mcc in mccs}
    of_clusters = {"clusters_ari", "clusters_ami", "clusters_nmi"}  # vade learns some
    assert found == {*default_scores(), *against_sources, *of_clusters, "batched_source_strong_mcc"}
    for name in found:
        check_score(name)


def test_the_second_time_nothing_is_trained(first, audit):
    before = {path: path.stat().st_mtime_ns for path in Path("audits").rglob("restart-*")}
    status, out, err = audit("small.toml", "--format", "json", "--floor-draws", "5")
    assert status == 0
    assert strict(out) == first[1]
    assert not any("done after" in line for line in err)
    # Latents, history and weights; of vae also the divergence of each dimension, of vade the mixture.
    assert len(before) == 4 * 3 * len(CELLS)
    assert {path: path.stat().st_mtime_ns for path in Path("audits").rglob("restart-*")} == before


@pytest.mark.usefixtures("first")
def test_the_table_has_a_row_for_every_run_and_the_test(audit):
    status, out, err = audit("small.toml", "--floor-draws", "5", "--score", "weak_mcc@all.in")
    assert status == 0
    assert all(any(line.startswith(cell) for line in out.splitlines()) for cell in CELLS)
    assert "weak_mcc@all.in" in out
    assert err[0] == "stabaudit: small: 4 runs, 12 restarts, in audits/small"


REFERENCE = """
[[reference]]
score = "source_strong_mcc"
source = "Somebody 2021"
columns = ["family", "latent_dim", "value", "remark"]
rows = [["vade", 3, -1.5, "read off a figure"], ["vae", 3, 1.5, ""]]
[quick]
set = { steps = 4, restarts = 2 }
only = { family = "vade" }
"""


@pytest.mark.usefixtures("first")
def test_reported_numbers_stand_beside_measured_ones(audit):
    Path("published.toml").write_text(PLAN + REFERENCE)
    asked = ["published.toml", "--out", "audits/small", "--floor-draws", "5", "--only", "latent_dim=3"]
    status, out, _ = audit(*asked)
    assert status == 0
    table = out[out.index("measured beside reported") :]
    assert re.search(r"above it +Somebody 2021; read off a figure", table)
    assert re.search(r"below it +Somebody 2021", table)
    assert "scale: 2 runs, 6 restarts." in table
    assert "of 2 reported numbers, by the measured interval: above it: 1, below it: 1." in table
    records = strict(audit(*asked, "--format", "json")[1])["references"]
    assert [(r["run"], r["reference"], r["verdict"]) for r in records] == [
        ("family=vade,latent_dim=3", -1.5, "above it"),
        ("family=vae,latent_dim=3", 1.5, "below it"),
    ]
    assert all(r["ci_low"] <= r["mean"] <= r["ci_high"] for r in records)


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.5, "holds it"), (0.4, "holds it"), (0.6, "holds it"), (0.39, "above it"), (0.61, "below it")]
)
def test_a_number_at_either_end_of_the_interval_is_held(value, verdict):
    comparison = Comparison((), (), (), (), (), 1, collapse=(CollapseScore("a", "kl", 0.5, 0.1, 0.4, 0.6, 3, ""),))
    assert hold(Reference("a", "kl", value, "somebody", ""), comparison).verdict == verdict


def test_the_quick_form_is_trained_and_says_that_it_is_quick(audit):
    Path("published.toml").write_text(PLAN + REFERENCE)
    status, out, err = audit("published.toml", "--quick", "--only", "latent_dim=3", "--set", "steps=5", "--floor-draws", "5")
    assert status == 0
    assert err[0] == "stabaudit: published-quick: 1 run, 2 restarts, in audits/published-quick"
    assert "-1.500" in out
    assert "Somebody 2021; read off a figure" in out
    assert "deviation: quick: too little training" in out
    assert "deviation: steps = 5, 4 in the plan" in out


COLLAPSE = """
[[reference]]
score = "active_units"
source = "Somebody else 2021"
columns = ["family", "value"]
rows = [["vae", 1.5]]
"""


@pytest.mark.usefixtures("first")
def test_scores_of_collapse_can_be_reported_too(audit):
    Path("published.toml").write_text(PLAN + COLLAPSE.replace('"family"', '"family", "latent_dim"').replace('"vae"', '"vae", 3'))
    status, out, _ = audit(
        "published.toml", "--out", "audits/small", "--floor-draws", "5", "--only", "family=vae", "--format", "json"
    )
    assert status == 0
    (found,) = strict(out)["references"]
    (measured,) = [c for c in strict(out)["collapse"] if (c["run"], c["score"]) == (found["run"], "active_units")]
    assert (found["score"], found["reference"], found["verdict"]) == ("active_units", 1.5, "below it")
    assert (found["mean"], found["ci_low"], found["ci_high"]) == (measured["mean"], measured["ci_low"], measured["ci_high"])


@pytest.mark.usefixtures("first")
def test_a_run_of_another_configuration_stops_the_audit_before_anything_is_written(audit):
    Path("other.toml").write_text(PLAN.replace("latent_dim = [2, 3]", "latent_dim = [4, 3]").replace("steps = 16", "steps = 17"))
    status, out, (_, error) = audit("other.toml", "--out", "audits/small")
    assert (status, out) == (2, "")
    assert error.startswith(
        "stabaudit: error: audits/small/family=vae,latent_dim=3 holds another run: training.steps is 16 there"
    )
    assert sorted(path.name for path in Path("audits/small").iterdir() if path.is_dir()) == sorted(CELLS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["quikstart"], "unknown plan 'quikstart'; did you mean 'quickstart'?"),
        (["smal.toml"], "plan smal.toml: no such file or folder; did you mean 'small.toml'?"),
        (["sources.npz"], "unknown plan 'sources.npz'; did you mean 'ivae-sources'?"),
        (["small.toml", "--score", "strong"], "unknown score 'strong'; did you mean 'strong_mcc'"),
        (["small.toml", "--quick"], "plan small has no quick form"),
        (["small.toml", "--only", "latent_dim"], "--only 'latent_dim': expected key=value"),
        (["small.toml", "--only", "latent_dim=5"], "unknown latent_dim of plan small '5'; known: 2, 3"),
        (
            ["small.toml", "--set", "stepps=5"],
            "unknown key of plan small, family=vae,latent_dim=2 'stepps'; did you mean 'steps'",
        ),
        (["small.toml", "--workers", "0"], "'--workers': Input should be greater than or equal to 1"),
        (["small.toml", "--output", "nowhere/x.json"], "--output nowhere/x.json: no folder nowhere; make it first"),
    ],
)
def test_bad_usage_is_one_line_and_nothing_is_written(audit, arguments, message):
    before = sorted(Path().rglob("*"))
    status, out, (error,) = audit(*arguments, "--out", "refused")
    assert (status, out, sorted(Path().rglob("*"))) == (2, "", before)
    assert error.startswith("stabaudit: error: ")
    assert message in error
